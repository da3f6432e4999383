//! For a runtime: changes values in an image before `criu restore`, the rest of it byte for byte as it was.
//!
//! Usage: `cargo run --example edit_before_restore -- IMAGE PATH=VALUE...`, such as
//! `utsns-9.img entries[0].nodename=other`

use std::io::Write as _;

use criu_images::edit::{Edit, apply};
use criu_images::{ErrorKind, Schema};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let path = args.next().ok_or("usage: IMAGE PATH=VALUE...")?;
    let edits = args
        .map(|edit| Edit::parse(&edit))
        .collect::<Result<Vec<_>, _>>()?;
    let schema = Schema::bundled()?;
    let image = std::fs::read(&path)?;
    let mut changed = Vec::new();
    if let Err(error) = apply(&schema, &image[..], &mut changed, &edits) {
        // Errors say where: an entry, a byte, a field.
        if matches!(error.kind(), ErrorKind::MissingField(_)) {
            eprintln!("the image is of another CRIU, or damaged");
        }
        return Err(error.in_file(&path).into());
    }
    // Whole or not at all: what is restored is never half an image.
    let mut file = tempfile::NamedTempFile::new_in(
        std::path::Path::new(&path).parent().ok_or("no directory")?,
    )?;
    file.write_all(&changed)?;
    file.persist(&path)?;
    println!("{path}: {} bytes, were {}", changed.len(), image.len());
    Ok(())
}
