//! Damaged pagemaps, pages images, chains and areas.

use super::*;

#[test]
fn pages_that_a_lazy_server_never_brought_are_absent_and_counted() {
    // The last entry: those behind it would find their pages elsewhere in the image.
    let copy = pattern(|entries| entries.last_mut().unwrap()["flags"] = json!("PE_LAZY"));
    let sizes = &copy.mem(&["--json"]).quiet().json()[0];
    assert_eq!(sizes["lazy"], json!(2 * PAGE));
    let run = copy.mem(&["--env"]);
    assert_eq!(run.code, 2);
    assert!(
        run.stderr.contains("left to a lazy server"),
        "{}",
        run.stderr
    );
    let run = copy.mem(&["-s", "COLOR=blue"]);
    assert_eq!(run.code, 1);
    let said = "8.0 KiB of task 9230 are not in the checkpoint: not searched";
    assert!(run.stderr.contains(said), "{}", run.stderr);
}

#[test]
fn damaged_pagemaps_are_refused_with_entry_and_file() {
    let (code, said) = complaint(&pattern(|entries| entries.swap(2, 3)));
    assert_eq!(code, 2);
    assert!(
        said.starts_with("crit: ./pagemap-9230.img: entry 3: its pages begin at 0x"),
        "{said}"
    );
    let (_, said) = complaint(&pattern(|entries| {
        entries[2]["vaddr"] = entries[1]["vaddr"].clone();
    }));
    assert!(said.contains("entry 2: its pages begin at 0x"), "{said}");
    let (code, said) = complaint(&pattern(|entries| {
        entries[2]["nr_pages"] = json!(1u64 << 60);
    }));
    assert_eq!(code, 2);
    assert!(
        said.contains("entry 2: 1152921504606846976 pages from 0x403000 on"),
        "{said}"
    );
    let (_, said) = complaint(&pattern(|entries| entries[1]["vaddr"] = json!(0x40_1001)));
    assert!(
        said.contains("entry 1: 0x401001 is not the address of a page"),
        "{said}"
    );
    let (_, said) = complaint(&pattern(|entries| entries[3]["flags"] = json!(12)));
    assert!(said.contains("entry 3: it has the flags 0xc"), "{said}");
    // Compressed pages have such fields: what they make of the rest is not guessed.
    let (code, said) = complaint(&pattern(|entries| {
        entries[1]["@unknown"] = json!([{"number": 6, "wire": "bytes", "value": "AQI=\n"}]);
    }));
    assert_eq!(code, 2);
    assert!(
        said.contains("entry 1: it has the field 6, which the schema lacks"),
        "{said}"
    );
}

#[test]
fn pages_images_that_are_missing_or_short_are_named_with_the_entry() {
    let copy = Copy::of("pattern");
    let pages = fs::OpenOptions::new()
        .write(true)
        .open(copy.path("pages-3.img"))
        .unwrap();
    pages.set_len(5000).unwrap();
    // What is there can still be read.
    copy.mem(&["--read", "401000+16", "--json"]);
    let (code, said) = complaint(&copy);
    assert_eq!(code, 2);
    assert!(
        said.contains("crit: ./pagemap-9230.img: entry 2: its pages reach to byte"),
        "{said}"
    );
    assert!(
        said.contains("./pages-3.img, which ends at byte 5000\n"),
        "{said}"
    );
    let listed = copy.mem(&[]);
    assert_eq!(listed.code, 0);
    assert!(
        listed
            .stderr
            .starts_with("crit: warning: ./pagemap-9230.img: entry 2"),
        "{}",
        listed.stderr
    );
    fs::remove_file(copy.path("pages-3.img")).unwrap();
    let (_, said) = complaint(&copy);
    assert!(said.contains("entry 1: ./pages-3.img is missing"), "{said}");
    fs::remove_file(copy.path("pagemap-9230.img")).unwrap();
    let run = copy.mem(&["--args"]);
    assert!(
        run.stderr
            .contains("the checkpoint has no pagemap of the task"),
        "{}",
        run.stderr
    );
    fs::remove_file(copy.path("mm-9230.img")).unwrap();
    assert!(copy.mem(&[]).stderr.contains("mm-9230.img: missing"));
}

#[test]
fn a_chain_that_is_broken_says_where_and_the_rest_is_still_searched() {
    let in_parent = |entries: &mut Vec<Value>| entries[4]["flags"] = json!("PE_PARENT");
    let copy = pattern(in_parent);
    let searched = |why: &str| {
        let run = copy.mem(&["-s", "MARKER-sysv", "--json"]);
        assert_eq!(run.code, 2);
        assert_eq!(hits(&run).len(), 1);
        let said = format!("crit: ./pagemap-9230.img: entry 4: its pages are in the parent, {why}");
        assert!(run.stderr.contains(&said), "{}", run.stderr);
        // A list counts them, and says the same.
        let listed = copy.mem(&["--json"]);
        assert_eq!(listed.code, 0);
        assert_ne!(listed.json()[0]["lost"], 0);
        assert!(listed.stderr.contains(why), "{}", listed.stderr);
    };
    searched("but there is no parent");
    std::os::unix::fs::symlink(".", copy.path("parent")).unwrap();
    searched("but the chain of parents leads back to itself");
    fs::remove_file(copy.path("parent")).unwrap();
    std::os::unix::fs::symlink("../nowhere", copy.path("parent")).unwrap();
    searched("but the parent `../nowhere` is not there");
    fs::remove_file(copy.path("parent")).unwrap();
    // A parent that has nothing of this task.
    let parent = images().join("predump/1");
    std::os::unix::fs::symlink(parent, copy.path("parent")).unwrap();
    searched("which doesn't have them");
}

#[test]
fn areas_that_overlap_are_refused_and_guard_areas_are_none() {
    let overlapping = Copy::of("pattern").edit("mm-9230.img", |entries| {
        entries[0]["vmas"][2]["end"] = json!(1u64 << 62);
    });
    let (code, said) = complaint(&overlapping);
    assert_eq!(code, 2);
    assert!(
        said.contains("mm-9230.img: entry 0, field vmas[3]: it begins at"),
        "{said}"
    );
    // CRIU 4.2 writes these behind all others; they are parts of them.
    let guarded = Copy::of("pattern").edit("mm-9230.img", |entries| {
        let areas = entries[0]["vmas"].as_array_mut().unwrap();
        let mut guard = areas[4].clone();
        guard["status"] = json!(1 << 16);
        areas.push(guard);
    });
    assert_eq!(guarded.mem(&["-s", "MARKER-heap"]).code, 0);
}
