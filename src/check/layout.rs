//! The parts of an address space that `prctl` is told of (`pie/restorer.c`; Linux's
//! `validate_prctl_map_addr`).

use super::checker::Checker;
use super::tasks::Task;

const PARTS: [(&str, &str); 5] = [
    ("mm_start_code", "mm_end_code"),
    ("mm_start_data", "mm_end_data"),
    ("mm_start_brk", "mm_brk"),
    ("mm_arg_start", "mm_arg_end"),
    ("mm_env_start", "mm_env_end"),
];
const STACK: &str = "mm_start_stack";

/// The lowest address that can be mapped: what `vm.mmap_min_addr` is on x86-64 where nobody changed it, and
/// as low as it can be.
const LOWEST_X86_64: u64 = 1 << 16;
const LOWEST: u64 = 4096;

/// How many words of an auxiliary vector CRIU takes on x86-64.
const AUXILIARY: usize = 44;

pub(super) fn check(checker: &Checker<'_>, image: &str, task: &Task) {
    let mut fields: Vec<&str> = PARTS
        .iter()
        .flat_map(|(start, end)| [*start, *end])
        .collect();
    fields.extend([STACK, "mm_saved_auxv", "aios.nr_req", "aios.id"]);
    let Some(entry) = checker.first(image, &fields) else {
        return;
    };
    let record = entry.record();
    let error = |field: &str, what: String| {
        checker.error("address-layout", image, (0, field), what);
    };
    let lowest = if task.is_x86_64 {
        LOWEST_X86_64
    } else {
        LOWEST
    };
    let bounds = |name: &str, value: u64| {
        if value < lowest {
            error(
                name,
                format!("0x{value:x} is below the first address that can be mapped"),
            );
        } else if task.address_limit.is_some_and(|limit| value >= limit) {
            error(
                name,
                format!("0x{value:x} is above all addresses of a process"),
            );
        }
    };
    for (start_name, end_name) in PARTS {
        let (Some(start), Some(end)) = (record.number(start_name), record.number(end_name)) else {
            continue;
        };
        // Code is the one part that may not be empty.
        if end < start || end == start && start_name == "mm_start_code" {
            error(
                end_name,
                format!("0x{end:x} is not above the start, 0x{start:x}"),
            );
        }
        bounds(start_name, start);
        bounds(end_name, end);
    }
    if let Some(stack) = record.number(STACK) {
        bounds(STACK, stack);
    }
    let words = record.numbers("mm_saved_auxv").len();
    if task.is_x86_64 && words > AUXILIARY {
        let what = format!("{words} words, more than {AUXILIARY}");
        error("mm_saved_auxv", what);
    }
    for (index, ring) in record.records("aios").enumerate() {
        if ring.number("nr_req") == Some(0) {
            error(
                &format!("aios[{index}].nr_req"),
                "a ring without requests".to_owned(),
            );
        }
    }
}
