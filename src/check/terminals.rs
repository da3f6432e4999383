//! Terminals (`criu/tty.c`).

use std::collections::{HashMap, HashSet};

use super::checker::Checker;
use super::descriptors::Tables;
use super::files::Files;
use super::tree::Member;
use crate::message::Record;

const INFO: &str = "tty-info.img";
const DATA: &str = "tty-data.img";

/// A terminal, as `tty-info.img` has it. Of a pseudoterminal the master has the odd id behind the slave's.
struct Terminal {
    entry: u64,
    is_pty: bool,
    is_master: bool,
    is_live: bool,
    session: u32,
    group: u32,
    rdev: u64,
}

pub(super) fn check(checker: &Checker<'_>, files: &Files, tables: &Tables, members: &[Member]) {
    let mut terminals: HashMap<u64, Terminal> = HashMap::new();
    let found = checker.each(INFO, &[], &mut |entry, record| {
        let Some(id) = record.number("id") else {
            return;
        };
        let terminal = terminal(checker, entry, record, id);
        if let Some(before) = terminals.get(&id) {
            let what = format!("duplicate terminal {id}: entry {} is taken", before.entry);
            checker.note("duplicate-terminal", INFO, (entry, "id"), what);
        } else {
            terminals.insert(id, terminal);
        }
    });
    let references = files.of("TTY", "tty_info_id");
    if let (false, Some(first)) = (found, references.first()) {
        checker.error("missing-terminal", INFO, (), first.place.missing());
        return;
    }
    let mut open: HashSet<u64> = HashSet::new();
    let mut known: HashSet<u64> = HashSet::new();
    for reference in references {
        let place = &reference.place;
        let is_open = tables.is_open("TTY", reference.id);
        if let Some(terminal) = terminals.get(&reference.to) {
            known.insert(reference.to);
            if is_open {
                open.insert(reference.to);
            }
            if terminal.is_pty && !terminal.is_master && !is_open {
                let what = format!("no descriptor refers to the terminal {}", reference.id);
                checker.error("unreferenced-file", place.image, place.field("id"), what);
            }
        } else {
            let what = format!("no terminal in {INFO} has the id {}", reference.to);
            checker.error(
                "dangling-terminal",
                place.image,
                place.field("tty_info_id"),
                what,
            );
        }
    }
    pairs(checker, &terminals, &known, &open);
    sessions(checker, &terminals, &open, members);
    let mut data = HashSet::new();
    checker.each(DATA, &[], &mut |entry, record| {
        let Some(id) = record.number("tty_id") else {
            return;
        };
        if !known.contains(&id) {
            let what = format!("no terminal of an open file has the id {id}");
            checker.error("dangling-terminal", DATA, (entry, "tty_id"), what);
        } else if !data.insert(id) {
            let what = format!("duplicate data of the terminal {id}: the later are taken");
            checker.warning("duplicate-data", DATA, (entry, "tty_id"), what);
        }
    });
}

/// The types of `TtyType` that are pseudoterminals and terminals outside of the dump.
const PTY: &str = "PTY";
const EXTERNAL: &str = "EXT_TTY";

fn terminal(checker: &Checker<'_>, entry: u64, record: Record<'_>, id: u64) -> Terminal {
    /// `TERMIOS_NCC` in CRIU.
    const CHARACTERS: usize = 19;
    let error = |field: &str, what: String| checker.error("terminal", INFO, (entry, field), what);
    let kind = record.enum_name("type").unwrap_or_default();
    if kind == "UNKNOWN" || kind.parse::<u64>().is_ok() {
        error("type", format!("{kind} is not a type of terminals"));
    }
    let has_pty = record.record("pty").is_some();
    if kind == PTY && !has_pty {
        error("pty", "missing in a pseudoterminal".to_owned());
    } else if kind != PTY && has_pty {
        error("pty", format!("a terminal of the type {kind} has none"));
    }
    let rdev = record.number("rdev").unwrap_or(0);
    let is_pty = kind == PTY;
    if kind != EXTERNAL && !is_terminal(rdev) {
        let (major, minor) = parts(rdev);
        error("rdev", format!("{major}:{minor} is not a terminal"));
    }
    let attributes = ["termios", "termios_locked", "winsize"];
    let has = attributes.map(|field| record.record(field).is_some());
    let is_live = has.contains(&true);
    if is_live && has.contains(&false) {
        let place = has.iter().position(|has| !has).unwrap_or(0);
        let field = attributes.get(place).copied().unwrap_or_default();
        error(
            field,
            "missing: either all attributes are there, or none".to_owned(),
        );
    }
    for field in ["termios", "termios_locked"] {
        let count = record
            .record(field)
            .map(|settings| settings.numbers("c_cc").len());
        if let Some(count) = count.filter(|count| *count < CHARACTERS) {
            let what = format!("{count} control characters, where {CHARACTERS} are needed");
            error(&format!("{field}.c_cc"), what);
        }
    }
    let is_master = is_pty && id & 1 == 1;
    if is_master && !is_live {
        error("termios", "missing: a master has its attributes".to_owned());
    }
    Terminal {
        entry,
        is_pty,
        is_master,
        is_live,
        session: record.word("sid").unwrap_or(0),
        group: record.word("pgrp").unwrap_or(0),
        rdev,
    }
}

/// The parts of a device number, as the kernel keeps it.
fn parts(rdev: u64) -> (u64, u64) {
    // CRIU writes the number of `stat`, of which the low twelve bits of the major stand above eight of the
    // minor.
    let major = (rdev >> 8) & 0xfff;
    let minor = (rdev & 0xff) | ((rdev >> 12) & 0xf_ff00);
    (major, minor)
}

/// Returns true if a device is one of the terminals that CRIU knows (`get_tty_driver`).
fn is_terminal(rdev: u64) -> bool {
    match parts(rdev) {
        // `/dev/tty`, `/dev/console` and `/dev/ptmx`.
        (5, minor) => minor <= 2,
        (4, minor) => minor > 0,
        (188 | 204, _) | (2 | 3, _) => true,
        (major, _) => (128..=143).contains(&major),
    }
}

/// A slave that is open needs its master (`tty_verify_active_pairs`).
fn pairs(
    checker: &Checker<'_>,
    terminals: &HashMap<u64, Terminal>,
    known: &HashSet<u64>,
    open: &HashSet<u64>,
) {
    for (id, terminal) in terminals {
        if !terminal.is_pty || terminal.is_master || !terminal.is_live || known.is_empty() {
            continue;
        }
        let at = (terminal.entry, "id");
        match terminals.get(&(id + 1)) {
            None => {
                let what = format!("the terminal {id} has no master: restore needs --shell-job");
                checker.warning("shell-job", INFO, at, what);
            }
            Some(master) if open.contains(id) && !open.contains(&(id + 1)) && master.is_live => {
                let what = format!("no descriptor refers to the master of the terminal {id}");
                checker.error("terminal", INFO, at, what);
            }
            Some(_) => {}
        }
    }
}

/// The session of a master is one of the tasks', and its foreground group is in it
/// (`tty_restore_ctl_terminal`).
fn sessions(
    checker: &Checker<'_>,
    terminals: &HashMap<u64, Terminal>,
    open: &HashSet<u64>,
    members: &[Member],
) {
    /// `/dev/tty` belongs to whoever opens it.
    const CONTROLLING: u64 = 5 << 8;
    for (id, terminal) in terminals {
        let session = terminal.session;
        let is_elected = terminal.is_master || !terminal.is_pty;
        if session == 0
            || !is_elected
            || !terminal.is_live
            || !open.contains(id)
            || terminal.rdev == CONTROLLING
        {
            continue;
        }
        let first = members.iter().find(|member| member.sid == session);
        if first.is_none_or(|first| first.pid != session) {
            let what = format!("no task leads the session {session}");
            checker.error("terminal", INFO, (terminal.entry, "sid"), what);
            continue;
        }
        let group = terminal.group;
        let is_there = |member: &Member| member.sid == session && member.pgid == group;
        if !members.iter().any(is_there) {
            let what = format!("no task of the session {session} is in the process group {group}");
            checker.error("terminal", INFO, (terminal.entry, "pgrp"), what);
        }
    }
}
