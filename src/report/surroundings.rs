//! Namespaces and mounts.

use super::Subject;
use super::html::{Html, shown};
use crate::error::Result;
use crate::render::explore::{contents, mount_notes};

/// As many rows of a table are shown.
const ROWS: usize = 500;
/// As many tasks of a namespace are named.
const TASKS: usize = 20;
/// As many characters of what is in a namespace.
const CONTENTS: usize = 2000;

pub(super) fn namespaces(page: &mut Html, subject: &Subject<'_>) -> Result<()> {
    let found = subject.explorer.namespaces()?;
    page.table(&["Kind", "#Id", "Tasks", "What is in it"]);
    for namespace in found.namespaces.iter().take(ROWS) {
        let mut tasks: Vec<String> = namespace
            .tasks
            .iter()
            .take(TASKS)
            .map(u32::to_string)
            .collect();
        if namespace.tasks.len() > TASKS {
            tasks.push(format!("and {} more", namespace.tasks.len() - TASKS));
        }
        let what: String = contents(namespace).chars().take(CONTENTS).collect();
        page.raw("<tr>")
            .cell(namespace.kind)
            .number_cell(Some(namespace.id.into()));
        page.cell(&tasks.join(" ")).cell(&what).raw("</tr>\n");
    }
    page.end_table();
    page.left_out(found.namespaces.len().saturating_sub(ROWS), "namespaces");
    Ok(())
}

pub(super) fn mounts(page: &mut Html, subject: &Subject<'_>) -> Result<()> {
    let found = subject.explorer.mounts()?;
    if found.namespaces.is_empty() && found.spec.is_empty() {
        page.raw("<p class=note>The checkpoint has no mounts: its tasks were in the mount namespace of the host.</p>\n");
        return Ok(());
    }
    for namespace in &found.namespaces {
        page.raw("<h3>Namespace ")
            .number(namespace.mnt_ns_id)
            .raw("</h3>\n");
        page.table(&[
            "#Id", "#On", "Device", "Where", "Type", "Source", "Root", "Flags", "Options", "Notes",
        ]);
        for mount in namespace.mounts.iter().take(ROWS) {
            page.raw("<tr>").number_cell(Some(mount.mnt_id.into()));
            page.number_cell(Some(mount.parent_mnt_id.into()));
            page.cell(&mount.device).cell(&shown(&mount.mountpoint));
            page.cell(&mount.fstype).cell(&shown(&mount.source));
            page.cell(&shown(&mount.root)).cell(&mount.flags.join(", "));
            page.cell(&shown(&mount.options))
                .cell(&mount_notes(mount))
                .raw("</tr>\n");
        }
        page.end_table();
        page.left_out(namespace.mounts.len().saturating_sub(ROWS), "mounts");
    }
    if !found.spec.is_empty() {
        page.raw("<h3>Of the container's specification</h3>\n");
        page.table(&["Where", "Type", "Source", "Options"]);
        for mount in found.spec.iter().take(ROWS) {
            page.raw("<tr>").cell(&mount.destination).cell(&mount.kind);
            page.cell(&mount.source)
                .cell(&mount.options.join(" "))
                .raw("</tr>\n");
        }
        page.end_table();
        page.left_out(found.spec.len().saturating_sub(ROWS), "mounts");
    }
    Ok(())
}
