//! Entries of some megabytes of which every byte is a value, a name or a message: what streaming holds of
//! them is four times their bytes, whatever they are.

use criu_images::{DecodeOptions, EncodeOptions, ImageReader, Schema};

use super::wire::{self, Message};
use super::{ALONE, BESIDES, SMALL, compiled, held};

/// The size of an entry, about.
const ENTRY: usize = 4 << 20;

/// The same of JSON, which is ten times as long.
const IN_JSON: usize = 1 << 20;

const MM: u32 = 0x5749_2820;
const UNIXSK: u32 = 0x5437_3943;
const REG_FILES: u32 = 0x5036_3636;
const IPCNS_MSG: u32 = 0x5545_3737;
const APPARMOR: u32 = 0x5942_3047;

/// Images by what they are full of.
const THREAD_INFO: u64 = 2;
const FPREGS: u64 = 3;
const XSAVE: u64 = 13;

fn images(size: usize) -> Vec<(&'static str, Vec<u8>)> {
    let many = |piece: &[u8]| piece.repeat(size / piece.len());
    let run = |byte: u8| vec![byte; size];
    let pstree = || wire::pstree_entry();
    let packed = Message::new().bytes(5, &run(0)).0;
    let areas = Message::new().bytes(14, &[]).0;
    let group = Message::new().key(100, 3).key(101, 0).raw(&[0]).key(100, 4);
    let deep = (0..60).fold(Message::new().varint(100, 1), |inner, _| {
        Message::new().key(100, 3).raw(&inner.0).key(100, 4)
    });
    let tc = |inside: &Message| Message::new().message(3, inside).0;
    // The state of the floating point unit: xsave of fpregs of thread_info, each in two pieces.
    let pieces = |inside: &[u8]| {
        let numbers = [XSAVE, FPREGS, THREAD_INFO].into_iter();
        numbers.fold(Message(inside.to_vec()), |inner, number| {
            Message::new().bytes(number, &[]).message(number, &inner)
        })
    };
    // Policies in namespaces in namespaces: each is the only one in its list.
    let nested = (0..90).fold(many(&[0x78, 0]), |inner, _| {
        Message::new().bytes(3, &inner).0
    });
    let mut queue = wire::image(IPCNS_MSG);
    let count = size as u64 / 8;
    let head = Message::new().bytes(1, &[]).varint(2, 0).varint(3, count);
    let queued = Message::new().varint(1, 0).varint(2, 0);
    let mut messages = Vec::new();
    wire::entry(&mut messages, &queued, &[]);
    wire::entry(&mut queue, &head, &messages.repeat(size / 8));
    let mut numbers = wire::image(wire::IPCNS_SEM);
    let head = Message::new().bytes(1, &[]).varint(2, size as u64 / 2);
    wire::entry(&mut numbers, &head, &run(0xff));
    vec![
        (
            "a list of numbers",
            wire::single(wire::PSTREE, &pstree().raw(&many(&[0x28, 0]))),
        ),
        (
            "a packed list of numbers",
            wire::single(wire::PSTREE, &pstree().raw(&packed)),
        ),
        (
            "one number over and over",
            wire::single(wire::PSTREE, &pstree().raw(&many(&[0x08, 0]))),
        ),
        (
            "empty areas",
            wire::single(MM, &Message::new().raw(&many(&areas))),
        ),
        (
            "fields that nobody knows",
            wire::single(wire::PSTREE, &pstree().raw(&many(&[0x78, 0]))),
        ),
        (
            "fields of another wire type",
            wire::single(wire::PSTREE, &pstree().raw(&many(&[0x0a, 0]))),
        ),
        (
            "unknown groups",
            wire::single(wire::PSTREE, &pstree().raw(&many(&group.0))),
        ),
        (
            "groups in groups",
            wire::single(wire::PSTREE, &pstree().raw(&many(&deep.0))),
        ),
        (
            "a name of control characters",
            wire::single(REG_FILES, &Message::new().bytes(6, &run(1))),
        ),
        (
            "a name that is no text",
            wire::single(REG_FILES, &Message::new().bytes(6, &run(0xff))),
        ),
        (
            "a socket's name",
            wire::single(UNIXSK, &Message::new().bytes(11, &run(0xff))),
        ),
        (
            "a socket's name of newlines",
            wire::single(UNIXSK, &Message::new().bytes(11, &many(b"\r\n"))),
        ),
        (
            "an unknown string",
            wire::single(wire::PSTREE, &pstree().bytes(99, &run(0xff))),
        ),
        (
            "a message in pieces",
            wire::single(wire::CORE, &Message::new().raw(&many(&tc(&Message::new())))),
        ),
        (
            "a message in pieces of one number",
            wire::single(
                wire::CORE,
                &Message::new().raw(&many(&tc(&Message::new().varint(1, 0)))),
            ),
        ),
        (
            "a message in pieces of an unknown field",
            wire::single(
                wire::CORE,
                &Message::new().raw(&many(&tc(&Message::new().varint(15, 0)))),
            ),
        ),
        (
            "a message in pieces in pieces",
            wire::single(
                wire::CORE,
                &Message::new().raw(&many(&tc(&Message::new().raw(&tc(&Message::new()))))),
            ),
        ),
        (
            "pieces in pieces in pieces",
            wire::single(wire::CORE, &pieces(&many(&[0x18, 1]))),
        ),
        (
            "unknown fields in pieces in pieces in pieces",
            wire::single(wire::CORE, &pieces(&many(&[0x78, 1]))),
        ),
        (
            "namespaces in namespaces",
            wire::single(APPARMOR, &Message(Message::new().bytes(1, &nested).0)),
        ),
        ("queued messages", queue),
        ("semaphores", numbers),
    ]
}

#[test]
fn decoding_holds_four_times_the_largest_entry_whatever_is_in_it() {
    let _alone = ALONE.lock();
    let schema = compiled();
    let options = [
        DecodeOptions::default(),
        DecodeOptions::default().pretty(true),
        DecodeOptions::default().exact(true),
    ];
    for (what, image) in images(ENTRY) {
        for options in &options {
            let mut printed = Counted(0);
            let held = held(|| decode(&schema, &image, options, &mut printed, what));
            assert!(printed.0 > 30, "{what}: {} bytes", printed.0);
            let limit = 4 * image.len() + BESIDES + SMALL;
            assert!(held < limit, "{what}: {held} bytes for {}", image.len());
        }
    }
}

fn decode(schema: &Schema, image: &[u8], options: &DecodeOptions, to: &mut Counted, what: &str) {
    let mut reader = ImageReader::new(schema, image).unwrap();
    if let Err(error) = criu_images::decode(&mut reader, to, options) {
        panic!("{what}: {error}");
    }
}

/// Counts what is written.
struct Counted(usize);

impl std::io::Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn encoding_holds_seven_times_the_text_of_the_largest_entry_whatever_is_in_it() {
    let _alone = ALONE.lock();
    let schema = compiled();
    for (what, image) in images(IN_JSON) {
        let mut text = Vec::new();
        let mut reader = ImageReader::new(&schema, &*image).unwrap();
        let options = DecodeOptions::default();
        criu_images::decode(&mut reader, &mut text, &options).unwrap();
        let lenient = EncodeOptions::default().lenient(true);
        let mut written = Counted(0);
        let held = held(|| {
            criu_images::encode(&schema, &*text, &mut written, &lenient).unwrap();
        });
        assert!(written.0 > 10, "{what}");
        // Of the messages of a queue dynamic messages are made.
        let times = if what == "queued messages" { 30 } else { 7 };
        let limit = times * text.len() + BESIDES + SMALL;
        assert!(held < limit, "{what}: {held} bytes for {}", text.len());
    }
}
