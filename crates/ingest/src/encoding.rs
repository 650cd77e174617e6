//! Content encodings of request bodies, undone chunk by chunk into a bounded buffer.

use std::io::{self, BufRead, Read};

use axum::body::Bytes;
use flate2::bufread::MultiGzDecoder;

/// Largest window of a Zstandard body, as a power of two: 8 MiB, what RFC 9659 allows in HTTP.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// Memory that a decoder may hold, to be counted against the budget.
pub(crate) const DECODER_BYTES: usize = 1 << ZSTD_WINDOW_LOG_MAX;

/// Undoes one content encoding.
pub(crate) enum Decoder {
    Identity(Feed),
    Gzip(Box<MultiGzDecoder<Feed>>),
    Zstd(Box<zstd::stream::read::Decoder<'static, Feed>>),
}

/// What a read from a decoder gave.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decoded {
    /// So many bytes.
    Bytes(usize),
    /// Nothing until more is fed.
    Hungry,
    /// The body is complete.
    End,
}

impl Decoder {
    /// The decoder for a `Content-Encoding`; `None` if we do not know it.
    pub(crate) fn for_encoding(name: &str) -> io::Result<Option<Self>> {
        Ok(match name {
            "" | "identity" => Some(Self::Identity(Feed::default())),
            "gzip" | "x-gzip" => Some(Self::Gzip(Box::new(MultiGzDecoder::new(Feed::default())))),
            "zstd" => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(Feed::default())?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
                Some(Self::Zstd(Box::new(decoder)))
            }
            _ => None,
        })
    }

    /// Hands over the next bytes as they came; only when the decoder is [`Decoded::Hungry`].
    pub(crate) fn feed(&mut self, bytes: Bytes) {
        self.feed_mut().bytes = bytes;
    }

    /// Says that nothing more will be fed.
    pub(crate) fn end(&mut self) {
        self.feed_mut().ended = true;
    }

    /// Reads decoded bytes.
    ///
    /// # Errors
    /// When the body is not what its encoding says.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<Decoded> {
        let read = match self {
            Self::Identity(feed) => feed.read(buffer),
            Self::Gzip(decoder) => decoder.read(buffer),
            Self::Zstd(decoder) => decoder.read(buffer),
        };
        match read {
            Ok(0) => Ok(Decoded::End),
            Ok(read) => Ok(Decoded::Bytes(read)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Decoded::Hungry),
            Err(error) => Err(error),
        }
    }

    fn feed_mut(&mut self) -> &mut Feed {
        match self {
            Self::Identity(feed) => feed,
            Self::Gzip(decoder) => decoder.get_mut(),
            Self::Zstd(decoder) => decoder.get_mut(),
        }
    }
}

/// The bytes that came last; says "would block" between them.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    bytes: Bytes,
    ended: bool,
}

impl Read for Feed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let read = available.len().min(buffer.len());
        buffer[..read].copy_from_slice(&available[..read]);
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for Feed {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.bytes.is_empty() && !self.ended {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(&self.bytes)
    }

    fn consume(&mut self, amount: usize) {
        let _ = self.bytes.split_to(amount);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn decode(encoding: &str, body: &[u8], piece: usize) -> io::Result<Vec<u8>> {
        let mut decoder = Decoder::for_encoding(encoding)?.unwrap();
        let mut pieces = body.chunks(piece);
        let mut decoded = Vec::new();
        let mut buffer = [0; 7];
        loop {
            match decoder.read(&mut buffer)? {
                Decoded::Bytes(read) => decoded.extend_from_slice(&buffer[..read]),
                Decoded::Hungry => match pieces.next() {
                    Some(piece) => decoder.feed(Bytes::copy_from_slice(piece)),
                    None => decoder.end(),
                },
                Decoded::End => return Ok(decoded),
            }
        }
    }

    #[test]
    fn every_encoding_survives_any_cut() {
        let text: Vec<u8> = (0..2_000u32).flat_map(|n| n.to_string().into_bytes()).collect();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(&text).unwrap();
        let gzip = gzip.finish().unwrap();
        let zstd = zstd::encode_all(&text[..], 3).unwrap();
        for piece in [1, 2, 3, 11, 100, 100_000] {
            assert_eq!(decode("identity", &text, piece).unwrap(), text);
            assert_eq!(decode("gzip", &gzip, piece).unwrap(), text);
            assert_eq!(decode("zstd", &zstd, piece).unwrap(), text);
            assert!(decode("gzip", &gzip[..gzip.len() - 9], piece).is_err());
            assert!(decode("zstd", &zstd[..zstd.len() - 1], piece).is_err());
            assert!(decode("gzip", b"{\"kind\":\"EventList\"}", piece).is_err());
        }
        assert!(Decoder::for_encoding("br").unwrap().is_none());
    }
}
