//! The timers of every task.

use serde::Serialize;

use super::{Explorer, Task, names};
use crate::error::Result;
use crate::message::Record;

/// The timers of a task. Times are in microseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TaskTimers {
    /// The task.
    pub pid: u32,
    /// The interval timers that are armed.
    pub interval: Vec<IntervalTimer>,
    /// The POSIX timers.
    pub posix: Vec<PosixTimer>,
}

/// An interval timer (`setitimer`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct IntervalTimer {
    /// `real`, `virtual` or `prof`.
    pub which: &'static str,
    /// Time between two signals, in microseconds; 0 for a single one.
    pub interval_us: u64,
    /// Time until the next signal, in microseconds.
    pub value_us: u64,
}

/// A POSIX timer (`timer_create`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PosixTimer {
    /// Its id.
    pub id: u32,
    /// The clock: `REALTIME`, `MONOTONIC`, ..., or its number.
    pub clock: String,
    /// How it tells: `SIGNAL`, `NONE`, `THREAD`, `THREAD_ID`.
    pub notify: String,
    /// By which signal; empty when by none.
    pub signal: String,
    /// The value that comes with the signal.
    pub sival: u64,
    /// How often it ran over.
    pub overrun: u64,
    /// Time between two signals, in nanoseconds; 0 for a single one.
    pub interval_ns: u64,
    /// Time until the next signal, in nanoseconds; 0 when it is not armed.
    pub value_ns: u64,
    /// The thread that is told, with `THREAD_ID`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread: Option<i64>,
}

impl Explorer<'_> {
    /// The timers of every task; tasks without any are left out.
    ///
    /// # Errors
    ///
    /// There is no task.
    pub fn timers(&self) -> Result<Vec<TaskTimers>> {
        let tasks = self.living("timers")?.map(|task| self.task_timers(task));
        Ok(tasks
            .filter(|timers| !(timers.interval.is_empty() && timers.posix.is_empty()))
            .collect())
    }

    fn task_timers(&self, task: &Task) -> TaskTimers {
        let mut timers = TaskTimers {
            pid: task.pid,
            ..TaskTimers::default()
        };
        let core = self.first(&format!("core-{}.img", task.pid));
        let tc = core.as_ref().and_then(|core| core.record().record("tc"));
        if let Some(inside) = tc.and_then(|tc| tc.record("timers")) {
            for (which, field) in [("real", "real"), ("virtual", "virt"), ("prof", "prof")] {
                timers
                    .interval
                    .extend(inside.record(field).and_then(|r| interval(which, r)));
            }
            timers.posix = inside.records("posix").map(posix).collect();
            return timers;
        }
        // Before CRIU 2.0 they had images of their own: the three interval timers in this order.
        let mut order = ["real", "virtual", "prof"].into_iter();
        self.each(&format!("itimers-{}.img", task.pid), &[], &mut |record| {
            if let Some(which) = order.next() {
                timers.interval.extend(interval(which, record));
            }
        });
        self.each(
            &format!("posix-timers-{}.img", task.pid),
            &[],
            &mut |record| {
                timers.posix.push(posix(record));
            },
        );
        timers
    }
}

/// The clock by name. A negative id is the CPU time of a process or thread (Linux's `posix-timers.h`):
/// its complement shifted, with the kind of time in the low bits.
fn clock(id: u64) -> String {
    #[allow(clippy::cast_possible_truncation)] // the field is that of a 32-bit int
    let signed = (id as u32).cast_signed();
    if signed >= 0 {
        return names::name("timer", "clock", id);
    }
    let who = if signed & 4 == 0 { "PROCESS" } else { "THREAD" };
    match !(signed >> 3) {
        0 => format!("{who}_CPUTIME"),
        pid => format!("{who}_CPUTIME {pid}"),
    }
}

/// Seconds and their millionths or billionths as one number of the latter.
fn join(record: Record<'_>, seconds: &str, fraction: &str, parts: u64) -> u64 {
    let seconds = record.number(seconds).unwrap_or(0);
    let fraction = record.number(fraction).unwrap_or(0);
    seconds.saturating_mul(parts).saturating_add(fraction)
}

fn interval(which: &'static str, record: Record<'_>) -> Option<IntervalTimer> {
    let timer = IntervalTimer {
        which,
        interval_us: join(record, "isec", "iusec", 1_000_000),
        value_us: join(record, "vsec", "vusec", 1_000_000),
    };
    (timer.interval_us != 0 || timer.value_us != 0).then_some(timer)
}

fn posix(record: Record<'_>) -> PosixTimer {
    let number = |name: &str| record.number(name).unwrap_or(0);
    PosixTimer {
        id: record.word("it_id").unwrap_or(0),
        clock: clock(number("clock_id")),
        notify: names::name("timer", "notify", number("it_sigev_notify")),
        signal: match number("si_signo") {
            0 => String::new(),
            signal => names::name("signal", "number", signal),
        },
        sival: number("sival_ptr"),
        overrun: number("overrun"),
        interval_ns: join(record, "isec", "insec", 1_000_000_000),
        value_ns: join(record, "vsec", "vnsec", 1_000_000_000),
        thread: record.signed("notify_thread_id"),
    }
}
