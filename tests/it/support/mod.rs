//! What all tests share: fixtures, fresh directories, the command.

pub mod damage;
pub mod properties;
pub mod random;
pub mod random_schema;
pub mod wire;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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

/// What a run of the command left behind.
pub struct Run {
    pub code: i32,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Run {
    pub fn text(&self) -> String {
        String::from_utf8(self.stdout.clone()).unwrap()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.stdout).unwrap()
    }

    /// The run must have succeeded without a word on stderr.
    pub fn quiet(self) -> Self {
        assert_eq!((self.code, self.stderr.as_str()), (0, ""));
        self
    }
}

/// Runs `crit` with these arguments in `dir`; stdin is a pipe that gives `input`.
pub fn crit_in(dir: &Path, args: &[&str], input: &[u8]) -> Run {
    let mut child = Command::new(env!("CARGO_BIN_EXE_crit"))
        .args(args)
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // The child may end without reading all of it.
    let feeder = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    Run {
        code: output.status.code().unwrap(),
        stdout: output.stdout,
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Address space that the command may use, in KiB: program, libraries and stacks included.
const LIMIT: usize = 64 << 10;

/// Runs `crit` with limited memory.
pub fn limited(args: &str, dir: &Path, stdin: Stdio, stdout: Stdio) -> std::process::Child {
    let crit = env!("CARGO_BIN_EXE_crit");
    Command::new("sh")
        .args(["-c", &format!("ulimit -v {LIMIT}; exec {crit} {args}")])
        .current_dir(dir)
        .stdin(stdin)
        .stdout(stdout)
        .spawn()
        .unwrap()
}

/// Runs `crit` with these arguments among the fixtures.
pub fn crit(args: &[&str], input: &[u8]) -> Run {
    crit_in(&images(), args, input)
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

/// An image as compact JSON.
pub fn plain(image: &[u8]) -> String {
    decoded(image, &Default::default()).unwrap()
}

/// An image as pretty JSON.
pub fn pretty(image: &[u8]) -> String {
    decoded(image, &criu_images::DecodeOptions::default().pretty(true)).unwrap()
}

/// JSON that must be refused: the error.
pub fn refused(json: &str) -> criu_images::Error {
    encoded(json, &Default::default()).expect_err(json)
}

/// A copy of a dump of tests/images that may be changed.
pub fn copy_of(dump: &str) -> tempfile::TempDir {
    let dir = fresh_dir();
    for entry in std::fs::read_dir(images().join(dump)).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            std::fs::copy(&path, dir.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    dir
}

/// Changes an image through its plain JSON.
pub fn edit_image(dir: &Path, name: &str, change: impl FnOnce(&mut Vec<serde_json::Value>)) {
    let mut decoded = crit_in(dir, &["decode", "-i", name], b"").quiet().json();
    change(decoded["entries"].as_array_mut().unwrap());
    let text = decoded.to_string();
    crit_in(dir, &["encode", "-o", name], text.as_bytes()).quiet();
}

/// Runs tar in a directory.
pub fn tar(dir: &Path, args: &[&str]) {
    let status = std::process::Command::new("tar")
        .args(args)
        .current_dir(dir)
        .status();
    assert!(status.unwrap().success());
}
