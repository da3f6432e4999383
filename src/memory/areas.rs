//! The address space of a task: its areas, and where its arguments, heap and stack are.
//!
//! CRIU's `criu/proc_parse.c` makes the areas, `criu/include/image.h` names the bits of `status`.
//! They stand in `mm-PID.img`; CRIU 1.0 and before wrote them to `vmas-PID.img`.

use std::ops::Range;

use crate::checkpoint::{Checkpoint, auxv_pairs};
use crate::error::{Error, ErrorKind, Result};
use crate::limits::AREAS;
use crate::message::{Record, Sift};

/// A mapping of the whole kernel's making or the task's: one line of `/proc/PID/maps`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Area {
    /// The first address.
    pub start: u64,
    /// The address behind the last.
    pub end: u64,
    /// Where it begins in its file or segment, in bytes.
    pub pgoff: u64,
    /// The id of its file or segment.
    pub shmid: u64,
    /// `PROT_*`: 1 read, 2 write, 4 execute.
    pub prot: u32,
    /// `MAP_*`.
    pub flags: u32,
    /// CRIU's own bits: see [`status`].
    pub status: u32,
    /// The advice of `madvise` that holds for it: bit N for the advice N.
    pub advice: u64,
    /// The flags (`O_*`) that its file was open with; newer CRIUs note them.
    pub file_flags: Option<u32>,
}

/// The bits of [`Area::status`], as CRIU's `criu/include/image.h` has them.
pub mod status {
    /// Dumped and restored as any other.
    pub const REGULAR: u32 = 1 << 0;
    /// The stack.
    pub const STACK: u32 = 1 << 1;
    /// The vsyscall page.
    pub const VSYSCALL: u32 = 1 << 2;
    /// The vDSO.
    pub const VDSO: u32 = 1 << 3;
    /// The heap.
    pub const HEAP: u32 = 1 << 5;
    /// A private mapping of a file.
    pub const FILE_PRIVATE: u32 = 1 << 6;
    /// A shared mapping of a file.
    pub const FILE_SHARED: u32 = 1 << 7;
    /// Anonymous memory that tasks share.
    pub const ANON_SHARED: u32 = 1 << 8;
    /// Anonymous memory of the task's own.
    pub const ANON_PRIVATE: u32 = 1 << 9;
    /// A SysV shared memory segment.
    pub const SYSVIPC: u32 = 1 << 10;
    /// The ring of a packet socket.
    pub const SOCKET: u32 = 1 << 11;
    /// The variables of the vDSO.
    pub const VVAR: u32 = 1 << 12;
    /// The ring of an AIO context.
    pub const AIORING: u32 = 1 << 13;
    /// A memfd.
    pub const MEMFD: u32 = 1 << 14;
    /// A shadow stack.
    pub const SHSTK: u32 = 1 << 15;
    /// No area, but a part of another that faults when it is touched: it stands behind all areas.
    pub const GUARD: u32 = 1 << 16;
    /// The page of user-space probes.
    pub const UPROBES: u32 = 1 << 17;
}

impl Area {
    /// The length in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// Whether it has no bytes, which no kernel makes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether one of these bits of [`status`] is set.
    #[must_use]
    pub fn is(&self, status: u32) -> bool {
        self.status & status != 0
    }

    /// One word for what it is.
    #[must_use]
    pub fn kind_name(&self) -> &'static str {
        /// `MAP_GROWSDOWN`.
        const GROWS_DOWN: u32 = 0x100;
        let kinds = [
            (status::SYSVIPC, "sysv"),
            (status::ANON_SHARED, "shmem"),
            (status::SOCKET, "packet"),
            (status::MEMFD, "memfd"),
            (status::FILE_PRIVATE | status::FILE_SHARED, "file"),
            (status::STACK, "stack"),
            (status::VSYSCALL, "vsyscall"),
            (status::VDSO, "vdso"),
            (status::HEAP, "heap"),
            (status::VVAR, "vvar"),
        ];
        match kinds.iter().find(|(bits, _)| self.is(*bits)) {
            Some((_, name)) => name,
            None if self.flags & GROWS_DOWN != 0 => "stack",
            None => "anon",
        }
    }

    /// `rwx`, with `-` for what is not allowed.
    #[must_use]
    pub fn protection(&self) -> &'static str {
        const TEXTS: [&str; 8] = ["---", "r--", "-w-", "rw-", "--x", "r-x", "-wx", "rwx"];
        TEXTS
            .get((self.prot & 7) as usize)
            .copied()
            .unwrap_or("---")
    }
}

/// The address space of a task.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AddressSpace {
    /// The id of the file that it runs.
    pub exe_file_id: Option<u32>,
    /// Where the arguments are.
    pub args: Range<u64>,
    /// Where the environment is, as it was given at the start.
    pub env: Range<u64>,
    /// The auxiliary vector: pairs of key and value, without the one that ends it.
    pub auxv: Vec<(u64, u64)>,
    /// In the order of the image, which is that of the addresses.
    pub areas: Vec<Area>,
}

/// The fields of an area that are read.
const FIELDS: [&str; 9] = [
    "start", "end", "pgoff", "shmid", "prot", "flags", "status", "madv", "fdflags",
];

/// What is read of an address space besides them.
const BESIDE: [&str; 6] = [
    "exe_file_id",
    "mm_arg_start",
    "mm_arg_end",
    "mm_env_start",
    "mm_env_end",
    "mm_saved_auxv",
];

/// Where they stand: looked up once, not for each of 100,000 areas.
struct Columns([Option<usize>; 9]);

impl Columns {
    fn of(record: Record<'_>) -> Self {
        Columns(FIELDS.map(|name| record.column(name)))
    }

    fn area(&self, record: Record<'_>) -> Result<Area> {
        let [
            start,
            end,
            pgoff,
            shmid,
            prot,
            flags,
            status,
            advice,
            fdflags,
        ] = self.0.map(|column| record.number_at(column));
        let (Some(start), Some(end)) = (start, end) else {
            let what = "an area without a start or an end".to_owned();
            return Err(Error::new(ErrorKind::Value(what)));
        };
        let word = |value: Option<u64>| u32::try_from(value.unwrap_or(0)).unwrap_or(0);
        Ok(Area {
            start,
            end,
            pgoff: pgoff.unwrap_or(0),
            shmid: shmid.unwrap_or(0),
            prot: word(prot),
            flags: word(flags),
            status: word(status),
            advice: advice.unwrap_or(0),
            file_flags: fdflags.and_then(|flags| u32::try_from(flags).ok()),
        })
    }
}

impl AddressSpace {
    /// The areas are in the order of their addresses, and none reaches into the next.
    pub(super) fn check_order(&self) -> Result<()> {
        let mut end_before = 0;
        for (area, index) in self.areas.iter().zip(0u64..) {
            let wrong = if area.end < area.start {
                format!(
                    "it ends at 0x{:x}, before its start 0x{:x}",
                    area.end, area.start
                )
            } else if area.start < end_before {
                format!(
                    "it begins at 0x{:x}, before the end of the area before it, 0x{end_before:x}",
                    area.start
                )
            } else {
                end_before = area.end;
                continue;
            };
            let error = Error::new(ErrorKind::Value(wrong)).in_entry(0);
            return Err(error.in_field(&format!("[{index}]")).in_field("vmas"));
        }
        Ok(())
    }

    /// Reads the address space of a task; `None` when the checkpoint holds none of it.
    ///
    /// # Errors
    ///
    /// The image is malformed.
    pub fn read(checkpoint: &Checkpoint, pid: u32) -> Result<Option<Self>> {
        let mut areas = Vec::new();
        let mut columns = None;
        let mut add = |record: Record<'_>| {
            let columns = columns.get_or_insert_with(|| Columns::of(record));
            if areas.len() >= AREAS {
                let what = format!("more than {AREAS} areas");
                return Err(Error::new(ErrorKind::Limit(what)));
            }
            areas.push(columns.area(record)?);
            Ok(())
        };
        let name = format!("mm-{pid}.img");
        let sift = Sift {
            list: "vmas",
            fields: &FIELDS,
            beside: &BESIDE,
            each: &mut add,
        };
        let entry = checkpoint.sift_first(&name, sift)?;
        let Some(entry) = entry else {
            return match checkpoint.size(&name)? {
                None => Ok(None),
                Some(_) => {
                    let what = "the image has no entry".to_owned();
                    Err(Error::new(ErrorKind::Value(what)).in_file(checkpoint.label(&name)))
                }
            };
        };
        let mm = entry.record();
        let range =
            |start: &str, end: &str| mm.number(start).unwrap_or(0)..mm.number(end).unwrap_or(0);
        let mut space = AddressSpace {
            exe_file_id: mm.word("exe_file_id"),
            args: range("mm_arg_start", "mm_arg_end"),
            env: range("mm_env_start", "mm_env_end"),
            auxv: auxv_pairs(&mm.numbers("mm_saved_auxv")),
            areas: Vec::new(),
        };
        // The image of its own has other fields in the place of these.
        columns = None;
        if areas.is_empty() {
            let name = format!("vmas-{pid}.img");
            checkpoint.each_entry(&name, &FIELDS, &mut |record| {
                let columns = columns.get_or_insert_with(|| Columns::of(record));
                areas.push(columns.area(record)?);
                Ok(())
            })?;
        }
        space.areas = areas;
        Ok(Some(space))
    }
}
