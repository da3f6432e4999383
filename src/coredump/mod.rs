//! ELF core files of dumped tasks, for debuggers.
//!
//! As the kernel writes them: notes with the registers of all threads, what is mapped where, the
//! auxiliary vector; then the memory. Pages of mapped files that were not dumped are left to the
//! debugger, which finds the files by `NT_FILE`, unless [`Memory::with_sysroot`] brings them.

mod arch;
mod arm;
mod bytes;
mod notes;
mod registers;
mod segments;
mod x86;

use std::io::{Seek, SeekFrom, Write};

use object::elf;
use object::write::elf::{FileHeader, ProgramHeader, Writer};

pub use arch::Machine;

use crate::checkpoint::Checkpoint;
use crate::error::{Error, ErrorKind, Result};
use crate::explore::Task;
use crate::memory::{Content, Holes, Memory, Piece};
use registers::Note;
use segments::Segment;

/// How many bytes of memory are read at a time.
const STEP: u64 = 1 << 20;

/// A core file that is ready to be written.
///
/// ```
/// # fn main() -> Result<(), criu_images::Error> {
/// use criu_images::{Checkpoint, Explorer, coredump::CoreDump};
///
/// let dump = Checkpoint::open("tests/images/predump/3")?;
/// let task = Explorer::new(&dump).tasks()?[0].clone();
/// let memory = dump.memory(task.pid)?;
/// let core = CoreDump::new(&dump, &task, &memory)?;
/// let mut file = std::io::Cursor::new(Vec::new());
/// core.write(&mut file, &mut |_| ())?;
/// assert!(file.into_inner().starts_with(b"\x7fELF"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct CoreDump<'m> {
    memory: &'m Memory,
    machine: Machine,
    segments: Vec<Segment>,
    /// Everything in front of the memory.
    head: Vec<u8>,
    gaps: Vec<&'static str>,
}

impl<'m> CoreDump<'m> {
    /// Gathers what goes into the core file of a task.
    ///
    /// # Errors
    ///
    /// The core image of a thread is missing or malformed, or of a machine whose core files are not
    /// known (x86-64, 32-bit x86, and 64-bit and 32-bit Arm are); or the core file of a 32-bit task
    /// would be larger than 4 GiB.
    pub fn new(checkpoint: &Checkpoint, task: &Task, memory: &'m Memory) -> Result<Self> {
        let (machine, notes) = notes::of_task(checkpoint, task, memory)?;
        let (segments, gaps) = segments::of_memory(memory)?;
        let head = head(machine, &notes, &segments, memory.page_size())?;
        Ok(CoreDump {
            memory,
            machine,
            segments,
            head,
            gaps: gaps.into_iter().collect(),
        })
    }

    /// The machine that the task ran on.
    #[must_use]
    pub fn machine(&self) -> Machine {
        self.machine
    }

    /// What is missing from the memory that a debugger can't find elsewhere, in words.
    #[must_use]
    pub fn gaps(&self) -> &[&'static str] {
        &self.gaps
    }

    /// How many bytes of memory it holds: the core file is that large and a little more, with holes
    /// where the memory is zeros.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        let lengths = self.segments.iter().map(Segment::content_len);
        lengths.fold(0, u64::saturating_add)
    }

    /// Writes the core file to an empty file. `progress` is told how many bytes of memory were
    /// written since it was told last. Memory use is a few megabytes.
    ///
    /// # Errors
    ///
    /// A pages image is too short or can't be read, or writing failed.
    pub fn write(
        &self,
        out: &mut (impl Write + Seek),
        progress: &mut dyn FnMut(u64),
    ) -> Result<()> {
        out.write_all(&self.head).map_err(Error::writing)?;
        let mut end = self.head.len() as u64;
        let mut buffer = vec![0; usize::try_from(STEP).unwrap_or(0)];
        // Whether the last bytes are a hole, which must still be part of the file.
        let mut hole = false;
        let mut holes = Holes::default();
        for segment in self.segments.iter().filter(|segment| segment.has_content) {
            let offset = end;
            let mut put = |piece: Piece<'m>| {
                let length = piece.end - piece.start;
                let place = offset + (piece.start - segment.start);
                hole = matches!(piece.content, Content::Zeros);
                if hole {
                    progress(length);
                    return Ok(());
                }
                out.seek(SeekFrom::Start(place)).map_err(Error::writing)?;
                let mut done = 0;
                while done < length {
                    let step = STEP.min(length - done);
                    let part = buffer.get_mut(..usize::try_from(step).unwrap_or(0));
                    let part = part.unwrap_or_default();
                    self.memory.fill(&piece, done, part)?;
                    out.write_all(part).map_err(Error::writing)?;
                    progress(step);
                    done += step;
                }
                Ok(())
            };
            let range = segment.start..segment.end;
            self.memory.walk_area(&segment.area, range, &mut |piece| {
                self.memory.without_holes(piece, &mut holes, &mut put)
            })?;
            end += segment.len();
        }
        if hole {
            out.seek(SeekFrom::Start(end - 1))
                .and_then(|_| out.write_all(&[0]))
                .map_err(Error::writing)?;
        }
        out.flush().map_err(Error::writing)
    }
}

/// The headers and the notes, filled up to a page.
fn head(machine: Machine, notes: &[Note], segments: &[Segment], page_size: u64) -> Result<Vec<u8>> {
    let too_large = || {
        Error::new(ErrorKind::Limit(
            "the core file would be too large".to_owned(),
        ))
    };
    let content = note_section(notes);
    let mut head = Vec::new();
    let is_64 = machine.word() == 8;
    let mut writer = Writer::new(object::Endianness::Little, is_64, &mut head);
    let count = u32::try_from(segments.len() + 1).map_err(|_| too_large())?;
    writer.reserve_file_header();
    writer.reserve_program_headers(count);
    // The number of more headers than 16 bits can count stands in a section header.
    let many = count >= u32::from(elf::PN_XNUM);
    if many {
        writer.reserve_null_section_index();
        writer.reserve_section_headers();
    }
    let notes_at = writer.reserve(content.len() as u64, 4);
    let memory_at = writer.reserve(0, page_size);
    let invalid = |_| too_large();
    writer
        .write_file_header(&FileHeader {
            os_abi: elf::ELFOSABI_NONE,
            abi_version: 0,
            e_type: elf::ET_CORE,
            e_machine: machine.elf_machine(),
            e_entry: 0,
            e_flags: machine.elf_flags(),
        })
        .map_err(invalid)?;
    writer.write_align_program_headers();
    writer.write_program_header(&ProgramHeader {
        p_type: elf::PT_NOTE,
        p_flags: elf::ProgramFlags::default(),
        p_offset: notes_at,
        p_vaddr: 0,
        p_paddr: 0,
        p_filesz: content.len() as u64,
        p_memsz: 0,
        p_align: 4,
    });
    let mut offset = memory_at;
    for segment in segments {
        let length = segment.content_len();
        let end = offset.checked_add(length).ok_or_else(too_large)?;
        if !is_64 && u32::try_from(end).is_err() {
            return Err(too_large());
        }
        writer.write_program_header(&ProgramHeader {
            p_type: elf::PT_LOAD,
            p_flags: flags(segment.area.prot),
            p_offset: offset,
            p_vaddr: segment.start,
            p_paddr: 0,
            p_filesz: length,
            p_memsz: segment.len(),
            p_align: page_size,
        });
        offset = end;
    }
    if many {
        writer.write_null_section_header();
    }
    writer.pad_until(notes_at);
    writer.write(&content);
    writer.pad_until(memory_at);
    Ok(head)
}

/// Owner, type and content of each note, each filled up to four bytes.
fn note_section(notes: &[Note]) -> Vec<u8> {
    let mut bytes = bytes::Bytes::new(4);
    for note in notes {
        bytes
            .int(note.owner.len() as u64 + 1)
            .int(note.content.len() as u64)
            .int(u64::from(note.kind.0))
            .raw(note.owner.as_bytes())
            .zeros(1)
            .align(4)
            .raw(&note.content)
            .align(4);
    }
    bytes.done()
}

fn flags(prot: u32) -> elf::ProgramFlags {
    let mut flags = 0;
    for (bit, flag) in [(1, elf::PF_R), (2, elf::PF_W), (4, elf::PF_X)] {
        if prot & bit != 0 {
            flags |= flag.0;
        }
    }
    elf::ProgramFlags(flags)
}
