//! Search and strings.

use super::*;

#[test]
fn texts_bytes_and_expressions_are_found_over_pages_and_areas_and_not_over_gaps() {
    let expected: BTreeSet<(u64, String)> = MARKERS
        .iter()
        .map(|(address, name)| (*address, (*name).to_owned()))
        .collect();
    for dump in ["pattern", "pattern-chain/3"] {
        let run = crit(&["mem", dump, "-r", "MARKER-[a-z]+", "--json"], b"").quiet();
        assert_eq!(hits(&run), expected, "{dump}");
        for (address, name) in MARKERS {
            let found = BTreeSet::from([(address, name.to_owned())]);
            let run = crit(&["mem", dump, "-s", name, "--json"], b"").quiet();
            assert_eq!(hits(&run), found, "{dump} {name}");
            let hex: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
            let run = crit(&["mem", dump, "--search-hex", &hex, "--json"], b"").quiet();
            assert_eq!(hits(&run), found, "{dump} {name}");
        }
        for torn in [
            "MARKER-gap",
            "MARKER-hole",
            "MARKER-clean",
            "MARKER-covered",
            "STALE",
        ] {
            let run = crit(&["mem", dump, "-s", torn], b"");
            assert_eq!((run.code, run.text().as_str()), (1, ""), "{dump} {torn}");
        }
    }
}

#[test]
fn a_hit_says_where_it_is_in_which_image() {
    for dump in ["pattern", "pattern-chain/3"] {
        let run = crit(&["mem", dump, "-s", "MARKER-", "--json"], b"").quiet();
        for hit in run.json().as_array().unwrap() {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/images");
            let content = fs::read(path.join(hit["image"].as_str().unwrap())).unwrap();
            let offset = usize::try_from(hit["offset"].as_u64().unwrap()).unwrap();
            // One marker begins in the last bytes of a page whose neighbour is stored elsewhere.
            assert!(content[offset..].starts_with(b"MARKE"), "{hit}");
        }
    }
    let text = crit(&["mem", "pattern", "-s", "MARKER-sysv"], b"")
        .quiet()
        .text();
    assert_eq!(
        text,
        "9230 0x600001300 sysv pages-4.img+0x1300 MARKER-sysv\n"
    );
}

#[test]
fn a_search_is_narrowed_by_kind_path_and_rights() {
    let found = |args: &[&str]| {
        let mut all = vec!["mem", "pattern", "-s", "MARKER-", "--json"];
        all.extend(args);
        let run = crit(&all, b"");
        let places = hits(&run).into_iter().map(|(address, _)| address);
        places.collect::<Vec<_>>()
    };
    assert_eq!(found(&["--region", "heap"]), [0x1de7_1ffa]);
    assert_eq!(found(&["--region", "memfd"]), [0x5_0000_0ff9]);
    assert_eq!(
        found(&["--region", "shmem", "--region", "sysv"]),
        [0x4_0000_2200, 0x6_0000_1300]
    );
    assert_eq!(found(&["--region", "pattern.dat"]), [0x7_0000_1500]);
    assert!(found(&["--prot", "x"]).is_empty());
    // The marker over the end of the writable area is cut there.
    let neighbour = |rights| {
        crit(
            &["mem", "pattern", "-s", "MARKER-neighbour", "--prot", rights],
            b"",
        )
        .code
    };
    assert_eq!((neighbour("w"), neighbour("r")), (1, 0));
    assert!(!found(&["--prot", "r"]).contains(&0x8_0000_0600));
}

#[test]
fn what_is_around_a_hit_is_shown_up_to_the_next_gap() {
    let args = ["mem", "pattern", "-s", "R-gap", "-c", "8", "--json"];
    let hit = &crit(&args, b"").quiet().json()[0];
    // In front of it nothing is mapped.
    assert_eq!(hit["context"]["address"], json!(0x3_0000_2000u64));
    let args = ["mem", "pattern", "-s", "KER-priv", "-c", "3"];
    let text = crit(&args, b"").quiet().text();
    assert!(text.contains("|MARKER-private  |"), "{text}");
}

#[test]
fn printable_strings_are_listed_with_their_addresses() {
    let text = crit(
        &["mem", "pattern", "--strings", "9", "--region", "stack"],
        b"",
    )
    .quiet()
    .text();
    assert!(
        text.contains("00007ffc9159dfb9  ") || text.contains("  two words\n"),
        "{text}"
    );
    assert!(text.contains("  COLOR=blue\n"), "{text}");
    let run = crit(
        &["mem", "pattern", "--strings", "--region", "memfd", "--json"],
        b"",
    )
    .quiet();
    let all = run.json();
    let texts = all.as_array().unwrap().iter();
    // The program's pattern is printable in places, before and behind the marker.
    assert!(
        texts
            .clone()
            .any(|found| found["text"].as_str().unwrap().contains("MARKER-memfd"))
    );
}

#[test]
fn a_regular_expression_that_is_malformed_and_a_pattern_of_nothing_are_refused() {
    let run = crit(&["mem", "pattern", "-r", "a(b"], b"");
    assert_eq!(run.code, 2);
    assert_eq!(
        run.stderr,
        "crit: pattern: the regular expression: unclosed group\n"
    );
    assert_eq!(crit(&["mem", "pattern", "-s", ""], b"").code, 2);
    assert_eq!(crit(&["mem", "pattern", "--search-hex", "7"], b"").code, 2);
    assert_eq!(crit(&["mem", "pattern", "-s", "x", "-r", "y"], b"").code, 2);
    // What matches nothing matches nowhere, and ends.
    assert_eq!(crit(&["mem", "pattern", "-r", "q*"], b"").code, 0);
    assert_eq!(crit(&["mem", "pattern", "-r", "(?:)"], b"").code, 1);
}

#[test]
fn an_archive_is_searched_as_its_directory_is() {
    let dir = fresh_dir();
    let mut tar = tar::Builder::new(Vec::new());
    tar.append_dir_all("checkpoint", images().join("pattern"))
        .unwrap();
    let plain = tar.into_inner().unwrap();
    let archive = dir.path().join("app.tar");
    fs::write(&archive, &plain).unwrap();
    let packed = dir.path().join("app.tar.gz");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, &plain).unwrap();
    fs::write(&packed, gzip.finish().unwrap()).unwrap();
    let expected = crit(&["mem", "pattern", "-s", "MARKER-"], b"")
        .quiet()
        .text();
    for archive in [archive, packed] {
        let name = archive.to_str().unwrap();
        let run = crit(&["mem", name, "-s", "MARKER-"], b"").quiet();
        assert_eq!(run.text(), expected);
        let run = crit(&["mem", name, "--write", "600001300", "--hex", "00"], b"");
        assert!(
            run.stderr.contains("an archive is not changed in place"),
            "{}",
            run.stderr
        );
    }
}

#[test]
fn a_pages_image_that_is_missing_hides_only_its_own_pages() {
    let copy = Copy::of("pattern");
    fs::remove_file(copy.path("pages-1.img")).unwrap();
    let run = copy.mem(&["-s", "MARKER-", "--json"]);
    assert_eq!(run.code, 2);
    assert_eq!(hits(&run).len(), MARKERS.len() - 1);
    let said =
        "crit: ./pagemap-shmem-302.img: entry 1: ./pages-1.img is missing, which holds its pages\n";
    assert_eq!(run.stderr, said);
}

#[test]
fn memory_that_was_never_written_is_not_searched() {
    let zeros = "00".repeat(18);
    let places = |args: &[&str]| {
        let run = crit(
            &[&["mem", "pattern", "--json", "--region", "anon"], args].concat(),
            b"",
        );
        let all = hits(&run).into_iter();
        all.map(|(address, _)| address).collect::<Vec<_>>()
    };
    let (hex, regex) = (
        places(&["--search-hex", &zeros]),
        places(&["-r", r"\x00{18}"]),
    );
    // The pages of the stacks of the threads that were written to have zeros; those beside them have not.
    for found in [hex, regex] {
        assert!(
            found
                .iter()
                .any(|hit| (0x9_0000_1000..0x9_0000_2000).contains(hit))
        );
        let untouched = [
            0x1_0000_2000..0x1_0000_3000u64,
            0x9_0000_0000..0x9_0000_1000 - 18,
        ];
        assert!(
            !found
                .iter()
                .any(|hit| untouched.iter().any(|range| range.contains(hit)))
        );
    }
}

#[test]
fn options_that_would_be_ignored_are_refused() {
    let refused = |args: &[&str], what: &str| {
        let run = crit(&[&["mem", "pattern"], args].concat(), b"");
        assert_eq!(run.code, 2);
        assert!(run.stderr.contains(what), "{}", run.stderr);
    };
    refused(&["--region", "heap"], "--region and --prot go with");
    refused(&["--args", "--prot", "r"], "--region and --prot go with");
    refused(&["--strings", "-c", "3"], "--context goes with a search");
    refused(&["--write", "0", "-o", "x"], "no --output");
    refused(&["--write", "1de71ffa"], "no bytes to write");
    refused(&["--strings", "0"], "a string has characters");
    let run = crit(&["mem", "--strings", "pattern"], b"");
    assert!(
        run.stderr.contains("DIR stands in front of --strings"),
        "{}",
        run.stderr
    );
    let run = crit(&["mem", "pattern", "-s", "MARKER", "--region", "Heap"], b"");
    assert_eq!(run.code, 1);
    assert!(
        run.stderr.contains("no area is of this kind"),
        "{}",
        run.stderr
    );
    let areas = crit(
        &["mem", "pattern", "-p", "9230", "--region", "heap", "--json"],
        b"",
    );
    assert_eq!(areas.quiet().json().as_array().unwrap().len(), 1);
}

#[test]
fn a_match_is_found_wherever_it_lies_in_a_large_area_of_many_entries() {
    // An area of 600 pages in runs of a few pages each, at places in the image that do not follow
    // each other: two images, the second of which is the parent's.
    let dir = fresh_dir();
    let (child, parent) = (dir.path().join("2"), dir.path().join("1"));
    for dir in [&child, &parent] {
        fs::create_dir(dir).unwrap();
    }
    std::os::unix::fs::symlink("../1", child.join("parent")).unwrap();
    for name in ["core-9230.img", "pstree.img", "files.img"] {
        fs::write(child.join(name), image(&format!("pattern/{name}"))).unwrap();
    }
    let start = 0x10_0000u64;
    let pages = 600;
    let mut memory = vec![b'.'; 600 * 4096];
    let needle = b"needle-in-haystack";
    // At every kind of boundary: of pages, of runs, of the windows that are read.
    let places: Vec<usize> = (0..60)
        .map(|i| i * 9 * 4096 + 4096 - (i % needle.len()))
        .chain([
            (1 << 20) - 5,
            (1 << 20) + 40,
            (2 << 20) + 5,
            600 * 4096 - needle.len(),
        ])
        .collect();
    for place in &places {
        memory[*place..*place + needle.len()].copy_from_slice(needle);
    }
    let schema = Schema::bundled().unwrap();
    let encode = |dir: &Path, name: &str, json: Value| {
        let mut out = Vec::new();
        let text = json.to_string();
        criu_images::encode(&schema, text.as_bytes(), &mut out, &Default::default()).unwrap();
        assert!(Image::read(&schema, &out[..]).is_ok());
        fs::write(dir.join(name), out).unwrap();
    };
    let mut mm = crit(&["decode", "-i", "pattern/mm-9230.img"], b"")
        .quiet()
        .json();
    let area = |start: u64, end: u64| {
        json!({"start": start, "end": end, "pgoff": 0, "shmid": 0, "prot": 3, "flags": 34,
               "status": 513, "fd": -1})
    };
    // Two areas next to each other.
    let middle = start + 251 * PAGE;
    mm["entries"][0]["vmas"] = json!([area(start, middle), area(middle, start + pages * PAGE)]);
    encode(&child, "mm-9230.img", mm);
    let mut entries = [vec![json!({"pages_id": 1})], vec![json!({"pages_id": 1})]];
    let mut stored = [Vec::new(), Vec::new()];
    let mut page = 0;
    for (length, which) in [(1, 0), (3, 1), (2, 0), (7, 1), (5, 0)].into_iter().cycle() {
        let length = length.min(pages - page);
        if length == 0 {
            break;
        }
        let from = usize::try_from(page * PAGE).unwrap();
        let to = usize::try_from((page + length) * PAGE).unwrap();
        stored[which].extend(&memory[from..to]);
        let entry = |flags: &str| json!({"vaddr": start + page * PAGE, "nr_pages": length, "compat_nr_pages": 0, "flags": flags});
        if which == 1 {
            entries[0].push(entry("PE_PARENT"));
        }
        entries[which].push(entry("PE_PRESENT"));
        page += length;
    }
    for ((dir, entries), stored) in [&child, &parent].into_iter().zip(entries).zip(stored) {
        encode(
            dir,
            "pagemap-9230.img",
            json!({"magic": "PAGEMAP", "entries": entries}),
        );
        fs::write(dir.join("pages-1.img"), stored).unwrap();
    }
    let checkpoint = Checkpoint::open(&child).unwrap();
    let task = checkpoint.memory(PID).unwrap();
    assert!(task.read(start..start + pages * PAGE).unwrap() == memory);
    let expected: BTreeSet<u64> = places.iter().map(|place| start + *place as u64).collect();
    for pattern in [
        Pattern::bytes(needle).unwrap(),
        Pattern::regex("ne+dle-in-[hays]+tack").unwrap(),
    ] {
        let mut found = BTreeSet::new();
        task.search(&pattern, &Selection::default(), &mut |_| (), &mut |hit| {
            assert!(
                found.insert(hit.address),
                "{:x} was found twice",
                hit.address
            );
            Ok(())
        })
        .unwrap();
        assert_eq!(found, expected);
    }
}
