//! Unpacks gzip and Zstandard files as streams.

use std::io::{self, BufReader, Read};

use crate::tail::Packing;

/// Largest window of a Zstandard file, as a power of two: 128 MiB, what `zstd --long` makes. Larger ones are refused, since
/// they could make us take gigabytes.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// The content of a file whose packing shows in its first bytes.
pub fn unpack_any<'a>(mut file: impl Read + Send + 'a) -> io::Result<Box<dyn Read + Send + 'a>> {
    let mut magic = Vec::with_capacity(4);
    file.by_ref().take(4).read_to_end(&mut magic)?;
    let packing = match magic[..] {
        [0x1f, 0x8b, ..] => Packing::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd] => Packing::Zstd,
        _ => Packing::Plain,
    };
    unpack(io::Cursor::new(magic).chain(file), packing)
}

/// The content of a file. Several packed parts behind each other are one content, as `cat` makes them.
pub(crate) fn unpack<'a>(file: impl Read + Send + 'a, packing: Packing) -> io::Result<Box<dyn Read + Send + 'a>> {
    let file = BufReader::with_capacity(128 << 10, file);
    Ok(match packing {
        Packing::Plain => Box::new(file),
        Packing::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(file)),
        Packing::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(file)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
            Box::new(decoder)
        }
    })
}
