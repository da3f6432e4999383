//! The process tree.

use super::Subject;
use super::html::{Fold, Html, shown};
use crate::error::Result;
use crate::explore::TaskState;

/// As many processes are shown.
const PROCESSES: usize = 1000;
/// As many characters of a command line.
const LINE: usize = 300;
/// Deeper processes stand no further to the right.
const DEPTH: usize = 30;

pub(super) fn tree(page: &mut Html, subject: &Subject<'_>) -> Result<()> {
    let shown_ones = subject.processes.len().min(PROCESSES);
    page.raw("<ul class=tree>\n");
    let mut fold = Fold::inside("</ul>", "<ul class=tree>", shown_ones, "processes");
    for (depth, process) in subject.processes.iter().take(PROCESSES) {
        fold.next(page);
        page.raw("<li style=\"padding-left:")
            .number((*depth).min(DEPTH) as u64 * 2);
        page.raw("ch\">").number(process.pid).raw(" <b>");
        if let Some(comm) = &process.comm {
            page.text(&shown(comm));
        }
        page.raw("</b>");
        match process.state {
            None | Some(TaskState::Alive) => (),
            Some(state) => {
                page.raw(" <span class=badge>")
                    .text(&state.name())
                    .raw("</span>");
            }
        }
        let threads = process.threads.len();
        if threads > 1 {
            page.raw(" <span>")
                .number(threads as u64)
                .raw(" threads</span>");
        }
        if let Some(args) = &process.args {
            let words: Vec<_> = args.iter().map(shown).collect();
            let line: String = words.join(" ").chars().take(LINE).collect();
            page.raw(" <span>").text(&line).raw("</span>");
        }
        page.raw("</li>\n");
    }
    page.raw("</ul>\n");
    fold.end(page);
    page.left_out(
        subject.processes.len().saturating_sub(PROCESSES),
        "processes",
    );
    Ok(())
}
