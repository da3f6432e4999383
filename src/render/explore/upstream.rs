//! `ps`, `fds`, `mems` and `rss` byte for byte as upstream's `crit x` prints them.

use std::io::{self, Write};

use crate::explore::{DescriptorName, Process, TaskFiles, TaskMappings, TaskResident};
use crate::render::{Style, printable_bytes};
use crate::text::Text;

/// Writes a name as upstream does, or so that it can't harm a terminal.
fn name(out: &mut impl Write, style: Style, name: &Text) -> io::Result<()> {
    if style.raw_names {
        out.write_all(name.as_bytes())
    } else {
        out.write_all(printable_bytes(name.as_bytes()).as_bytes())
    }
}

/// Appends a number as `%08lx`.
fn hex(out: &mut Vec<u8>, number: u64) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = (64 - number.leading_zeros()).div_ceil(4).max(8);
    let digit = |at: u32| DIGITS.get((number >> (4 * at) & 15) as usize).copied();
    out.extend((0..digits).rev().filter_map(digit));
}

pub(crate) fn ps(out: &mut impl Write, style: Style, roots: &[Process]) -> io::Result<()> {
    writeln!(out, "{:>7}{:>7}{:>7}   COMM", "PID", "PGID", "SID")?;
    // The nearest is last, children before what follows their parent.
    let mut todo: Vec<(&Process, usize)> = roots.iter().rev().map(|root| (root, 0)).collect();
    while let Some((process, depth)) = todo.pop() {
        let id = |id: Option<u32>| id.map_or_else(|| "?".to_owned(), |id| id.to_string());
        let (pgid, sid) = (id(process.pgid), id(process.sid));
        let indent = 4 * depth;
        write!(out, "{:>7}{pgid:>7}{sid:>7}   {:indent$}", process.pid, "")?;
        match &process.comm {
            Some(comm) => name(out, style, comm)?,
            None => write!(out, "?")?,
        }
        writeln!(out)?;
        todo.extend(
            process
                .children
                .iter()
                .rev()
                .map(|child| (child, depth + 1)),
        );
    }
    Ok(())
}

pub(crate) fn fds(out: &mut impl Write, style: Style, tasks: &[TaskFiles]) -> io::Result<()> {
    for task in tasks {
        writeln!(out, "{}", task.pid)?;
        for file in &task.files {
            match file.fd {
                DescriptorName::Number(fd) => write!(out, "\t{fd:>7}: ")?,
                DescriptorName::Cwd => write!(out, "\t{:>7}: ", "cwd")?,
                DescriptorName::Root => write!(out, "\t{:>7}: ", "root")?,
            }
            name(out, style, &file.path)?;
            writeln!(out)?;
        }
    }
    Ok(())
}

pub(crate) fn mems(out: &mut impl Write, style: Style, tasks: &[TaskMappings]) -> io::Result<()> {
    for task in tasks {
        writeln!(out, "{}", task.pid)?;
        write!(out, "\t{:<36}    ", "exe")?;
        name(out, style, &task.exe)?;
        writeln!(out)?;
        // There may be 100,000: a line is put together by hand.
        let mut line = Vec::new();
        for mapping in &task.mems {
            line.clear();
            line.push(b'\t');
            hex(&mut line, mapping.area.start);
            line.push(b'-');
            hex(&mut line, mapping.area.end);
            line.resize(line.len().max(37), b' ');
            line.extend_from_slice(mapping.area.protection().as_bytes());
            let resource = mapping.resource();
            if !resource.is_empty() {
                line.push(b' ');
                name(&mut line, style, &resource)?;
            }
            line.push(b'\n');
            out.write_all(&line)?;
        }
    }
    Ok(())
}

pub(crate) fn rss(out: &mut impl Write, style: Style, tasks: &[TaskResident]) -> io::Result<()> {
    for task in tasks {
        writeln!(out, "{}", task.pid)?;
        for run in &task.rss {
            let start = format!("\t{:x} / {:<8}", run.phy_addr, run.phy_pages);
            write!(out, "{start:<24}")?;
            for area in &run.vmas {
                if area.continued {
                    write!(out, " ~")?;
                } else {
                    write!(out, " {:08x} / {:<8}", area.addr, area.pages)?;
                    if let Some(file) = &area.resource {
                        write!(out, " ")?;
                        name(out, style, file)?;
                    }
                }
                write!(out, "\n\t{:23}", "")?;
            }
            writeln!(out)?;
        }
    }
    Ok(())
}
