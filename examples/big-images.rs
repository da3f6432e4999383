//! Writes the large made-up images that `benches/compare` and the benchmarks read.
//!
//! Usage: `cargo run --release --example big-images -- DIR [GHOST-BYTES]`

#![allow(clippy::cast_possible_truncation, clippy::unwrap_used)]

#[path = "../benches/support/big.rs"]
mod big;

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

type Make<'a> = &'a dyn Fn(&mut BufWriter<File>) -> io::Result<()>;

fn main() -> io::Result<()> {
    let mut args = std::env::args().skip(1);
    let Some(folder) = args.next() else {
        eprintln!("usage: big-images DIR [GHOST-BYTES]");
        std::process::exit(2);
    };
    let ghost = args.next().and_then(|n| n.parse().ok()).unwrap_or(64 << 20);
    let images: [(&str, Make<'_>); 6] = [
        ("pagemap-10MB.img", &|out| big::pagemap(545_000, out)),
        ("pagemap-100MB.img", &|out| big::pagemap(5_450_000, out)),
        ("mm-5MB.img", &|out| big::mm(160_000, out)),
        ("mm-50MB.img", &|out| big::mm(1_600_000, out)),
        ("files-5MB.img", &|out| big::files(64_000, out)),
        ("ghost-file.img", &|out| big::ghost_file(ghost, out)),
    ];
    for (name, make) in images {
        let mut out = BufWriter::new(File::create(Path::new(&folder).join(name))?);
        make(&mut out)?;
        out.flush()?;
    }
    Ok(())
}
