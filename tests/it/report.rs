//! `crit report`: the page about a checkpoint.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::json;

use super::support::{copy_of, crit, crit_in, edit_image, fresh_dir, images, tar};

const SECTIONS: [&str; 9] = [
    "findings",
    "statistics",
    "processes",
    "memory",
    "connections",
    "files",
    "sockets",
    "namespaces",
    "mounts",
];

fn page(dump: &str) -> String {
    crit(&["report", dump, "--allow-missing-pages"], b"")
        .quiet()
        .text()
}

/// What stands between the tags of a section.
fn section<'a>(page: &'a str, id: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("<section id={id}>")).unwrap();
    rest.split_once("</section>").unwrap().0
}

#[test]
fn a_page_has_every_section_and_loads_and_runs_nothing() {
    for dump in [
        "app",
        "full-ns",
        "sockets",
        "simple",
        "i386",
        "tree",
        "userns",
        "predump/3",
    ] {
        let page = page(dump);
        for id in SECTIONS {
            assert!(section(&page, id).contains("<h2>"), "{dump}: {id}");
            assert!(
                page.contains(&format!("<a href=\"#{id}\">")),
                "{dump}: {id}"
            );
        }
        for word in [
            "<script", "http:", "https:", "src=", "url(", "@import", "<link", "<iframe",
        ] {
            assert!(!page.contains(word), "{dump}: {word}");
        }
        assert!(page.contains("default-src 'none'"));
        // The fixtures have no pages images, which the memory is missing for; nothing else is.
        let missing = |text: &str| text.matches("class=missing").count();
        assert_eq!(missing(&page), missing(section(&page, "memory")), "{dump}");
    }
}

#[test]
fn the_sections_tell_what_the_explorers_tell() {
    let page = page("app");
    assert!(section(&page, "processes").contains("100 <b>app.py</b> <span>5 threads</span>"));
    assert!(section(&page, "processes").contains("104 <b>sleep</b>"));
    // As `crit stats` has it: 674 us and 99963 us.
    let statistics = section(&page, "statistics");
    assert!(statistics.contains("674 us") && statistics.contains("99.963 ms"));
    assert!(statistics.contains(">2833<"));
    // The pagemap of task 104 has 30 pages.
    assert!(section(&page, "memory").contains("104 sleep: 120.0 KiB of"));
    assert!(section(&page, "files").contains("104 sleep: "));
    assert!(section(&page, "sockets").contains("127.0.0.1:33599"));
    assert!(section(&page, "findings").contains("pages-1.img"));
    // Task 104 has the ends of pipes of its parent's.
    let connections = section(&page, "connections");
    assert!(connections.contains("edge pipe") && connections.contains("<td>pipe</td>"));
    // What is read off `x fds` and pipes.img: who writes and who reads.
    assert!(connections.contains("100 app.py: 6 (writes), 104 sleep: 0 (reads)"));
    let page = super::report::page("full-ns");
    assert!(section(&page, "namespaces").contains("host "));
    assert!(section(&page, "mounts").contains("/proc"));
    assert!(section(&page, "connections").contains("edge unix"));
}

#[test]
fn names_from_the_dump_are_text_and_never_markup() {
    let dump = copy_of("simple");
    let hostile = "<script>alert(1)</script>\"'\u{1b}[31m\u{202e}";
    edit_image(dump.path(), "core-100.img", |entries| {
        entries[0]["tc"]["comm"] = json!(hostile);
    });
    edit_image(dump.path(), "files.img", |entries| {
        for entry in entries {
            if let Some(name) = entry.pointer_mut("/reg/name") {
                *name = json!(hostile);
            }
        }
    });
    let run = crit_in(dump.path(), &["report", ".", "--allow-missing-pages"], b"");
    assert_eq!(run.code, 0);
    let page = run.text();
    assert!(!page.contains("<script") && !page.contains('\u{1b}') && !page.contains('\u{202e}'));
    let name = "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;\\u{1b}[31m\\u{202e}";
    assert!(section(&page, "processes").contains(name));
    assert!(section(&page, "files").contains(name));
}

#[test]
fn what_is_missing_is_said_in_its_section_and_the_others_stand() {
    let dump = copy_of("app");
    for name in ["files.img", "mm-104.img", "stats-dump"] {
        fs::remove_file(dump.path().join(name)).unwrap();
    }
    let run = crit_in(
        dump.path(),
        &["report", ".", "--allow-missing-pages", "-o", "page.html"],
        b"",
    );
    assert_eq!(run.code, 0, "{}", run.stderr);
    let page = fs::read_to_string(dump.path().join("page.html")).unwrap();
    assert!(section(&page, "memory").contains("104: "));
    assert!(section(&page, "statistics").contains("no statistics"));
    assert!(section(&page, "processes").contains("app.py"));
    assert!(section(&page, "findings").contains("files.img"));
}

#[test]
fn without_the_table_of_open_files_no_connection_is_made_up_and_no_socket_denied() {
    let dump = copy_of("app");
    fs::remove_file(dump.path().join("files.img")).unwrap();
    let page = crit(&["report", dump.path().to_str().unwrap()], b"").text();
    assert!(!section(&page, "connections").contains("pipe[?]"));
    // Two unix sockets and seven of TCP and UDP: descriptors 8 to 16 of the first task.
    let sockets = section(&page, "sockets");
    assert!(
        sockets.contains(" descriptors are sockets, and the images"),
        "{sockets}"
    );
    assert!(!sockets.contains("None."), "{sockets}");
}

#[test]
fn a_pipe_that_many_processes_have_open_is_one_connection() {
    // `crit x tests/images/tree fds`: twelve tasks have both ends of one pipe.
    let page = page("tree");
    let connections = section(&page, "connections");
    assert!(connections.contains("Pipes and connections: 1<"));
    // A line to each of them, and none between them.
    assert_eq!(connections.matches("class=\"edge pipe\"").count(), 12);
    // FIFOs are joined by their pipe and named by their path: entries 26 and 27 of files.img.
    let page = super::report::page("full-ns");
    let connections = section(&page, "connections");
    assert!(connections.contains("/srv/demo/run/full-ns/fifo, pipe 893211"));
    assert!(section(&page, "files").contains("<td>FIFO</td><td>/srv/demo/run/full-ns/fifo</td>"));
    // Sockets among the files are shown by their addresses.
    assert!(section(&page, "files").contains("INET TCP"));
}

#[test]
fn a_picture_of_many_connections_has_no_process_without_a_line_and_counts_the_rest() {
    // Two hundred pipes more, which the same two have.
    let dump = copy_of("tree");
    let dir = dump.path();
    let mut ids = 10_000u64;
    let mut pipes = Vec::new();
    edit_image(dir, "files.img", |entries| {
        let pipe = entries
            .iter()
            .find(|entry| entry["type"] == "PIPE")
            .unwrap()
            .clone();
        for _ in 0..200 {
            let mut pipe = pipe.clone();
            ids += 1;
            pipe["id"] = json!(ids);
            pipe["pipe"]["id"] = json!(ids);
            pipe["pipe"]["pipe_id"] = json!(ids);
            pipes.push(ids);
            entries.push(pipe);
        }
    });
    // Two tables of descriptors have each of them.
    for table in ["fdinfo-2.img", "fdinfo-3.img"] {
        edit_image(dir, table, |entries| {
            let end = entries
                .iter()
                .find(|entry| entry["type"] == "PIPE")
                .unwrap()
                .clone();
            for (id, fd) in pipes.iter().zip(100..) {
                let mut end = end.clone();
                end["id"] = json!(id);
                end["fd"] = json!(fd);
                entries.push(end);
            }
        });
    }
    let page = crit_in(dir, &["report", ".", "--allow-missing-pages"], b"").text();
    let connections = section(&page, "connections");
    let graph = &connections[..connections.find("</svg></div>").unwrap()];
    // All 200 have the same two holders: one line on the right beside the pipe of before.
    assert!(graph.contains("200 × pipe["), "{graph}");
    assert!(!connections.contains(" more pipes and connections"));
}

#[test]
fn a_socket_that_many_processes_inherited_is_one_row() {
    // `crit x tests/images/full-ns sk --json`: seven tasks have the same 23 sockets open.
    let page = page("full-ns");
    let sockets = section(&page, "sockets");
    assert_eq!(sockets.matches("<tr><td>").count(), 23);
    assert!(sockets.contains("1 workload: 23, 6 child-plain: 23, and 5 more"));
    assert!(sockets.contains("backlog 7"));
}

#[test]
fn what_tasks_share_is_counted_once_and_pages_that_are_not_there_are_said() {
    // The pages of all page maps of full-ns, as upstream decodes them: 2.3 MiB.
    let page = page("full-ns");
    assert!(page.contains("<dt>Pages of the dump, not all of them here</dt><dd>2.3 MiB</dd>"));
    assert!(section(&page, "memory").contains("pages-3.img is missing"));
}

#[test]
fn long_texts_are_cut_and_whole_where_the_pointer_rests() {
    let dump = copy_of("simple");
    let name = format!("/{}", "x".repeat(3000));
    edit_image(dump.path(), "files.img", |entries| {
        let file = entries.iter_mut().find(|entry| entry["type"] == "REG");
        file.unwrap()["reg"]["name"] = json!(name);
    });
    let page = crit_in(dump.path(), &["report", ".", "--allow-missing-pages"], b"").text();
    let cut = format!("<td title=\"{name}\">/{}...</td>", "x".repeat(239));
    assert!(page.contains(&cut));
}

#[test]
fn the_heap_and_the_stack_are_drawn_however_many_areas_there_are() {
    let dump = copy_of("tree");
    edit_image(dump.path(), "mm-100.img", |entries| {
        let vmas = entries[0]["vmas"].as_array_mut().unwrap();
        // Two files in turn, so that no two neighbours are of one kind.
        let file = vmas.iter().find(|area| area["shmid"] != 0).unwrap().clone();
        let anonymous = vmas.iter().find(|area| area["shmid"] == 0).unwrap().clone();
        for number in 0..2000u64 {
            let mut area = if number % 2 == 0 { &file } else { &anonymous }.clone();
            area["start"] = json!(0x6000_0000_0000 + number * 0x10_0000);
            area["end"] = json!(0x6000_0000_0000 + number * 0x10_0000 + 0x2000);
            vmas.push(area);
        }
        vmas.sort_by_key(|area| area["start"].as_u64());
    });
    let run = crit_in(dump.path(), &["report", ".", "--allow-missing-pages"], b"");
    let page = run.text();
    let memory = section(&page, "memory");
    let space = memory
        .split("<summary>")
        .find(|part| part.starts_with("100 tree.py"))
        .unwrap();
    let blocks = space.matches("<g><title>").count();
    assert!(space.contains("areas: ") && blocks < 330, "{blocks}");
    for kind in ["heap", "stack"] {
        let rect = format!("<rect class=\"{kind}\"");
        assert!(space.contains(&rect), "{kind}");
    }
}

/// A checkpoint of 200 tasks with 500 areas each.
fn large() -> tempfile::TempDir {
    let dump = copy_of("simple");
    let dir = dump.path();
    edit_image(dir, "mm-100.img", |entries| {
        let vmas = entries[0]["vmas"].as_array_mut().unwrap();
        let area = vmas[0].clone();
        vmas.truncate(1);
        for number in 1..500u64 {
            let mut area = area.clone();
            area["start"] = json!(0x7000_0000_0000 + number * 0x10_0000);
            area["end"] = json!(0x7000_0000_0000 + number * 0x10_0000 + 0x2000);
            vmas.push(area);
        }
    });
    edit_image(dir, "pstree.img", |entries| {
        for pid in 201..400u64 {
            let mut task = entries[0].clone();
            task["pid"] = json!(pid);
            task["ppid"] = json!(if pid % 3 == 0 { 100 } else { pid - 1 });
            task["threads"] = json!([pid]);
            entries.push(task);
        }
    });
    for pid in 201..400 {
        for kind in ["core", "mm", "pagemap", "fs", "ids"] {
            let copy = dir.join(format!("{kind}-{pid}.img"));
            fs::copy(dir.join(format!("{kind}-100.img")), copy).unwrap();
        }
    }
    dump
}

#[test]
fn a_page_of_two_hundred_processes_with_a_hundred_thousand_areas_stays_small() {
    let dump = large();
    let run = crit_in(dump.path(), &["report", ".", "--allow-missing-pages"], b"");
    assert_eq!(run.code, 0, "{}", run.stderr);
    let page = run.text();
    assert!(page.len() < 3 << 20, "{} bytes", page.len());
    assert!(page.contains("<dt>Processes</dt><dd>200</dd>"));
    // At most 160 blocks for each of at most 40 address spaces.
    let blocks = section(&page, "memory").matches("<g><title>").count();
    assert!(blocks > 1000 && blocks <= 160 * 40, "{blocks}");
    assert!(section(&page, "memory").contains("and 160 more processes"));
}

#[test]
fn a_browser_shows_the_page_with_all_its_parts() {
    let dir = fresh_dir();
    let file = dir.path().join("page.html");
    fs::write(&file, page("app")).unwrap();
    let url = format!("file://{}", file.display());
    let browser = ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .find_map(|name| {
            let data = format!("--user-data-dir={}", dir.path().join("data").display());
            let args = [
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--dump-dom",
                &data,
                &url,
            ];
            Command::new(name).args(args).output().ok()
        });
    let Some(browser) = browser.filter(|run| run.status.success()) else {
        eprintln!("skipped: there is no Chromium here");
        return;
    };
    let dom = String::from_utf8_lossy(&browser.stdout);
    // The browser's own words for what it made of the page.
    for id in SECTIONS {
        assert!(dom.contains(&format!("<section id=\"{id}\">")), "{id}");
    }
    assert_eq!(dom.matches("<svg class=\"space\"").count(), 2);
    assert!(dom.contains("<svg class=\"graph\"") && dom.contains("class=\"edge pipe\""));
    assert!(
        dom.trim_end().ends_with("</body></html>"),
        "nothing is left open"
    );
}

#[test]
fn an_archive_has_a_page_with_the_container_that_it_is_of() {
    let archives = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/images");
    assert!(images() == archives);
    let dir = fresh_dir();
    let dump = copy_of("i386");
    fs::write(
        dump.path().join("config.dump"),
        r#"{"name": "web<1>", "rootfsImageName": "docker.io/library/nginx", "id": "abc", "checkpointedTime": "2026-01-02T03:04:05Z"}"#,
    )
    .unwrap();
    let args = [
        "-cf",
        "a.tar",
        "-C",
        dump.path().to_str().unwrap(),
        "--exclude=*.json",
    ];
    let names = ["--transform", "s,^[.]/\\(.*img\\),checkpoint/\\1,", "."];
    tar(dir.path(), &[&args[..], &names].concat());
    let run = crit_in(dir.path(), &["report", "a.tar"], b"");
    assert_eq!(run.code, 0, "{}", run.stderr);
    let page = run.text();
    for word in [
        "<h1>web&lt;1&gt;</h1>",
        "docker.io/library/nginx",
        "2026-01-02T03:04:05Z",
    ] {
        assert!(page.contains(word), "{word}: {}", &page[4000..6000]);
    }
}

#[test]
fn a_page_says_when_a_dump_was_written_and_no_date_that_has_no_text() {
    let dump = copy_of("simple");
    let inventory = fs::File::options()
        .write(true)
        .open(dump.path().join("inventory.img"))
        .unwrap();
    // `date -u -d @1709210096` says the same.
    let dated = UNIX_EPOCH + Duration::from_secs(1_709_210_096);
    inventory.set_modified(dated).unwrap();
    let directory = dump.path().to_str().unwrap();
    assert!(page(directory).contains("written <code>2024-02-29T12:34:56Z</code>"));
    let dir = fresh_dir();
    let archive = dir.path().join("a.tar");
    for (date, said) in [("@1709210096", true), ("@253402300800", false)] {
        let (to, from) = (archive.to_str().unwrap(), dump.path().to_str().unwrap());
        tar(dir.path(), &["--mtime", date, "-cf", to, "-C", from, "."]);
        let page = page(archive.to_str().unwrap());
        assert_eq!(
            page.contains("written <code>2024-02-29T12:34:56Z</code>"),
            said
        );
        assert_eq!(page.contains("written <code>"), said);
    }
}

#[test]
fn bytes_that_are_not_utf_8_are_shown_as_escapes() {
    let page = page("badname");
    assert!(
        section(&page, "files").contains("bad\\xff\\xfe-name"),
        "{page}"
    );
    assert!(!page.contains('\u{fffd}'));
}
