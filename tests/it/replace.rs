//! `crit replace`: something replaced in all images of a checkpoint, and nothing else.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::support::{self, Run, crit_in, edit_image, fresh_dir, images};

/// A copy of a dump without the JSON of its images, which mentions all that they hold.
fn copy_of(dump: &str) -> tempfile::TempDir {
    let dir = support::copy_of(dump);
    for entry in fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "json") {
            fs::remove_file(path).unwrap();
        }
    }
    dir
}

fn replace(dir: &Path, args: &[&str]) -> Run {
    crit_in(dir, &[&["replace", "."], args].concat(), b"")
}

fn get(dir: &Path, image: &str, path: &str) -> Value {
    let run = crit_in(dir, &["get", image, path, "--json"], b"").quiet();
    let found = run.json();
    let values = found.as_array().unwrap().iter();
    values.map(|found| found["value"].clone()).collect()
}

/// The names and bytes of everything in a directory.
fn snapshot(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read(entry.path()).unwrap())
        })
        .collect();
    all.sort();
    all
}

/// Which files are not what they were.
fn changed(before: &[(String, Vec<u8>)], dir: &Path) -> Vec<String> {
    let after = snapshot(dir);
    assert_eq!(before.len(), after.len());
    let pairs = before.iter().zip(&after);
    let other = pairs.filter(|(before, after)| before != after);
    other.map(|((name, _), _)| name.clone()).collect()
}

#[test]
fn a_path_is_replaced_wherever_it_lives_and_only_by_whole_names() {
    let dir = copy_of("full-ns");
    let dir = dir.path();
    let before = snapshot(dir);
    let run = replace(dir, &["--path", "/srv/demo/run=/data/run2"]).quiet();
    assert_eq!(changed(&before, dir), ["files.img"]);
    let names = get(dir, "files.img", "entries[*].reg.name");
    let names: Vec<&str> = names
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert!(names.contains(&"/data/run2/full-ns/regular.txt"));
    assert!(names.contains(&"/srv/demo/bin/workload"));
    assert!(!names.iter().any(|name| name.starts_with("/srv/demo/run")));
    // Directories of sockets, and what inotify and fanotify watch.
    for path in [
        "entries[id=38].usk.name_dir",
        "entries[61].ify.wd[0].f_handle.path",
        "entries[63].ffy.mark[1].ie.f_handle.path",
    ] {
        assert_eq!(
            get(dir, "files.img", path),
            json!(["/data/run2/full-ns"]),
            "{path}"
        );
    }
    // It says so, line by line.
    let text = run.text();
    let line = "files.img: entries[8].reg.name: \"/srv/demo/run/full-ns/regular.txt\" -> \"/data/run2/full-ns/regular.txt\"\n";
    assert!(text.contains(line), "{text}");
    assert_eq!(text.lines().count(), 29);
    // A mount, and paths among its options.
    edit_image(dir, "mountpoints-14.img", |entries| {
        entries[1]["options"] = json!("lowerdir=/dev/pts/a:/dev/ptsx,mode=600");
    });
    replace(dir, &["--path", "/dev/pts=/dev/terminals"]).quiet();
    assert_eq!(
        get(dir, "mountpoints-14.img", "entries[1].mountpoint"),
        json!(["/dev/terminals"])
    );
    assert_eq!(
        get(dir, "mountpoints-14.img", "entries[1].options"),
        json!(["lowerdir=/dev/terminals/a:/dev/ptsx,mode=600"])
    );
}

#[test]
fn an_address_is_replaced_in_listening_and_connected_sockets_of_both_families() {
    let dir = copy_of("full-ns");
    let dir = dir.path();
    let old = |path: &str| get(dir, "files.img", path);
    assert_eq!(old("entries[id=43].isk.src_addr"), json!([["127.0.0.1"]]));
    let run = replace(dir, &["--ip", "127.0.0.1=10.1.2.3", "--ip", "::1=fd00::7"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    for path in [
        "entries[id=43].isk.src_addr",
        "entries[id=43].isk.dst_addr",
        "entries[id=44].isk.src_addr",
    ] {
        assert_eq!(old(path), json!([["10.1.2.3"]]), "{path}");
    }
    // The addresses of the devices are in a netlink dump, which is as it was.
    let said = "crit: warning: ./ifaddr-10.img: it mentions 127.0.0.1, and is left as it was\n";
    assert!(run.stderr.contains(said), "{}", run.stderr);
    // Images of before CRIU 3.4.
    let dir = copy_of("v33-full");
    replace(dir.path(), &["--ip", "127.0.0.1=10.1.2.3"]).quiet();
    let addresses = get(dir.path(), "inetsk.img", "entries[*].src_addr");
    assert!(addresses.as_array().unwrap().contains(&json!(["10.1.2.3"])));
    assert!(
        !addresses
            .as_array()
            .unwrap()
            .contains(&json!(["127.0.0.1"]))
    );
}

#[test]
fn names_users_and_groups_are_replaced() {
    let dir = copy_of("full-ns");
    let dir = dir.path();
    let before = snapshot(dir);
    let args = [
        "--hostname",
        "demo=other",
        "--comm",
        "workload=renamed",
        "--uid",
        "0=7",
        "--gid",
        "0=8",
    ];
    replace(dir, &args).quiet();
    assert_eq!(get(dir, "utsns-12.img", "nodename"), json!(["other"]));
    assert_eq!(get(dir, "core-1.img", "tc.comm"), json!(["renamed"]));
    assert_eq!(
        get(dir, "core-1.img", "thread_core.comm"),
        json!(["renamed"])
    );
    assert_eq!(
        get(dir, "core-1.img", "thread_core.creds.fsuid"),
        json!([7])
    );
    assert_eq!(get(dir, "core-1.img", "thread_core.creds.sgid"), json!([8]));
    assert_eq!(get(dir, "ghost-file-1.img", "entries[0].uid"), json!([7]));
    assert_eq!(get(dir, "memfd.img", "entries[1].gid"), json!([8]));
    assert_eq!(get(dir, "tty-info.img", "entries[0].uid"), json!([7]));
    // Those of cgroups are ids outside of the user namespace.
    let owner = get(dir, "cgroup.img", "controllers[0].dirs[0].dir_perms.gid");
    assert_eq!(owner, json!([0]));
    // The content of ghost files is what it was, and back again is back again.
    let args = [
        "--hostname",
        "demo",
        "--comm",
        "renamed=workload",
        "--uid",
        "7=0",
        "--gid",
        "8=0",
    ];
    // The owners of the files of a tmpfs are in the headers of a tarball, which is packed anew.
    let tarballs = ["tmpfs-dev-23.tar.gz.img", "tmpfs-dev-28.tar.gz.img"];
    for name in tarballs {
        let owners = sh(
            dir,
            &format!("tar -tvzf {name} --numeric-owner | cut -d' ' -f2 | sort -u"),
        );
        assert_eq!(owners, "7/8\n", "{name}");
    }
    replace(dir, &args).quiet();
    assert_eq!(changed(&before, dir), tarballs);
    for name in tarballs {
        let original = support::images().join("full-ns").join(name);
        sh(
            dir,
            &format!(
                "zcat {} >a && zcat {name} >b && cmp a b",
                original.display()
            ),
        );
    }
}

/// What a command of the shell prints; it succeeds.
fn sh(dir: &Path, command: &str) -> String {
    let run = std::process::Command::new("sh")
        .args(["-c", command])
        .current_dir(dir)
        .output()
        .unwrap();
    assert!(
        run.status.success(),
        "{command}: {}",
        String::from_utf8_lossy(&run.stderr)
    );
    String::from_utf8(run.stdout).unwrap()
}

/// A tmpfs at /run and its tarball, as CRIU writes it.
fn with_tmpfs(dir: &Path, tar_options: &str) {
    edit_image(dir, "mountpoints-14.img", |entries| {
        let tmpfs = entries
            .iter_mut()
            .find(|mount| mount["root_dev"] == 23)
            .unwrap();
        tmpfs["mountpoint"] = json!("/run");
    });
    let long = "d".repeat(120);
    sh(
        dir,
        &format!(
            "mkdir -p t/app/{long} t/other && echo data >t/app/{long}/file && echo x >t/app/a && ln t/app/a t/app/b && ln -s /run/app/a t/app/link \
         && tar -C t -czf tmpfs-dev-23.tar.gz.img {tar_options} --numeric-owner . && rm -r t"
        ),
    );
}

#[test]
fn names_inside_the_tarball_of_a_tmpfs_follow_the_path() {
    for options in ["--format=gnu", "--format=posix"] {
        let dump = copy_of("full-ns");
        let dir = dump.path();
        with_tmpfs(dir, options);
        let run = replace(dir, &["--path", "/run/app=/run/moved"]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert!(
            run.text()
                .contains("tmpfs-dev-23.tar.gz.img: ./app/a: \"./app/a\" -> \"./moved/a\"\n"),
            "{}",
            run.text()
        );
        let long = "d".repeat(120);
        sh(dir, "mkdir out && tar -C out -xzf tmpfs-dev-23.tar.gz.img");
        assert_eq!(
            sh(dir, "ls out out/moved"),
            format!("out:\nmoved\nother\n\nout/moved:\na\nb\n{long}\nlink\n")
        );
        assert_eq!(
            sh(dir, &format!("cat out/moved/{long}/file out/moved/b")),
            "data\nx\n"
        );
        // A symbolic link has a path as well.
        assert_eq!(
            sh(dir, "readlink out/moved/link; stat -c %h out/moved/a"),
            "/run/moved/a\n2\n"
        );
    }
    // Where the mount point itself moves, the names in it stay.
    let dump = copy_of("full-ns");
    with_tmpfs(dump.path(), "");
    let names = || sh(dump.path(), "tar -tzf tmpfs-dev-23.tar.gz.img");
    let before = names();
    let run = replace(dump.path(), &["--path", "/run=/elsewhere"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(names(), before);
    // Out of the tmpfs nothing can move.
    let run = replace(dump.path(), &["--path", "/elsewhere/app=/srv/app"]);
    assert_eq!(run.code, 2);
    assert!(
        run.stderr.contains("/srv/app is on another mount"),
        "{}",
        run.stderr
    );
}

#[test]
fn the_root_of_a_bind_mount_follows_the_directory_that_it_is() {
    let dump = copy_of("full-ns");
    let dir = dump.path();
    edit_image(dir, "mountpoints-14.img", |entries| {
        // `/` is the directory /c/rootfs of its file system, and two directories of it are mounted again.
        let device = entries
            .iter()
            .find(|mount| mount["mountpoint"] == "/")
            .unwrap()["root_dev"]
            .clone();
        for mount in entries.iter_mut() {
            if mount["root_dev"] == device {
                mount["root"] = json!("/c/rootfs");
            }
        }
        entries[0]["root_dev"] = device.clone();
        entries[0]["root"] = json!("/c/rootfs/data/logs");
        entries[0]["mountpoint"] = json!("/logs");
        // Another file system, whose root only reads like it.
        entries[1]["root"] = json!("/data/logs");
        entries[1]["root_dev"] = json!(77);
        entries[1]["mountpoint"] = json!("/other");
    });
    let root = |place: usize| get(dir, "mountpoints-14.img", &format!("entries[{place}].root"));
    replace(dir, &["--path", "/data=/moved"]);
    assert_eq!(root(0), json!(["/c/rootfs/moved/logs"]));
    assert_eq!(root(1), json!(["/data/logs"]));
    // The path of the file system is none of the namespace.
    let run = replace(dir, &["--path", "/c/rootfs/moved=/elsewhere"]);
    assert_eq!(run.code, 2);
    assert_eq!(root(0), json!(["/c/rootfs/moved/logs"]));
}

#[test]
fn fields_that_the_schema_does_not_know_are_named() {
    let dump = copy_of("full-ns");
    let dir = dump.path();
    edit_image(dir, "files.img", |entries| {
        entries[20]["pipe"]["@unknown"] = json!([{"number": 5, "wire": "varint", "value": 1050}]);
    });
    let run = replace(dir, &["--uid", "1050=2050", "--dry-run"]);
    assert_eq!(run.code, 2);
    let said =
        "crit: warning: ./files.img: fields unknown to the schema were not searched: pipe.5;";
    assert!(run.stderr.starts_with(said), "{}", run.stderr);
    assert!(
        run.stderr.contains("crit: .: no image has the user 1050\n"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_dry_run_says_what_would_change_and_the_files_of_engines_are_named_where_they_are() {
    let dump = fresh_dir();
    let dir = dump.path();
    fs::create_dir(dir.join("checkpoint")).unwrap();
    for entry in fs::read_dir(support::images().join("full-ns"))
        .unwrap()
        .flatten()
    {
        let name = entry.file_name();
        if !name.to_string_lossy().ends_with(".json") {
            fs::copy(entry.path(), dir.join("checkpoint").join(name)).unwrap();
        }
    }
    fs::write(dir.join("config.dump"), r#"{"hostname": "demo"}"#).unwrap();
    for name in ["demo=new", "new"] {
        let run = replace(dir, &["--hostname", name, "--dry-run"]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert_eq!(
            run.text(),
            "would change: utsns-12.img: entries[0].nodename: \"demo\" -> \"new\"\n"
        );
        assert_eq!(
            run.stderr,
            "crit: warning: ./config.dump: it mentions demo, and is left as it was\n"
        );
    }
}

#[test]
fn a_cgroup_is_replaced_with_the_roots_of_namespaces_and_the_directories() {
    let dir = copy_of("full-ns");
    let dir = dir.path();
    let before = snapshot(dir);
    replace(dir, &["--cgroup", "/demo=/pod/42"]).quiet();
    assert_eq!(
        get(dir, "cgroup.img", "sets[0].ctls[0].path"),
        json!(["/pod/42"])
    );
    assert_eq!(
        get(dir, "cgroup.img", "sets[0].ctls[0].cgns_prefix"),
        json!([7])
    );
    assert_eq!(get(dir, "cgroup.img", "sets[0].ctls[1].path"), json!(["/"]));
    assert_eq!(
        get(dir, "cgroup.img", "controllers[0].dirs[0].dir_name"),
        json!(["pod/42"])
    );
    replace(dir, &["--cgroup", "/pod/42=/demo"]).quiet();
    assert_eq!(changed(&before, dir), [""; 0]);
    // A directory further down has its name from the one above.
    edit_image(dir, "cgroup.img", |entries| {
        entries[0]["controllers"][0]["dirs"][0]["children"] = json!([{"dir_name": "inner"}]);
        entries[0]["sets"][0]["ctls"][2]["path"] = json!("/demo/inner/deep");
    });
    replace(dir, &["--cgroup", "/demo/inner=/demo/else"]).quiet();
    assert_eq!(
        get(
            dir,
            "cgroup.img",
            "controllers[0].dirs[0].children[0].dir_name"
        ),
        json!(["else"])
    );
    assert_eq!(
        get(dir, "cgroup.img", "sets[0].ctls[2].path"),
        json!(["/demo/else/deep"])
    );
    let run = replace(dir, &["--cgroup", "/demo/else=/away"]);
    assert_eq!(run.code, 2);
    let said = "the cgroup /demo/else can't become /away, which is not below /demo/";
    assert!(
        run.stderr.contains(said) || run.stderr.contains("would not be above"),
        "{}",
        run.stderr
    );
}

#[test]
fn nothing_is_written_when_anything_is_wrong_or_only_looked_at() {
    let dir = copy_of("full-ns");
    let dir = dir.path();
    let before = snapshot(dir);
    let refused: [(&[&str], &str); 13] = [
        (&["--uid", "4294967295=1"], "4294967295 is no id"),
        (&["--path", "/=/new"], "`/` is above everything, and stays"),
        (&["--uid", "0=4294967295"], "4294967295 is no id"),
        (&["--path", "/srv=/srv"], "old and new are the same"),
        (
            &["--hostname", "new", "--path", "/no/such=/x"],
            "no image has the path /no/such",
        ),
        (
            &[
                "--hostname",
                "new",
                "--comm",
                "workload=longer than fifteen",
            ],
            "a command name has 1 to 15 bytes",
        ),
        (
            &["--ip", "127.0.0.1=::1"],
            "127.0.0.1 and ::1 are of two families",
        ),
        (
            &["--ip", "localhost=1.2.3.4"],
            "`localhost` is no IP address",
        ),
        (&["--path", "srv=/x"], "`srv` is no absolute path"),
        (&["--uid", "0"], "`0` replaces nothing"),
        (&["--gid", "root=1"], "`root` is not an integer"),
        (
            &["--uid", "0=010"],
            "`010` has a leading zero: 0o10 is the octal number, 10 the decimal one",
        ),
        (&[], "nothing to replace is given"),
    ];
    for (args, said) in refused {
        let run = replace(dir, args);
        assert_eq!(run.code, 2, "{args:?}");
        assert!(run.stderr.contains(said), "{args:?}: {}", run.stderr);
    }
    // An image that is malformed, behind one that would have changed.
    let damaged = copy_of("full-ns");
    let path = damaged.path().join("utsns-12.img");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 3]).unwrap();
    let cut = snapshot(damaged.path());
    let run = replace(
        damaged.path(),
        &["--comm", "workload=x", "--hostname", "new"],
    );
    assert_eq!(run.code, 2);
    assert!(
        run.stderr.starts_with("crit: ./utsns-12.img: entry 0"),
        "{}",
        run.stderr
    );
    assert_eq!(changed(&cut, damaged.path()), [""; 0]);
    let run = replace(dir, &["--hostname", "new", "--dry-run", "--json"])
        .quiet()
        .json();
    assert_eq!(
        run["changed"]["utsns-12.img"],
        json!([{"path": "entries[0].nodename", "before": "demo", "after": "new"}])
    );
    assert_eq!(changed(&before, dir), [""; 0]);
    let archive = crit_in(dir, &["replace", "pstree.img", "--uid", "0=1"], b"");
    assert_eq!(archive.code, 2);
}

#[test]
fn a_backup_keeps_what_was() {
    let dir = copy_of("full-ns");
    let dir = dir.path();
    let before = fs::read(dir.join("utsns-12.img")).unwrap();
    replace(dir, &["--hostname", "new", "--backup=.old"]).quiet();
    assert_eq!(fs::read(dir.join("utsns-12.img.old")).unwrap(), before);
    assert_eq!(get(dir, "utsns-12.img", "nodename"), json!(["new"]));
}

#[test]
fn a_run_that_ended_in_the_middle_can_be_run_again() {
    let dir = copy_of("full-ns");
    let dir = dir.path();
    let args = [
        "--hostname",
        "new",
        "--comm",
        "workload=renamed",
        "--path",
        "/srv/demo=/opt",
        "--cgroup",
        "/demo=/pod",
    ];
    replace(dir, &args).quiet();
    // As if the program had been killed before the last image took its place.
    let original = support::images().join("full-ns/utsns-12.img");
    fs::copy(original, dir.join("utsns-12.img")).unwrap();
    let run = replace(dir, &args);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(
        run.text(),
        "utsns-12.img: entries[0].nodename: \"demo\" -> \"new\"\n"
    );
    let said = "no image has the command name workload: its replacement is there already";
    assert!(run.stderr.contains(said), "{}", run.stderr);
    assert_eq!(run.stderr.lines().count(), 3, "{}", run.stderr);
    let before = snapshot(dir);
    assert_eq!(replace(dir, &args).code, 0);
    assert_eq!(changed(&before, dir), [""; 0]);
}

#[test]
fn a_socket_that_was_bound_from_a_directory_is_found_by_its_path() {
    let dir = copy_of("full-ns");
    let dir = dir.path();
    let path = "/srv/demo/run/full-ns/sock with space\\=é=/run/elsewhere";
    replace(dir, &["--path", path]).quiet();
    let names = get(dir, "files.img", "entries[id=38].usk.name");
    assert_eq!(names, json!(["/run/elsewhere=00"]));
    let path = "/srv/demo/run/full-ns=/srv/demo/run/other";
    replace(dir, &["--path", path]).quiet();
    assert_eq!(
        get(dir, "files.img", "entries[id=38].usk.name"),
        json!(["/run/elsewhere=00"])
    );
    assert_eq!(
        get(dir, "files.img", "entries[id=38].usk.name_dir"),
        json!(["/srv/demo/run/other"])
    );
}

#[test]
fn of_two_paths_the_longer_is_replaced_first_and_no_peer_is_made_of_none() {
    let dir = copy_of("full-ns");
    let dir = dir.path();
    replace(
        dir,
        &["--path", "/srv/demo=/y", "--path", "/srv/demo/run=/x"],
    )
    .quiet();
    assert_eq!(
        get(dir, "files.img", "entries[id=1].reg.name"),
        json!(["/y/bin/workload"])
    );
    assert_eq!(
        get(dir, "files.img", "entries[id=12].reg.name"),
        json!(["/x/full-ns"])
    );
    let ends = |id: u32| {
        let at = |field: &str| get(dir, "files.img", &format!("entries[id={id}].isk.{field}"));
        (at("src_addr"), at("dst_addr"))
    };
    replace(dir, &["--ip", "0.0.0.0=10.0.0.1"]);
    let peers = get(dir, "files.img", "entries[*].isk.dst_addr");
    assert!(
        !peers.as_array().unwrap().contains(&json!(["10.0.0.1"])),
        "{peers}"
    );
    let own = get(dir, "files.img", "entries[*].isk.src_addr");
    assert!(
        own.as_array().unwrap().contains(&json!(["10.0.0.1"])),
        "{own} {:?}",
        ends(42)
    );
}

#[test]
fn backups_are_made_before_the_first_image_takes_its_place() {
    let dir = copy_of("full-ns");
    let dir = dir.path();
    // The backup of the second can't be made.
    fs::create_dir(dir.join("utsns-12.img.old")).unwrap();
    let before = fs::read(dir.join("core-1.img")).unwrap();
    let args = [
        "--comm",
        "workload=new",
        "--hostname",
        "new",
        "--backup=.old",
    ];
    assert_eq!(replace(dir, &args).code, 2);
    assert_eq!(fs::read(dir.join("core-1.img")).unwrap(), before);
}

#[test]
fn links_among_the_images_are_not_written_through() {
    let outside = fresh_dir();
    let victim = outside.path().join("victim");
    // An image that is a link, and a backup's name that is one.
    let dump = copy_of("pattern");
    fs::rename(dump.path().join("files.img"), &victim).unwrap();
    let before = fs::read(&victim).unwrap();
    std::os::unix::fs::symlink(&victim, dump.path().join("files.img")).unwrap();
    let path = "--path=/srv/demo=/srv/other";
    let run = crit_in(dump.path(), &["replace", ".", path], b"");
    assert_eq!(run.code, 2);
    assert!(
        run.stderr
            .contains("a link out of the directory: nothing is written through it"),
        "{}",
        run.stderr
    );
    assert!(fs::read(&victim).unwrap() == before);
    let dump = copy_of("pattern");
    std::os::unix::fs::symlink(&victim, dump.path().join("files.img.bak")).unwrap();
    let run = crit_in(dump.path(), &["replace", ".", path, "--backup"], b"");
    assert_eq!(run.code, 2);
    assert!(fs::read(&victim).unwrap() == before);
    let original = images().join("pattern/files.img");
    assert!(fs::read(dump.path().join("files.img")).unwrap() == fs::read(original).unwrap());
    // Memory is written as carefully.
    let dump = copy_of("i386");
    let pages = dump.path().join("pages-1.img");
    fs::rename(&pages, &victim).unwrap();
    std::os::unix::fs::symlink(&victim, &pages).unwrap();
    let before = fs::read(&victim).unwrap();
    let write = [
        "mem", ".", "-p", "100", "--write", "ffb24f9f", "--hex", "6e65",
    ];
    assert_eq!(crit_in(dump.path(), &write, b"").code, 2);
    assert!(fs::read(&victim).unwrap() == before);
}
