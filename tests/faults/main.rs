//! Output is whole or not at all: every command that writes is killed at each of its system calls,
//! and has each of them fail, one a run. A program of its own: it waits for the processes that it
//! traces, and other tests have some as well.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
// What a test does not expect is a panic.
#![allow(
    clippy::cast_sign_loss,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod trace;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use nix::libc::{EINTR, EIO, ENOSPC};
use trace::{Ended, Fault, run};

/// The files of a directory, by name.
type Files = BTreeMap<PathBuf, Vec<u8>>;

/// One traced process at a time: see [`trace::run`].
static ALONE: Mutex<()> = Mutex::new(());

/// A command that writes, in a directory of its own.
struct Scenario {
    args: &'static [&'static str],
    before: Files,
}

fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/images")
        .join(name);
    fs::read(path).unwrap()
}

fn scenarios() -> Vec<Scenario> {
    let files = |list: &[(&str, &[u8])]| -> Files {
        let files = list
            .iter()
            .map(|(name, bytes)| (name.into(), bytes.to_vec()));
        files.collect()
    };
    let image = fixture("simple/pstree.img");
    let json = fixture("simple/pstree.img.json");
    let mut dump = Files::new();
    for name in ["inventory.img", "pstree.img", "files.img", "fs-100.img"] {
        dump.insert(name.into(), fixture(&format!("simple/{name}")));
    }
    vec![
        Scenario {
            args: &["decode", "-i", "in.img", "-o", "new.json"],
            before: files(&[("in.img", &image)]),
        },
        Scenario {
            args: &["decode", "-i", "in.img", "-o", "old.json"],
            before: files(&[("in.img", &image), ("old.json", b"old")]),
        },
        Scenario {
            args: &["encode", "-i", "in.json", "-o", "in.json"],
            before: files(&[("in.json", &json)]),
        },
        Scenario {
            args: &["set", "pstree.img", "entries[0].pgid=77"],
            before: files(&[("pstree.img", &image)]),
        },
        Scenario {
            args: &["replace", "--path", "/dev=/other", "."],
            before: dump,
        },
    ]
}

fn read(dir: &Path) -> Files {
    let entries = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .map(|path| (path.file_name().unwrap().into(), fs::read(&path).unwrap()))
        .collect()
}

/// Runs a scenario in a fresh directory with a fault: how it ended, and the files afterwards.
fn attempt(scenario: &Scenario, fault: Fault) -> (Ended, Files) {
    let dir = tempfile::Builder::new().prefix("crit-").tempdir().unwrap();
    for (name, bytes) in &scenario.before {
        fs::write(dir.path().join(name), bytes).unwrap();
    }
    let ended = run(scenario.args, dir.path(), fault);
    (ended, read(dir.path()))
}

/// Calls `test` with every scenario, how many system calls it makes, and the files after a run
/// without a fault. Nothing, with a line that says why, where tracing is not allowed.
fn each(test: impl Fn(&Scenario, usize, &Files)) {
    let _alone = ALONE.lock();
    if let Err(error) = trace::allowed() {
        eprintln!("skipped: processes may not be traced here: {error}");
        return;
    }
    for scenario in scenarios() {
        let (ended, after) = attempt(&scenario, Fault::None);
        assert_eq!(ended.code, Some(0), "{:?}: {}", scenario.args, ended.stderr);
        assert_ne!(after, scenario.before);
        assert!(ended.calls > 20, "{} system calls", ended.calls);
        test(&scenario, ended.calls, &after);
    }
}

/// Every file is what it was or what it is to become, and there are no others but for those that
/// `more` lets pass.
fn check(what: &str, before: &Files, now: &Files, after: &Files, more: impl Fn(&[u8]) -> bool) {
    for (name, bytes) in before {
        assert!(now.contains_key(name), "{what}: {} is gone", name.display());
        let whole = now[name] == *bytes || after.get(name) == Some(&now[name]);
        assert!(whole, "{what}: {} is neither old nor new", name.display());
    }
    for (name, bytes) in now.iter().filter(|(name, _)| !before.contains_key(*name)) {
        let whole = after.get(name) == Some(bytes) || more(bytes);
        assert!(whole, "{what}: {} is left", name.display());
    }
}

#[test]
fn a_command_killed_at_any_system_call_leaves_every_file_as_it_was_or_whole() {
    each(|scenario, calls, after| {
        for call in 0..calls {
            let (_, now) = attempt(scenario, Fault::Kill(call));
            let what = format!("{:?} killed at call {call} of {calls}", scenario.args);
            // Before it takes the place of an old file, a whole new one may stand beside it.
            let whole = |bytes: &[u8]| after.values().any(|new| new == bytes);
            check(&what, &scenario.before, &now, after, whole);
        }
    });
}

#[test]
fn a_command_with_any_system_call_failing_says_so_and_leaves_every_file_as_it_was_or_whole() {
    each(|scenario, calls, after| {
        let mut refused = 0;
        for errno in [ENOSPC, EIO] {
            for call in 0..calls {
                let (ended, now) = attempt(scenario, Fault::Fail(call, errno));
                let what = format!(
                    "{:?} with error {errno} of call {call} ({}): {:?} {}",
                    scenario.args, ended.failed, ended.code, ended.stderr
                );
                check(&what, &scenario.before, &now, after, |_| false);
                match ended.code {
                    Some(0) => assert!(now == *after, "{what}: said to be done"),
                    Some(_) => {
                        assert!(!ended.stderr.is_empty(), "{what}: no word");
                        assert!(!ended.stderr.contains("panicked"), "{what}");
                        refused += 1;
                    }
                    None => panic!("{what}: ended by a signal"),
                }
            }
        }
        assert!(refused > 10, "{:?}: {refused}", scenario.args);
    });
}

#[test]
fn an_interrupted_read_or_write_is_tried_again() {
    each(|scenario, calls, after| {
        for call in 0..calls {
            let (ended, now) = attempt(scenario, Fault::FailTransfer(call, EINTR));
            // The dynamic loader, which comes first, does not try again.
            if ended.code != Some(127) {
                let what = format!("{:?}, call {call}: {}", scenario.args, ended.stderr);
                assert_eq!(ended.code, Some(0), "{what}");
                assert!(now == *after, "{what}");
            }
        }
    });
}
