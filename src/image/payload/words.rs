//! 16-bit numbers: the values of a semaphore set, padded to 8 bytes (`criu/ipc_ns.c`).

use std::io::Read;

use super::super::input::Input;
use super::{Payload, ReadPayload, all_zero, misfit, pad_zeros, padding};
use crate::error::Result;

pub(super) fn read<R: Read>(input: &mut Input<R>, count: u64, pad: u32) -> Result<ReadPayload> {
    let length = count.saturating_mul(2);
    let mut raw = Vec::new();
    input.payload(&mut raw, length)?;
    let words = raw.chunks_exact(2);
    let words = words.filter_map(|pair| pair.first_chunk().map(|pair| u16::from_le_bytes(*pair)));
    let words = words.collect();
    let mut zeros = Vec::new();
    input.payload(&mut zeros, padding(length, pad))?;
    let raw = (!all_zero(&zeros)).then(|| [raw, zeros].concat());
    Ok((Some(Payload::Words(words)), raw))
}

pub(super) fn write(words: &[u16], count: u64, pad: u32, out: &mut Vec<u8>) -> Result<()> {
    if words.len() as u64 != count {
        // Upstream refuses this one too.
        return Err(misfit(format!(
            "the payload has {} numbers, the fields say {count}",
            words.len()
        )));
    }
    out.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    pad_zeros(out, count * 2, pad);
    Ok(())
}
