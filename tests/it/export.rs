//! `crit export`: the entries of checkpoints as JSON lines, and what DuckDB finds in them.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::support::{copy_of, crit, crit_in, fresh_dir, images};

fn lines(text: &str) -> Vec<Value> {
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

#[test]
fn a_line_is_an_entry_with_its_checkpoint_image_magic_and_index() {
    let run = crit(&["export", "simple", "sockets", "--jsonl"], b"");
    assert_eq!(run.code, 0, "{}", run.stderr);
    let found = lines(&run.text());
    for dump in ["simple", "sockets"] {
        let mut expected = 0;
        for entry in fs::read_dir(images().join(dump)).unwrap() {
            // What upstream prints of the same image.
            let name = entry.unwrap().file_name().into_string().unwrap();
            let Some(image) = name
                .strip_suffix(".json")
                .filter(|name| !name.ends_with(".pretty") && !name.ends_with(".nopl"))
            else {
                continue;
            };
            let golden = fs::read_to_string(images().join(dump).join(&name)).unwrap();
            let golden: Value = serde_json::from_str(&golden).unwrap();
            for (index, entry) in golden["entries"].as_array().unwrap().iter().enumerate() {
                let line = found.iter().find(|line| {
                    line["checkpoint"] == dump && line["image"] == image && line["index"] == index
                });
                let line = line.unwrap_or_else(|| panic!("{dump}/{image} {index}"));
                assert_eq!(line["magic"], golden["magic"]);
                // Payloads are named by their size.
                let mut line = line["entry"].clone();
                let mut entry = entry.clone();
                let sizes = [&mut line, &mut entry]
                    .map(|entry| entry.as_object_mut().unwrap().remove("extra"));
                if let [Some(size), Some(_)] = sizes {
                    assert!(size.as_str().unwrap().starts_with("... <"), "{size}");
                }
                assert_eq!(line, entry, "{dump}/{image} {index}");
                expected += 1;
            }
        }
        assert_eq!(
            found
                .iter()
                .filter(|line| line["checkpoint"] == dump)
                .count(),
            expected
        );
    }
}

#[test]
fn an_export_can_be_of_some_magics_and_with_readable_numbers_and_payloads() {
    let args = [
        "export",
        "sockets",
        "--magic",
        "FILES",
        "--magic",
        "SK_QUEUES",
        "--pretty",
        "--payload",
    ];
    let found = lines(&crit(&args, b"").quiet().text());
    assert!(
        found
            .iter()
            .all(|line| line["magic"] == "FILES" || line["magic"] == "SK_QUEUES")
    );
    assert!(
        found
            .iter()
            .any(|line| line["entry"]["isk"]["src_addr"] == json!(["127.0.0.1"]))
    );
    assert!(found.iter().any(|line| {
        line["entry"]["extra"]
            .as_str()
            .is_some_and(|extra| !extra.starts_with("..."))
    }));
    assert_eq!(
        crit(&["export", "sockets", "--magic", "NOTHING"], b"").code,
        2
    );
}

#[test]
fn what_can_not_be_read_is_said_and_leaves_whole_lines_of_the_rest() {
    let dump = copy_of("simple");
    let files = dump.path().join("files.img");
    let bytes = fs::read(&files).unwrap();
    fs::write(&files, &bytes[..bytes.len() - 3]).unwrap();
    let run = crit_in(
        dump.path(),
        &["export", ".", "nowhere", "-o", "out.jsonl"],
        b"",
    );
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("files.img"), "{}", run.stderr);
    assert!(run.stderr.contains("nowhere"), "{}", run.stderr);
    let run = crit_in(dump.path(), &["export", "."], b"");
    assert_eq!(run.code, 2);
    let found = lines(&run.text());
    assert!(found.iter().any(|line| line["magic"] == "FILES"));
    assert!(found.iter().any(|line| line["magic"] == "PSTREE"));
}

fn readme() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap()
}

/// The blocks of the README in a language, each with what stands between it and the next block or the end.
fn blocks(language: &str) -> Vec<(String, String)> {
    let readme = readme();
    let begin = format!("```{language}\n");
    let rest = readme.split(&begin).skip(1);
    let block = rest.filter_map(|rest| rest.split_once("```\n"));
    block
        .map(|(block, after)| (block.to_owned(), after.to_owned()))
        .collect()
}

/// The queries for DuckDB, each with what is shown below it.
fn queries() -> Vec<(String, String)> {
    let blocks = blocks("sql").into_iter();
    let shown = |after: &str| {
        let (_, rest) = after.split_once("```text\n").unwrap();
        rest.split_once("```\n").unwrap().0.to_owned()
    };
    blocks
        .map(|(query, after)| (query, shown(&after)))
        .collect()
}

/// A directory with the lines that the README's queries are asked of, where Python has this module.
fn exported_for(module: &str) -> Option<tempfile::TempDir> {
    let dir = fresh_dir();
    if python(&format!("import {module}"), dir.path()).is_none() {
        eprintln!("skipped: {module} is not installed (pip install {module})");
        return None;
    }
    std::os::unix::fs::symlink(images(), dir.path().join("checkpoints")).unwrap();
    let readme = readme();
    let export = readme.lines().find(|line| line.ends_with("-o all.jsonl"));
    let folder = Path::new(env!("CARGO_BIN_EXE_crit")).parent().unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let run = Command::new("sh")
        .args(["-c", export.unwrap().trim_start_matches("$ ")])
        .env("PATH", path)
        .current_dir(dir.path())
        .output()
        .unwrap();
    // The folder of the pre-dumps is no checkpoint itself, and is said not to be.
    assert!(run.status.code().is_some_and(|code| code != 101), "{run:?}");
    Some(dir)
}

/// What Python prints; `None` when it fails.
fn python(code: &str, dir: &Path) -> Option<String> {
    let run = Command::new("python3")
        .args(["-c", code])
        .current_dir(dir)
        .output()
        .ok()?;
    run.status
        .success()
        .then(|| String::from_utf8_lossy(&run.stdout).into_owned())
}

#[test]
fn duckdb_answers_the_readmes_questions_over_many_checkpoints() {
    let queries = queries();
    assert!(queries.len() >= 3);
    let Some(dir) = exported_for("duckdb") else {
        return;
    };
    for (query, output) in queries {
        let code = format!(
            "import duckdb\nfor row in duckdb.sql('''{query}''').fetchall(): print(*row, sep='  ')"
        );
        let answer = python(&code, dir.path()).unwrap_or_else(|| panic!("{query}"));
        assert_eq!(answer, output, "{query}");
    }
}

#[test]
fn clickhouse_and_spark_give_the_same_answer_to_the_first_question() {
    let expected = queries().remove(0).1;
    let (query, _) = blocks("clickhouse").remove(0);
    if let Some(dir) = exported_for("chdb") {
        let code = format!("import chdb\nprint(chdb.query('''{query}''', 'TSV'), end='')");
        let answer = python(&code, dir.path()).unwrap_or_else(|| panic!("{query}"));
        assert_eq!(answer.replace('\t', "  "), expected);
    }
    let (program, _) = blocks("python").remove(0);
    if let Some(dir) = exported_for("pyspark") {
        let answer = python(&program, dir.path()).unwrap_or_else(|| panic!("{program}"));
        assert_eq!(answer, expected);
    }
}
