//! Bytes of a task, what it was started with, lists, and patches.

use super::*;

#[test]
fn every_page_reads_back_as_the_program_wrote_it() {
    for dump in ["pattern", "pattern-chain/3"] {
        let checkpoint = Checkpoint::open(images().join(dump)).unwrap();
        let memory = checkpoint.memory(PID).unwrap();
        for (address, base) in pages() {
            let read = memory.read(address..address + PAGE).unwrap();
            assert!(read == expected(address, base), "{dump} {address:x}");
        }
    }
}

#[test]
fn pages_that_were_never_written_are_zeros_and_gaps_are_errors() {
    for dump in ["pattern", "pattern-chain/3"] {
        let checkpoint = Checkpoint::open(images().join(dump)).unwrap();
        let memory = checkpoint.memory(PID).unwrap();
        for address in [0x1_0000_2000, 0x1_0000_5000, 0x4_0000_1000, 0x8_0000_1000] {
            let read = memory.read(address..address + PAGE).unwrap();
            assert!(read.iter().all(|byte| *byte == 0), "{dump} {address:x}");
        }
        // Over the end of an area, and into a page of a file that the dump leaves to the file.
        let error = memory.read(0x3_0000_0ff0..0x3_0000_1010).unwrap_err();
        let what = "no byte of task 9230 at 0x300001000: nothing is mapped there";
        assert_eq!(error.kind().to_string(), what);
        let error = memory.read(0x7_0000_0ff0..0x7_0000_1010).unwrap_err();
        assert!(
            error
                .kind()
                .to_string()
                .ends_with("not part of the checkpoint")
        );
        assert!(memory.read(u64::MAX - 10..u64::MAX).is_err());
        assert!(memory.read(0..u64::MAX).is_err());
    }
}

#[test]
fn clean_pages_of_mapped_files_are_read_below_a_sysroot_and_nowhere_else() {
    let root = fresh_dir();
    let folder = root.path().join("srv/demo/data");
    fs::create_dir_all(&folder).unwrap();
    let mut content: Vec<u8> = (0..3)
        .flat_map(|page| filled(0x40_0000_0000 + page * PAGE))
        .collect();
    content[0x2400..0x240c].copy_from_slice(b"MARKER-clean");
    let file = folder.join("pattern.dat");
    fs::write(&file, &content).unwrap();
    let root_name = root.path().to_str().unwrap();
    let checkpoint = Checkpoint::open(images().join("pattern")).unwrap();
    let memory = || {
        checkpoint
            .memory(PID)
            .unwrap()
            .with_sysroot(root.path())
            .unwrap()
    };
    let read = memory().read(0x7_0000_0000..0x7_0000_3000).unwrap();
    assert!(read[..4096] == content[..4096] && read[8192..] == content[8192..]);
    assert!(read[4096..8192] == expected(0x7_0000_1000, 0x50_0000_1000));
    let run = crit(
        &[
            "mem",
            "pattern",
            "-s",
            "MARKER-clean",
            "--sysroot",
            root_name,
            "--json",
        ],
        b"",
    );
    assert_eq!(
        hits(&run),
        BTreeSet::from([(0x7_0000_2400, "MARKER-clean".to_owned())])
    );
    // The program itself is not there: its pages are left out, and that is said.
    assert!(
        run.stderr
            .contains("srv/demo/data/pattern: its pages are left out"),
        "{}",
        run.stderr
    );
    assert_eq!(
        memory().read(0x40_0000..0x40_1000).unwrap_err().hint(),
        None
    );

    fs::write(&file, &content[..100]).unwrap();
    let short = memory();
    assert_eq!(
        short.read(0x7_0000_0000..0x7_0000_1000).unwrap()[100..],
        [0; 3996]
    );
    let warnings: Vec<String> = short.warnings().iter().map(ToString::to_string).collect();
    assert!(
        warnings[0].contains("the file has 100 bytes, 12288 when it was dumped"),
        "{warnings:?}"
    );

    // A link is followed inside the root; nothing outside it is reached.
    fs::remove_file(&file).unwrap();
    fs::write(root.path().join("target"), &content).unwrap();
    std::os::unix::fs::symlink("/target", &file).unwrap();
    assert!(memory().read(0x7_0000_0000..0x7_0000_1000).unwrap() == content[..4096]);
    fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink("../../../../../../../../etc/hostname", &file).unwrap();
    assert!(memory().read(0x7_0000_0000..0x7_0000_1000).is_err());
}

#[test]
fn the_pages_of_a_deleted_file_are_read_from_its_ghost() {
    let copy = Copy::of("pattern");
    let path = "entries[reg.name=/srv/demo/data/pattern.dat].id";
    let text = crit(&["get", "pattern/files.img", path], b"")
        .quiet()
        .text();
    let id: u32 = text.trim_end().rsplit(' ').next().unwrap().parse().unwrap();
    let encode = |name: &str, json: Value| {
        let text = json.to_string();
        crit_in(copy.0.path(), &["encode", "-o", name], text.as_bytes()).quiet();
    };
    let remap = json!({"orig_id": id, "remap_id": 11, "remap_type": "GHOST"});
    encode(
        "remap-fpath.img",
        json!({"magic": "REMAP_FPATH", "entries": [remap]}),
    );
    let base64 = |bytes: &[u8]| base64::Engine::encode(&base64::prelude::BASE64_STANDARD, bytes);
    let ghost = |more: Value| {
        let mut entry = json!({"uid": 0, "gid": 0, "mode": 33188});
        entry
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        entry
    };
    let content = [
        b"first page of a ghost".repeat(196),
        b"the third page".repeat(293),
    ];
    // In one piece.
    let whole = [&content[0][..4096], &[b'-'; 4096], &content[1][..4096]].concat();
    let entry = ghost(json!({"extra": base64(&whole)}));
    encode(
        "ghost-file-b.img",
        json!({"magic": "GHOST_FILE", "entries": [entry]}),
    );
    let read = |range: &str| {
        let run = copy.mem(&["--read", range, "--json"]).quiet().json();
        run["hex"].as_str().unwrap().to_owned()
    };
    let hex = |text: &[u8]| {
        text.iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    assert_eq!(read("700000000+21"), hex(b"first page of a ghost"));
    assert_eq!(read("700002000+9"), hex(b"the third"));
    // The page that the task wrote to is its own.
    assert_eq!(read("700001500+10"), hex(b"MARKER-cow"));
    // In chunks, with a hole between them.
    let chunk =
        |off: u64, bytes: &[u8]| json!({"len": bytes.len(), "off": off, "extra": base64(bytes)});
    let entries = json!([
        ghost(json!({"chunks": true, "size": 12288})),
        chunk(0, &content[0][..100]),
        chunk(8192, &content[1][..4096])
    ]);
    encode(
        "ghost-file-b.img",
        json!({"magic": "GHOST_FILE", "entries": entries}),
    );
    assert_eq!(read("700000000+21"), hex(b"first page of a ghost"));
    assert_eq!(read("700000064+4"), "00000000");
    assert_eq!(read("700002000+9"), hex(b"the third"));
    assert_eq!(copy.mem(&["-s", "the third page"]).code, 0);
}

#[test]
fn sizes_and_areas_are_listed_with_what_is_where() {
    let text = crit(&["mem", "pattern"], b"").quiet().text();
    assert!(
        text.ends_with("9230  pattern  312.0 KiB  120.0 KiB  24.0 KiB          -     -\n"),
        "{text}"
    );
    let sizes = &crit(&["mem", "pattern-chain/3", "--json"], b"")
        .quiet()
        .json()[0];
    assert_eq!(sizes["resident"], json!(30 * PAGE));
    assert_eq!(sizes["shared"], json!(6 * PAGE));
    // By FACTS.md, 7 private pages are in the last dump, and those of the memfd and the segment.
    assert_eq!(sizes["in_parent"], json!((24 - 7 + 2) * PAGE));
    let areas = crit(&["mem", "pattern", "-p", "9230", "--json"], b"")
        .quiet()
        .json();
    let area = |start: u64| {
        let mut all = areas.as_array().unwrap().iter();
        all.find(|area| area["start"] == json!(start))
            .unwrap()
            .clone()
    };
    let private = area(0x1_0000_0000);
    assert_eq!(private["pages"]["here"], 5);
    assert_eq!(
        (&private["protection"], &private["kind"]),
        (&json!("rw-"), &json!("anon"))
    );
    assert_eq!(area(0x4_0000_0000)["kind"], "shmem");
    assert_eq!(area(0x5_0000_0000)["file"], "/memfd:pattern");
    assert_eq!(area(0x6_0000_0000)["kind"], "sysv");
    assert_eq!(area(0x7_0000_0000)["file"], "/srv/demo/data/pattern.dat");
    assert_eq!(area(0x1de7_1000)["kind"], "heap");
    assert_eq!(area(0x6_0000_0000)["shared"], true);
}

#[test]
fn command_line_environment_and_auxiliary_vector_are_shown() {
    let text = |args: &[&str]| {
        crit(&[&["mem", "pattern"], args].concat(), b"")
            .quiet()
            .text()
    };
    assert_eq!(text(&["--args"]), "pattern\none\ntwo words\n");
    assert_eq!(text(&["--env"]), "COLOR=blue\nEMPTY=\n");
    let auxv = text(&["--auxv"]);
    assert!(
        auxv.contains("SYSINFO_EHDR       0x7f1b32d6e000\n"),
        "{auxv}"
    );
    assert!(
        auxv.contains("EXECFN             0x7ffc9159dfe1\n"),
        "{auxv}"
    );
    assert_eq!(auxv.lines().count(), 22);
    // CRIU keeps each pair of a 32-bit task as one word.
    let auxv = crit(&["mem", "i386", "--auxv", "--json"], b"")
        .quiet()
        .json();
    let page_size = json!({"key": 6, "name": "PAGESZ", "value": 4096});
    assert!(
        auxv[0]["auxv"].as_array().unwrap().contains(&page_size),
        "{auxv}"
    );
    let both = crit(&["mem", "pattern", "--args", "--json"], b"")
        .quiet()
        .json();
    assert_eq!(both[0]["args"], json!(["pattern", "one", "two words"]));
}

#[test]
fn memory_is_dumped_as_hexadecimal_text_as_json_and_raw() {
    let text = crit(&["mem", "pattern", "--read", "0x1de71ffa+11"], b"")
        .quiet()
        .text();
    let lines = [
        "000000001de71ff0                                 4d 41 52 4b 45 52  |          MARKER|",
        "000000001de72000  2d 68 65 61 70                                    |-heap           |",
    ];
    assert_eq!(text.lines().collect::<Vec<_>>(), lines);
    let json = crit(
        &["mem", "pattern", "--read", "1de71ffa-1de72000", "--json"],
        b"",
    )
    .quiet()
    .json();
    assert_eq!(json["hex"], "4d41524b4552");
    let dir = fresh_dir();
    let out = dir.path().join("raw");
    let args = [
        "mem",
        "pattern",
        "--read",
        "100000000-100008000",
        "-o",
        out.to_str().unwrap(),
    ];
    let run = crit(&args, b"");
    assert_eq!(run.code, 2, "{}", run.stderr);
    assert!(
        !out.exists(),
        "a file that could not be filled is left behind"
    );
    let args = [
        "mem",
        "pattern",
        "--read",
        "100000000-100007000",
        "-o",
        out.to_str().unwrap(),
    ];
    crit(&args, b"").quiet();
    let raw = fs::read(&out).unwrap();
    assert_eq!(raw.len(), 7 * 4096);
    assert!(raw[..4096] == filled(0x1_0000_0000) && raw[8192..12288] == [0; 4096]);
}

#[test]
fn bytes_are_written_over_a_page_of_the_dump_and_nowhere_else() {
    let copy = Copy::of("pattern");
    let before = fs::read(copy.path("pages-3.img")).unwrap();
    // Over the boundary of two pages that are next to each other in the image.
    let run = copy
        .mem(&["--write", "1de71ffe", "--hex", "00 01 02 03", "--json"])
        .quiet()
        .json();
    assert_eq!(run["length"], 4);
    let after = fs::read(copy.path("pages-3.img")).unwrap();
    let changed: Vec<usize> = (0..before.len())
        .filter(|i| before[*i] != after[*i])
        .collect();
    let offset = usize::try_from(run["offset"].as_u64().unwrap()).unwrap();
    assert_eq!(changed, [offset, offset + 1, offset + 2, offset + 3]);
    assert_eq!(after[offset..offset + 4], [0, 1, 2, 3]);
    let read = copy.mem(&["--read", "1de71ffe+4", "--json"]).quiet().json();
    assert_eq!(read["hex"], "00010203");
    // From stdin, as it is; in the image of a segment.
    let args = ["mem", ".", "--write", "600001300"];
    crit_in(copy.0.path(), &args, b"marker\n").quiet();
    assert_eq!(copy.mem(&["-s", "marker\n-sysv"]).code, 1);
    assert_eq!(copy.mem(&["-s", "marker\nsysv"]).code, 0);

    // A pages image of a terabyte of holes is copied as such.
    let file = fs::OpenOptions::new()
        .write(true)
        .open(copy.path("pages-3.img"))
        .unwrap();
    file.set_len(1 << 40).unwrap();
    copy.mem(&["--write", "1de71000", "--hex", "77"]).quiet();
    let sparse = fs::metadata(copy.path("pages-3.img")).unwrap();
    assert_eq!(sparse.len(), 1 << 40);
    assert!(std::os::unix::fs::MetadataExt::blocks(&sparse) < 4096);

    let refused = |dump: &Path, address: &str, why: &str| {
        let dump = dump.to_str().unwrap();
        let run = crit(&["mem", dump, "--write", address, "--hex", "00"], b"");
        assert_eq!(run.code, 2);
        assert!(run.stderr.contains(why), "{}", run.stderr);
    };
    let dump = images().join("pattern");
    refused(&dump, "100002000", "is not in a pages image");
    refused(&dump, "300001000", "nothing is mapped there");
    refused(&dump, "400000", "not part of the checkpoint");
    // A page that is only in a pre-dump, which other dumps may share.
    let chain = Checkpoint::open(images().join("pattern-chain/3")).unwrap();
    let memory = chain.memory(PID).unwrap();
    let in_parent = pages().into_iter().find(|(address, _)| {
        let (image, _) = memory.stored_at(*address).unwrap();
        image.contains("parent")
    });
    let address = format!("{:x}", in_parent.unwrap().0);
    refused(
        &images().join("pattern-chain/3"),
        &address,
        "is in a pre-dump",
    );
}

#[test]
fn which_task_is_asked_when_it_matters() {
    let run = crit(&["mem", "pattern", "-p", "1"], b"");
    assert_eq!(run.code, 2);
    assert!(
        run.stderr
            .starts_with("crit: pattern: no task has the pid 1\n"),
        "{}",
        run.stderr
    );
    let run = crit(&["mem", "tree", "--read", "0"], b"");
    assert!(
        run.stderr.contains("which of the 12 tasks?\nhint: -p PID"),
        "{}",
        run.stderr
    );
    // Tasks that have ended have no memory: they are not in the list.
    let pids = crit(&["mem", "tree", "--json"], b"").json();
    assert!(
        pids.as_array()
            .unwrap()
            .iter()
            .all(|task| task["pid"] != 113)
    );
}
