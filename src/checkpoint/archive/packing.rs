//! How an archive is packed, and the stream of tar blocks inside.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use flate2::bufread::GzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use crate::limits::{ARCHIVE_RATIO, ARCHIVE_UNPACKED, ZSTD_WINDOW};

/// How an archive is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    None,
    Gzip,
    Zstd,
}

impl Packing {
    /// Tells it by the first bytes. An error names a packing that is not read here.
    pub(super) fn detect(beginning: &[u8]) -> Result<Self, &'static str> {
        let zstd = [0x28, 0xb5, 0x2f, 0xfd];
        // A frame to be skipped may come first.
        let skippable = matches!(beginning, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]);
        match beginning {
            [0x1f, 0x8b, ..] => Ok(Packing::Gzip),
            _ if beginning.starts_with(&zstd) || skippable => Ok(Packing::Zstd),
            [b'B', b'Z', b'h', ..] => Err("bzip2"),
            [0xfd, b'7', b'z', b'X', b'Z', ..] => Err("xz"),
            [b'P', b'K', 3, 4, ..] => Err("zip"),
            _ => Ok(Packing::None),
        }
    }

    /// The unpacked bytes of a file, from the beginning.
    pub(super) fn unpack(self, file: &Arc<File>) -> io::Result<Unpacked> {
        let length = file.metadata()?.len();
        let file = Arc::clone(file);
        let reader = BufReader::with_capacity(256 << 10, Shared { file, at: 0 });
        let allowed = ARCHIVE_UNPACKED.max(length.saturating_mul(ARCHIVE_RATIO));
        Ok(match self {
            Packing::None => Unpacked::Plain { reader, length },
            Packing::Gzip => Unpacked::Packed {
                reader: Box::new(Gzip::new(reader)),
                allowed,
            },
            Packing::Zstd => Unpacked::Packed {
                reader: Box::new(Zstd::new(reader)),
                allowed,
            },
        })
    }
}

/// A file that several read at once, each at its own place.
pub(super) struct Shared {
    pub(super) file: Arc<File>,
    pub(super) at: u64,
}

impl Read for Shared {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.file.read_at(buffer, self.at)?;
        self.at += got as u64;
        Ok(got)
    }
}

impl Seek for Shared {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.file.metadata()?.len().checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

/// The bytes of a tar archive, read forward.
pub(super) enum Unpacked {
    Plain {
        reader: BufReader<Shared>,
        length: u64,
    },
    Packed {
        reader: Box<dyn Read + Send>,
        /// Bytes that may still come out of it.
        allowed: u64,
    },
}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Unpacked::Plain { reader, .. } => reader.read(buffer),
            Unpacked::Packed { reader, allowed } => {
                let got = reader.read(buffer)?;
                *allowed = allowed.checked_sub(got as u64).ok_or_else(|| {
                    let what = format!(
                        "the archive unpacks to more than {} GiB and {ARCHIVE_RATIO} times its size",
                        ARCHIVE_UNPACKED >> 30
                    );
                    io::Error::new(io::ErrorKind::InvalidData, what)
                })?;
                Ok(got)
            }
        }
    }
}

impl Unpacked {
    /// Steps over bytes; how many of them there were.
    pub(super) fn skip(&mut self, length: u64) -> io::Result<u64> {
        if let Unpacked::Plain {
            reader,
            length: whole,
        } = self
        {
            let at = reader.stream_position()?;
            let step = length.min(whole.saturating_sub(at));
            reader.seek_relative(i64::try_from(step).map_err(io::Error::other)?)?;
            return Ok(step);
        }
        let mut buffer = vec![0; 64 << 10];
        let mut left = length;
        while left > 0 {
            let step = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
            match self.read(buffer.get_mut(..step).unwrap_or_default()) {
                Ok(0) => break,
                Ok(n) => left -= n as u64,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(length - left)
    }
}

/// All members of a gzip file, one after the other, as `gzip` itself reads them: zeros behind the last fill
/// up a block.
struct Gzip {
    member: Option<GzDecoder<BufReader<Shared>>>,
}

impl Gzip {
    fn new(input: BufReader<Shared>) -> Self {
        Gzip {
            member: Some(GzDecoder::new(input)),
        }
    }
}

impl Read for Gzip {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while let Some(member) = &mut self.member {
            let got = member.read(buffer)?;
            if got > 0 {
                return Ok(got);
            }
            let input = self.member.take().map(GzDecoder::into_inner);
            let Some(mut input) = input else { break };
            let mut zeros = false;
            loop {
                let left = input.fill_buf()?;
                let count = left.iter().take_while(|byte| **byte == 0).count();
                if count == 0 {
                    break;
                }
                zeros = true;
                input.consume(count);
            }
            if !input.fill_buf()?.is_empty() {
                if zeros {
                    let what = "bytes behind the zeros that end a gzip file";
                    return Err(io::Error::new(io::ErrorKind::InvalidData, what));
                }
                self.member = Some(GzDecoder::new(input));
            }
        }
        Ok(0)
    }
}

/// All frames of a zstd file, one after the other, as `zstd` itself reads them.
struct Zstd {
    input: BufReader<Shared>,
    decoder: FrameDecoder,
    /// Whether a frame is open.
    inside: bool,
}

impl Zstd {
    fn new(input: BufReader<Shared>) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(ZSTD_WINDOW);
        Zstd {
            input,
            decoder,
            inside: false,
        }
    }

    /// Opens the next frame; false when there is none.
    fn next_frame(&mut self) -> io::Result<bool> {
        while !self.input.fill_buf()?.is_empty() {
            match self.decoder.init(&mut self.input) {
                Ok(()) => {
                    self.inside = true;
                    return Ok(true);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let length = u64::from(length);
                    let skipped = io::copy(&mut self.input.by_ref().take(length), &mut io::sink())?;
                    if skipped < length {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(corrupt(&error)),
            }
        }
        Ok(false)
    }

    fn end_frame(&mut self) -> io::Result<()> {
        self.inside = false;
        let written = self.decoder.get_checksum_from_data();
        if written.is_some() && written != self.decoder.get_calculated_checksum() {
            let what = "a zstd frame whose checksum is wrong";
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        Ok(())
    }
}

impl Read for Zstd {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.inside && !self.next_frame()? {
                return Ok(0);
            }
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                self.decoder
                    .decode_blocks(&mut self.input, BlockDecodingStrategy::UptoBlocks(1))
                    .map_err(|error| corrupt(&error))?;
            }
            match self.decoder.read(buffer)? {
                0 => self.end_frame()?,
                got => return Ok(got),
            }
        }
    }
}

/// What ruzstd says, in one line.
fn corrupt(error: &FrameDecoderError) -> io::Error {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    io::Error::new(io::ErrorKind::InvalidData, format!("zstd: {line}"))
}
