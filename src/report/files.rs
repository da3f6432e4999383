//! Open files and sockets.

use super::Subject;
use super::html::{Html, shown};
use crate::error::Result;
use crate::explore::DescriptorName;

/// As many tasks are shown.
const TASKS: usize = 200;
/// As many descriptors of a task, and sockets of all.
const ROWS: usize = 300;

pub(super) fn descriptors(page: &mut Html, subject: &Subject<'_>) -> Result<()> {
    let tasks = subject.explorer.fds()?;
    for task in tasks.iter().take(TASKS) {
        page.raw("<details><summary>")
            .text(&subject.name(task.pid))
            .raw(": ");
        page.number(task.files.len() as u64)
            .raw(" open</summary>\n");
        page.table(&["Descriptor", "Type", "What"]);
        for file in task.files.iter().take(ROWS) {
            let fd = match file.fd {
                DescriptorName::Number(number) => number.to_string(),
                DescriptorName::Cwd => "cwd".to_owned(),
                DescriptorName::Root => "root".to_owned(),
            };
            page.raw("<tr>").cell(&fd).cell(&file.kind);
            page.cell(&shown(&file.path)).raw("</tr>\n");
        }
        page.end_table();
        page.left_out(task.files.len().saturating_sub(ROWS), "descriptors");
        page.raw("</details>\n");
    }
    page.left_out(tasks.len().saturating_sub(TASKS), "tasks");
    Ok(())
}

pub(super) fn sockets(page: &mut Html, subject: &Subject<'_>) -> Result<()> {
    let tasks = subject.explorer.sockets()?;
    let all: Vec<_> = tasks
        .iter()
        .flat_map(|task| task.sockets.iter().map(move |socket| (task.pid, socket)))
        .collect();
    if all.is_empty() {
        page.raw("<p class=note>None.</p>\n");
        return Ok(());
    }
    page.table(&[
        "Process",
        "#Descriptor",
        "Family",
        "Protocol",
        "State",
        "Local",
        "Peer",
    ]);
    for (pid, socket) in all.iter().take(ROWS) {
        let end = |address: &Option<crate::text::Text>, port: Option<u32>| {
            let address = address.as_ref().map(shown);
            match (address, port) {
                (Some(address), Some(port)) if address.contains(':') => {
                    format!("[{address}]:{port}")
                }
                (Some(address), Some(port)) => format!("{address}:{port}"),
                (Some(address), None) => address,
                _ => String::new(),
            }
        };
        page.raw("<tr>")
            .cell(&subject.name(*pid))
            .number_cell(Some(socket.fd.into()));
        page.cell(&socket.family);
        let protocol = socket.protocol.as_ref().or(socket.kind.as_ref());
        page.cell(protocol.map_or("", String::as_str));
        page.cell(socket.state.as_deref().unwrap_or(""));
        page.cell(&end(&socket.src_addr, socket.src_port));
        page.cell(&end(&socket.dest_addr, socket.dest_port))
            .raw("</tr>\n");
    }
    page.end_table();
    page.left_out(all.len().saturating_sub(ROWS), "sockets");
    Ok(())
}
