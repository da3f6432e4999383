//! Images and checkpoints that are damaged, or made to do damage: answers or errors, never a panic,
//! and what is read once comes back as it was. The same properties are fuzzed (fuzz/).

use std::io::Write as _;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};

use criu_images::{Checkpoint, DecodeOptions, ImageReader, Schema};
use rand::rngs::StdRng;
use rand::{Rng as _, RngCore as _, SeedableRng as _};

use super::support::damage::{self, DUMPS, Damaged, change_image};
use super::support::wire::{self, Message};
use super::support::{crit_in, fresh_dir, images, limited, properties};

/// The fixtures that have messages.
fn fixtures() -> Vec<Vec<u8>> {
    damage::fixtures(&images())
}

/// Calls `test` with each of these, on as many threads as there are processors.
fn on_all_processors<T: Sync>(items: &[T], test: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..processors {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    test(item);
                }
            });
        }
    });
}

/// The same with the fixtures that have messages, each with random numbers that are the same at every run.
fn on_fixtures_at_random(test: impl Fn(&[u8], &mut StdRng) + Sync) {
    let fixtures: Vec<_> = fixtures().into_iter().zip(0u64..).collect();
    on_all_processors(&fixtures, |(image, seed)| {
        test(image, &mut StdRng::seed_from_u64(*seed));
    });
}

/// Decodes, and forgets what comes of it: a result or an error, but no panic.
fn decode(schema: &Schema, bytes: &[u8]) -> criu_images::Result<()> {
    let mut reader = ImageReader::new(schema, bytes)?;
    criu_images::decode(&mut reader, std::io::sink(), &DecodeOptions::default()).map(drop)
}

#[test]
fn an_image_cut_at_any_byte_is_an_error_or_an_image() {
    let schema = Schema::bundled().unwrap();
    on_all_processors(&fixtures(), |image| {
        for end in 0..image.len() {
            let cut = &image[..end];
            if decode(&schema, cut).is_ok() {
                properties::image(&schema, cut);
            }
        }
    });
}

#[test]
fn an_image_with_any_bit_of_its_first_4_kib_flipped_is_an_error_or_an_image() {
    let schema = Schema::bundled().unwrap();
    on_all_processors(&fixtures(), |image| {
        let mut image = image.clone();
        for at in 0..image.len().min(4096) {
            for bit in 0..8 {
                image[at] ^= 1 << bit;
                let is_image = decode(&schema, &image).is_ok();
                // All that holds of an image, of a part of those that still are one.
                if is_image && (at * 8 + bit) % 131 == 0 {
                    properties::image(&schema, &image);
                }
                image[at] ^= 1 << bit;
            }
        }
    });
}

/// A message in a queue that lacks its size was read, but not written again.
#[test]
fn a_message_queue_with_any_bit_flipped_is_an_error_or_comes_back_as_it_is() {
    let schema = Schema::bundled().unwrap();
    let queue = images().join("ipc-ns/ipcns-msg-9.img");
    let mut image = std::fs::read(queue).unwrap();
    for bit in 0..image.len() * 8 {
        image[bit / 8] ^= 1 << (bit % 8);
        properties::image(&schema, &image);
        image[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn a_message_larger_than_the_limit_is_refused_in_little_memory() {
    let dir = fresh_dir();
    // A path of 300 MiB, a hole in the file.
    let name = 300u64 << 20;
    let file = std::fs::File::create(dir.path().join("files.img")).unwrap();
    let mut head = wire::image(0x5630_3138).to_vec();
    let reg = Message::new()
        .varint(1, 1)
        .varint(2, 0)
        .varint(3, 0)
        .message(5, &Message::new());
    let reg = reg.key(6, 2).0;
    // Sizes of the path, of what holds it, and of the entry, from the inside out.
    let mut inside = reg.clone();
    inside.extend(varint(name));
    let mut entry = Message::new().varint(1, 1).varint(2, 1).key(3, 2).0;
    entry.extend(varint(inside.len() as u64 + name));
    entry.extend(&inside);
    head.extend(((entry.len() as u64 + name) as u32).to_le_bytes());
    head.extend(&entry);
    (&file).write_all(&head).unwrap();
    file.set_len(head.len() as u64 + name).unwrap();
    let run = limited(
        "decode -i files.img -o out.json",
        dir.path(),
        Stdio::null(),
        Stdio::null(),
    );
    let output = run.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let run = crit_in(
        dir.path(),
        &["decode", "-i", "files.img", "-o", "out.json"],
        b"",
    );
    assert!(
        run.stderr
            .contains("exceeds the 268435456 bytes that are read here"),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("hint: `crit decode --max-entry"));
    assert!(!dir.path().join("out.json").exists());
}

/// A number as protobuf writes it.
fn varint(number: u64) -> Vec<u8> {
    // Behind a key of one byte.
    Message::new().varint(1, number).0.split_off(1)
}

#[test]
fn an_image_whose_entries_are_changed_is_an_error_or_comes_back_as_it_is() {
    let schema = Schema::bundled().unwrap();
    on_fixtures_at_random(|image, random| {
        for _ in 0..60 {
            let mut changed = image.to_vec();
            for _ in 0..random.random_range(1..4) {
                let mut recipe = [0; 40];
                random.fill_bytes(&mut recipe);
                change_image(&mut changed, &recipe);
            }
            properties::image(&schema, &changed);
        }
    });
}

#[test]
fn json_that_is_damaged_is_an_error_or_an_image() {
    let schema = Schema::bundled().unwrap();
    on_fixtures_at_random(|image, random| {
        let mut json = Vec::new();
        let Ok(mut reader) = ImageReader::new(&schema, image) else {
            return;
        };
        criu_images::decode(&mut reader, &mut json, &DecodeOptions::default()).unwrap();
        for _ in 0..100 {
            let mut text = json.clone();
            for _ in 0..random.random_range(1..4) {
                let at = random.random_range(0..text.len());
                let end = (at + random.random_range(0..6)).min(text.len());
                let pieces: [&[u8]; 10] = [
                    b"",
                    b"\"",
                    b"{",
                    b"]",
                    b"-",
                    b"99999999999999999999",
                    b"1e400",
                    b"null",
                    b"\\u0000",
                    b"\xff",
                ];
                let piece = pieces[random.random_range(0..pieces.len())];
                text.splice(at..end, piece.iter().copied());
            }
            properties::json(&schema, &text);
        }
    });
}

#[test]
fn a_checkpoint_that_is_damaged_has_answers_or_errors_for_every_question() {
    let dumps: Vec<_> = DUMPS.iter().zip(0u64..).collect();
    on_all_processors(&dumps, |(name, seed)| {
        let mut dump = Damaged::copy_of(&images().join(name));
        let mut random = StdRng::seed_from_u64(*seed);
        for _ in 0..120 {
            let mut recipe = [0; 24];
            random.fill_bytes(&mut recipe);
            dump.damage(&recipe);
            let Ok(checkpoint) = Checkpoint::open(dump.path()) else {
                continue;
            };
            properties::questions(&checkpoint);
            properties::core_files(&checkpoint);
            properties::replacements(&checkpoint);
        }
    });
}

#[test]
fn one_schema_serves_eight_threads_that_decode_all_fixtures() {
    let schema = Schema::bundled().unwrap();
    let fixtures = fixtures();
    let alone: Vec<Vec<u8>> = fixtures
        .iter()
        .map(|image| json_of(&schema, image))
        .collect();
    // Another schema, in which nothing is compiled yet: the threads come upon the same files at once.
    let schema = Schema::open("schemas").unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (schema, fixtures, alone) = (&schema, &fixtures, &alone);
            scope.spawn(move || {
                for step in 0..fixtures.len() {
                    let at = (step + thread * 31) % fixtures.len();
                    assert!(json_of(schema, &fixtures[at]) == alone[at], "image {at}");
                }
            });
        }
    });
}

/// The JSON of an image, or the error.
fn json_of(schema: &Schema, image: &[u8]) -> Vec<u8> {
    let mut json = Vec::new();
    let result = ImageReader::new(schema, image).and_then(|mut reader| {
        criu_images::decode(&mut reader, &mut json, &DecodeOptions::default())
    });
    match result {
        Ok(_) => json,
        Err(error) => error.to_string().into_bytes(),
    }
}
