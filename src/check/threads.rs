//! The core image of a thread: registers, scheduling, and what it told the kernel
//! (`criu/cr-restore.c`, `sigreturn_restore`; `criu/arch/x86/crtools.c`).

use super::checker::Checker;
use super::notify::{self, SIGNALS};
use crate::explore::is_compat;
use crate::message::Record;

/// The registers of each machine (CRIU's `images/core.proto`).
const MACHINES: [(&str, &str); 8] = [
    ("X86_64", "thread_info"),
    ("ARM", "ti_arm"),
    ("AARCH64", "ti_aarch64"),
    ("PPC64", "ti_ppc64"),
    ("S390", "ti_s390"),
    ("MIPS", "ti_mips"),
    ("LOONGARCH64", "ti_loongarch64"),
    ("RISCV64", "ti_riscv64"),
];

/// Above all addresses of a process: Linux's `TASK_SIZE` with four levels of page tables, and the end of
/// addresses with five.
const X86_64_END: u64 = 1 << 56;
const COMPAT_END: u64 = 1 << 32;

/// Returns the address above all that a task of this kind can have, if it is known.
pub(super) fn address_limit(core: Record<'_>, machine: &str) -> Option<u64> {
    match machine {
        "X86_64" if is_compat(core) => Some(COMPAT_END),
        "X86_64" => Some(X86_64_END),
        _ => None,
    }
}

/// The core image of a thread besides its task.
pub(super) fn of_thread(checker: &Checker<'_>, core: Record<'_>, image: &str, machine: &str) {
    for field in ["tc", "ids"] {
        if core.record(field).is_some() {
            let what = "only the core image of a task has it";
            checker.error("thread-core", image, (0, field), what);
        }
    }
    // The machine of a thread is that of its task, whatever the image says.
    registers(checker, core, image, machine);
    self::core(checker, core, image);
}

/// The registers of a thread.
pub(super) fn registers(checker: &Checker<'_>, core: Record<'_>, image: &str, machine: &str) {
    let known = MACHINES.iter().find(|(name, _)| *name == machine);
    let Some((_, field)) = known else {
        let what = format!("the machine {machine} is unknown");
        checker.warning("machine", image, (0, "mtype"), what);
        return;
    };
    let Some(info) = core.record(field) else {
        let what = format!("missing: the registers of a thread on {machine}");
        checker.error("registers", image, (0, *field), what);
        return;
    };
    if machine == "X86_64" {
        x86(checker, info, image);
    }
}

fn x86(checker: &Checker<'_>, info: Record<'_>, image: &str) {
    let error = |field: &str, what: String| {
        checker.error(
            "registers",
            image,
            (0, format!("thread_info.{field}")),
            what,
        );
    };
    if let Some(general) = info.record("gpregs") {
        if let Some(mode) = general
            .number("mode")
            .filter(|mode| !(1..=2).contains(mode))
        {
            error(
                "gpregs.mode",
                format!("{mode} is neither NATIVE nor COMPAT"),
            );
        }
        for name in ["fs_base", "gs_base"] {
            let base = general.number(name).unwrap_or(0);
            if base >= X86_64_END {
                let what = format!("0x{base:x} is not an address of a process");
                error(&format!("gpregs.{name}"), what);
            }
        }
    }
    let Some(floating) = info.record("fpregs") else {
        return;
    };
    for (name, words) in [("st_space", 32), ("xmm_space", 64)] {
        let has = floating.numbers(name).len();
        if has < words {
            let what = format!("{has} words, where {words} are needed");
            error(&format!("fpregs.{name}"), what);
        }
    }
    if let Some(extended) = floating.record("xsave") {
        const SIZES: [(&str, usize); 7] = [
            ("ymmh_space", 64),
            ("bndreg_state", 8),
            ("bndcsr_state", 8),
            ("opmask_reg", 8),
            ("zmm_upper", 64),
            ("hi16_zmm", 128),
            ("pkru", 2),
        ];
        for (name, words) in SIZES {
            let has = extended.numbers(name).len();
            if has != 0 && has < words {
                let what = format!("{has} words, where {words} are needed");
                error(&format!("fpregs.xsave.{name}"), what);
            }
        }
    }
}

/// The part of the core image that every thread has.
pub(super) fn core(checker: &Checker<'_>, core: Record<'_>, image: &str) {
    let Some(own) = core.record("thread_core") else {
        let what = "missing: the state of the thread";
        checker.error("thread-core", image, (0, "thread_core"), what);
        return;
    };
    let error = |rule, field: &str, what: String| {
        checker.error(rule, image, (0, format!("thread_core.{field}")), what);
    };
    if let Some(signal) = own.number("pdeath_sig").filter(|signal| *signal > SIGNALS) {
        error("signal", "pdeath_sig", format!("{signal} is not a signal"));
    }
    scheduling(own, &error);
    /// The size of `struct robust_list_head`, for 64 and 32 bits.
    const ROBUST_LIST: [u64; 3] = [0, 24, 12];
    let length = own.number("futex_rla_len").unwrap_or(0);
    if !ROBUST_LIST.contains(&length) {
        let what = format!("a list of robust futexes has no head of {length} bytes");
        error("robust-list", "futex_rla_len", what);
    }
    if let Some(rseq) = own.record("rseq_entry") {
        restartable(rseq, &error);
    }
    notify::signals(checker, own, "thread_core.signals_p", image);
}

type Report<'a> = dyn Fn(&'static str, &str, String) + 'a;

/// Policy, priority and nice value (`validate_sched_parm`). Without a policy nothing else is read.
fn scheduling(own: Record<'_>, error: &Report<'_>) {
    const RESET_ON_FORK: u64 = 0x4000_0000;
    let Some(policy) = own.number("sched_policy") else {
        return;
    };
    let priority = own.number("sched_prio").unwrap_or(0);
    let priorities = match policy & !RESET_ON_FORK {
        // `SCHED_NORMAL`, `SCHED_BATCH`, `SCHED_IDLE`.
        0 | 3 | 5 => 0..=0,
        // `SCHED_FIFO`, `SCHED_RR`.
        1 | 2 => 1..=99,
        other => {
            let what = format!("the scheduling policy {other} can't be restored");
            return error("scheduling", "sched_policy", what);
        }
    };
    if !priorities.contains(&priority) {
        let what = format!("{priority} is not a priority of the policy {policy}");
        error("scheduling", "sched_prio", what);
    }
    if let Some(nice) = own
        .signed("sched_nice")
        .filter(|nice| !(-20..=19).contains(nice))
    {
        error(
            "scheduling",
            "sched_nice",
            format!("{nice} is not a nice value"),
        );
    }
}

/// The area of restartable sequences, as the kernel accepts it.
fn restartable(rseq: Record<'_>, error: &Report<'_>) {
    const LEAST: u64 = 32;
    let pointer = rseq.number("rseq_abi_pointer").unwrap_or(0);
    let size = rseq.number("rseq_abi_size").unwrap_or(0);
    if pointer == 0 {
        return;
    }
    if size < LEAST {
        let what = format!("an area of {size} bytes, where {LEAST} are needed");
        error("rseq", "rseq_entry.rseq_abi_size", what);
    } else if size == LEAST && !pointer.is_multiple_of(LEAST) {
        let what = format!("0x{pointer:x} is not a multiple of {LEAST}");
        error("rseq", "rseq_entry.rseq_abi_pointer", what);
    } else if pointer >= X86_64_END {
        let what = format!("0x{pointer:x} is not an address of a process");
        error("rseq", "rseq_entry.rseq_abi_pointer", what);
    }
}
