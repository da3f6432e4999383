//! What all tests share: fixtures, fresh directories, the command.

use std::path::{Path, PathBuf};

/// The folder of fixtures in the repository.
pub fn images() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/images")
}

/// The bytes of a fixture, such as `simple/pstree.img`.
pub fn image(path: &str) -> Vec<u8> {
    std::fs::read(images().join(path)).unwrap()
}

/// A new directory that goes with the value.
pub fn fresh_dir() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// An image as JSON text.
pub fn decoded(image: &[u8], options: &criu_images::DecodeOptions) -> criu_images::Result<String> {
    let schema = criu_images::Schema::bundled()?;
    let mut reader = criu_images::ImageReader::new(&schema, image)?;
    let mut json = Vec::new();
    criu_images::decode(&mut reader, &mut json, options)?;
    Ok(String::from_utf8(json).expect("JSON is ASCII"))
}

/// JSON text as an image.
pub fn encoded(json: &str, options: &criu_images::EncodeOptions) -> criu_images::Result<Vec<u8>> {
    let mut image = Vec::new();
    let schema = criu_images::Schema::bundled()?;
    criu_images::encode(&schema, json.as_bytes(), &mut image, options)?;
    Ok(image)
}
