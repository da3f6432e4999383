//! How much memory images take that lie about their sizes and counts. A program of its own: the
//! allocator counts what all threads take, so nothing else may run beside it.

// What a test does not expect is a panic; numbers are made up to be cut.
#![allow(
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

#[path = "../it/support/damage.rs"]
#[allow(dead_code)] // shared with the other tests
mod damage;
mod large;
#[path = "../it/support/properties.rs"]
mod properties;
#[path = "../it/support/wire.rs"]
#[allow(dead_code)] // shared with the other tests
mod wire;

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use criu_images::{
    Checkpoint, DecodeOptions, EncodeOptions, Image, ImageReader, Schema, summarize,
};
use peak_alloc::PeakAlloc;
use rand::rngs::StdRng;
use rand::{RngCore as _, SeedableRng as _};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// One measurement at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// What reading may hold besides what it reads: a claimed length is believed a MiB at a time, and there
/// are buffers of input and output.
const BESIDES: usize = 3 << 19;

/// What a small message takes that is decoded as a whole, in an entry of any size.
const SMALL: usize = 1 << 20;

/// The bytes held at most during a call, besides those held before it.
fn held(call: impl FnOnce()) -> usize {
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    call();
    MEMORY.peak_usage() - before
}

fn images() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/images")
}

/// The fixtures that have messages, of up to 8 KiB.
fn fixtures() -> Vec<Vec<u8>> {
    let mut found = damage::fixtures(&images());
    found.retain(|image| image.len() <= 8192);
    assert!(found.len() > 200, "{} images", found.len());
    found
}

/// The schema with every kind compiled: what it holds is not an image's fault.
fn compiled() -> Schema {
    let schema = Schema::bundled().unwrap();
    for kind in schema.kinds().iter() {
        let _ = schema.message_of(kind);
    }
    schema
}

fn decode(schema: &Schema, image: &[u8], exact: bool) {
    let options = DecodeOptions::default().exact(exact);
    let _ = ImageReader::new(schema, image)
        .and_then(|mut reader| criu_images::decode(&mut reader, std::io::sink(), &options));
}

/// Holds what reading an image takes against its limits: streaming four times its largest entry, what
/// keeps messages a larger multiple (names of fields, places for values).
fn check(schema: &Schema, image: &[u8], at: usize) {
    let streaming: [&dyn Fn(); 2] = [&|| decode(schema, image, false), &|| {
        decode(schema, image, true);
    }];
    let keeping: [&dyn Fn(); 2] = [&|| drop(summarize(schema, image, None)), &|| {
        drop(Image::read(schema, image));
    }];
    for (ways, limit) in [
        (streaming, BESIDES + SMALL + 4 * image.len()),
        (keeping, BESIDES + 110 * image.len()),
    ] {
        let held = ways.into_iter().map(held).max().unwrap_or(0);
        assert!(held < limit, "{held} bytes for {} (at {at})", image.len());
    }
}

#[test]
fn an_image_that_lies_about_sizes_and_counts_takes_no_more_memory_than_an_honest_one() {
    let _alone = ALONE.lock();
    let schema = compiled();
    let mut tried = 0;
    for image in fixtures() {
        decode(&schema, &image, true);
        for at in 0..image.len().min(1024) {
            let mut changed = image.clone();
            let end = (at + 4).min(changed.len());
            changed[at..end].fill(0xff);
            check(&schema, &changed, at);
            // The largest number there is in the place of a byte; sizes around it are right.
            let mut changed = image.clone();
            let [low, middle, high, _] = (at as u32).to_le_bytes();
            damage::change_image(&mut changed, &[6, at as u8, 0, 0, low, middle, high]);
            check(&schema, &changed, at);
            tried += 2;
        }
    }
    assert!(tried > 100_000, "{tried}");
}

#[test]
fn json_that_goes_on_and_on_takes_no_more_memory_than_its_text() {
    let _alone = ALONE.lock();
    let schema = compiled();
    let deep = |open: &str| {
        let head = r#"{"magic": "PSTREE", "entries": ["#.to_owned();
        head + &open.repeat(10_000)
    };
    let texts = [
        deep("["),
        deep(r#"{"pid": "#),
        r#"{"magic": "PSTREE", "entries": [{"pid": "#.to_owned() + &"9".repeat(1 << 20),
        r#"{"magic": ""#.to_owned() + &"x".repeat(1 << 20),
        r#"{"magic": "PSTREE", "entries": [{""#.to_owned() + &"\\u0000".repeat(1 << 18),
    ];
    for text in texts {
        let held = held(|| {
            let options = EncodeOptions::default();
            let result = criu_images::encode(&schema, text.as_bytes(), std::io::sink(), &options);
            assert!(result.is_err());
        });
        assert!(held < BESIDES + 4 * text.len(), "{held} of {}", text.len());
    }
}

#[test]
fn a_damaged_checkpoint_takes_no_more_than_some_megabytes_for_any_question() {
    const LIMIT: usize = 16 << 20;
    let _alone = ALONE.lock();
    for (seed, name) in (1000..).zip(damage::DUMPS) {
        let mut dump = damage::Damaged::copy_of(&images().join(name));
        let mut random = StdRng::seed_from_u64(seed);
        for _ in 0..40 {
            let mut recipe = [0; 24];
            random.fill_bytes(&mut recipe);
            dump.damage(&recipe);
            let held = held(|| {
                if let Ok(checkpoint) = Checkpoint::open(dump.path()) {
                    properties::questions(&checkpoint);
                }
            });
            assert!(held < LIMIT, "{name}: {held} bytes for {recipe:?}");
        }
    }
}

/// A ghost file's image whose content is a GiB, made as it is read.
struct Gib {
    head: Vec<u8>,
    at: u64,
}

const GIB: u64 = 1 << 30;

impl Gib {
    fn new() -> Self {
        // ghost_file_entry of images/ghost-file.proto: uid, gid, mode; nothing else is required.
        let message = [0x08, 0, 0x10, 0, 0x18, 0xa4, 0x03];
        let mut head = [0x5456_4319u32.to_le_bytes(), 0x5258_3605u32.to_le_bytes()].concat();
        head.extend((message.len() as u32).to_le_bytes());
        head.extend(message);
        Gib { head, at: 0 }
    }

    fn len(&self) -> u64 {
        self.head.len() as u64 + GIB
    }

    /// Eight bytes are the same only in places 8 GiB apart.
    fn byte(&self, at: u64) -> u8 {
        match self.head.get(at as usize) {
            Some(byte) => *byte,
            None => (at / 8).to_le_bytes()[(at % 8) as usize],
        }
    }
}

impl std::io::Read for Gib {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = (self.len() - self.at).min(buffer.len() as u64);
        for (place, at) in buffer.iter_mut().zip(self.at..self.at + count) {
            *place = self.byte(at);
        }
        self.at += count;
        Ok(count as usize)
    }
}

/// Takes what a [`Gib`] gives, and nothing else.
impl std::io::Write for Gib {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        assert!(self.at + bytes.len() as u64 <= self.len(), "too long");
        for (byte, at) in bytes.iter().zip(self.at..) {
            assert_eq!(*byte, self.byte(at), "at {at}");
        }
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_payload_of_a_gib_goes_to_json_and_back_in_a_few_megabytes() {
    let _alone = ALONE.lock();
    let schema = compiled();
    let held = held(|| {
        let (json, to_json) = std::io::pipe().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut reader = ImageReader::new(&schema, Gib::new()).unwrap();
                criu_images::decode(&mut reader, to_json, &DecodeOptions::default()).unwrap();
            });
            let mut back = Gib::new();
            let options = EncodeOptions::default();
            criu_images::encode(&schema, json, &mut back, &options).unwrap();
            assert_eq!(back.at, back.len());
        });
    });
    assert!(held < 8 << 20, "{held}");
}

#[test]
fn a_name_of_a_gib_is_an_error_that_is_held_nowhere() {
    let _alone = ALONE.lock();
    let schema = compiled();
    let mut image = Gib::new();
    // A pstree entry of a GiB: the size is right, the message is too large for the limit.
    image.head = [0x5456_4319u32.to_le_bytes(), 0x5027_3030u32.to_le_bytes()].concat();
    image.head.extend((GIB as u32).to_le_bytes());
    let held = held(|| {
        let mut reader = ImageReader::new(&schema, image).unwrap();
        let result = criu_images::decode(&mut reader, std::io::sink(), &DecodeOptions::default());
        let error = result.unwrap_err().to_string();
        assert!(error.contains("exceeds the 268435456 bytes"), "{error}");
    });
    assert!(held < BESIDES, "{held}");
}

#[test]
fn a_check_of_images_that_are_wrong_in_every_entry_keeps_few_findings() {
    let _alone = ALONE.lock();
    let dump = damage::Damaged::copy_of(&images().join("simple"));
    let mut wrong = [0x5456_4319u32.to_le_bytes(), 0x5141_2010u32.to_le_bytes()].concat();
    for name in ["fs-100.img", "fdinfo-2.img", "pstree.img"] {
        let path = dump.path().join(name);
        wrong[4..8].copy_from_slice(&std::fs::read(&path).unwrap()[4..8]);
        // A million entries without anything in them.
        wrong.resize(8 + (4 << 20), 0);
        std::fs::write(&path, &wrong).unwrap();
    }
    let checkpoint = Checkpoint::open(dump.path()).unwrap();
    let mut report = None;
    let held = held(|| report = Some(criu_images::check::check(&checkpoint).unwrap()));
    let report = report.unwrap();
    let kept = report.findings.len();
    // A hundred and a few of each rule, of millions; the others are counted.
    assert!(kept < 500, "{kept}");
    let errors = report.count(criu_images::check::Severity::Error);
    assert!(errors > 2_000_000, "{errors}");
    // The process tree holds its tasks.
    assert!(held < 600 << 20, "{held}");
}
