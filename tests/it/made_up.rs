//! Made-up images of every kind with every kind of field: nothing is lost on the way through JSON
//! or through the library.
//!
//! The images come from the facts in tests/facts, not from the library's tables. The example
//! `made-up-images` writes such images to files.

use criu_images::{DecodeOptions, EncodeOptions, Image, Schema, summarize};

use super::support::random::{Facts, Style};
use super::support::{decoded, encoded};

const SEEDS: std::ops::Range<u64> = 0..40;

#[test]
fn every_kind_comes_back_byte_for_byte_from_json_of_every_form() {
    let facts = Facts::load();
    let options = [
        DecodeOptions::default(),
        DecodeOptions::default().pretty(true),
        DecodeOptions::default().quote_big_ints(true),
    ];
    for kind in &facts.kinds {
        for seed in SEEDS {
            let image = facts.image(
                kind,
                seed,
                Style {
                    upstream_reads: false,
                },
            );
            for options in &options {
                let json = decoded(&image, options).unwrap();
                let back = encoded(&json, &EncodeOptions::default())
                    .unwrap_or_else(|e| panic!("{} {seed}: {e}\n{json}", kind.name));
                assert!(back == image, "{} {seed} differs", kind.name);
            }
        }
    }
}

#[test]
fn every_kind_comes_back_when_its_keys_are_sorted_as_jq_sorts_them() {
    let facts = Facts::load();
    for kind in &facts.kinds {
        for seed in SEEDS {
            let image = facts.image(
                kind,
                seed,
                Style {
                    upstream_reads: false,
                },
            );
            let json = decoded(&image, &DecodeOptions::default().quote_big_ints(true)).unwrap();
            // A serde_json object is sorted: `entries` before `magic`, `extra` among the fields.
            let sorted: serde_json::Value = serde_json::from_str(&json).unwrap();
            let back = encoded(&sorted.to_string(), &EncodeOptions::default()).unwrap();
            assert!(back == image, "{} {seed} differs", kind.name);
        }
    }
}

#[test]
fn every_kind_is_read_and_written_unchanged_by_the_library_and_counted_by_info() {
    let facts = Facts::load();
    let schema = Schema::bundled().unwrap();
    for kind in &facts.kinds {
        for seed in SEEDS {
            let bytes = facts.image(
                kind,
                seed,
                Style {
                    upstream_reads: false,
                },
            );
            let image = Image::read(&schema, bytes.as_slice()).unwrap();
            let mut written = Vec::new();
            image.write(&mut written).unwrap();
            assert!(written == bytes, "{} {seed} differs", kind.name);
            // And when every entry is encoded anew.
            let mut edited = image.clone();
            for entry in &mut edited.entries {
                entry.message_mut();
            }
            written.clear();
            edited.write(&mut written).unwrap();
            assert!(
                written == bytes,
                "{} {seed} differs when encoded anew",
                kind.name
            );
            let head = u64::from(kind.name == "PAGEMAP" && !image.entries.is_empty());
            let count = summarize(&schema, bytes.as_slice(), None).unwrap().count;
            assert_eq!(count, image.entries.len() as u64 - head);
        }
    }
}

#[test]
fn a_truncated_image_is_an_error_or_a_shorter_image_and_never_a_panic() {
    let facts = Facts::load();
    for kind in &facts.kinds {
        let image = facts.image(
            kind,
            1,
            Style {
                upstream_reads: false,
            },
        );
        for length in 0..image.len() {
            match decoded(&image[..length], &DecodeOptions::default()) {
                Ok(json) => {
                    let back = encoded(&json, &EncodeOptions::default()).unwrap();
                    assert!(back == image[..length], "{} cut to {length}", kind.name);
                }
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
    }
}
