//! Signals that were pending.

use super::checker::Checker;
use crate::message::Record;

/// The largest number of a signal.
pub(super) const SIGNALS: u64 = 64;

/// The signals of a queue, by the path of the queue in the core image (`cr-restore.c`, `signal_to_mem`;
/// the kernel refuses numbers that no signal has).
pub(super) fn signals(checker: &Checker<'_>, record: Record<'_>, path: &str, image: &str) {
    let name = path.rsplit('.').next().unwrap_or(path);
    let Some(queue) = record.record(name) else {
        return;
    };
    for (index, entry) in queue.records("signals").enumerate() {
        let info = entry.bytes("siginfo").unwrap_or_default();
        let field = format!("{path}.signals[{index}].siginfo");
        let Some(number) = info.first_chunk::<4>() else {
            let what = "it has no signal";
            checker.error("signal", image, (0, field), what);
            continue;
        };
        let number = i32::from_le_bytes(*number);
        // The kernel takes 0, which is sent to nobody.
        if !(0..=64).contains(&number) {
            checker.error(
                "signal",
                image,
                (0, field),
                format!("{number} is not a signal"),
            );
        }
    }
}
