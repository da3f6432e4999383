//! Large images to JSON and back, in memory: throughput in bytes of the image.
//!
//! `static` beside `decode` is the same work by structs with derives (`support/fixed.rs`): the
//! price of a schema that is read at run time is the ratio of the two.

#![allow(
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::unwrap_used,
    missing_docs
)]

#[path = "support/big.rs"]
mod big;
#[path = "support/fixed.rs"]
mod fixed;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use criu_images::{DecodeOptions, EncodeOptions, ImageReader, Schema, summarize};
use serde_json::Value;

/// The command's, for the static structs too.
#[cfg(feature = "cli")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn decode(schema: &Schema, image: &[u8], options: &DecodeOptions) -> Vec<u8> {
    let mut json = Vec::new();
    let mut reader = ImageReader::new(schema, image).unwrap();
    criu_images::decode(&mut reader, &mut json, options).unwrap();
    json
}

fn encode(schema: &Schema, json: &[u8]) -> Vec<u8> {
    let mut image = Vec::new();
    criu_images::encode(schema, json, &mut image, &EncodeOptions::default()).unwrap();
    image
}

fn made(make: impl Fn(&mut Vec<u8>) -> std::io::Result<()>) -> Vec<u8> {
    let mut image = Vec::new();
    make(&mut image).unwrap();
    image
}

/// That a static path does the same work: its values are among ours.
fn assert_same(ours: &[u8], fixed: &[u8], list: &str) {
    let read = |json: &[u8]| serde_json::from_slice::<Value>(json).unwrap();
    let (ours, fixed) = (read(ours), read(fixed));
    assert!(fixed.pointer(list).is_some_and(|value| !value.is_null()));
    assert_eq!(ours.pointer(list), fixed.pointer(list), "{list}");
}

/// What prints an image by static structs, and where the values are that both print.
type Fixed = (fn(&[u8], &mut Vec<u8>), &'static str);

fn images(c: &mut Criterion) {
    let schema = Schema::bundled().unwrap();
    let plain = DecodeOptions::default();
    let pretty = DecodeOptions::default().pretty(true);
    let kinds: [(&str, Vec<u8>, Option<Fixed>); 4] = [
        (
            "pagemap",
            made(|out| big::pagemap(54_500, out)),
            Some((fixed::pagemap, "/entries")),
        ),
        (
            "mm",
            made(|out| big::mm(32_000, out)),
            Some((fixed::mm_areas, "/entries/0/vmas")),
        ),
        ("files", made(|out| big::files(12_800, out)), None),
        (
            "ghost-file",
            made(|out| big::ghost_file(1 << 20, out)),
            None,
        ),
    ];
    for (name, image, fixed) in kinds {
        let json = decode(&schema, &image, &plain);
        assert_eq!(encode(&schema, &json), image);
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Bytes(image.len() as u64));
        group.sample_size(20);
        group.bench_function("decode", |b| b.iter(|| decode(&schema, &image, &plain)));
        if let Some((fixed, list)) = fixed {
            let mut text = Vec::new();
            fixed(&image, &mut text);
            assert_same(&json, &text, list);
            group.bench_function("static", |b| {
                b.iter(|| {
                    let mut text = Vec::new();
                    fixed(&image, &mut text);
                    black_box(text)
                });
            });
        }
        group.bench_function("pretty", |b| b.iter(|| decode(&schema, &image, &pretty)));
        group.bench_function("encode", |b| b.iter(|| encode(&schema, &json)));
        group.bench_function("info", |b| {
            b.iter(|| summarize(&schema, &image[..], None).unwrap().count);
        });
        group.finish();
    }
}

criterion_group!(benches, images);
criterion_main!(benches);
