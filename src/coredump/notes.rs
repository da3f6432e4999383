//! The notes of a core file: what `elf_core_dump` in Linux's `fs/binfmt_elf.c` writes, in its order.

use object::elf;

use super::arch::Machine;
use super::bytes::Bytes;
use super::registers::{Note, Registers};
use crate::checkpoint::Checkpoint;
use crate::error::{Error, ErrorKind, Result};
use crate::explore::{Task, TaskState};
use crate::image::Entry;
use crate::memory::{Area, Memory};
use crate::message::Record;

/// A core image of a thread.
struct Thread {
    tid: u32,
    entry: Entry,
}

impl Thread {
    fn read(checkpoint: &Checkpoint, tid: u32) -> Result<Self> {
        let name = format!("core-{tid}.img");
        let missing = |what: &str| {
            let error = Error::new(ErrorKind::NotACheckpoint(what.to_owned()));
            error.in_file(checkpoint.label(&name))
        };
        let mut reader = checkpoint
            .image_reader(&name)?
            .ok_or_else(|| missing("missing: the registers of a thread are in it"))?;
        let entry = reader.read_entry()?;
        let entry = entry.ok_or_else(|| missing("the image has no entry"))?;
        Ok(Thread { tid, entry })
    }

    fn record(&self) -> Record<'_> {
        self.entry.record()
    }

    fn registers(&self, machine: Machine, checkpoint: &Checkpoint) -> Result<Registers> {
        machine.registers(self.record()).map_err(|error| {
            let name = format!("core-{}.img", self.tid);
            error.in_entry(0).in_file(checkpoint.label(&name))
        })
    }
}

/// The machine of a task, and all notes of it and its threads.
pub(super) fn of_task(
    checkpoint: &Checkpoint,
    task: &Task,
    memory: &Memory,
) -> Result<(Machine, Vec<Note>)> {
    let main = Thread::read(checkpoint, task.pid)?;
    let machine = Machine::of(main.record()).map_err(|error| {
        let name = format!("core-{}.img", task.pid);
        error.in_file(checkpoint.label(&name))
    })?;
    let mut notes = Vec::new();
    let Registers {
        general,
        notes: more,
    } = main.registers(machine, checkpoint)?;
    notes.push(status(machine, task, &main, &general));
    notes.push(process(machine, checkpoint, task, &main, memory));
    // No signal ended the task: none is in it.
    notes.push(Note::core(elf::NT_SIGINFO, vec![0; 128]));
    notes.push(auxiliary_vector(machine, memory));
    notes.push(files(machine, memory));
    notes.extend(more);
    for tid in task.threads.iter().filter(|tid| **tid != task.pid) {
        let thread = Thread::read(checkpoint, *tid)?;
        let registers = thread.registers(machine, checkpoint)?;
        notes.push(status(machine, task, &thread, &registers.general));
        notes.push(Note::core(elf::NT_SIGINFO, vec![0; 128]));
        notes.extend(registers.notes);
    }
    Ok((machine, notes))
}

/// `NT_PRSTATUS`: `struct elf_prstatus` of Linux's `include/linux/elfcore.h`.
fn status(machine: Machine, task: &Task, thread: &Thread, general: &[u8]) -> Note {
    let core = thread.record();
    // The main thread of an old image has its blocked signals with the task.
    let blocked = ["thread_core", "tc"]
        .iter()
        .find_map(|message| core.record(message)?.number("blk_sigset"));
    let word = machine.word();
    let content = Bytes::new(word)
        // Signal, code and error number of what ended it, and the signal again: none.
        .zeros(16)
        .word(0)
        .word(blocked.unwrap_or(0))
        .int(u64::from(thread.tid))
        .int(u64::from(task.ppid))
        .int(u64::from(task.pgid.unwrap_or(0)))
        .int(u64::from(task.sid.unwrap_or(0)))
        // Times: own and children's, user and system.
        .zeros(4 * 2 * word)
        .raw(general)
        // Whether the floating-point registers are there.
        .int(1)
        .align(word)
        .done();
    Note::core(elf::NT_PRSTATUS, content)
}

/// `NT_PRPSINFO`: `struct elf_prpsinfo`.
fn process(
    machine: Machine,
    checkpoint: &Checkpoint,
    task: &Task,
    main: &Thread,
    memory: &Memory,
) -> Note {
    let core = main.record();
    let of_task = core.record("tc");
    let of_thread = core.record("thread_core");
    // Before CRIU 2.0 the credentials had an image of their own.
    let own = checkpoint.first_entry(&format!("creds-{}.img", task.pid));
    let own = own.ok().flatten();
    let credentials = of_thread
        .and_then(|thread| thread.record("creds"))
        .or_else(|| own.as_ref().map(|entry| entry.record()));
    let id = |name| credentials.and_then(|c| c.number(name)).unwrap_or(0);
    let nice = of_thread.and_then(|thread| thread.signed("sched_nice"));
    let comm = of_task.and_then(|tc| tc.bytes("comm")).unwrap_or_default();
    // What `ps` shows: a number, and its letter.
    let (state, letter) = match task.state {
        Some(TaskState::Stopped) => (3, b'T'),
        _ => (0, b'R'),
    };
    let word = machine.word();
    let mut bytes = Bytes::new(word);
    let nice = nice.and_then(|nice| i8::try_from(nice).ok()).unwrap_or(0);
    bytes
        .raw(&[state, letter, 0, nice.cast_unsigned()])
        .align(word)
        .word(of_task.and_then(|tc| tc.number("flags")).unwrap_or(0));
    match machine {
        Machine::I386 | Machine::Arm => bytes.half(id("uid")).half(id("gid")),
        Machine::X86_64 | Machine::Aarch64 => bytes.int(id("uid")).int(id("gid")),
    };
    let content = bytes
        .int(u64::from(task.pid))
        .int(u64::from(task.ppid))
        .int(u64::from(task.pgid.unwrap_or(0)))
        .int(u64::from(task.sid.unwrap_or(0)))
        .text(comm, 16)
        .text(&command_line(memory), 80)
        .done();
    Note::core(elf::NT_PRPSINFO, content)
}

/// The beginning of the command line with blanks between the arguments; nothing where it can't be read.
fn command_line(memory: &Memory) -> Vec<u8> {
    let args = memory.address_space().args.clone();
    let end = args.end.min(args.start.saturating_add(80));
    let mut bytes = memory
        .read(args.start..end.max(args.start))
        .unwrap_or_default();
    while bytes.last() == Some(&0) {
        bytes.pop();
    }
    for byte in &mut bytes {
        if *byte == 0 {
            *byte = b' ';
        }
    }
    bytes
}

/// `NT_AUXV`: pairs, and two zeros.
fn auxiliary_vector(machine: Machine, memory: &Memory) -> Note {
    let mut bytes = Bytes::new(machine.word());
    for (key, value) in &memory.address_space().auxv {
        bytes.word(*key).word(*value);
    }
    Note::core(elf::NT_AUXV, bytes.word(0).word(0).done())
}

/// How many bytes of mapped files are named: many times the kernel's 4 MiB, but not without bound.
const LONGEST_FILES: usize = 64 << 20;

/// `NT_FILE`: which file is mapped where; offsets are in pages, names stand behind all numbers.
fn files(machine: Machine, memory: &Memory) -> Note {
    let page_size = memory.page_size().max(1);
    let areas = memory.address_space().areas.iter();
    let mut left = LONGEST_FILES;
    let mapped: Vec<_> = areas
        .filter_map(|area| Some((area, name_of(area, memory)?)))
        .take_while(|(_, name)| {
            let length = name.len() + 3 * machine.word() + 1;
            let fits = length <= left;
            left = left.saturating_sub(length);
            fits
        })
        .collect();
    let mut bytes = Bytes::new(machine.word());
    bytes.word(mapped.len() as u64).word(page_size);
    for (area, _) in &mapped {
        bytes
            .word(area.start)
            .word(area.end)
            .word(area.pgoff / page_size);
    }
    for (_, name) in &mapped {
        // A name with a zero in it, which no kernel has, would shift all that follow.
        let name = name.split(|byte| *byte == 0).next();
        bytes.raw(name.unwrap_or_default()).zeros(1);
    }
    Note::core(elf::NT_FILE, bytes.done())
}

/// What `/proc/PID/maps` calls what is mapped: memory without a name in a file system is "deleted".
fn name_of(area: &Area, memory: &Memory) -> Option<Vec<u8>> {
    let name = memory.file_of(area).map(|name| name.as_bytes());
    match (memory.kind_of(area), name) {
        ("memfd", Some(name)) => Some([name, b" (deleted)"].concat()),
        ("shmem", _) => Some(b"/dev/zero (deleted)".to_vec()),
        (_, name) => name.map(<[u8]>::to_vec),
    }
}
