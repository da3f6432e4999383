//! For a runtime: whether another pre-dump is worth its time.
//!
//! Usage: `cargo run --example pre_dump_stats -- DIR...` (the pre-dumps in the order that they were made)

use criu_images::Checkpoint;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut written_before: Option<u64> = None;
    for dir in std::env::args().skip(1) {
        let stats = Checkpoint::open(&dir)?.stats()?;
        let Some(dump) = stats.dump else {
            println!("{dir}: no statistics of a dump");
            continue;
        };
        let shrinks = match written_before {
            // Less than a tenth fewer pages: the tasks write as fast as they are dumped.
            Some(before) if dump.pages_written > before / 10 * 9 => "freeze now",
            _ => "another pre-dump may help",
        };
        println!(
            "{dir}: {} pages written, {} left to the parent, stood still for {:?}: {shrinks}",
            dump.pages_written,
            dump.pages_skipped_parent,
            dump.downtime()
        );
        written_before = Some(dump.pages_written);
    }
    Ok(())
}
