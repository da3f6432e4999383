//! A page about a checkpoint, for people who look at it in a browser: one file that loads nothing and
//! runs nothing.
//!
//! A section for each question; one that can't be answered says why, and the others stand. Long lists
//! end with how many are left out: a page of 200 processes with 100,000 areas stays one that a browser
//! opens at once.

mod connections;
mod files;
mod graph;
mod html;
mod memory;
mod overview;
mod processes;
mod space;
mod surroundings;

use once_cell::unsync::OnceCell;

use crate::check::{CheckOptions, Report, Severity, check_with};
use crate::checkpoint::Checkpoint;
use crate::error::{Error, Result};
use crate::explore::{Explorer, Process, ProcessOptions, Socket, TaskFiles, TaskSockets};
use html::{Html, shown};

/// What all sections are about.
struct Subject<'c> {
    checkpoint: &'c Checkpoint,
    explorer: Explorer<'c>,
    /// The processes one after another as their tree has them, each with its depth, without children.
    processes: Vec<(usize, Process)>,
    options: CheckOptions,
    findings: OnceCell<Report>,
    fds: OnceCell<Vec<TaskFiles>>,
    sockets: OnceCell<Vec<TaskSockets>>,
}

impl Subject<'_> {
    /// What check finds.
    fn findings(&self) -> Result<&Report> {
        self.findings
            .get_or_try_init(|| check_with(self.checkpoint, self.options, &|_| ()))
    }

    /// The open files, which more than one section is about.
    fn fds(&self) -> Result<&[TaskFiles]> {
        self.fds
            .get_or_try_init(|| self.explorer.fds())
            .map(Vec::as_slice)
    }

    /// The sockets, likewise, each with the process that has it open.
    fn sockets(&self) -> Result<impl Iterator<Item = (u32, &Socket)> + Clone> {
        let tasks = self.sockets.get_or_try_init(|| self.explorer.sockets())?;
        Ok(tasks
            .iter()
            .flat_map(|task| task.sockets.iter().map(move |socket| (task.pid, socket))))
    }

    /// What a process is called where there is little room.
    fn name(&self, pid: u32) -> String {
        let process = self
            .processes
            .iter()
            .find(|(_, process)| process.pid == pid);
        let comm = process.and_then(|(_, process)| process.comm.as_ref());
        match comm {
            Some(comm) => format!("{pid} {}", shown(comm)),
            None => pid.to_string(),
        }
    }
}

/// A page, and what it lacks.
#[derive(Debug)]
#[non_exhaustive]
pub struct Page {
    /// The page, as HTML.
    pub html: String,
    /// How many errors check found, which are on it.
    pub findings: u64,
    /// Why sections have no content.
    pub errors: Vec<Error>,
}

/// Makes the page; the options are those of the check whose findings are on it.
///
/// # Errors
///
/// The process tree can't be read. What else can't be read is said on the page as well.
pub fn page(checkpoint: &Checkpoint, options: CheckOptions) -> Result<Page> {
    let explorer = Explorer::new(checkpoint);
    // Command lines are in the memory, which need not be there.
    let tree = explorer
        .ps(&ProcessOptions::default().args(true))
        .or_else(|_| explorer.ps(&ProcessOptions::default()))?;
    let mut subject = Subject {
        checkpoint,
        explorer,
        processes: Vec::new(),
        options,
        findings: OnceCell::new(),
        fds: OnceCell::new(),
        sockets: OnceCell::new(),
    };
    flatten(tree, 0, &mut subject.processes);
    let memory = memory::Tasks::of(&subject);
    let mut page = Html::new();
    page.raw("<!doctype html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n");
    page.raw("<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'\">\n");
    page.raw("<meta name=viewport content=\"width=device-width, initial-scale=1\">\n<title>");
    page.text(checkpoint.name())
        .raw(" - checkpoint</title>\n<style>\n");
    page.raw(include_str!("style.css"))
        .raw("</style>\n</head>\n<body>\n");
    overview::head(&mut page, &subject, &memory);
    type Section = fn(&mut Html, &Subject<'_>) -> Result<()>;
    let sections: [(&'static str, &'static str, Section); 9] = [
        (
            "findings",
            "Findings of <code>check</code>",
            overview::findings,
        ),
        ("statistics", "Where the time went", overview::statistics),
        ("processes", "Processes", processes::tree),
        ("memory", "Memory", |_, _| Ok(())),
        (
            "connections",
            "Connections between processes",
            connections::section,
        ),
        ("files", "Open files", files::descriptors),
        ("sockets", "Sockets", files::sockets),
        ("namespaces", "Namespaces", surroundings::namespaces),
        ("mounts", "Mounts", surroundings::mounts),
    ];
    page.raw("<nav>");
    for (id, title, _) in &sections {
        page.raw("<a href=\"#")
            .raw(id)
            .raw("\">")
            .raw(title)
            .raw("</a> ");
    }
    page.raw("</nav>\n<main>\n");
    let mut errors = Vec::new();
    for (id, title, section) in sections {
        page.raw("<section id=")
            .raw(id)
            .raw(">\n<h2>")
            .raw(title)
            .raw("</h2>\n");
        let mut content = Html::new();
        let result = match id {
            "memory" => {
                memory.section(&mut content, &subject);
                Ok(())
            }
            _ => section(&mut content, &subject),
        };
        page.add(&content);
        if let Err(error) = result {
            page.raw("<p class=missing>Not to be had: ");
            page.text(&error.to_string()).raw("</p>\n");
            errors.push(error);
        }
        page.raw("</section>\n");
    }
    page.raw("</main>\n<footer>Made by <code>crit report</code> ");
    page.raw(env!("CARGO_PKG_VERSION"));
    page.raw(" of criu-images. Nothing on this page is loaded from elsewhere.</footer>\n</body>\n</html>\n");
    Ok(Page {
        html: page.into_string(),
        findings: subject
            .findings()
            .map_or(0, |report| report.count(Severity::Error)),
        errors,
    })
}

/// Takes a tree apart, without recursion: it may be as deep as there are processes.
fn flatten(tree: Vec<Process>, depth: usize, list: &mut Vec<(usize, Process)>) {
    let mut open: Vec<(usize, Process)> = tree
        .into_iter()
        .rev()
        .map(|process| (depth, process))
        .collect();
    while let Some((depth, mut process)) = open.pop() {
        let children = std::mem::take(&mut process.children);
        open.extend(children.into_iter().rev().map(|child| (depth + 1, child)));
        list.push((depth, process));
    }
}
