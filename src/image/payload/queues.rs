//! Byte strings one after the other: the queues of a TCP connection (`criu/sk-tcp.c`).

use std::io::Read;

use super::super::input::Input;
use super::{Fit, Payload, ReadPayload, misfit};
use crate::error::Result;

pub(super) fn read<R: Read>(
    input: &mut Input<R>,
    queues: Vec<(String, u64)>,
) -> Result<ReadPayload> {
    let mut read = Vec::new();
    for (name, length) in queues {
        let mut data = Vec::new();
        input.payload(&mut data, length)?;
        read.push((name, data));
    }
    Ok((Some(Payload::Queues(read)), None))
}

pub(super) fn write(
    queues: &[(String, Vec<u8>)],
    expected: &[(String, u64)],
    fit: Fit,
    out: &mut Vec<u8>,
) -> Result<()> {
    for (name, length) in expected {
        let data = queues.iter().find(|(n, _)| n == name);
        let data = data.map(|(_, data)| data.as_slice()).unwrap_or_default();
        if data.len() as u64 != *length && fit == Fit::Strict {
            return Err(misfit(format!(
                "`{name}` has {} bytes, the fields say {length}",
                data.len()
            )));
        }
        out.extend_from_slice(data);
    }
    Ok(())
}
