//! What is read of a chunk, in memory.

use parquet::bloom_filter::Sbbf;

use crate::values::{ABSENT, Dictionary, Strings};
use crate::words::WordIndex;

/// Values of one page, a value for each row; or what stands beside the pages of a chunk.
#[derive(Debug)]
pub(crate) enum PageData {
    Integers(Vec<i64>),
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
            Self::Integers(values) => values.len() * size_of::<i64>(),
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
#[derive(Debug, Clone, Copy)]
pub(crate) enum PageCodes<'p> {
    Each(&'p [u32]),
    /// One for all.
    Same(u32),
}

/// Codes of a page, with the lowest and the highest of them. A page of one code only holds no more than that.
#[derive(Debug, Clone)]
pub(crate) struct Codes {
    low: u32,
    high: u32,
    rows: usize,
    each: Vec<u32>,
}

impl Codes {
    pub(crate) fn new(codes: Vec<u32>) -> Self {
        let low = codes.iter().copied().min().unwrap_or(ABSENT);
        let high = codes.iter().copied().max().unwrap_or(ABSENT);
        let rows = codes.len();
        Self { low, high, rows, each: if low == high { Vec::new() } else { codes } }
    }

    pub(crate) fn same(code: u32, rows: usize) -> Self {
        Self { low: code, high: code, rows, each: Vec::new() }
    }

    /// Lowest and highest code.
    pub(crate) fn range(&self) -> (u32, u32) {
        (self.low, self.high)
    }

    pub(crate) fn view(&self) -> PageCodes<'_> {
        if self.low == self.high { PageCodes::Same(self.low) } else { PageCodes::Each(&self.each) }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        (0..self.rows).map(|row| if self.low == self.high { self.low } else { self.each[row] })
    }

    fn bytes(&self) -> usize {
        self.each.len() * size_of::<u32>()
    }
}
