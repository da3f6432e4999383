//! Every real image: upstream's output byte for byte, and the image back byte for byte.
//!
//! `<image>.json`, `.pretty.json` and `.nopl.json` beside an image are what upstream's crit prints
//! for it with `decode`, `decode --pretty` and `show --nopl`; see tests/images/README.md.

use std::path::Path;

use criu_images::{DecodeOptions, EncodeOptions, ErrorKind, Image, Schema, summarize};
use serde_json::Value;

use super::support::{decoded, encoded, images};

/// An image of a manifest.
struct Fixture {
    name: String,
    bytes: Vec<u8>,
    row: Value,
    /// Where what upstream prints for it is, without the ending.
    expected: std::path::PathBuf,
}

impl Fixture {
    fn expected(&self, ending: &str) -> Option<String> {
        let mut path = self.expected.clone().into_os_string();
        path.push(ending);
        std::fs::read_to_string(path).ok()
    }

    fn is_raw(&self) -> bool {
        self.row["magic"] == "RAW"
    }
}

/// The fixtures of this repository, and all of ../shared/corpus when it is there.
fn fixtures() -> Vec<Fixture> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = read(&images().join("manifest.json"), &images(), &images());
    assert!(all.len() > 500, "{} fixtures", all.len());
    let corpus = repository.join("../shared/corpus");
    if corpus.is_dir() {
        let manifest = corpus.join("MANIFEST.json");
        all.extend(read(
            &manifest,
            &corpus.join("images"),
            &corpus.join("expected"),
        ));
    }
    all
}

fn read(manifest: &Path, images: &Path, expected: &Path) -> Vec<Fixture> {
    let manifest: Vec<Value> = serde_json::from_slice(&std::fs::read(manifest).unwrap()).unwrap();
    let fixture = |row: Value| {
        let name = format!(
            "{}/{}",
            row["dir"].as_str().unwrap(),
            row["img"].as_str().unwrap()
        );
        Fixture {
            bytes: std::fs::read(images.join(&name)).unwrap(),
            expected: expected.join(&name),
            name,
            row,
        }
    };
    manifest.into_iter().map(fixture).collect()
}

/// V1 images have an `@head` that upstream doesn't know.
fn without_head(json: &str) -> String {
    json.replacen("\"@head\": \"v1\", ", "", 1)
        .replacen("\n    \"@head\": \"v1\",", "", 1)
}

#[test]
fn decode_pretty_and_nopl_print_what_upstream_prints() {
    let forms = [
        (DecodeOptions::default(), ".json"),
        (DecodeOptions::default().pretty(true), ".pretty.json"),
        (
            DecodeOptions::default().pretty(true).no_payload(true),
            ".nopl.json",
        ),
    ];
    let mut compared = 0;
    for fixture in fixtures().iter().filter(|f| !f.is_raw()) {
        for (options, ending) in &forms {
            let Some(expected) = fixture.expected(ending) else {
                continue;
            };
            let json = decoded(&fixture.bytes, options).unwrap();
            assert_eq!(without_head(&json), expected, "{}{ending}", fixture.name);
            compared += 1;
        }
    }
    assert!(compared > 1000, "{compared} compared");
}

#[test]
fn decode_and_encode_give_every_image_back_byte_for_byte() {
    for fixture in fixtures().iter().filter(|f| !f.is_raw()) {
        // Statistics of older CRIUs lack a field that is required since.
        let old_stats = fixture.name.starts_with('v') && fixture.row["magic"] == "STATS";
        for pretty in [false, true] {
            let json = decoded(&fixture.bytes, &DecodeOptions::default().pretty(pretty)).unwrap();
            if old_stats {
                let error = encoded(&json, &EncodeOptions::default()).unwrap_err();
                assert!(
                    matches!(error.kind(), ErrorKind::MissingField(_)),
                    "{error}"
                );
            }
            let options = EncodeOptions::default().lenient(old_stats);
            let image = encoded(&json, &options).unwrap();
            assert!(image == fixture.bytes, "{} differs", fixture.name);
        }
    }
}

#[test]
fn an_image_that_is_read_and_written_is_the_same_image() {
    let schema = Schema::bundled().unwrap();
    for fixture in fixtures().iter().filter(|f| !f.is_raw()) {
        let image = Image::read(&schema, fixture.bytes.as_slice()).unwrap();
        let mut written = Vec::new();
        image.write(&mut written).unwrap();
        assert!(written == fixture.bytes, "{} differs", fixture.name);
    }
}

#[test]
fn info_counts_the_entries_that_are_there() {
    let schema = Schema::bundled().unwrap();
    for fixture in fixtures().iter().filter(|f| !f.is_raw()) {
        let summary = summarize(&schema, fixture.bytes.as_slice(), None).unwrap();
        assert_eq!(summary.kind.name, fixture.row["magic"].as_str().unwrap());
        let head = u64::from(summary.kind.name == "PAGEMAP");
        let expected = fixture.row["entries"].as_u64().unwrap() - head;
        assert_eq!(summary.count, expected, "{}", fixture.name);
    }
}

#[test]
fn raw_images_are_named_as_what_they_are() {
    let schema = Schema::bundled().unwrap();
    let mut seen = 0;
    for fixture in fixtures().iter().filter(|f| f.is_raw()) {
        let error = summarize(&schema, fixture.bytes.as_slice(), Some(&fixture.name)).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::RawImage { .. }),
            "{}: {error}",
            fixture.name
        );
        seen += 1;
    }
    assert!(seen > 20);
}
