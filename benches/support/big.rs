//! Large images, made up: the same at every call. What each has many of is counted in the arguments.
//!
//! Addresses, flags and names are like those of a real dump of a large process.

#![allow(dead_code)] // each user makes other images

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

#[path = "../../tests/it/support/wire.rs"]
mod wire;

use wire::Message;

/// A generator of numbers that repeats itself: xorshift.
struct Numbers(u64);

impl Numbers {
    fn new() -> Self {
        Numbers(0x9e37_79b9_7f4a_7c15)
    }

    /// A number below a limit.
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

const FIRST_ADDRESS: u64 = 0x7f00_0000_0000;
const PAGE: u64 = 4096;

fn entry(out: &mut impl Write, message: &Message) -> io::Result<()> {
    out.write_all(&u32::try_from(message.0.len()).unwrap_or(0).to_le_bytes())?;
    out.write_all(&message.0)
}

/// A pagemap with so many entries; 545,000 are 10 MB.
pub fn pagemap(entries: u64, out: &mut impl Write) -> io::Result<()> {
    let mut numbers = Numbers::new();
    out.write_all(&wire::image(0x5608_4025))?;
    entry(out, &Message::new().varint(1, 1))?;
    let mut address = FIRST_ADDRESS;
    for _ in 0..entries {
        let pages = 1 + numbers.below(8);
        let flags = if numbers.below(4) == 0 { 6 } else { 4 };
        let run = Message::new().varint(1, address).varint(2, 0);
        entry(out, &run.varint(4, flags).varint(5, pages))?;
        address += (pages + 1 + numbers.below(16)) * PAGE;
    }
    Ok(())
}

/// The areas of an address space, one entry; 160,000 of them are 5 MB.
pub fn mm(areas: u64, out: &mut impl Write) -> io::Result<()> {
    let mut numbers = Numbers::new();
    let mut message = Message::new();
    for field in 1..=11 {
        message = message.varint(field, FIRST_ADDRESS + field * PAGE);
    }
    message = message.varint(12, 1);
    let mut address = FIRST_ADDRESS;
    for _ in 0..areas {
        let end = address + (1 + numbers.below(64)) * PAGE;
        let is_file = numbers.below(3) == 0;
        let area = Message::new()
            .varint(1, address)
            .varint(2, end)
            .varint(3, 0);
        let area = match is_file {
            true => area
                .varint(4, 1 + numbers.below(100))
                .varint(5, 5)
                .varint(6, 2)
                .varint(7, 65),
            false => area
                .varint(4, 0)
                .varint(5, 3)
                .varint(6, 0x22)
                .varint(7, 513),
        };
        // -1, with its sign in the lowest bit.
        message = message.message(14, &area.varint(8, 1));
        address = end + numbers.below(4) * PAGE;
    }
    out.write_all(&wire::image(0x5749_2820))?;
    entry(out, &message)
}

/// The open files of a checkpoint; 64,000 are 5 MB.
pub fn files(entries: u64, out: &mut impl Write) -> io::Result<()> {
    let mut numbers = Numbers::new();
    let fown = (1..=5).fold(Message::new(), |fown, field| fown.varint(field, 0));
    out.write_all(&wire::image(0x5630_3138))?;
    for id in 1..=entries {
        let name = format!("/srv/data/{:03}/record-{id:06}.dat", numbers.below(1000));
        let file = Message::new()
            .varint(1, id)
            .varint(2, 0o100_002)
            .varint(3, numbers.below(1 << 20))
            .message(5, &fown)
            .bytes(6, name.as_bytes())
            .varint(7, 120)
            .varint(8, numbers.below(1 << 30))
            .varint(10, 0o100_644);
        entry(
            out,
            &Message::new().varint(1, 1).varint(2, id).message(3, &file),
        )?;
    }
    Ok(())
}

/// A ghost file with so many bytes of content.
pub fn ghost_file(bytes: u64, out: &mut impl Write) -> io::Result<()> {
    let mut numbers = Numbers::new();
    out.write_all(&wire::image(0x5258_3605))?;
    let ghost = Message::new()
        .varint(1, 0)
        .varint(2, 0)
        .varint(3, 0o100_600);
    entry(out, &ghost)?;
    let mut block = vec![0u8; 1 << 16];
    let mut left = bytes;
    while left > 0 {
        for place in block.chunks_exact_mut(8) {
            place.copy_from_slice(&numbers.below(u64::MAX).to_le_bytes());
        }
        let step = left.min(block.len() as u64);
        let part = block.get(..usize::try_from(step).unwrap_or(0));
        out.write_all(part.unwrap_or_default())?;
        left -= step;
    }
    Ok(())
}

/// The memory of a task 1: one private area of so many bytes, a needle behind its middle.
pub fn memory(bytes: u64, folder: &Path) -> io::Result<()> {
    let pages = bytes / PAGE;
    let area = Message::new()
        .varint(1, FIRST_ADDRESS)
        .varint(2, FIRST_ADDRESS + pages * PAGE)
        .varint(3, 0)
        .varint(4, 0)
        .varint(5, 3)
        .varint(6, 0x22)
        .varint(7, 513)
        .varint(8, 1);
    let mut mm = Message::new();
    for field in 1..=11 {
        mm = mm.varint(field, FIRST_ADDRESS);
    }
    let mut out = File::create(folder.join("mm-1.img"))?;
    out.write_all(&wire::image(0x5749_2820))?;
    entry(&mut out, &mm.varint(12, 1).message(14, &area))?;

    let mut out = File::create(folder.join("pagemap-1.img"))?;
    out.write_all(&wire::image(0x5608_4025))?;
    entry(&mut out, &Message::new().varint(1, 1))?;
    let run = Message::new().varint(1, FIRST_ADDRESS).varint(2, 0);
    entry(&mut out, &run.varint(4, 4).varint(5, pages))?;

    // Numbers as text: bytes that a search can't pass over as it can over zeros.
    let mut numbers = Numbers::new();
    let mut out = BufWriter::new(File::create(folder.join("pages-1.img"))?);
    for page in 0..pages {
        let mut text = match page == pages / 2 + 1 {
            true => "needle 42 ".to_owned(),
            false => String::new(),
        };
        while (text.len() as u64) < PAGE {
            text.push_str(&numbers.below(u64::MAX).to_string());
        }
        out.write_all(text.get(..4096).unwrap_or_default().as_bytes())?;
    }
    out.flush()
}
