//! What every task does on signals, which it blocks, and which wait for it.

use serde::Serialize;

use super::{Explorer, Task, names};
use crate::error::Result;
use crate::message::Record;

/// The signals of a task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TaskSignals {
    /// The task.
    pub pid: u32,
    /// What it does on signals, where that is not the default.
    pub handlers: Vec<Handler>,
    /// Signals that wait for the whole task.
    pub pending: Vec<PendingSignal>,
    /// Its threads: what they block, and what waits for them.
    pub threads: Vec<ThreadSignals>,
}

/// The signals of a thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ThreadSignals {
    /// The thread.
    pub tid: u32,
    /// Signals that it blocks.
    pub blocked: Vec<String>,
    /// Signals that wait for it.
    pub pending: Vec<PendingSignal>,
}

/// What a task does on a signal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Handler {
    /// The signal.
    pub signal: String,
    /// `ignore`, or the address of a function in hexadecimal.
    pub action: String,
    /// `SA_*`.
    pub flags: Vec<String>,
    /// Signals that are blocked meanwhile.
    pub mask: Vec<String>,
}

/// A signal that waits, out of the kernel's `siginfo`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PendingSignal {
    /// The signal.
    pub signal: String,
    /// Why it was sent: `USER` (kill), `QUEUE`, `TKILL`, `KERNEL`, `EXITED`, ..., or the number.
    pub code: String,
    /// The same as the number that it is (`si_code`).
    pub si_code: i32,
    /// Who sent it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// As which user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// The value that came with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<u64>,
    /// SIGCHLD: the exit status, or the signal that ended or stopped the child.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<i32>,
    /// The address that caused a fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<u64>,
}

impl Explorer<'_> {
    /// The signals of every task.
    ///
    /// # Errors
    ///
    /// There is no task.
    pub fn signals(&self) -> Result<Vec<TaskSignals>> {
        Ok(self
            .living("signals")?
            .map(|task| self.task_signals(task))
            .collect())
    }

    fn task_signals(&self, task: &Task) -> TaskSignals {
        let mut signals = TaskSignals {
            pid: task.pid,
            ..TaskSignals::default()
        };
        let core = self.first(&format!("core-{}.img", task.pid));
        let tc = core.as_ref().and_then(|core| core.record().record("tc"));
        let mut number = 0;
        let mut add = |record: Record<'_>, handlers: &mut Vec<Handler>| {
            number = next_signal(number);
            handlers.extend(handler(number, record));
        };
        if let Some(tc) = tc {
            tc.records("sigactions")
                .for_each(|record| add(record, &mut signals.handlers));
            signals.pending = queue(tc.record("signals_s"));
        }
        // Before CRIU 2.12 and 2.0 these had images of their own.
        self.each(&format!("sigacts-{}.img", task.pid), &[], &mut |record| {
            add(record, &mut signals.handlers);
        });
        self.each(&format!("signal-s-{}.img", task.pid), &[], &mut |record| {
            signals
                .pending
                .extend(record.bytes("siginfo").and_then(pending));
        });
        signals.threads = task
            .threads
            .iter()
            .map(|tid| self.thread_signals(*tid))
            .collect();
        signals
    }

    fn thread_signals(&self, tid: u32) -> ThreadSignals {
        let core = self.first(&format!("core-{tid}.img"));
        let core = core.as_ref().map(|core| core.record());
        let own = core.and_then(|core| core.record("thread_core"));
        let tc = core.and_then(|core| core.record("tc"));
        let blocked = own
            .and_then(|own| own.number("blk_sigset"))
            .or_else(|| tc.and_then(|tc| tc.number("blk_sigset")));
        let mut waiting = queue(own.and_then(|own| own.record("signals_p")));
        self.each(&format!("signal-p-{tid}.img"), &[], &mut |record| {
            waiting.extend(record.bytes("siginfo").and_then(pending));
        });
        ThreadSignals {
            tid,
            blocked: names::signal_set(blocked.unwrap_or(0)),
            pending: waiting,
        }
    }
}

/// CRIU leaves the two signals out whose action can't be changed: SIGKILL and SIGSTOP
/// (`criu/parasite-syscall.c`).
fn next_signal(number: u64) -> u64 {
    match number + 1 {
        fixed @ (9 | 19) => fixed + 1,
        next => next,
    }
}

fn handler(number: u64, record: Record<'_>) -> Option<Handler> {
    /// `SIG_DFL` and `SIG_IGN`.
    const DEFAULT: u64 = 0;
    const IGNORE: u64 = 1;
    let address = record.number("sigaction").unwrap_or(0);
    let flags = record.number("flags").unwrap_or(0);
    (address != DEFAULT).then(|| Handler {
        signal: names::name("signal", "number", number),
        action: match address {
            IGNORE => "ignore".to_owned(),
            address => format!("{address:#x}"),
        },
        flags: names::flags("sigaction", flags),
        mask: names::signal_set(record.number("mask").unwrap_or(0)),
    })
}

fn queue(queue: Option<Record<'_>>) -> Vec<PendingSignal> {
    let signals = queue.into_iter().flat_map(|queue| queue.records("signals"));
    signals
        .filter_map(|signal| pending(signal.bytes("siginfo")?))
        .collect()
}

/// Reads the kernel's `siginfo_t` (Linux's `asm-generic/siginfo.h`): signal, errno and code, then, at
/// 16 bytes on 64-bit machines, the sender and the value.
fn pending(bytes: &[u8]) -> Option<PendingSignal> {
    let word = |at: usize| {
        let bytes = bytes.get(at..at.checked_add(4)?)?;
        bytes.first_chunk().map(|word| u32::from_le_bytes(*word))
    };
    let long = |at: usize| Some(u64::from(word(at + 4)?) << 32 | u64::from(word(at)?));
    let signal = names::name("signal", "number", u64::from(word(0)?));
    let si_code = word(8)?.cast_signed();
    let name = match si_code {
        0 => "USER".to_owned(),
        128 => "KERNEL".to_owned(),
        -1 => "QUEUE".to_owned(),
        -2 => "TIMER".to_owned(),
        -3 => "MESGQ".to_owned(),
        -4 => "ASYNCIO".to_owned(),
        -5 => "SIGIO".to_owned(),
        -6 => "TKILL".to_owned(),
        1.. => names::name("signal", &signal, u64::from(si_code.unsigned_abs())),
        _ => si_code.to_string(),
    };
    let is_child = signal == "SIGCHLD" && si_code > 0;
    let is_fault = matches!(
        signal.as_str(),
        "SIGSEGV" | "SIGBUS" | "SIGFPE" | "SIGILL" | "SIGTRAP"
    ) && si_code > 0
        && si_code != 128;
    // A timer has its id and overrun where the others have their sender; SIGIO its band.
    let is_queued = si_code < 0 && !matches!(si_code, -2 | -5 | -6);
    let has_sender = is_child || is_queued || matches!(si_code, 0 | -6);
    Some(PendingSignal {
        code: name,
        si_code,
        pid: word(16).filter(|_| has_sender),
        uid: word(20).filter(|_| has_sender),
        value: long(24).filter(|_| is_queued || si_code == -2),
        status: word(24).filter(|_| is_child).map(u32::cast_signed),
        address: long(16).filter(|_| is_fault),
        signal,
    })
}
