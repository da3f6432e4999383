//! What holds for any input whatever: the tests try it on made-up and damaged input, and the fuzz
//! targets (fuzz/) on what the fuzzer makes. A property that does not hold is a panic.

#![allow(dead_code)] // some are for the fuzz targets alone

use std::io::Cursor;
use std::path::Path;

use criu_images::check::check;
use criu_images::coredump::CoreDump;
use criu_images::edit::{Edit, apply, values};
use criu_images::explore::ProcessOptions;
use criu_images::memory::{Pattern, Selection};
use criu_images::replace::{Replacement, Replacer};
use criu_images::{
    Checkpoint, DecodeOptions, EncodeOptions, ErrorKind, Explorer, Image, ImageReader, Schema,
    decode, encode, summarize,
};

fn to_json(schema: &Schema, image: &[u8], options: &DecodeOptions) -> criu_images::Result<Vec<u8>> {
    let mut reader = ImageReader::new(schema, image)?;
    let mut json = Vec::new();
    decode(&mut reader, &mut json, options)?;
    Ok(json)
}

/// Encodes strictly; an image that lacks a required field was decoded with a warning, and is taken
/// leniently, as the error's hint says.
fn to_image(schema: &Schema, json: &[u8]) -> criu_images::Result<Vec<u8>> {
    let mut image = Vec::new();
    let strict = encode(schema, json, &mut image, &EncodeOptions::default());
    match strict.as_ref().map_err(|error| error.kind()) {
        Err(ErrorKind::MissingField(_)) => {
            image.clear();
            let lenient = EncodeOptions::default().lenient(true);
            encode(schema, json, &mut image, &lenient)?;
        }
        _ => drop(strict?),
    }
    Ok(image)
}

/// Any bytes as an image: an error, or JSON that gives the same image again. With `exact` it is the
/// same byte by byte; without, it is the same JSON.
pub fn image(schema: &Schema, bytes: &[u8]) {
    let counted = summarize(schema, bytes, None);
    let read = Image::read(schema, bytes);
    let forms = [
        DecodeOptions::default(),
        DecodeOptions::default().pretty(true),
        DecodeOptions::default().quote_big_ints(true),
    ];
    let Ok(exact) = to_json(schema, bytes, &DecodeOptions::default().exact(true)) else {
        for form in &forms {
            assert!(to_json(schema, bytes, form).is_err(), "exact alone refuses");
        }
        return;
    };
    assert!(counted.is_ok(), "decode reads what info refuses");
    let read = read.expect("decode reads what Image::read refuses");
    let mut written = Vec::new();
    read.write(&mut written).expect("an image is written");
    assert!(
        written == bytes,
        "an image that is read and written differs"
    );
    let back = to_image(schema, &exact).expect("exact JSON is taken");
    assert!(back == bytes, "exact JSON gives another image");
    for form in &forms {
        let json = to_json(schema, bytes, form).expect("a form is refused that exact takes");
        assert!(std::str::from_utf8(&json).is_ok(), "JSON is UTF-8");
        let back = to_image(schema, &json).expect("JSON of an image is taken");
        let again = to_json(schema, &back, form).expect("what is encoded is decoded");
        assert!(again == json, "JSON of the image of JSON differs");
    }
}

/// Any text as JSON of an image: an error, or an image that decodes, and encodes to itself. What is
/// encoded leniently need not be an image: payloads may contradict the fields that give their size.
pub fn json(schema: &Schema, text: &[u8]) {
    let lenient = EncodeOptions::default().lenient(true);
    let _ = encode(schema, text, std::io::sink(), &lenient);
    let mut made = Vec::new();
    if encode(schema, text, &mut made, &EncodeOptions::default()).is_err() {
        return;
    }
    let json =
        to_json(schema, &made, &DecodeOptions::default()).expect("what is encoded is decoded");
    let back = to_image(schema, &json).expect("what is decoded is encoded");
    assert!(back == made, "an image made of JSON differs after a round");
}

/// Any text as a .proto file, a header with magics, a table of kinds, and a descriptor set, in a
/// folder laid out as CRIU's checkout is.
pub fn schema_sources(which: u8, bytes: &[u8], folder: &Path) {
    let place = match which % 4 {
        0 => "images/fuzzed.proto",
        1 => "criu/include/magic.h",
        2 => "lib/pycriu/images/images.py",
        _ => {
            if let Ok(schema) = Schema::from_descriptor_set(bytes) {
                use_schema(&schema);
            }
            return;
        }
    };
    let path = folder.join(place);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(&path, bytes).expect("a file");
    if let Ok(schema) = Schema::open(folder) {
        use_schema(&schema);
    }
}

fn use_schema(schema: &Schema) {
    let _ = schema.check();
    let kinds: Vec<_> = schema.kinds().iter().take(100).cloned().collect();
    for kind in kinds {
        let _ = schema.message_of(&kind);
    }
    let _ = schema.message("fuzzed_entry");
}

/// Any text as a path with a value, of any image.
pub fn path(schema: &Schema, image: &[u8], text: &str) {
    if let Ok(path) = criu_images::edit::Path::parse(text) {
        let _ = values(schema, image, &path);
    }
    let Ok(edit) = Edit::parse(text) else { return };
    let mut out = Vec::new();
    if apply(schema, image, &mut out, &[edit]).is_ok() {
        to_json(schema, &out, &DecodeOptions::default()).expect("an edited image is an image");
    }
}

/// Whatever may be asked about a checkpoint: answers or errors.
pub fn questions(checkpoint: &Checkpoint) {
    let _ = checkpoint.stats();
    let _ = checkpoint.members();
    let _ = check(checkpoint);
    let explorer = Explorer::new(checkpoint);
    let _ = explorer.ps(&ProcessOptions::default().args(true).env(true));
    let _ = explorer.fds();
    let _ = explorer.mems();
    let _ = explorer.rss();
    let _ = explorer.sockets();
    let _ = explorer.cgroups();
    let _ = explorer.creds();
    let _ = explorer.mounts();
    let _ = explorer.namespaces();
    let _ = explorer.signals();
    let _ = explorer.threads();
    let _ = explorer.timers();
    let pids: Vec<u32> = match explorer.tasks() {
        Ok(tasks) => tasks.iter().map(|task| task.pid).take(8).collect(),
        Err(_) => Vec::new(),
    };
    let needle = Pattern::bytes("needle").expect("a pattern");
    for pid in pids {
        let Ok(memory) = checkpoint.memory(pid) else {
            continue;
        };
        let _ = memory.regions();
        let _ = memory.args();
        let everywhere = Selection::default();
        let _ = memory.search(&needle, &everywhere, &mut |_| (), &mut |_| Ok(()));
    }
}

/// The core file of each task, as far as it is small: its header and notes, and its memory.
pub fn core_files(checkpoint: &Checkpoint) {
    let explorer = Explorer::new(checkpoint);
    let Ok(tasks) = explorer.tasks() else { return };
    for task in tasks.iter().take(8) {
        let Ok(memory) = checkpoint.memory(task.pid) else {
            continue;
        };
        let Ok(core) = CoreDump::new(checkpoint, task, &memory) else {
            continue;
        };
        if core.memory_bytes() < 64 << 20 {
            let mut out = Cursor::new(Vec::new());
            if core.write(&mut out, &mut |_| ()).is_ok() {
                let out = out.into_inner();
                assert!(out.starts_with(b"\x7fELF"));
                assert!(out.len() as u64 >= core.memory_bytes());
            }
        }
    }
}

/// Everything replaced that can be, in every image: what comes out is an image.
pub fn replacements(checkpoint: &Checkpoint) {
    let all = vec![
        Replacement::Path {
            old: "/dev".to_owned(),
            new: "/other".to_owned(),
        },
        Replacement::Uid { old: 0, new: 7 },
    ];
    let Ok(mut replacer) = Replacer::new(all) else {
        return;
    };
    for name in checkpoint.image_names().unwrap_or_default() {
        let Ok(Some(input)) = checkpoint.read(&name) else {
            continue;
        };
        let mut out = Vec::new();
        let schema = checkpoint.schema();
        if replacer.apply(schema, &name, input, &mut out).is_ok() {
            let reader = ImageReader::named(schema, &out[..], &name).expect("an image");
            reader.for_each(|entry| drop(entry.expect("an entry")));
        }
    }
}
