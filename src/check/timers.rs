//! Timers of a task (`criu/timer.c`, and the restorer, which creates them).

use std::collections::BTreeSet;

use super::checker::Checker;
use super::notify::SIGNALS;
use super::tree::Member;
use crate::message::Record;

const MICROSECONDS: u64 = 1_000_000;
const NANOSECONDS: u64 = 1_000_000_000;

pub(super) fn check(checker: &Checker<'_>, tc: Record<'_>, image: &str, member: &Member) {
    let Some(timers) = tc.record("timers") else {
        let what = "the timers are in images of their own, as CRIU before 1.3 did: restore needs --deprecated";
        checker.warning("deprecated", image, (0, "tc.timers"), what);
        return;
    };
    for name in ["real", "virt", "prof"] {
        if let Some(timer) = timers.record(name) {
            let prefix = format!("tc.timers.{name}");
            times(
                checker,
                timer,
                image,
                &prefix,
                ["isec", "vsec"],
                (["iusec", "vusec"], MICROSECONDS),
            );
        }
    }
    let mut seen = BTreeSet::new();
    for (index, timer) in timers.records("posix").enumerate() {
        let prefix = format!("tc.timers.posix[{index}]");
        times(
            checker,
            timer,
            image,
            &prefix,
            ["isec", "vsec"],
            (["insec", "vnsec"], NANOSECONDS),
        );
        let error = |field: &str, what: String| {
            checker.error("timer", image, (0, format!("{prefix}.{field}")), what);
        };
        let id = timer.number("it_id").unwrap_or(0);
        if !seen.insert(id) {
            error("it_id", format!("duplicate timer {id}"));
        }
        if id > i32::MAX as u64 {
            error(
                "it_id",
                format!("{id} is above the largest id, {}", i32::MAX),
            );
        }
        posix(timer, member, &error);
    }
}

/// How a POSIX timer notifies, and by which clock: values that `timer_create` refuses.
fn posix(timer: Record<'_>, member: &Member, error: &dyn Fn(&str, String)) {
    /// `SIGEV_SIGNAL`, `SIGEV_NONE`, `SIGEV_THREAD`, `SIGEV_THREAD_ID`.
    const NOTIFY: [u64; 4] = [0, 1, 2, 4];
    const NOT_AT_ALL: u64 = 1;
    const THREAD: u64 = 4;
    /// `CLOCK_THREAD_CPUTIME_ID` and the like can have timers, `CLOCK_MONOTONIC_RAW`, the coarse ones and
    /// `CLOCK_SGI_CYCLE` can't. Negative numbers are the clocks of a process.
    const WITHOUT_TIMERS: [u64; 4] = [4, 5, 6, 10];
    /// `MAX_CLOCKS` of Linux.
    const CLOCKS: u64 = 16;
    let notify = timer.number("it_sigev_notify").unwrap_or(0);
    if !NOTIFY.contains(&notify) {
        let what = format!("{notify} is not a way to notify");
        error("it_sigev_notify", what);
    }
    let signal = timer.number("si_signo").unwrap_or(0);
    if notify != NOT_AT_ALL && NOTIFY.contains(&notify) && !(1..=SIGNALS).contains(&signal) {
        error("si_signo", format!("{signal} is not a signal"));
    }
    if notify == THREAD
        && let Some(tid) = timer.signed("notify_thread_id")
    {
        let known =
            u32::try_from(tid).is_ok_and(|tid| tid == member.pid || member.threads.contains(&tid));
        if !known {
            let what = format!("task {} has no thread {tid}", member.pid);
            error("notify_thread_id", what);
        }
    }
    let clock = timer.number("clock_id").unwrap_or(0);
    let is_of_process = clock > u64::from(u32::MAX) || clock >> 31 == 1;
    if !is_of_process && (clock >= CLOCKS || WITHOUT_TIMERS.contains(&clock)) {
        error("clock_id", format!("the clock {clock} has no timers"));
    }
}

/// Times that are not negative, with their parts of a second (`decode_itimer`, `decode_posix_timer`).
fn times(
    checker: &Checker<'_>,
    timer: Record<'_>,
    image: &str,
    prefix: &str,
    seconds: [&str; 2],
    (parts, whole): ([&str; 2], u64),
) {
    let wrong = |field: &str, what: String| {
        checker.error("timer", image, (0, format!("{prefix}.{field}")), what);
    };
    // An interval timer that is all zero is not set.
    let fields = seconds.iter().chain(&parts);
    if fields
        .clone()
        .all(|field| timer.number(field).unwrap_or(0) == 0)
    {
        return;
    }
    for field in seconds {
        let value = timer.number(field).unwrap_or(0);
        if i64::try_from(value).is_err() {
            wrong(field, format!("{value} seconds are a negative time"));
        }
    }
    for field in parts {
        let value = timer.number(field).unwrap_or(0);
        if value >= whole {
            wrong(field, format!("{value} is a second or more"));
        }
    }
}
