//! The programs in examples/, run as their first lines say.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::support::{copy_of, crit_in, images};

/// Runs an example that `cargo test` has built beside the tests; `None` where only the tests were built.
fn example(name: &str, args: &[&str], dir: &Path) -> Option<Output> {
    let crit = PathBuf::from(env!("CARGO_BIN_EXE_crit"));
    let program = crit.parent().unwrap().join("examples").join(name);
    if !program.exists() {
        eprintln!("skipped: the examples are not built (`cargo build --examples`)");
        return None;
    }
    Some(
        Command::new(program)
            .args(args)
            .current_dir(dir)
            .output()
            .unwrap(),
    )
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn a_runtime_reads_from_each_pre_dump_whether_another_one_helps() {
    let dir = images().join("predump");
    let Some(run) = example("pre_dump_stats", &["1", "2", "3"], &dir) else {
        return;
    };
    let text = text(&run);
    // As `crit stats` has them.
    for dump in ["1", "2", "3"] {
        let stats = crit_in(&dir, &["stats", dump, "--json"], b"")
            .quiet()
            .json();
        let dumped = &stats["dump"];
        let line = format!(
            "{dump}: {} pages written, {} left to the parent",
            dumped["pages_written"], dumped["pages_skipped_parent"]
        );
        assert!(text.contains(&line), "{line}: {text}");
    }
}

#[test]
fn an_editor_changes_a_value_and_nothing_else() {
    let dump = copy_of("simple");
    let edit = ["fs-100.img", "entries[0].umask=63"];
    let path = dump.path().join(edit[0]);
    let Some(run) = example(
        "edit_before_restore",
        &[path.to_str().unwrap(), edit[1]],
        dump.path(),
    ) else {
        return;
    };
    assert!(text(&run).ends_with(" bytes, were 18\n"), "{run:?}");
    let json = crit_in(dump.path(), &["decode", "-i", edit[0]], b"")
        .quiet()
        .text();
    assert!(
        json.contains(r#"{"cwd_id": 14, "root_id": 15, "umask": 63}"#),
        "{json}"
    );
}

#[test]
fn a_scanner_finds_a_text_in_the_memory_of_every_checkpoint() {
    let Some(run) = example("scan", &["haystack-42", "i386", "pattern"], &images()) else {
        return;
    };
    let text = text(&run);
    assert!(text.starts_with("i386: task 100 at 0x"), "{text}");
}
