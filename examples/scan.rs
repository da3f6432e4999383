//! For a scanner: where a text is in the memory of any task of any number of checkpoints, directories or
//! container engines' archives.
//!
//! Usage: `cargo run --example scan -- TEXT DIR|ARCHIVE...`

use criu_images::memory::{Pattern, Selection};
use criu_images::{Checkpoint, Explorer};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let text = args.next().ok_or("usage: TEXT DIR|ARCHIVE...")?;
    let pattern = Pattern::bytes(&text)?;
    for name in args {
        let checkpoint = Checkpoint::open(&name)?;
        for task in Explorer::new(&checkpoint).tasks()? {
            // A task that has ended has no memory.
            let Ok(memory) = checkpoint.memory(task.pid) else {
                continue;
            };
            let everywhere = Selection::default();
            memory.search(&pattern, &everywhere, &mut |_| (), &mut |hit| {
                println!(
                    "{name}: task {} at {:#x}, {}",
                    task.pid, hit.address, hit.kind
                );
                Ok(())
            })?;
        }
    }
    Ok(())
}
