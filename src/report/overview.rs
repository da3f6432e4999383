//! The head of the page, the findings of check, and the statistics.

use std::time::SystemTime;

use super::Subject;
use super::html::Html;
use super::memory::Tasks;
use crate::check::{Group, Severity};
use crate::checkpoint::Checkpoint;
use crate::error::Result;
use crate::render::{bytes, duration};

/// What was dumped, when, and how much.
pub(super) fn head(page: &mut Html, subject: &Subject<'_>, memory: &Tasks) {
    let checkpoint = subject.checkpoint;
    let container = checkpoint.container().ok().flatten();
    page.raw("<header>\n<h1>");
    let title = container
        .as_ref()
        .map(|container| &container.container_name);
    let title = title.filter(|name| !name.is_empty());
    page.text(title.map_or(checkpoint.name(), String::as_str));
    page.raw("</h1>\n<p class=sub>Checkpoint <code>")
        .text(checkpoint.name())
        .raw("</code>");
    if let Some(container) = &container {
        let facts = [
            (" of the container image ", &container.image),
            (", id ", &container.id),
            (", created ", &container.created),
            (", dumped ", &container.checkpointed),
            (", pod ", &container.pod_name),
        ];
        for (before, fact) in facts {
            if !fact.is_empty() {
                page.raw(before).raw("<code>").text(fact).raw("</code>");
            }
        }
    }
    // Of a container, the engine says when.
    let said = container.is_some_and(|container| !container.checkpointed.is_empty());
    if let Some(date) = written(checkpoint).filter(|_| !said) {
        page.raw(", written <code>").text(&date);
        page.raw("</code>, as the date of <code>inventory.img</code> says");
    }
    page.raw("</p>\n<dl class=facts>\n");
    let threads = subject
        .processes
        .iter()
        .map(|(_, process)| process.threads.len())
        .sum::<usize>();
    let mut fact = |name: &'static str, value: &str| {
        page.raw("<div><dt>")
            .raw(name)
            .raw("</dt><dd>")
            .text(value)
            .raw("</dd></div>\n");
    };
    fact("Processes", &subject.processes.len().to_string());
    fact("Threads", &threads.to_string());
    if memory.is_known() {
        fact("Memory mapped, of all tasks", &bytes(memory.mapped()));
        let pages = memory.pages();
        let size = |pages: u64| bytes(pages.saturating_mul(checkpoint.page_size()));
        let here = size(pages.here);
        if memory.lacks_pages() {
            fact("Pages of the dump, not all of them here", &here);
        } else {
            fact("Pages in the dump", &here);
        }
        if pages.in_parent > 0 {
            fact("Pages in pre-dumps", &size(pages.in_parent));
        }
    } else {
        fact("Memory", "unknown");
    }
    if let Ok(members) = checkpoint.members() {
        let size = members
            .iter()
            .map(|member| member.size)
            .fold(0, u64::saturating_add);
        fact("Files of the checkpoint", &bytes(size));
    }
    if let Some(uptime) = uptime(checkpoint) {
        fact("The host had been up for", &duration(uptime));
    }
    let stats = checkpoint.stats().unwrap_or_default();
    if let Some(dump) = &stats.dump {
        let downtime = u64::try_from(dump.downtime().as_micros()).unwrap_or(u64::MAX);
        fact("Downtime of the dump", &duration(downtime));
    }
    if let Some(restore) = &stats.restore {
        fact("Restore", &duration(restore.restore_time));
    }
    page.raw("</dl>\n</header>\n");
}

/// When the dump was written, as the date of the image says that each dump has.
fn written(checkpoint: &Checkpoint) -> Option<String> {
    let modified = checkpoint.modified("inventory.img").ok()??;
    let since = modified.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    // Later dates than that of the year 9999 have no text.
    (since.as_secs() < 253_402_300_800)
        .then(|| humantime::format_rfc3339_seconds(modified).to_string())
}

/// How long the host ran when it was dumped, in microseconds: newer CRIUs note it.
fn uptime(checkpoint: &Checkpoint) -> Option<u64> {
    let inventory = checkpoint.image("inventory.img").ok()??;
    let message = inventory.entries.first()?.message();
    let uptime = message.get_field_by_name("dump_uptime")?.as_u64()?;
    (uptime > 0).then_some(uptime)
}

/// The findings of `crit check`, one row for those of a rule, errors first.
pub(super) fn findings(page: &mut Html, subject: &Subject<'_>) -> Result<()> {
    let report = subject.findings()?;
    let verdict = match (report.count(Severity::Error), report.findings.is_empty()) {
        (0, true) => "<p class=good>Nothing: CRIU restores ",
        (0, false) => "<p class=good>No errors: CRIU restores ",
        _ => "<p class=missing>CRIU does not restore ",
    };
    page.raw(verdict)
        .raw("these ")
        .number(report.images)
        .raw(" images.</p>\n");
    if report.findings.is_empty() {
        return Ok(());
    }
    page.table(&["", "Image", "#Entry", "Field", "What is wrong"]);
    for group in report.groups() {
        let Group { first, .. } = &group;
        page.raw("<tr><td>").raw(match first.severity {
            Severity::Error => "<span class=\"badge bad\">error</span>",
            Severity::Warning => "<span class=\"badge odd\">warning</span>",
            Severity::Note => "<span class=badge>note</span>",
        });
        let reason = format!("{}{}", first.reason, group.others());
        page.raw("</td>")
            .cell(&first.image)
            .number_cell(first.entry);
        page.cell(&first.field).cell(&reason).raw("</tr>\n");
    }
    page.end_table();
    Ok(())
}

/// Times and pages of the dump and of the restore, as bars.
pub(super) fn statistics(page: &mut Html, subject: &Subject<'_>) -> Result<()> {
    let stats = subject.checkpoint.stats()?;
    if let Some(dump) = &stats.dump {
        page.raw("<h3>Dump</h3>\n<div class=wide>\n");
        bars(
            page,
            &[
                ("until all stood still", dump.freezing_time, "other"),
                ("they stood still", dump.frozen_time, "stack"),
                ("reading memory", dump.memdump_time, "anon"),
                ("writing memory", dump.memwrite_time, "heap"),
            ],
            duration,
        );
        bars(
            page,
            &[
                ("pages looked at", dump.pages_scanned, "other"),
                ("in the parent already", dump.pages_skipped_parent, "parent"),
                (
                    "left to a lazy server",
                    dump.pages_lazy.unwrap_or(0),
                    "lazy",
                ),
                ("written", dump.pages_written, "heap"),
            ],
            |count| count.to_string(),
        );
        if let Some(looked_at) = dump.shpages_scanned.filter(|pages| *pages > 0) {
            let written = dump.shpages_written.unwrap_or(0);
            bars(
                page,
                &[
                    ("shared: looked at", looked_at, "other"),
                    ("shared: written", written, "shmem"),
                ],
                |count| count.to_string(),
            );
        }
        page.raw("</div>\n");
    }
    if let Some(restore) = &stats.restore {
        page.raw("<h3>Restore</h3>\n<div class=wide>\n");
        bars(
            page,
            &[
                ("all of it", restore.restore_time, "stack"),
                ("making the tasks", restore.forking_time, "anon"),
            ],
            duration,
        );
        bars(
            page,
            &[
                (
                    "pages put back",
                    restore.pages_restored.unwrap_or(0),
                    "heap",
                ),
                ("compared", restore.pages_compared, "other"),
                ("the same already", restore.pages_skipped_cow, "parent"),
            ],
            |count| count.to_string(),
        );
        page.raw("</div>\n");
    }
    if stats.dump.is_none() && stats.restore.is_none() {
        page.raw("<p class=note>The checkpoint has no statistics.</p>\n");
    }
    Ok(())
}

/// Bars from one line, as long as their numbers are large.
fn bars(page: &mut Html, rows: &[(&'static str, u64, &'static str)], unit: fn(u64) -> String) {
    let most = rows
        .iter()
        .map(|(_, value, _)| *value)
        .max()
        .unwrap_or(0)
        .max(1);
    page.raw("<svg viewBox=\"0 0 900 ")
        .number(rows.len() as u64 * 22 + 4)
        .raw("\" role=img>\n");
    for ((name, value, class), line) in rows.iter().zip(0u32..) {
        let top = f64::from(line) * 22.0 + 3.0;
        #[allow(clippy::cast_precision_loss)] // a picture
        let width = *value as f64 / most as f64 * 580.0;
        page.raw("<text x=165 y=")
            .length(top + 12.0)
            .raw(" text-anchor=end>")
            .raw(name);
        page.raw("</text>");
        if *value > 0 {
            page.raw("<rect class=")
                .raw(class)
                .raw(" x=175 y=")
                .length(top);
            page.raw(" height=16 width=")
                .length(width.max(1.0))
                .raw(" />");
        }
        page.raw("<text class=quiet x=");
        page.length(width + 182.0)
            .raw(" y=")
            .length(top + 12.0)
            .raw(">");
        page.text(&unit(*value)).raw("</text>\n");
    }
    page.raw("</svg>\n");
}
