//! `crit x` and the explorers: upstream's tables, what upstream can't show, and damaged dumps.

use std::fs;
use std::path::{Path, PathBuf};

use criu_images::explore::{ProcessOptions, TaskState};
use criu_images::{Checkpoint, Explorer};
use serde_json::{Value, json};

use super::support::{crit, crit_in, edit_image, fresh_dir, images, wire};

/// The dumps of a folder that upstream's tables are known for, with where those tables are.
fn dumps_with_tables() -> Vec<(PathBuf, PathBuf)> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let mut found = Vec::new();
    for (dumps, tables) in [
        (images(), images()),
        (corpus.join("images"), corpus.join("expected")),
    ] {
        for folder in [tables.clone(), tables.join("predump")] {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    let name = path.strip_prefix(&tables).unwrap();
                    found.push((dumps.join(name), path));
                }
            }
        }
    }
    found
}

#[test]
fn ps_fds_mems_and_rss_print_what_upstream_prints() {
    let mut compared = 0;
    for (dump, tables) in dumps_with_tables() {
        for topic in ["ps", "fds", "mems", "rss"] {
            let Ok(expected) = fs::read(tables.join(format!("x-{topic}.txt"))) else {
                continue;
            };
            let run = crit(&["x", dump.to_str().unwrap(), topic], b"").quiet();
            // The goldens of the corpus lack the newline at the end.
            let printed = run.stdout.strip_suffix(b"\n").unwrap();
            let expected = expected.strip_suffix(b"\n").unwrap_or(&expected);
            assert!(printed == expected, "{} {topic}", dump.display());
            compared += 1;
        }
    }
    assert!(compared >= 57, "{compared} compared");
}

#[test]
fn tasks_that_have_ended_are_gaps_and_the_others_are_still_shown() {
    let ps = crit(&["x", "tree", "ps"], b"").quiet().text();
    assert!(ps.contains("zombie exit\n"), "{ps}");
    for topic in ["fds", "mems", "rss"] {
        let run = crit(&["x", "tree", topic], b"");
        assert_eq!(run.code, 0);
        let text = run.text();
        let tasks: Vec<&str> = text.lines().filter(|l| !l.starts_with('\t')).collect();
        // Task 113 and 114 have ended.
        let living = "100 103 110 111 104 108 109 105 106 107 112 115";
        let mut living: Vec<&str> = living.split(' ').collect();
        let mut shown: Vec<&str> = tasks.iter().map(|line| line.trim()).collect();
        living.sort_unstable();
        shown.sort_unstable();
        assert_eq!(shown, living, "{topic}");
        for pid in [113, 114] {
            assert!(
                run.stderr
                    .contains(&format!("task {pid} is dead: it has no ")),
                "{}",
                run.stderr
            );
        }
    }
    let dump = Checkpoint::open(images().join("tree")).unwrap();
    let explorer = Explorer::new(&dump);
    let state = |pid| {
        let tasks = explorer.tasks().unwrap();
        tasks.iter().find(|task| task.pid == pid).unwrap().state
    };
    assert_eq!(state(113), Some(TaskState::Dead));
    assert_eq!(state(112), Some(TaskState::Stopped));
    assert_eq!(state(100), Some(TaskState::Alive));
    let threads = explorer.threads().unwrap();
    let ended = threads.iter().find(|task| task.pid == 113).unwrap();
    assert_eq!(ended.threads.len(), 1);
    assert_eq!(ended.threads[0].tid, 113);
}

#[test]
fn dumps_of_old_crius_have_all_tables() {
    for dump in ["v10-simple", "v12-ipc-ns", "v33-full"] {
        for topic in ["mems", "rss", "threads", "creds", "signals"] {
            let run = crit(&["x", dump, topic], b"").quiet();
            assert!(run.text().lines().count() > 1, "{dump} {topic}");
        }
    }
    let sk = crit(&["x", "v12-ipc-ns", "sk"], b"").quiet().text();
    assert!(sk.lines().count() > 5, "{sk}");
    // The first area and the first run of pages of v10-simple, read off its images.
    let mems = crit(&["x", "v10-simple", "mems"], b"").quiet().text();
    let vmas = crit(&["decode", "-i", "v10-simple/vmas-100.img"], b"").json();
    let first = &vmas["entries"][0];
    let range = format!(
        "\t{:08x}-{:08x}",
        first["start"].as_u64().unwrap(),
        first["end"].as_u64().unwrap()
    );
    assert!(mems.contains(&range), "{mems}");
    let rss = crit(&["x", "v12-ipc-ns", "rss", "--json"], b"")
        .quiet()
        .json();
    let run = &rss[0]["rss"][0];
    let pid = rss[0]["pid"].as_u64().unwrap();
    let name = format!("v12-ipc-ns/pagemap-{pid}.img");
    let pagemap = crit(&["decode", "-i", &name], b"").json();
    let entry = &pagemap["entries"][1];
    assert_eq!(run["phy_addr"], entry["vaddr"]);
    assert_eq!(run["phy_pages"], entry["compat_nr_pages"]);
}

#[test]
fn who_has_the_other_end_of_a_socket_need_not_be_below_the_task_that_is_asked_about() {
    // As for all tasks: task 13 inherited its sockets, as six others did.
    let line = |args: &[&str]| {
        let text = crit(args, b"").text();
        let line = text.lines().find(|line| line.starts_with(" 13  23 "));
        line.unwrap().to_owned()
    };
    let one = line(&["x", "full-ns", "sk", "-p", "13"]);
    assert!(one.contains("peer 1/24 6/24 and 5 more"), "{one}");
    assert_eq!(one, line(&["x", "full-ns", "sk"]));
}

#[test]
fn sockets_have_addresses_queues_peers_and_states() {
    let json = crit(&["x", "sockets", "sk", "--json"], b"").quiet().json();
    let sockets = json[0]["sockets"].as_array().unwrap();
    let with = |fd: u64| sockets.iter().find(|s| s["fd"] == fd).unwrap();
    // Read off files.img, sk-queues.img and the tcp-stream images as upstream decodes them.
    let pair = with(10);
    assert_eq!(
        (&pair["family"], &pair["type"]),
        (&"UNIX".into(), &"STREAM".into())
    );
    assert_eq!(pair["recv_queue"], 23);
    assert_eq!(pair["recv_packets"], 1);
    assert_eq!(pair["peer"]["holders"], serde_json::json!([[100, 11]]));
    let listener = with(16);
    assert_eq!(listener["src_addr"], "sock with space=é");
    assert_eq!(listener["name_dir"], "/srv/demo/run/sockets");
    assert_eq!(
        (&listener["state"], &listener["backlog"]),
        (&"LISTEN".into(), &7.into())
    );
    assert_eq!(with(18)["dest_addr"], "sock with space=é");
    assert_eq!(with(18)["shutdown"], "WRITE");
    // A name that is not UTF-8, abstract: "@crit\x01\x02=\xff\x80 abs\0tail".
    assert_eq!(
        with(20)["src_addr"]["@bytes"],
        "QGNyaXQBAj3/gCBhYnMAdGFpbA=="
    );
    let tcp = with(21);
    assert_eq!(
        (&tcp["src_addr"], &tcp["src_port"]),
        (&"127.0.0.1".into(), &36089.into())
    );
    assert_eq!(tcp.get("dest_addr"), None);
    let files = crit(&["decode", "-i", "sockets/files.img"], b"").json();
    let bound = files["entries"].as_array().unwrap().iter();
    let bound = bound
        .filter(|f| f["isk"]["opts"]["so_bound_dev"] == "lo")
        .count();
    let shown = sockets.iter().filter(|s| s["interface"] == "lo").count();
    assert_eq!((bound, shown), (1, 1));
}

#[test]
fn streams_of_connections_say_what_waits_in_them() {
    let json = crit(&["x", "sockets", "sk", "--json"], b"").quiet().json();
    let sockets = json[0]["sockets"].as_array().unwrap();
    let established = sockets
        .iter()
        .filter(|s| s["protocol"] == "TCP" && s["state"] == "ESTABLISHED");
    for socket in established.clone() {
        let name = format!(
            "sockets/tcp-stream-{:x}.img",
            socket["ino"].as_u64().unwrap()
        );
        let stream = &crit(&["decode", "-i", &name], b"").json()["entries"][0];
        assert_eq!(socket["recv_queue"], stream["inq_len"]);
        assert_eq!(socket["send_queue"], stream["outq_len"]);
    }
    assert!(established.count() >= 2);
}

#[test]
fn the_command_line_and_environment_come_out_of_the_pages() {
    let text = crit(&["x", "i386", "ps", "--args", "--env"], b"")
        .quiet()
        .text();
    assert_eq!(
        text,
        "[100] /srv/demo/bin/i386 /srv/demo/run/i386 CRIT_NEEDLE=haystack-42\n\
         \x20    PATH=/usr/bin:/bin\n     HOME=/srv/demo\n     CRIT_NEEDLE=haystack-42\n"
    );
    // The pages of the stack are spread over a chain of three dumps.
    let dump = Checkpoint::open(images().join("predump/3")).unwrap();
    let options = ProcessOptions::default().args(true).env(true);
    let explorer = Explorer::new(&dump);
    let roots = explorer.ps(&options).unwrap();
    assert_eq!(explorer.warnings(), []);
    let args: Vec<_> = roots[0]
        .args
        .iter()
        .flatten()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        args,
        [
            "/srv/demo/bin/workload",
            "/srv/demo/run/predump",
            "--only=files,shmem,memfd,inotify",
            "CRIT_NEEDLE=haystack-42"
        ]
    );
    let env: Vec<_> = roots[0]
        .env
        .iter()
        .flatten()
        .map(ToString::to_string)
        .collect();
    assert!(
        env.contains(&"CRIT_NEEDLE=haystack-42".to_owned()),
        "{env:?}"
    );
}

#[test]
fn credentials_timers_and_signals_have_their_names() {
    let creds = crit(&["x", "simple", "creds", "--json"], b"")
        .quiet()
        .json();
    let core = &crit(&["decode", "-i", "simple/core-100.img"], b"").json()["entries"][0];
    let image = &core["thread_core"]["creds"];
    assert_eq!(creds[0]["uid"], image["uid"]);
    let words = image["cap_eff"].as_array().unwrap();
    let bits: u32 = words.iter().map(|w| w.as_u64().unwrap().count_ones()).sum();
    assert_eq!(creds[0]["cap_eff"].as_array().unwrap().len() as u32, bits);
    let timers = crit(&["x", "events", "timers", "--json"], b"")
        .quiet()
        .json();
    assert_eq!(timers[0]["interval"][0]["which"], "real");
    let core = &crit(&["decode", "-i", "events/core-100.img"], b"").json()["entries"][0];
    let real = &core["tc"]["timers"]["real"];
    let micros =
        |s: &str, us: &str| real[s].as_u64().unwrap() * 1_000_000 + real[us].as_u64().unwrap();
    assert_eq!(
        timers[0]["interval"][0]["interval_us"],
        micros("isec", "iusec")
    );
    assert_eq!(
        timers[0]["interval"][0]["value_us"],
        micros("vsec", "vusec")
    );
    assert_eq!(timers[0]["posix"][0]["clock"], "MONOTONIC");
    assert_eq!(timers[0]["posix"][0]["signal"], "SIGUSR2");
    assert_eq!(timers[0]["posix"][1]["notify"], "NONE");
    let signals = crit(&["x", "events", "signals", "--json"], b"")
        .quiet()
        .json();
    // The mask of the image: bit n is signal n + 1.
    let core = &crit(&["decode", "-i", "events/core-100.img"], b"").json()["entries"][0];
    let mask = core["thread_core"]["blk_sigset"].as_u64();
    let mask = mask.or(core["tc"]["blk_sigset"].as_u64()).unwrap();
    let blocked = signals[0]["threads"][0]["blocked"].as_array().unwrap();
    assert_eq!(blocked.len() as u32, mask.count_ones());
    // Actions leave out SIGKILL (9) and SIGSTOP (19): the tenth in the image is SIGUSR1's neighbour.
    let actions = core["tc"]["sigactions"].as_array().unwrap();
    assert_eq!(actions.len(), 62);
    let handled = actions.iter().filter(|a| a["sigaction"] != 0).count();
    assert_eq!(signals[0]["handlers"].as_array().unwrap().len(), handled);
}

#[test]
fn namespaces_mounts_and_cgroups_tell_what_is_in_them() {
    let ns = crit(&["x", "full-ns", "ns", "--json"], b"").json();
    assert_eq!(
        (&ns["tasks"][0]["pid"], &ns["tasks"][0]["ids"]["pid"]),
        (&1.into(), &9.into())
    );
    let of = |kind: &str| {
        let all = ns["namespaces"].as_array().unwrap();
        all.iter().find(|n| n["kind"] == kind).unwrap().clone()
    };
    assert_eq!(of("uts")["hostname"], "demo");
    assert_eq!(of("net")["devices"][0]["name"], "lo");
    assert_eq!(of("ipc")["shm_segments"], 2);
    let mounts = crit(&["x", "full-ns", "mounts", "--json"], b"")
        .quiet()
        .json();
    let image = crit(
        &["decode", "--pretty", "-i", "full-ns/mountpoints-14.img"],
        b"",
    )
    .json();
    let shown = mounts["namespaces"][0]["mounts"].as_array().unwrap();
    let entries = image["entries"].as_array().unwrap();
    assert_eq!(shown.len(), entries.len());
    for (mount, entry) in shown.iter().zip(entries) {
        assert_eq!(mount["mountpoint"], entry["mountpoint"]);
        assert_eq!(mount["device"], entry["root_dev"]);
    }
    let cgroups = crit(&["x", "full-ns", "cgroups", "--json"], b"").json();
    let image = &crit(&["decode", "-i", "full-ns/cgroup.img"], b"").json()["entries"][0];
    let sets = cgroups["sets"].as_array().unwrap();
    // Task 6 stayed in the cgroups that CRIU itself was in, which are no set of the image.
    assert_eq!(sets.len(), image["sets"].as_array().unwrap().len() + 1);
    let own = sets.iter().find(|set| set["root"] == true).unwrap();
    assert_eq!(
        (&own["id"], &own["threads"]),
        (&1.into(), &serde_json::json!([6]))
    );
    assert_eq!(sets[0]["members"][0]["path"], "/demo");
}

#[test]
fn x_takes_the_names_of_the_go_crit_and_a_subtree() {
    for (one, other) in [
        ("fd", "fds"),
        ("mem", "mems"),
        ("sockets", "sk"),
        ("namespaces", "ns"),
    ] {
        let one = crit(&["x", "simple", one], b"").quiet().stdout;
        assert_eq!(one, crit(&["x", "simple", other], b"").quiet().stdout);
    }
    let text = crit(&["x", "tree", "ps", "-p", "104"], b"").quiet().text();
    assert_eq!(text.lines().count(), 4, "{text}");
    let run = crit(&["x", "tree", "ps", "-p", "99"], b"");
    assert_eq!(
        (run.code, run.stderr.as_str()),
        (2, "crit: tree: no task 99 is in this checkpoint\n")
    );
    let run = crit(&["x", "tree", "fds", "--tree"], b"");
    assert_eq!(
        (run.code, run.stderr.as_str()),
        (2, "crit: --tree goes with `ps`\n")
    );
    let all = crit(&["x", "tree", "all", "--json"], b"").json();
    assert_eq!(all["ps"][0]["pid"], 100);
    assert_eq!(all["metadata"], Value::Null);
}

/// A copy of a dump that a test may damage.
fn copy_of(dump: &str) -> tempfile::TempDir {
    let dir = fresh_dir();
    for entry in fs::read_dir(images().join(dump)).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "img") {
            fs::copy(&path, dir.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    dir
}

#[test]
fn a_dump_without_one_of_its_images_is_still_told_with_what_is_known() {
    for dump in ["simple", "sockets", "events", "i386"] {
        let names: Vec<_> = fs::read_dir(copy_of(dump).path())
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        for name in names {
            for damage in ["removed", "emptied", "a directory", "cut"] {
                let dir = copy_of(dump);
                let path = dir.path().join(&name);
                let bytes = fs::read(&path).unwrap();
                fs::remove_file(&path).unwrap();
                match damage {
                    "emptied" => fs::write(&path, b"").unwrap(),
                    "a directory" => fs::create_dir(&path).unwrap(),
                    "cut" => fs::write(&path, &bytes[..bytes.len() * 2 / 3]).unwrap(),
                    _ => {}
                }
                let run = crit_in(dir.path(), &["x", ".", "all", "--json"], b"");
                // What is there and can't be read as an image is more than a gap.
                let code = if damage == "a directory" { 2 } else { 0 };
                assert_eq!(run.code, code, "{dump} {name:?} {damage}: {}", run.stderr);
                assert_eq!(run.json()["ps"][0]["pid"], 100, "{dump} {name:?} {damage}");
            }
        }
    }
}

#[test]
fn a_missing_image_is_named_in_a_warning() {
    for (image, topic) in [
        ("mm-100.img", "mems"),
        ("pagemap-100.img", "rss"),
        ("ids-100.img", "fds"),
        ("files.img", "fds"),
        ("fs-100.img", "fds"),
        ("core-100.img", "ps"),
        ("pstree.img", "ps"),
    ] {
        let dir = copy_of("simple");
        fs::remove_file(dir.path().join(image)).unwrap();
        let run = crit_in(dir.path(), &["x", ".", topic], b"");
        assert_eq!(run.code, 0);
        assert!(
            run.stderr.contains(&format!("./{image}: ")),
            "{image}: {}",
            run.stderr
        );
    }
}

#[test]
fn a_tree_that_loops_or_is_very_deep_is_told_all_the_same() {
    let task = |pid: u64, ppid: u64| {
        wire::Message::new()
            .varint(1, pid)
            .varint(2, ppid)
            .varint(3, pid)
            .varint(4, pid)
    };
    let tree = |tasks: Vec<wire::Message>| {
        let dir = fresh_dir();
        let mut image = wire::image(wire::PSTREE);
        for task in &tasks {
            wire::entry(&mut image, task, b"");
        }
        fs::write(dir.path().join("pstree.img"), image).unwrap();
        crit_in(dir.path(), &["x", ".", "ps", "--json"], b"")
    };
    let run = tree(vec![task(1, 0), task(2, 3), task(3, 2), task(4, 4)]);
    assert_eq!(run.code, 0);
    assert_eq!(run.json().as_array().unwrap().len(), 3);
    assert!(
        run.stderr.contains("task 2 is its own ancestor"),
        "{}",
        run.stderr
    );
    let run = tree((1..=3000).map(|pid| task(pid, pid - 1)).collect());
    assert_eq!(run.code, 0);
    let roots = run.text().lines().filter(|line| *line == "  {").count();
    assert_eq!(roots, 3);
    assert!(run.stderr.contains("crit: warning: "), "{}", run.stderr);
}

#[test]
fn names_that_would_move_a_terminal_are_escaped_in_all_new_text() {
    let comm = "a\u{1b}]0;x\u{7}\n\u{202e}\u{9b}31m";
    let dir = copy_of("simple");
    let json = crit(&["decode", "-i", "simple/core-100.img"], b"")
        .quiet()
        .text();
    let json = json.replacen(
        "\"comm\": \"workload\"",
        &format!("\"comm\": {}", Value::from(comm)),
        2,
    );
    let image = crit_in(dir.path(), &["encode"], json.as_bytes())
        .quiet()
        .stdout;
    fs::write(dir.path().join("core-100.img"), image).unwrap();
    for args in [
        &["ps", "--tree"][..],
        &["threads"],
        &["ps", "--json"],
        &["all", "--json"],
    ] {
        let args = [&["x", "."], args].concat();
        let text = crit_in(dir.path(), &args, b"").text();
        let bad = |c: char| c.is_control() && c != '\n' && c != '\t' || c == '\u{202e}';
        assert!(!text.contains(bad), "{args:?}: {text:?}");
        assert!(text.contains("u001b") || text.contains("u{1b}"), "{text}");
    }
    // Upstream's own table is for programs here: stdout is a pipe.
    let text = crit_in(dir.path(), &["x", ".", "ps"], b"").text();
    assert!(text.contains(comm));
}

#[test]
fn an_empty_descriptor_table_and_connections_that_were_closed_are_no_gaps() {
    let dir = copy_of("simple");
    fs::remove_file(dir.path().join("fdinfo-2.img")).unwrap();
    let run = crit_in(dir.path(), &["x", ".", "fds"], b"").quiet();
    assert!(run.text().contains("cwd"), "{}", run.text());
    let dir = copy_of("sockets");
    edit_image(dir.path(), "inventory.img", |entries| {
        entries[0]["tcp_close"] = json!(true);
    });
    for entry in fs::read_dir(dir.path()).unwrap().flatten() {
        if entry
            .file_name()
            .to_string_lossy()
            .starts_with("tcp-stream-")
        {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    crit_in(dir.path(), &["x", ".", "sk"], b"").quiet();
}

#[test]
fn several_tasks_can_be_asked_about() {
    let pids = |args: &[&str]| -> Vec<u64> {
        let run = crit(&[&["x", "tree", "threads", "--json"], args].concat(), b"").quiet();
        run.json()
            .as_array()
            .unwrap()
            .iter()
            .map(|task| task["pid"].as_u64().unwrap())
            .collect()
    };
    assert_eq!(pids(&["-p", "104"]), [104, 108, 109]);
    assert_eq!(pids(&["-p", "104,103"]), [103, 110, 111, 104, 108, 109]);
    assert_eq!(pids(&["-p", "104", "-p", "112"]), [104, 108, 109, 112]);
    let run = crit(&["x", "tree", "ps", "-p", "104,999"], b"");
    assert_eq!(run.code, 2);
    assert!(
        run.stderr.contains("no task 999 is in this checkpoint"),
        "{}",
        run.stderr
    );
    // Areas of several tasks have a heading each.
    let run = crit(&["mem", "tree", "-p", "100,103", "--region", "stack"], b"");
    let headings = run
        .text()
        .lines()
        .filter(|line| line.ends_with(':'))
        .count();
    assert_eq!((run.code, headings), (0, 2), "{}", run.stderr);
    let run = crit(&["mem", "tree", "-p", "100", "-p", "103", "--json"], b"");
    let json = run.json();
    let both: Vec<_> = json
        .as_array()
        .unwrap()
        .iter()
        .map(|task| task["pid"].clone())
        .collect();
    assert_eq!(both, [json!(100), json!(103)]);
}
