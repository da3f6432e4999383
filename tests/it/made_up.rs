//! Made-up images of every kind with every kind of field: nothing is lost on the way through JSON
//! or through the library.
//!
//! The images come from the facts in tests/facts, not from the library's tables. The example
//! `made-up-images` writes such images to files.

use std::ops::Range;

use criu_images::{DecodeOptions, EncodeOptions, Image, Schema, summarize};

use super::support::random::{Facts, Style};
use super::support::{decoded, encoded};

const SEEDS: Range<u64> = 0..40;

/// Calls `test` with an image of every kind for every seed: the name of the kind, the seed, the bytes.
fn each_image(seeds: Range<u64>, test: impl Fn(&str, u64, Vec<u8>)) {
    let facts = Facts::load();
    let style = Style {
        upstream_reads: false,
    };
    for kind in &facts.kinds {
        for seed in seeds.clone() {
            test(&kind.name, seed, facts.image(kind, seed, style));
        }
    }
}

#[test]
fn every_kind_comes_back_byte_for_byte_from_json_of_every_form() {
    let options = [
        DecodeOptions::default(),
        DecodeOptions::default().pretty(true),
        DecodeOptions::default().quote_big_ints(true),
    ];
    each_image(SEEDS, |kind, seed, image| {
        for options in &options {
            let json = decoded(&image, options).unwrap();
            let back = encoded(&json, &EncodeOptions::default())
                .unwrap_or_else(|e| panic!("{kind} {seed}: {e}\n{json}"));
            assert!(back == image, "{kind} {seed} differs");
        }
    });
}

#[test]
fn every_kind_comes_back_when_its_keys_are_sorted_as_jq_sorts_them() {
    each_image(SEEDS, |kind, seed, image| {
        let json = decoded(&image, &DecodeOptions::default().quote_big_ints(true)).unwrap();
        // A serde_json object is sorted: `entries` before `magic`, `extra` among the fields.
        let sorted: serde_json::Value = serde_json::from_str(&json).unwrap();
        let back = encoded(&sorted.to_string(), &EncodeOptions::default()).unwrap();
        assert!(back == image, "{kind} {seed} differs");
    });
}

#[test]
fn every_kind_is_read_and_written_unchanged_by_the_library_and_counted_by_info() {
    let schema = Schema::bundled().unwrap();
    each_image(SEEDS, |kind, seed, bytes| {
        let image = Image::read(&schema, bytes.as_slice()).unwrap();
        let mut written = Vec::new();
        image.write(&mut written).unwrap();
        assert!(written == bytes, "{kind} {seed} differs");
        // And when every entry is encoded anew.
        let mut edited = image.clone();
        for entry in &mut edited.entries {
            entry.message_mut();
        }
        written.clear();
        edited.write(&mut written).unwrap();
        assert!(written == bytes, "{kind} {seed} differs when encoded anew");
        let head = u64::from(kind == "PAGEMAP" && !image.entries.is_empty());
        let count = summarize(&schema, bytes.as_slice(), None).unwrap().count;
        assert_eq!(count, image.entries.len() as u64 - head);
    });
}

#[test]
fn a_truncated_image_is_an_error_or_a_shorter_image_and_never_a_panic() {
    each_image(1..2, |kind, _, image| {
        for length in 0..image.len() {
            match decoded(&image[..length], &DecodeOptions::default()) {
                Ok(json) => {
                    let back = encoded(&json, &EncodeOptions::default()).unwrap();
                    assert!(back == image[..length], "{kind} cut to {length}");
                }
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
    });
}
