//! What is read of a chunk, in memory.

use std::borrow::Cow;

use parquet::bloom_filter::Sbbf;

use super::narrow::{Codes, PageIntegers};
use crate::values::{Dictionary, Strings};
use crate::words::WordIndex;

/// What is kept of a chunk between questions: values of one page, a value for each row; or what stands beside the pages.
#[derive(Debug)]
pub(crate) enum PageData {
    Integers(PageIntegers),
    Uuids(Vec<[u8; 16]>),
    /// Codes of the chunk's dictionary.
    Codes(Codes),
    /// Codes of a dictionary of the page's own.
    Plain(Codes, Dictionary),
    Bytes(Strings),
    /// The chunk's dictionary.
    Dictionary(Dictionary),
    /// The chunk's bloom filter, if it has one that can be read.
    Filter(Option<Sbbf>),
    /// The chunk's index of words, if it has one that can be read.
    Words(Option<WordIndex>),
}

impl PageData {
    /// Codes, if it is a page of them.
    pub(crate) fn codes(&self) -> Option<&Codes> {
        match self {
            Self::Codes(codes) | Self::Plain(codes, _) => Some(codes),
            _ => None,
        }
    }

    /// Memory that it takes, about.
    pub(crate) fn bytes(&self) -> usize {
        const OVERHEAD: usize = 128;
        let content = match self {
            Self::Integers(values) => values.bytes(),
            Self::Uuids(values) => values.len() * size_of::<[u8; 16]>(),
            Self::Codes(codes) => codes.bytes(),
            Self::Plain(codes, dictionary) => codes.bytes() + dictionary.memory(),
            Self::Bytes(strings) => strings.memory(),
            Self::Dictionary(dictionary) => dictionary.memory(),
            Self::Words(words) => words.as_ref().map_or(0, WordIndex::memory),
            Self::Filter(filter) => filter.as_ref().map_or(0, |filter| filter.num_blocks() * FILTER_BLOCK_BYTES),
        };
        OVERHEAD + content
    }
}

/// Bytes of one block of a bloom filter.
const FILTER_BLOCK_BYTES: usize = 32;

/// Codes of a page's rows.
#[derive(Debug, Clone)]
pub(crate) enum PageCodes<'p> {
    Each(Cow<'p, [u32]>),
    /// One for all.
    Same(u32),
}
