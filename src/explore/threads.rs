//! The threads of every task.

use std::borrow::Cow;

use serde::Serialize;

use super::{Explorer, TaskState, names};
use crate::error::Result;
use crate::message::Record;
use crate::text::Text;

/// The threads of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TaskThreads {
    /// The task.
    pub pid: u32,
    /// Its state.
    pub state: Option<TaskState>,
    /// Its threads; the first is the task itself.
    pub threads: Vec<Thread>,
}

/// A thread: one core image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Thread {
    /// The thread id.
    pub tid: u32,
    /// The name of the thread.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comm: Option<Text>,
    /// The architecture, as CRIU names it, with ` (compat)` for a 32-bit thread of a 64-bit kernel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arch: Option<String>,
    /// Where it was: the instruction pointer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<u64>,
    /// The stack pointer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sp: Option<u64>,
    /// How it is scheduled: `OTHER`, `FIFO`, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// The priority of a real-time policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<u32>,
    /// The nice value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nice: Option<i64>,
    /// The seccomp mode: `disabled`, `strict`, `filter`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seccomp: Option<String>,
    /// The signal that it gets when its parent ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_death_signal: Option<String>,
    /// CRIU's id of its cgroup set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cg_set: Option<u32>,
}

impl Explorer<'_> {
    /// The threads of every task.
    ///
    /// # Errors
    ///
    /// There is no task.
    pub fn threads(&self) -> Result<Vec<TaskThreads>> {
        let tasks = self.tasks()?.iter();
        let threads = tasks.map(|task| TaskThreads {
            pid: task.pid,
            state: task.state,
            threads: task.threads.iter().map(|tid| self.thread(*tid)).collect(),
        });
        Ok(threads.collect())
    }

    fn thread(&self, tid: u32) -> Thread {
        let unknown = Thread {
            tid,
            ..Thread::default()
        };
        let Some(core) = self.needed(&format!("core-{tid}.img"), "the thread is unknown") else {
            return unknown;
        };
        let core = core.record();
        let tc = core.record("tc");
        let Some(own) = core.record("thread_core") else {
            return Thread {
                comm: tc.and_then(|tc| tc.text("comm")),
                arch: arch(core),
                ..unknown
            };
        };
        let (ip, sp) = registers(core);
        Thread {
            comm: own
                .text("comm")
                .or_else(|| tc.and_then(|tc| tc.text("comm"))),
            arch: arch(core),
            ip,
            sp,
            policy: own.number("sched_policy").map(policy),
            priority: own.word("sched_prio").filter(|priority| *priority != 0),
            nice: own.signed("sched_nice"),
            seccomp: own
                .enum_name("seccomp_mode")
                .or_else(|| tc.and_then(|tc| tc.enum_name("old_seccomp_mode")))
                .map(Cow::into_owned),
            parent_death_signal: own
                .number("pdeath_sig")
                .filter(|signal| *signal != 0)
                .map(|signal| names::name("signal", "number", signal)),
            cg_set: own
                .word("cg_set")
                .or_else(|| tc.and_then(|tc| tc.word("cg_set"))),
            tid,
        }
    }
}

/// The policy by name, and whether children go back to the usual one (`SCHED_RESET_ON_FORK`).
fn policy(number: u64) -> String {
    const RESET_ON_FORK: u64 = 0x4000_0000;
    let name = names::name("task", "policy", number & !RESET_ON_FORK);
    if number & RESET_ON_FORK == 0 {
        name
    } else {
        format!("{name}|RESET_ON_FORK")
    }
}

/// Whether a core image is of a 32-bit thread on x86-64. Before CRIU 3.0 there was no mode, and no
/// such thread.
pub(crate) fn is_compat(core: Record<'_>) -> bool {
    let registers = core
        .record("thread_info")
        .and_then(|info| info.record("gpregs"));
    let mode = registers.and_then(|registers| registers.enum_name("mode"));
    mode.as_deref() == Some("COMPAT")
}

fn arch(core: Record<'_>) -> Option<String> {
    let mut arch = core.enum_name("mtype")?.into_owned();
    if is_compat(core) {
        arch.push_str(" (compat)");
    }
    Some(arch)
}

/// The message of each architecture, and what it calls the instruction and the stack pointer
/// (CRIU's `images/core-*.proto`); a name that no field has where the pointer is one of a list.
const REGISTERS: [(&str, &str, &str); 8] = [
    ("thread_info", "ip", "sp"),
    ("ti_arm", "pc", "sp"),
    ("ti_aarch64", "pc", "sp"),
    ("ti_ppc64", "nip", "gpr"),
    ("ti_s390", "psw_addr", "gprs"),
    ("ti_mips", "cp0_epc", "r29"),
    ("ti_loongarch64", "pc", "regs"),
    ("ti_riscv64", "pc", "sp"),
];

/// Instruction and stack pointer.
fn registers(core: Record<'_>) -> (Option<u64>, Option<u64>) {
    let found = REGISTERS.iter().find_map(|(info, ip, sp)| {
        let registers = core.record(info)?.record("gpregs")?;
        Some((registers.number(ip), registers.number(sp)))
    });
    found.unwrap_or_default()
}
