//! What the command says of itself: help, manual pages, completions.

use std::path::Path;
use std::process::Command;

use super::support::{copy_of, crit, crit_in, fresh_dir, images, tar};

/// Every command: the words before `--help`.
fn commands(before: &[&str]) -> Vec<Vec<String>> {
    let help = crit(&[before, &["--help"]].concat(), b"").quiet().text();
    let own = before.iter().map(|&word| word.to_owned()).collect();
    let mut all: Vec<Vec<String>> = vec![own];
    let listed = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| line.starts_with("  "));
    for line in listed.filter(|line| line.starts_with("  ") && !line.starts_with("   ")) {
        let name = line.split_whitespace().next().unwrap();
        // It prints what `--help` does, and has none of its own.
        if name == "help" {
            continue;
        }
        all.extend(commands(&[before, &[name]].concat()));
    }
    all
}

/// A place like the one that the examples are typed in.
fn place() -> tempfile::TempDir {
    let dir = fresh_dir();
    for (dump, name) in [("i386", "dump"), ("sockets", "web")] {
        std::fs::rename(copy_of(dump).path(), dir.path().join(name)).unwrap();
    }
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/next-criu");
    std::os::unix::fs::symlink(checkout, dir.path().join("criu")).unwrap();
    // As Podman lays it out.
    let from = images().join("i386");
    let args = [
        "-czf",
        "checkpoint.tar.gz",
        "--exclude=*.json",
        "-C",
        from.to_str().unwrap(),
    ];
    tar(
        dir.path(),
        &[&args[..], &["--transform", "s,^[.],checkpoint,", "."]].concat(),
    );
    dir
}

#[test]
fn every_example_in_the_help_of_every_command_runs() {
    let commands = commands(&[]);
    assert!(commands.len() > 20, "{commands:?}");
    let folder = Path::new(env!("CARGO_BIN_EXE_crit")).parent().unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let mut tried = 0;
    for command in &commands {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let help = crit(&[&words[..], &["--help"]].concat(), b"").text();
        assert!(help.contains("\nExamples:\n  $ "), "{command:?}: {help}");
        for line in help.lines() {
            let Some(line) = line.strip_prefix("  $ ") else {
                continue;
            };
            // What it does stands behind it, and in no shell.
            let typed = line.split("   ").next().unwrap().trim();
            let pager = Command::new("man").arg("--version").output();
            if typed.contains("COMMAND") || (typed.contains("man -l") && pager.is_err()) {
                continue;
            }
            let dir = place();
            let run = Command::new("sh")
                .args(["-c", typed])
                .current_dir(dir.path())
                .env("PATH", &path)
                .output()
                .unwrap();
            let code = run.status.code().unwrap();
            let stderr = String::from_utf8_lossy(&run.stderr);
            // 1 is an answer, where the help says so.
            let no = help.contains("xit code 1") || typed.starts_with("crit diff");
            assert!(code == 0 || (code == 1 && no), "{typed}: {code}, {stderr}");
            tried += 1;
        }
    }
    assert!(tried > 40, "{tried}");
}

#[test]
fn every_command_has_a_manual_page() {
    let dir = fresh_dir();
    crit_in(dir.path(), &["man", "-o", "man1"], b"").quiet();
    for command in commands(&[]) {
        let name = [&["crit".to_owned()], &command[..]].concat().join("-");
        let page = std::fs::read_to_string(dir.path().join(format!("man1/{name}.1"))).unwrap();
        assert!(page.contains(&format!(".TH {}", name.to_uppercase())));
        for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS"] {
            assert!(
                page.contains(&format!("\n.SH {section}\n")),
                "{name}: {section}"
            );
        }
    }
    let page = crit(&["man", "schema", "show"], b"").quiet().text();
    assert!(page.contains("crit\\-schema\\-show"), "{page}");
    let synopsis = ".SH SYNOPSIS\ncrit schema show [OPTIONS] <NAME>\n.SH";
    assert!(page.contains(synopsis), "{page}");
    let run = crit(&["man", "nothing"], b"");
    assert_eq!(
        (run.code, run.stderr.as_str()),
        (2, "crit: crit has no command `nothing`\n")
    );
}

#[test]
fn completions_know_commands_topics_magics_and_messages() {
    for shell in ["bash", "zsh", "fish"] {
        let script = crit(&["completions", shell], b"").quiet().text();
        for word in ["coredump", "--nopl", "cgroups", "INETSK", "pagemap_entry"] {
            let word = if shell == "fish" {
                word.trim_start_matches('-')
            } else {
                word
            };
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    let args = ["completions", "bash", "--schema-dir", "tests/next-criu"];
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let script = crit_in(root, &args, b"").quiet().text();
    assert!(script.contains("QUANTUM") && script.contains("quantum_entry"));
}

#[test]
fn bash_completes_magics_topics_commands_and_kinds_of_areas() {
    let script = crit(&["completions", "bash"], b"").quiet().text();
    for (typed, completed) in [
        ("crit schema show PSTR", "PSTREE"),
        ("crit x dump cgr", "cgroups"),
        ("crit man dec", "decode"),
        ("crit mem --region me", "memfd"),
        ("crit export --magic = TTY_IN", "TTY_INFO"),
        ("crit man schema lin", "lint"),
        ("crit schema diff built", "built-in"),
        ("crit report --js", ""),
        ("crit check --js", "--json"),
        // Where a file is wanted, options are none: bash completes files.
        ("crit check ''", ""),
        ("crit x ''", ""),
        ("crit report ''", ""),
    ] {
        let words: Vec<&str> = typed.split(' ').collect();
        let (last, before) = (words[words.len() - 1], words[words.len() - 2]);
        let ask = format!(
            "{script}\nCOMP_WORDS=({typed}); COMP_CWORD={}\n_crit_words crit {last} {before}\necho \"${{COMPREPLY[@]}}\"\n",
            words.len() - 1
        );
        let run = Command::new("bash").args(["-c", &ask]).output();
        let Ok(run) = run else {
            eprintln!("skipped: there is no bash here");
            return;
        };
        let reply = String::from_utf8_lossy(&run.stdout);
        assert_eq!(reply.trim_end(), completed, "{typed}");
    }
}

#[test]
fn a_mistyped_command_topic_or_message_has_a_hint() {
    for (args, hint) in [
        (&["decod", "x"][..], "hint: did you mean `decode`?"),
        (&["x", "app", "proc"], "hint: did you mean `ps`?"),
        (&["x", "app", "mount"], "hint: did you mean `mounts`?"),
        (&["x", "app", "sockest"], "hint: did you mean `sk`?"),
        (
            &["decode", "-i", "app/pstree.img", "--message", "pstree_entr"],
            "hint: did you mean `pstree_entry`?",
        ),
        (
            &["decode", "-i", "app"],
            "hint: a file is wanted: `crit ls` lists the images of a directory",
        ),
        (
            &["man", "schema", "nosuch"],
            "crit: crit schema has no command `nosuch`",
        ),
    ] {
        let run = crit(args, b"");
        assert_eq!(run.code, 2, "{args:?}");
        assert!(run.stderr.contains(hint), "{}", run.stderr);
        assert!(!run.stderr.contains("similar"), "{}", run.stderr);
    }
}

#[test]
fn help_is_a_command_too() {
    let help = crit(&["help", "decode"], b"").quiet().text();
    assert_eq!(help, crit(&["decode", "--help"], b"").quiet().text());
}

#[test]
fn quiet_says_errors_alone_and_verbose_which_schema_is_used() {
    let odd = ["decode", "-i", "v33-full/stats-dump"];
    assert!(crit(&odd, b"").stderr.contains("crit: warning: "));
    crit(&[&odd[..], &["-q"]].concat(), b"").quiet();
    let wrong = crit(
        &["-q", "encode"],
        b"{\"magic\": \"PSTRE\", \"entries\": []}",
    );
    assert_eq!(wrong.code, 2);
    assert_eq!(wrong.stderr.lines().count(), 1, "{}", wrong.stderr);
    let run = crit(&["show", "-v", "simple/pstree.img"], b"");
    assert!(
        run.stderr.starts_with("crit: schema: the built-in schema"),
        "{}",
        run.stderr
    );
    assert!(run.stderr.ends_with(" s\n"));
}
