//! The memory of a task as a checkpoint holds it.

mod areas;
mod pagemap;

pub use areas::{AddressSpace, Area, status};
pub use pagemap::{Held, Pagemap, Run};

use crate::checkpoint::{Checkpoint, RandomAccess};
use crate::error::{Error, ErrorKind, Result};

/// The pages of a task, in a dump and the pre-dumps that it refers to.
#[derive(Debug)]
pub struct Memory {
    /// The dump first, then its parents.
    layers: Vec<Layer>,
    page_size: u64,
    pid: u32,
}

/// What one dump of the chain holds.
#[derive(Debug)]
struct Layer {
    pagemap: Pagemap,
    pages: Option<RandomAccess>,
    pages_name: String,
}

impl Memory {
    /// Opens the memory of a task; `None` when the checkpoint holds none of it.
    ///
    /// # Errors
    ///
    /// A pagemap is malformed, or the chain of parents is broken.
    pub fn open(checkpoint: &Checkpoint, pid: u32) -> Result<Option<Self>> {
        let page_size = checkpoint.page_size();
        let mut memory = Memory {
            layers: Vec::new(),
            page_size,
            pid,
        };
        let mut next = Some(checkpoint);
        while let Some(layer) = next {
            let Some(pagemap) = Pagemap::read(layer, &format!("pagemap-{pid}.img"))? else {
                break;
            };
            let needs_parent = pagemap.runs.iter().any(|run| run.held == Held::InParent);
            let pages_name = format!("pages-{}.img", pagemap.pages_id);
            memory.layers.push(Layer {
                pages: layer.random_access(&pages_name)?,
                pages_name: layer.label(&pages_name),
                pagemap,
            });
            next = if needs_parent { layer.parent()? } else { None };
        }
        Ok((!memory.layers.is_empty()).then_some(memory))
    }

    /// Fills `buffer` with what is at this address on.
    ///
    /// # Errors
    ///
    /// The checkpoint does not hold all of it, or a pages image is too short.
    pub fn read(&self, address: u64, buffer: &mut [u8]) -> Result<()> {
        let mut at = address;
        let mut rest = buffer;
        while !rest.is_empty() {
            let in_page = self.page_size - at % self.page_size;
            let step = rest
                .len()
                .min(usize::try_from(in_page).unwrap_or(usize::MAX));
            let (piece, after) = rest.split_at_mut(step);
            self.read_in_page(at, piece)?;
            rest = after;
            at = at.wrapping_add(step as u64);
        }
        Ok(())
    }

    /// Reads bytes that do not cross the end of a page.
    fn read_in_page(&self, address: u64, buffer: &mut [u8]) -> Result<()> {
        for layer in &self.layers {
            let Some(run) = layer.pagemap.find(address, self.page_size) else {
                break;
            };
            match run.held {
                Held::InParent => {}
                Held::Here(first) => {
                    let offset = first
                        .checked_mul(self.page_size)
                        .and_then(|offset| offset.checked_add(address - run.vaddr));
                    return layer.read(offset, buffer, address);
                }
                Held::Lazy | Held::Nowhere => break,
            }
        }
        Err(self.absent(address))
    }

    fn absent(&self, address: u64) -> Error {
        let what = format!(
            "the checkpoint does not hold the byte at 0x{address:x} of task {}",
            self.pid
        );
        Error::new(ErrorKind::Value(what))
    }
}

impl Layer {
    fn read(&self, offset: Option<u64>, buffer: &mut [u8], address: u64) -> Result<()> {
        let Some(pages) = &self.pages else {
            let what = format!("missing: it holds the byte at 0x{address:x}");
            return Err(Error::new(ErrorKind::Value(what)).in_file(&self.pages_name));
        };
        let offset = offset.unwrap_or(u64::MAX);
        let got = pages
            .read_at(buffer, offset)
            .map_err(|e| Error::from(e).in_file(&self.pages_name))?;
        if got < buffer.len() {
            let error = Error::new(ErrorKind::Truncated {
                what: "a page",
                wanted: buffer.len() as u64,
                left: got as u64,
            });
            return Err(error.at_offset(offset).in_file(&self.pages_name));
        }
        Ok(())
    }
}
