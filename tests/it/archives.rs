//! Container archives: every engine's layout, every packing, and hostile ones.

use std::fs;
use std::io::Write;
use std::path::Path;

use criu_images::{Checkpoint, Engine};
use serde_json::json;

use super::support::{Run, crit, crit_in, fresh_dir, image, images};

/// A tar archive in the making. Names are written as they are given.
#[derive(Default)]
struct Tar(Vec<u8>);

impl Tar {
    fn header(&mut self, name: &[u8], size: u64, kind: u8, link: &[u8]) {
        let mut block = [0u8; 512];
        block[..name.len().min(100)].copy_from_slice(&name[..name.len().min(100)]);
        block[100..108].copy_from_slice(b"0000644\0");
        block[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
        block[148..156].copy_from_slice(b"        ");
        block[156] = kind;
        block[157..157 + link.len()].copy_from_slice(link);
        block[257..263].copy_from_slice(b"ustar\0");
        block[263..265].copy_from_slice(b"00");
        let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.0.extend(block);
    }

    fn content(&mut self, bytes: &[u8]) {
        self.0.extend(bytes);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
    }

    fn file(mut self, name: &str, bytes: &[u8]) -> Self {
        self.header(name.as_bytes(), bytes.len() as u64, b'0', b"");
        self.content(bytes);
        self
    }

    fn special(mut self, name: &str, kind: u8, link: &str) -> Self {
        self.header(name.as_bytes(), 0, kind, link.as_bytes());
        self
    }

    /// A member with an extended header of this type in front.
    fn extended(mut self, kind: u8, record: &[u8]) -> Self {
        self.header(b"././@LongLink", record.len() as u64, kind, b"");
        self.content(record);
        self
    }

    /// All images of a fixture, in a folder.
    fn dump(mut self, dump: &str, folder: &str) -> Self {
        let mut names: Vec<_> = fs::read_dir(images().join(dump))
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        names.sort();
        for name in names {
            let name = name.to_str().unwrap();
            if name.ends_with(".img") {
                self = self.file(
                    &format!("{folder}{name}"),
                    &image(&format!("{dump}/{name}")),
                );
            }
        }
        self
    }

    fn end(mut self) -> Vec<u8> {
        self.0.extend([0; 1024]);
        self.0
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

/// Podman's layout.
fn podman(folder: &str) -> Tar {
    let config = json!({"id": "f9d688036191e04636c64024ce22", "name": "web", "runtime": "crun",
        "rootfsImageName": "docker.io/library/nginx:1.27", "createdTime": "2025-11-24T09:12:41.5+01:00"});
    let spec = json!({"annotations": {"io.container.manager": "libpod"},
        "process": {"args": ["nginx", "-g", "daemon off;"]},
        "mounts": [{"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid"]}]});
    let network = json!({"podman": {"interfaces": {"eth0": {"mac_address": "f2:99:8d:00:5a:57",
        "subnets": [{"ipnet": "10.88.0.9/16", "gateway": "10.88.0.1"}]}}}});
    Tar::default()
        .file(
            &format!("{folder}config.dump"),
            config.to_string().as_bytes(),
        )
        .file(&format!("{folder}spec.dump"), spec.to_string().as_bytes())
        .file(
            &format!("{folder}network.status"),
            network.to_string().as_bytes(),
        )
        .file(&format!("{folder}stats-dump"), &image("i386/stats-dump"))
        .special(&format!("{folder}checkpoint/"), b'5', "")
        .dump("i386", &format!("{folder}checkpoint/"))
        .file(&format!("{folder}rootfs-diff.tar"), &[0; 10240])
}

/// Runs the command on an archive in a directory of its own, which must stay as it was.
fn on(archive: &[u8], args: &[&str]) -> Run {
    let dir = fresh_dir();
    fs::write(dir.path().join("a.tar"), archive).unwrap();
    let run = crit_in(dir.path(), args, b"");
    let left: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(left, ["a.tar"]);
    assert!((0..=2).contains(&run.code), "{}", run.stderr);
    run
}

#[test]
fn an_archive_says_what_its_directory_says_however_it_is_packed() {
    let plain = podman("").end();
    let twice = [gzip(&plain[..2048]), gzip(&plain[2048..])].concat();
    let skippable = [
        &[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3],
        &zstd(&plain[..4096])[..],
        &zstd(&plain[4096..]),
    ]
    .concat();
    let archives = [
        plain.clone(),
        podman("./").end(),
        gzip(&plain),
        zstd(&plain),
        twice,
        skippable,
    ];
    for topic in ["ps", "fds", "mems", "rss", "threads", "creds"] {
        let expected = crit(&["x", "i386", topic], b"").quiet().stdout;
        for archive in &archives {
            assert!(
                on(archive, &["x", "a.tar", topic]).quiet().stdout == expected,
                "{topic}"
            );
        }
    }
    for archive in &archives {
        // The page contents of a packed archive are unpacked to a nameless file.
        let text = on(archive, &["x", "a.tar", "ps", "--args"]).quiet().text();
        assert!(text.starts_with("[100] /srv/demo/bin/i386 "), "{text}");
        let json = on(archive, &["stats", "a.tar", "--json"]).quiet().json();
        let stats = crit(&["decode", "-i", "i386/stats-dump"], b"").json();
        let expected = &stats["entries"][0]["dump"];
        for field in [
            "freezing_time",
            "frozen_time",
            "pages_scanned",
            "pages_written",
        ] {
            assert_eq!(json["dump"][field], expected[field]);
        }
        for name in [
            "checkpoint/pstree.img",
            "pstree.img",
            "./checkpoint/pstree.img",
        ] {
            let shown = on(archive, &["show", "--from", "a.tar", name])
                .quiet()
                .stdout;
            assert_eq!(shown, crit(&["show", "i386/pstree.img"], b"").stdout);
        }
    }
}

#[test]
fn the_container_of_each_engine_is_named() {
    let run = on(&podman("").end(), &["x", "a.tar", "metadata", "--json"]).quiet();
    let json = run.json();
    assert_eq!(json["container_name"], "web");
    assert_eq!(json["engine"], "Podman");
    assert_eq!(json["ip"], json!(["10.88.0.9"]));
    assert_eq!(json["mac"], json!(["f2:99:8d:00:5a:57"]));
    assert_eq!(json["networks"][0]["gateway"], json!(["10.88.0.1"]));
    assert_eq!(json["checkpoint_size"]["root_fs_diff_size"], 10240);
    assert_eq!(json["checkpoint_size"]["memory_pages_size"], 20480);
    let mounts = on(&podman("").end(), &["x", "a.tar", "mounts"])
        .quiet()
        .text();
    assert!(
        mounts.contains("/proc        proc  proc    nosuid"),
        "{mounts}"
    );

    let crio = json!({"annotations": {"io.container.manager": "cri-o",
        "io.kubernetes.cri-o.Metadata": "{\"name\": \"nginx\", \"attempt\": 1}",
        "io.kubernetes.cri-o.Created": "2025-11-24T10:14:26.08+01:00", "io.kubernetes.cri-o.IP.0": "10.88.0.21",
        "io.kubernetes.pod.name": "web-0", "io.kubernetes.pod.namespace": "shop"}});
    let containerd = json!({"annotations": {"io.kubernetes.cri.container-name": "worker",
        "io.kubernetes.cri.sandbox-name": "queue", "io.kubernetes.cri.sandbox-namespace": "batch"}});
    let dir = fresh_dir();
    for (file, spec) in [
        ("checkpoint-a.tar", &crio),
        ("checkpoint-b.tar", &containerd),
    ] {
        let archive = Tar::default()
            .file(
                "config.dump",
                br#"{"id": "abc", "runtime": "runc", "checkpointedTime": "2025-11-25T03:10:45Z"}"#,
            )
            .file("spec.dump", spec.to_string().as_bytes())
            .dump("i386", "checkpoint/");
        fs::write(dir.path().join(file), archive.end()).unwrap();
    }
    let open = |name: &str| {
        Checkpoint::open(dir.path().join(name))
            .unwrap()
            .container()
            .unwrap()
            .unwrap()
    };
    let a = open("checkpoint-a.tar");
    assert_eq!(
        (a.engine, a.container_name.as_str()),
        (Engine::CriO, "nginx")
    );
    assert_eq!(
        (a.pod_name.as_str(), a.kubernetes_namespace.as_str()),
        ("web-0", "shop")
    );
    assert_eq!(a.ip, ["10.88.0.21"]);
    let b = open("checkpoint-b.tar");
    assert_eq!(
        (b.engine, b.container_name.as_str()),
        (Engine::Containerd, "worker")
    );
    assert_eq!(
        (b.pod_name.as_str(), b.kubernetes_namespace.as_str()),
        ("queue", "batch")
    );
    // A folder of archives is a list, several archives a table.
    for args in [
        &["ls", "."][..],
        &["ls", "checkpoint-a.tar", "checkpoint-b.tar"],
    ] {
        let text = crit_in(dir.path(), args, b"").quiet().text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(lines[1].starts_with("shop       web-0  nginx"), "{text}");
        assert!(lines[2].starts_with("batch      queue  worker"), "{text}");
    }
}

#[test]
fn ls_names_every_file_with_its_kind_and_entries() {
    let json = on(&podman("").end(), &["ls", "a.tar", "--json"])
        .quiet()
        .json();
    let files = json["files"].as_array().unwrap();
    let file = |name: &str| files.iter().find(|f| f["name"] == name).unwrap();
    let pagemap = file("checkpoint/pagemap-100.img");
    let counted = crit(&["info", "i386/pagemap-100.img"], b"").json();
    assert_eq!(
        (&pagemap["kind"], &pagemap["entries"]),
        (&"PAGEMAP".into(), &counted["count"])
    );
    let pages = file("checkpoint/pages-1.img");
    assert_eq!(
        (&pages["kind"], &pages["size"], pages.get("entries")),
        (&"PAGES".into(), &20480.into(), None)
    );
    assert!(
        file("rootfs-diff.tar")["about"]
            .as_str()
            .unwrap()
            .contains("root file system")
    );
    let text = on(&podman("").end(), &["ls", "--largest", "a.tar"])
        .quiet()
        .text();
    let first = text.lines().position(|line| line.contains("NAME")).unwrap() + 1;
    assert!(
        text.lines().nth(first).unwrap().contains("pages-1.img"),
        "{text}"
    );
}

#[test]
fn an_archive_with_its_pre_dump_is_followed_inside_and_without_it_said() {
    let chain = Tar::default()
        .dump("predump/3", "checkpoint/")
        .special("checkpoint/parent", b'2', "../pre-checkpoint")
        .dump("predump/2", "pre-checkpoint/")
        .special("pre-checkpoint/parent", b'2', "../first")
        .dump("predump/1", "first/");
    let text = on(&chain.end(), &["x", "a.tar", "ps", "--args"])
        .quiet()
        .text();
    assert!(text.starts_with("[100] /srv/demo/bin/workload "), "{text}");
    for target in ["../pre-checkpoint", "../../../etc", "/etc", "../checkpoint"] {
        let alone = Tar::default().dump("predump/3", "checkpoint/").special(
            "checkpoint/parent",
            b'2',
            target,
        );
        let alone = alone.end();
        // What is in the dump itself is read all the same.
        assert_eq!(
            on(&alone, &["x", "a.tar", "ps", "--args"]).quiet().text(),
            text
        );
        let run = on(&alone, &["mem", "a.tar", "-s", "no such text"]);
        assert_eq!(run.code, 2);
        let said = "its pages are in the parent, but the";
        assert!(run.stderr.contains(said), "{target}: {}", run.stderr);
    }
}

#[test]
fn of_members_with_one_name_the_last_counts_whatever_it_is() {
    let pstree = image("i386/pstree.img");
    let tar = Tar::default()
        .file("checkpoint/pstree.img", &pstree)
        .file("checkpoint/core-100.img", b"a file")
        .special("checkpoint/core-100.img", b'5', "")
        .special("checkpoint/fs-100.img", b'6', "")
        .file("checkpoint/fs-100.img", b"a file");
    let dir = fresh_dir();
    let path = dir.path().join("a.tar");
    fs::write(&path, tar.end()).unwrap();
    let names = Checkpoint::open(&path).unwrap().image_names().unwrap();
    assert_eq!(names, ["fs-100.img", "pstree.img"]);
}

#[test]
fn hostile_members_are_neither_followed_nor_written_nor_believed() {
    let pstree = image("i386/pstree.img");
    let long = "n".repeat(60_000);
    let cases: Vec<(&str, Tar, &str, i32)> = vec![
        (
            "a way out",
            Tar::default()
                .dump("i386", "checkpoint/")
                .file("../../evil", b"x"),
            "leads out of the archive",
            0,
        ),
        (
            "a link",
            Tar::default()
                .special("checkpoint/core-100.img", b'2', "/etc/passwd")
                .file("checkpoint/pstree.img", &pstree),
            "core-100.img is not read: a link to /etc/passwd, and none in an archive is followed",
            2,
        ),
        (
            "a hard link",
            Tar::default()
                .special("checkpoint/core-100.img", b'1', "/etc/passwd")
                .file("checkpoint/pstree.img", &pstree),
            "core-100.img is not read: another name for /etc/passwd, which is not looked up",
            2,
        ),
        (
            "a FIFO",
            Tar::default()
                .special("checkpoint/core-100.img", b'6', "")
                .file("checkpoint/pstree.img", &pstree),
            "core-100.img is not read: no plain file",
            2,
        ),
        (
            "a long name",
            Tar::default()
                .dump("i386", "checkpoint/")
                .extended(b'L', long.as_bytes())
                .file("x", b"x"),
            "",
            0,
        ),
        (
            "two of one name",
            Tar::default()
                .file("checkpoint/pstree.img", b"not this one")
                .dump("i386", "checkpoint/"),
            "stands twice",
            0,
        ),
        (
            "an endless header",
            Tar::default()
                .dump("i386", "checkpoint/")
                .extended(b'x', &vec![b'1'; 2 << 20])
                .file("x", b"x"),
            "its name is too long",
            0,
        ),
    ];
    for (what, tar, warning, code) in cases {
        let tar = tar.end();
        for archive in [tar.clone(), gzip(&tar), zstd(&tar)] {
            let run = on(&archive, &["x", "a.tar", "ps"]);
            assert_eq!(run.code, code, "{what}: {}", run.stderr);
            assert!(run.text().contains("    100    100    100   "), "{what}");
            assert!(run.stderr.contains(warning), "{what}: {}", run.stderr);
            assert!(!run.stderr.contains("root:"));
        }
    }
    // A size that the archive does not have, in octal and in base 256.
    let mut huge = Tar::default().dump("i386", "checkpoint/");
    huge.header(b"checkpoint/x", 0o77_777_777_777, b'0', b"");
    let run = on(&huge.0, &["ls", "a.tar"]);
    assert!(run.stderr.contains("truncated"), "{}", run.stderr);
}

#[test]
fn a_truncated_archive_shows_what_is_before_the_cut() {
    let plain = podman("").end();
    let packed = [plain.clone(), gzip(&plain), zstd(&plain)];
    for (packing, archive) in packed.iter().enumerate() {
        let mut shown = 0;
        for part in 1..40 {
            let cut = archive.len() * part / 40;
            let run = on(&archive[..cut], &["x", "a.tar", "ps"]);
            // What is there is told, and that it is not all.
            assert!(run.code == 2 && !run.stderr.is_empty());
            shown += u32::from(!run.stdout.is_empty());
        }
        // All of this archive is one block for zstd: nothing comes out of a part of it.
        assert_eq!(shown > 0, packing < 2);
    }
}

#[test]
fn an_archive_that_ends_before_the_zeros_that_end_one_is_said_to() {
    let core = image("simple/core-100.img");
    let archive = Tar::default().file("checkpoint/core-100.img", &core);
    let whole = Tar(archive.0.clone()).end();
    on(&whole, &["ls", "a.tar"]).quiet();
    // The last bytes are in the block that the padding fills up.
    let content = 512 + core.len();
    assert_ne!(core.len() % 512, 0);
    for missing in [1, 2, 100, 600] {
        let run = on(&archive.0[..content - missing], &["-q", "ls", "a.tar"]);
        assert_eq!(run.code, 2);
        assert!(run.stderr.contains("is truncated"), "{}", run.stderr);
    }
    // At the end of a member nothing else says that more should come.
    for cut in [&archive.0[..content], &archive.0] {
        let run = on(cut, &["-q", "ls", "a.tar"]);
        assert_eq!(run.code, 2);
        assert!(
            run.stderr
                .contains("without the zeros that end an archive, after 1 members"),
            "{}",
            run.stderr
        );
        assert!(run.text().contains("core-100.img"));
    }
}

#[test]
fn what_stands_behind_the_end_of_an_archive_is_said_not_to_be_read() {
    let one = Tar::default().dump("simple", "checkpoint/").end();
    let other = Tar::default().dump("i386", "checkpoint/").end();
    let both: Vec<u8> = one.iter().chain(&other).copied().collect();
    let packed: Vec<u8> = gzip(&one).into_iter().chain(gzip(&other)).collect();
    for archive in [&both, &gzip(&both), &zstd(&both), &packed] {
        let run = on(archive, &["-q", "x", "a.tar", "ps"]);
        assert_eq!(run.code, 2);
        assert!(
            run.stderr
                .contains("behind its end are bytes that are not read"),
            "{}",
            run.stderr
        );
    }
    // Zeros fill up a record of a tape.
    let mut filled = one.clone();
    filled.resize(one.len().next_multiple_of(1 << 20), 0);
    let mut behind = gzip(&one);
    behind.resize(behind.len().next_multiple_of(10240), 0);
    for archive in [filled.clone(), gzip(&filled), zstd(&filled), behind] {
        on(&archive, &["recode", "a.tar"]).quiet();
    }
}

#[test]
fn a_wrong_checksum_of_the_packing_is_said() {
    let plain = Tar::default().dump("simple", "checkpoint/").end();
    let mut packed = gzip(&plain);
    let at = packed.len() - 8;
    packed[at] ^= 1;
    let run = on(&packed, &["-q", "recode", "a.tar"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("checksum"), "{}", run.stderr);
    assert_eq!(on(&packed, &["check", "a.tar"]).code, 1);
}

#[test]
fn much_in_little_is_an_error_in_bounded_memory_and_time() {
    // A quarter of a gigabyte of zeros: 67 million entries without any field.
    let mut tar = Tar::default();
    tar.header(b"checkpoint/pstree.img", 1 << 28, b'0', b"");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(&tar.0).unwrap();
    packed.write_all(&image("i386/pstree.img")[..8]).unwrap();
    let zeros = vec![0; 1 << 20];
    for _ in 0..256 {
        packed.write_all(&zeros).unwrap();
    }
    let dir = fresh_dir();
    fs::write(dir.path().join("a.tar"), packed.finish().unwrap()).unwrap();
    let status = std::process::Command::new("sh")
        .args([
            "-c",
            "ulimit -v 400000; exec \"$0\" x a.tar ps",
            env!("CARGO_BIN_EXE_crit"),
        ])
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert_eq!(status.status.code(), Some(2));
    let stderr = String::from_utf8(status.stderr).unwrap();
    assert!(stderr.contains("no task is in this checkpoint"), "{stderr}");
}

#[test]
fn other_files_are_refused_by_what_they_are() {
    let says = |bytes: &[u8], what: &str| {
        let run = on(bytes, &["x", "a.tar", "ps"]);
        assert_eq!(run.code, 2);
        assert!(run.stderr.contains(what), "{}", run.stderr);
    };
    says(b"", "the file is empty");
    says(b"BZh91AY&SY", "packed by bzip2");
    says(&[0xfd, b'7', b'z', b'X', b'Z', 0, 0, 0], "packed by xz");
    says(&image("i386/pstree.img"), "this is one image");
    says(&[b'x'; 2000], "this is no tar archive");
    says(
        &Tar::default().file("readme", b"x").end(),
        "no task is in this checkpoint",
    );
    let missing = crit(&["x", "nowhere", "ps"], b"");
    assert_eq!(
        (
            missing.code,
            missing.stderr.contains("nowhere: No such file")
        ),
        (2, true)
    );
    assert!(Checkpoint::open(Path::new("/dev/null")).is_err());
}

#[test]
fn many_large_members_of_a_packed_archive_are_read_without_unpacking_it_for_each() {
    // 5 MiB each, more than is kept in memory: 30 of them would be 2 GiB to pass.
    let mut tar = Tar::default().file("checkpoint/pstree.img", &image("i386/pstree.img"));
    for number in 0..30u32 {
        let mut content = image("simple/fs-100.img")[..8].to_vec();
        content.resize(8 + 4 * number as usize, 0);
        // An entry of its own at the end, behind empty ones.
        content.resize(5 << 20, 0);
        tar = tar.file(&format!("checkpoint/fs-{number}.img"), &content);
    }
    let run = on(&gzip(&tar.end()), &["ls", "a.tar", "--json"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let files = run.json()["files"].as_array().unwrap().clone();
    let large: Vec<_> = files
        .iter()
        .filter(|file| file["size"] == 5 << 20)
        .collect();
    assert_eq!(large.len(), 30);
    for file in large {
        assert_eq!(file["entries"], ((5 << 20) - 8) / 4, "{file}");
    }
}
