//! `crit coredump`: core files as a debugger reads them. Expected values are those that the dumped
//! program put into its registers (`tests/images/pattern/FACTS.md`); layouts are Linux's.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use criu_images::coredump::{CoreDump, Machine};
use criu_images::{Checkpoint, Explorer};
use serde_json::json;

use super::support::{copy_of, crit, crit_in, fresh_dir, images};

const NT_PRSTATUS: u32 = 1;
const NT_FPREGSET: u32 = 2;
const NT_PRPSINFO: u32 = 3;
const NT_AUXV: u32 = 6;
const NT_X86_XSTATE: u32 = 0x202;
const NT_ARM_VFP: u32 = 0x400;
const NT_ARM_TLS: u32 = 0x401;
const NT_SIGINFO: u32 = 0x5349_4749;
const NT_FILE: u32 = 0x4649_4c45;
const NT_PRXFPREG: u32 = 0x46e6_2b7f;

/// A core file, taken apart.
struct Core {
    bytes: Vec<u8>,
    is_64: bool,
    machine: u64,
    /// Owner, type, content, in order.
    notes: Vec<(String, u32, Vec<u8>)>,
    loads: Vec<Load>,
}

#[derive(Clone, Copy)]
struct Load {
    offset: usize,
    start: u64,
    in_file: u64,
    in_memory: u64,
    flags: u64,
}

fn number(bytes: &[u8], at: usize, size: usize) -> u64 {
    let mut word = [0; 8];
    word[..size].copy_from_slice(&bytes[at..at + size]);
    u64::from_le_bytes(word)
}

impl Core {
    fn parse(bytes: Vec<u8>) -> Self {
        assert_eq!(&bytes[..4], b"\x7fELF");
        assert_eq!(number(&bytes, 16, 2), 4, "not ET_CORE");
        let is_64 = bytes[4] == 2;
        let (table, size, count_at) = if is_64 { (32, 56, 56) } else { (28, 32, 44) };
        let word = if is_64 { 8 } else { 4 };
        let table = number(&bytes, table, word) as usize;
        let mut count = number(&bytes, count_at, 2);
        if count == 0xffff {
            let sections = number(&bytes, 40, 8) as usize;
            count = number(&bytes, sections + 44, 4);
        }
        let mut core = Core {
            machine: number(&bytes, 18, 2),
            is_64,
            notes: Vec::new(),
            loads: Vec::new(),
            bytes,
        };
        for header in 0..count as usize {
            let at = table + header * size;
            let field = |wide: usize, narrow: usize| match is_64 {
                true => number(&core.bytes, at + wide, 8),
                false => number(&core.bytes, at + narrow, 4),
            };
            let flags = number(&core.bytes, at + if is_64 { 4 } else { 24 }, 4);
            let load = Load {
                offset: field(8, 4) as usize,
                start: field(16, 8),
                in_file: field(32, 16),
                in_memory: field(40, 20),
                flags,
            };
            match number(&core.bytes, at, 4) {
                1 => core.loads.push(load),
                4 => core.notes = notes(&core.bytes[load.offset..][..load.in_file as usize]),
                other => panic!("a program header of type {other}"),
            }
        }
        core
    }

    fn all(&self, kind: u32) -> Vec<&[u8]> {
        let notes = self.notes.iter().filter(|(_, of, _)| *of == kind);
        notes.map(|(_, _, content)| &content[..]).collect()
    }

    fn note(&self, kind: u32) -> &[u8] {
        self.all(kind)[0]
    }

    /// The bytes at an address, as far as the file has them.
    fn memory(&self, address: u64, length: usize) -> Option<&[u8]> {
        let load = self.loads.iter().find(|load| {
            load.start <= address && address + length as u64 <= load.start + load.in_file
        })?;
        let at = load.offset + (address - load.start) as usize;
        Some(&self.bytes[at..at + length])
    }

    /// General register `index` of thread `thread`.
    fn register(&self, thread: usize, index: usize) -> u64 {
        let status = self.all(NT_PRSTATUS)[thread];
        match self.is_64 {
            true => number(status, 112 + 8 * index, 8),
            false => number(status, 72 + 4 * index, 4),
        }
    }
}

fn notes(mut bytes: &[u8]) -> Vec<(String, u32, Vec<u8>)> {
    let mut notes = Vec::new();
    while !bytes.is_empty() {
        let (name, size) = (number(bytes, 0, 4) as usize, number(bytes, 4, 4) as usize);
        let kind = number(bytes, 8, 4) as u32;
        let content = 12 + name.next_multiple_of(4);
        let owner = String::from_utf8(bytes[12..12 + name - 1].to_vec()).unwrap();
        notes.push((owner, kind, bytes[content..content + size].to_vec()));
        bytes = &bytes[content + size.next_multiple_of(4)..];
    }
    notes
}

/// The core file of the only task of a dump.
fn core_of(dump: &str, options: &[&str]) -> Core {
    let dir = fresh_dir();
    let out = dir.path().to_str().unwrap();
    let run = crit(&[&["coredump", dump, "-o", out], options].concat(), b"");
    assert_eq!(run.code, 0, "{}", run.stderr);
    Core::parse(fs::read(run.text().trim_end()).unwrap())
}

#[test]
fn a_core_of_x86_64_has_every_thread_with_its_registers() {
    for dump in ["pattern", "pattern-chain/3"] {
        let core = core_of(dump, &[]);
        assert!(core.is_64 && core.machine == 62);
        let kinds: Vec<u32> = core.notes.iter().map(|(_, kind, _)| *kind).collect();
        let thread = [NT_PRSTATUS, NT_SIGINFO, NT_FPREGSET, NT_X86_XSTATE];
        let main = [NT_PRSTATUS, NT_PRPSINFO, NT_SIGINFO, NT_AUXV, NT_FILE];
        let expected = [&main[..], &thread[2..], &thread, &thread].concat();
        assert_eq!(kinds, expected);
        let statuses = core.all(NT_PRSTATUS);
        let tids: Vec<u64> = statuses
            .iter()
            .map(|status| number(status, 32, 4))
            .collect();
        assert_eq!(tids, [9230, 9234, 9235]);
        assert!(statuses.iter().all(|status| status.len() == 336));
        // user_regs_struct: r15 .. r12, bp, bx, r11 .. r8, ax, cx, dx, si, di.
        let numbers = [15, 14, 13, 12, 5, 3, 11, 10, 9, 8, 0, 1, 2, 6, 7];
        for (thread, base) in [(1, 0x1111_2222_3333_4400u64), (2, 0xa222_3333_4444_5500)] {
            for (index, n) in numbers.iter().enumerate() {
                assert_eq!(
                    core.register(thread, index),
                    base + n,
                    "{dump} {thread} {index}"
                );
            }
        }
        let [orig_ax, ip, flags, sp, fs_base] = [15, 16, 18, 19, 21];
        assert_eq!(core.register(1, orig_ax), u64::MAX);
        assert_eq!(core.register(1, ip), 0x40_128e);
        assert_eq!(core.register(1, flags), 0x203);
        assert_eq!(core.register(1, sp), 0x9_0000_1fe8);
        assert_eq!(core.register(2, fs_base), 0xa_0000_1000);
        assert_eq!(core.register(0, ip), 0x40_1456);
    }
}

#[test]
fn a_core_of_x86_64_has_the_floating_point_and_extended_state() {
    let core = core_of("pattern", &[]);
    let legacy = core.all(NT_FPREGSET)[1];
    assert_eq!(legacy.len(), 512);
    assert_eq!((number(legacy, 0, 2), number(legacy, 2, 2)), (895, 14336));
    assert_eq!(number(legacy, 24, 4), 8064);
    let pi = [0x35, 0xc2, 0x68, 0x21, 0xa2, 0xda, 0x0f, 0xc9, 0x00, 0x40];
    assert_eq!(legacy[32..42], pi);
    assert_eq!(number(legacy, 160, 8), 0x0123_4567_89ab_cdef);
    assert_eq!(number(legacy, 168, 8), 0xfedc_ba98_7654_3210);
    let state = core.all(NT_X86_XSTATE)[1];
    assert_eq!(state[..464], legacy[..464]);
    let present = number(state, 464, 8);
    assert_eq!(present & 7, 7, "XCR0 has not x87, SSE and AVX");
    assert_eq!(number(state, 512, 8) & !present, 0);
    // The lower half of ymm2 is xmm2, the upper half stands with the others from byte 576 on.
    assert_eq!(number(state, 160 + 32, 8), 0xc0c1_c2c3_c4c5_c6c7);
    assert_eq!(number(state, 576 + 32, 8), 0xe0e1_e2e3_e4e5_e6e7);
    assert_eq!(number(state, 576 + 40, 8), 0xf0f1_f2f3_f4f5_f6f7);
    let size = if present >> 9 & 1 == 1 { 2696 } else { 832 };
    assert!(
        state.len() >= size,
        "{} bytes for {present:#x}",
        state.len()
    );
}

#[test]
fn a_core_says_what_ran_with_what_arguments_and_which_files() {
    let core = core_of("pattern", &[]);
    let process = core.note(NT_PRPSINFO);
    assert_eq!(process.len(), 136);
    assert_eq!((process[0], process[1]), (0, b'R'));
    assert_eq!(number(process, 24, 4), 9230);
    assert_eq!(&process[40..48], b"pattern\0");
    assert_eq!(&process[56..78], b"pattern one two words\0");
    let auxv = core.note(NT_AUXV);
    assert_eq!(
        (number(auxv, 0, 8), number(auxv, 8, 8)),
        (33, 0x7f1b_32d6_e000)
    );
    assert_eq!(auxv[auxv.len() - 16..], [0; 16]);
    let files = core.note(NT_FILE);
    let count = number(files, 0, 8) as usize;
    assert_eq!(number(files, 8, 8), 4096);
    let names = String::from_utf8(files[16 + 24 * count..].to_vec()).unwrap();
    let names: Vec<&str> = names.trim_end_matches('\0').split('\0').collect();
    assert_eq!(names.len(), count);
    let mapped = |i: usize| {
        let word = |k: usize| number(files, 16 + 24 * i + 8 * k, 8);
        (word(0), word(1), word(2), names[i])
    };
    let program = "/srv/demo/data/pattern";
    assert_eq!(mapped(1), (0x40_1000, 0x40_2000, 1, program));
    let all: Vec<_> = (0..count).map(mapped).collect();
    assert!(all.contains(&(
        0x7_0000_0000,
        0x7_0000_3000,
        0,
        "/srv/demo/data/pattern.dat"
    )));
    assert!(all.contains(&(0x5_0000_0000, 0x5_0000_2000, 0, "/memfd:pattern (deleted)")));
    assert!(all.contains(&(0x4_0000_0000, 0x4_0000_3000, 0, "/dev/zero (deleted)")));
}

#[test]
fn the_memory_of_a_core_is_that_of_the_task() {
    let checkpoint = Checkpoint::open(images().join("pattern")).unwrap();
    let memory = checkpoint.memory(9230).unwrap();
    for dump in ["pattern", "pattern-chain/3"] {
        let core = core_of(dump, &[]);
        // The areas that the program wrote to, with what was never touched in them.
        for (start, pages) in [
            (0x40_3000, 1),
            (0x1de7_1000, 3),
            (0x1_0000_0000, 7),
            (0x2_0000_0000, 2),
            (0x4_0000_0000, 3),
            (0x5_0000_0000, 2),
            (0x6_0000_0000, 2),
            (0x7_0000_1000, 1),
            (0x8_0000_0000, 2),
            (0x7f1b_32d6_e000, 2),
            (0x7ffc_9157_d000, 33),
        ] {
            let length = pages * 4096;
            let expected = memory.read(start..start + length as u64).unwrap();
            assert!(
                core.memory(start, length) == Some(&expected[..]),
                "{dump} {start:x}"
            );
        }
        // Clean pages of a file are left to the debugger, in a segment of their own.
        assert_eq!(core.memory(0x40_2000, 1), None);
        let clean = core
            .loads
            .iter()
            .find(|load| load.start == 0x7_0000_0000)
            .unwrap();
        assert_eq!((clean.in_file, clean.in_memory, clean.flags), (0, 4096, 6));
        // As are pages that the kernel makes.
        let vsyscall = core
            .loads
            .iter()
            .find(|load| load.start == 0xffff_ffff_ff60_0000);
        assert_eq!(vsyscall.unwrap().in_file, 0);
        let ends = core
            .loads
            .iter()
            .map(|load| load.offset + load.in_file as usize);
        assert_eq!(ends.max().unwrap(), core.bytes.len());
    }
}

#[test]
fn clean_pages_come_into_a_core_from_a_sysroot() {
    let root = fresh_dir();
    let folder = root.path().join("srv/demo/data");
    fs::create_dir_all(&folder).unwrap();
    fs::write(
        folder.join("pattern.dat"),
        [b"clean page".repeat(410), vec![0; 8192]].concat(),
    )
    .unwrap();
    let core = core_of("pattern", &["--sysroot", root.path().to_str().unwrap()]);
    assert_eq!(core.memory(0x7_0000_0000, 10), Some(&b"clean page"[..]));
    // The page that the task wrote to is its own.
    assert_ne!(core.memory(0x7_0000_1000, 10), Some(&[0; 10][..]));
}

#[test]
fn a_core_of_32_bit_x86_is_one_of_32_bits() {
    let core = core_of("i386", &[]);
    assert!(!core.is_64 && core.machine == 3);
    assert_eq!(core.note(NT_PRSTATUS).len(), 144);
    assert_eq!(core.note(NT_PRPSINFO).len(), 124);
    assert_eq!(core.note(NT_FPREGSET).len(), 108);
    assert_eq!(core.note(NT_PRXFPREG).len(), 512);
    let decoded = crit(&["decode", "-i", "i386/core-100.img"], b"")
        .quiet()
        .json();
    let registers = &decoded["entries"][0]["thread_info"]["gpregs"];
    for (index, name) in ["bx", "cx", "dx", "si", "di", "bp", "ax"]
        .iter()
        .enumerate()
    {
        let expected = registers[name].as_u64().unwrap() & 0xffff_ffff;
        assert_eq!(core.register(0, index), expected, "{name}");
    }
    assert_eq!(core.register(0, 12), registers["ip"].as_u64().unwrap());
    assert_eq!(core.register(0, 15), registers["sp"].as_u64().unwrap());
    // AT_SYSINFO and AT_SYSINFO_EHDR, by which a debugger finds the vDSO and its names.
    let auxv = core.note(NT_AUXV);
    assert_eq!((number(auxv, 0, 4), number(auxv, 4, 4)), (32, 0xf7fd_c5e0));
    assert_eq!((number(auxv, 8, 4), number(auxv, 12, 4)), (33, 0xf7fd_c000));
    assert_eq!(core.memory(0xf7fd_c000, 4), Some(&b"\x7fELF"[..]));
    assert_eq!(&core.note(NT_PRPSINFO)[28..33], b"i386\0");
}

#[test]
fn a_core_of_64_bit_arm_has_its_registers() {
    let core = core_of("made-aarch64", &[]);
    assert!(core.is_64 && core.machine == 183);
    for (thread, k) in [(0, 1u64), (1, 2)] {
        for n in 0..31 {
            let expected = 0x6400_0000_abcd_0000 | k << 48 | n;
            assert_eq!(core.register(thread, n as usize), expected, "x{n} of {k}");
        }
        let floating = core.all(NT_FPREGSET)[thread];
        assert_eq!(floating.len(), 528);
        for j in 0..64 {
            let expected = 0x7600_0000_beef_0000 | k << 48 | j;
            assert_eq!(number(floating, 8 * j as usize, 8), expected);
        }
    }
    assert_eq!(core.note(NT_PRSTATUS).len(), 392);
    let [sp, pc, pstate] = [31, 32, 33].map(|index| core.register(1, index));
    assert_eq!((sp, pc, pstate), (0x7f_b000_0f00, 0x40_1204, 0x8000_0000));
    let floating = core.all(NT_FPREGSET)[1];
    assert_eq!(
        (number(floating, 512, 4), number(floating, 516, 4)),
        (0x0800_0011, 0x00c0_0000)
    );
    assert_eq!(number(core.all(NT_ARM_TLS)[1], 0, 8), 0x7f_b000_2200);
    let process = core.note(NT_PRPSINFO);
    assert_eq!(
        (number(process, 16, 4), number(process, 20, 4)),
        (1000, 1000)
    );
    assert_eq!(&process[56..68], b"program one\0");
}

#[test]
fn a_core_of_32_bit_arm_has_its_registers() {
    let core = core_of("made-arm", &[]);
    assert!(!core.is_64 && core.machine == 40);
    for (thread, k) in [(0, 1u64), (1, 2)] {
        for n in (0..13).chain([14]) {
            let expected = 0xa000_ab00 | k << 24 | n;
            assert_eq!(core.register(thread, n as usize), expected, "r{n} of {k}");
        }
        let vfp = core.all(NT_ARM_VFP)[thread];
        assert_eq!(vfp.len(), 260);
        for j in 0..32 {
            let expected = 0xd000_0000_beef_0000 | k << 48 | j;
            assert_eq!(number(vfp, 8 * j as usize, 8), expected, "d{j} of {k}");
        }
    }
    let [sp, pc, cpsr, orig_r0] = [13, 15, 16, 17].map(|index| core.register(1, index));
    assert_eq!(
        (sp, pc, cpsr, orig_r0),
        (0xb6f0_0f00, 0x1_1204, 0x8000_0030, 0xa200_ab12)
    );
    assert_eq!(number(core.all(NT_ARM_VFP)[1], 256, 4), 0x0040_0011);
    assert_eq!(number(core.all(NT_ARM_TLS)[0], 0, 4), 0xb6f0_2100);
    let process = core.note(NT_PRPSINFO);
    assert_eq!(
        (number(process, 8, 2), number(process, 10, 2)),
        (1000, 1000)
    );
    assert_eq!(core.note(NT_PRSTATUS).len(), 148);
}

#[test]
fn more_areas_than_sixteen_bits_can_count_are_all_in_the_core() {
    let dir = copy_of("pattern");
    let mut mm = crit(&["decode", "-i", "pattern/mm-9230.img"], b"")
        .quiet()
        .json();
    let areas = mm["entries"][0]["vmas"].as_array_mut().unwrap();
    let mut many: Vec<_> = (0..70_000u64)
        .map(|i| {
            let start = 0x10_0000_0000 + i * 0x2000;
            json!({"start": start, "end": start + 4096, "pgoff": 0, "shmid": 0, "prot": 3,
                   "flags": 34, "status": 513, "fd": -1})
        })
        .collect();
    areas.truncate(5);
    areas.append(&mut many);
    let count = areas.len();
    let args = ["encode", "-o", "mm-9230.img"];
    crit_in(dir.path(), &args, mm.to_string().as_bytes()).quiet();
    let run = crit_in(dir.path(), &["coredump", "."], b"").quiet();
    let core = Core::parse(fs::read(dir.path().join(run.text().trim_end())).unwrap());
    assert_eq!(number(&core.bytes, 56, 2), 0xffff);
    assert!(core.loads.len() >= count);
    assert_eq!(core.register(1, 16), 0x40_128e);
}

#[test]
fn a_core_file_is_for_its_owner_alone_and_stands_where_it_is_wanted() {
    let dir = fresh_dir();
    let dump = images().join("pattern");
    let run = crit_in(dir.path(), &["coredump", "-i", dump.to_str().unwrap()], b"").quiet();
    assert_eq!(run.text(), "./core.9230\n");
    let mode = fs::metadata(dir.path().join("core.9230"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let args = [
        "coredump",
        dump.to_str().unwrap(),
        "-p",
        "9230",
        "-o",
        "nowhere",
    ];
    let run = crit_in(dir.path(), &args, b"");
    assert_eq!(run.code, 2);
    assert!(
        run.stderr.contains("nowhere/core.9230: no such directory"),
        "{}",
        run.stderr
    );
    let args = ["coredump", dump.to_str().unwrap(), "--json", "--force"];
    let run = crit_in(dir.path(), &args[..3], b"");
    assert_eq!(run.code, 2);
    assert!(
        run.stderr
            .contains("./core.9230: exists already\nhint: --force"),
        "{}",
        run.stderr
    );
    let written = crit_in(dir.path(), &args, b"").quiet().json();
    assert_eq!(written[0]["pid"], 9230);
    assert_eq!(written[0]["missing"], json!([]));
    assert_eq!(crit(&["coredump", "pattern", "-p", "7"], b"").code, 2);
}

#[test]
fn what_a_core_lacks_is_said_and_what_can_not_be_made_is_an_error() {
    let without = |name: &str| {
        let dir = copy_of("pattern");
        fs::remove_file(dir.path().join(name)).unwrap();
        let run = crit_in(dir.path(), &["coredump", "."], b"");
        let exists = dir.path().join("core.9230").exists();
        assert_eq!(exists, run.code == 0);
        (run.code, run.stderr)
    };
    let (code, said) = without("core-9234.img");
    assert_eq!(code, 2);
    assert!(
        said.contains("core-9234.img: missing: the registers of a thread"),
        "{said}"
    );
    let (code, said) = without("pagemap-shmem-302.img");
    assert_eq!(code, 0);
    assert!(
        said.contains("core.9230: a shared memory segment is missing"),
        "{said}"
    );
    let (code, said) = without("pages-3.img");
    assert_eq!(code, 2);
    assert!(
        said.contains("pagemap-9230.img: entry 1: ./pages-3.img is missing"),
        "{said}"
    );
    // A machine whose core files are not known.
    let dir = copy_of("pattern");
    let mut core = crit(&["decode", "-i", "pattern/core-9230.img"], b"")
        .quiet()
        .json();
    core["entries"][0]["mtype"] = json!("PPC64");
    let args = ["encode", "-o", "core-9230.img"];
    crit_in(dir.path(), &args, core.to_string().as_bytes()).quiet();
    let run = crit_in(dir.path(), &["coredump", "."], b"");
    assert_eq!(run.code, 2);
    assert!(
        run.stderr
            .contains("core files of the machine PPC64 can't be written"),
        "{}",
        run.stderr
    );
}

#[test]
fn pages_that_are_known_to_be_missing_have_no_segment() {
    let dir = copy_of("pattern");
    let mut pagemap = crit(&["decode", "-i", "pattern/pagemap-9230.img"], b"")
        .quiet()
        .json();
    let entries = pagemap["entries"].as_array_mut().unwrap();
    entries.last_mut().unwrap()["flags"] = json!("PE_LAZY");
    let args = ["encode", "-o", "pagemap-9230.img"];
    crit_in(dir.path(), &args, pagemap.to_string().as_bytes()).quiet();
    let run = crit_in(dir.path(), &["coredump", ".", "--json"], b"");
    assert_eq!(run.code, 0);
    let missing = "pages that were left to a lazy server are missing";
    assert_eq!(run.json()[0]["missing"], json!([missing]));
    let core = Core::parse(fs::read(dir.path().join("core.9230")).unwrap());
    let covers = |address: u64| {
        let mut loads = core.loads.iter();
        loads.any(|load| (load.start..load.start + load.in_memory).contains(&address))
    };
    // A debugger would take a segment without content for zeros.
    assert!(!covers(0x7ffc_9159_c000));
    assert!(covers(0x7ffc_9159_b000) && covers(0x1de7_1000));
}

#[test]
fn the_library_writes_a_core_wherever_it_can_seek() {
    let checkpoint = Checkpoint::open(images().join("pattern")).unwrap();
    let task = Explorer::new(&checkpoint).tasks().unwrap()[0].clone();
    let memory = checkpoint.memory(task.pid).unwrap();
    let core = CoreDump::new(&checkpoint, &task, &memory).unwrap();
    assert_eq!(core.machine(), Machine::X86_64);
    let mut file = std::io::Cursor::new(Vec::new());
    let mut done = 0;
    core.write(&mut file, &mut |count| done += count).unwrap();
    assert_eq!(done, core.memory_bytes());
    assert!(Path::new(checkpoint.name()).is_dir());
    assert_eq!(Core::parse(file.into_inner()).all(NT_PRSTATUS).len(), 3);
}

#[test]
fn a_core_is_written_through_no_link_and_into_no_device_or_fifo() {
    let dump = copy_of("i386");
    let victim = fresh_dir();
    let file = victim.path().join("victim");
    fs::write(&file, "as it was").unwrap();
    let core = dump.path().join("core.100");
    for target in [
        file.as_path(),
        Path::new("/dev/null"),
        Path::new("nowhere"),
        Path::new("pages-1.img"),
    ] {
        std::os::unix::fs::symlink(target, &core).unwrap();
        let run = crit_in(dump.path(), &["coredump"], b"");
        assert_eq!(run.code, 2, "{target:?}");
        assert!(run.stderr.contains("a link: nothing is written through it"));
        assert!(fs::symlink_metadata(&core).unwrap().is_symlink());
        fs::remove_file(&core).unwrap();
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "as it was");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &core, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let run = crit_in(dump.path(), &["coredump"], b"");
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("no regular file"), "{}", run.stderr);
}
