//! Sized bytes, and the content of a file up to the end of the image.
//!
//! Pipes and FIFOs (`criu/pipes.c`), packets of unix sockets (`criu/sk-queue.c`), BPF maps
//! (`criu/bpfmap.c`), SysV segments (`criu/ipc_ns.c`, padded to 4), ghost files
//! (`criu/files-reg.c`).

use std::io::Read;

use super::super::input::{Input, short_payload};
use super::{Fit, Payload, Pending, ReadPayload, all_zero, pad_zeros, padding, wrong_length};
use crate::error::Result;
use crate::limits::READ_STEP;

pub(super) fn read<R: Read>(input: &mut Input<R>, length: u64, pad: u32) -> Result<ReadPayload> {
    let mut data = Vec::new();
    input.payload(&mut data, length)?;
    let mut zeros = Vec::new();
    input.payload(&mut zeros, padding(length, pad))?;
    let raw = (!all_zero(&zeros)).then(|| [data.as_slice(), &zeros].concat());
    Ok((Some(Payload::Bytes(data)), raw))
}

pub(super) fn read_rest<R: Read>(input: &mut Input<R>) -> Result<ReadPayload> {
    let mut data = Vec::new();
    let _: Result<(), u64> = input.append(&mut data, u64::MAX)?;
    Ok((Some(Payload::Bytes(data)), None))
}

pub(super) fn skip_rest<R: Read>(input: &mut Input<R>) -> Result<u64> {
    let mut total = 0;
    stream(input, &Pending::Rest, &mut |piece| {
        total += piece.len() as u64;
        Ok(())
    })?;
    Ok(total)
}

pub(super) fn stream<R: Read>(
    input: &mut Input<R>,
    pending: &Pending,
    each: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let (length, pad) = match pending {
        Pending::Bytes { length, pad } => (Some(*length), *pad),
        Pending::Rest => (None, 0),
        _ => (Some(0), 0),
    };
    let start = input.offset();
    let mut left = length.unwrap_or(u64::MAX);
    let mut buffer = vec![
        0;
        usize::try_from(left)
            .unwrap_or(READ_STEP)
            .min(READ_STEP / 8)
    ];
    while left > 0 {
        let step = usize::try_from(left)
            .unwrap_or(buffer.len())
            .min(buffer.len());
        let got = input.read_full(buffer.get_mut(..step).unwrap_or_default())?;
        each(buffer.get(..got).unwrap_or_default())?;
        left -= got as u64;
        if got < step {
            match length {
                None => break,
                Some(length) => {
                    return Err(short_payload(length, length - left).at_offset(start));
                }
            }
        }
    }
    input.skip(padding(length.unwrap_or(0), pad))
}

pub(super) fn write(data: &[u8], length: u64, pad: u32, fit: Fit, out: &mut Vec<u8>) -> Result<()> {
    let mut data = data;
    if data.len() as u64 != length {
        if fit == Fit::Strict {
            return Err(wrong_length(data.len() as u64, length));
        }
        // Upstream cuts the padded ones to their size, and writes the others as they are.
        if pad > 0 {
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            data = data.get(..length).unwrap_or(data);
        }
    }
    out.extend_from_slice(data);
    pad_zeros(out, length, pad);
    Ok(())
}
