//! An encoded column chunk → values in memory, page by page.

use std::cell::RefCell;
use std::sync::Arc;

use host::DiskFile;
use parquet::basic::{Compression, Encoding};
use parquet::bloom_filter::Sbbf;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::page_index::offset_index::OffsetIndexMetaData;

use super::chunk::is_required;
use super::header::{PageHeader, PageKind};
use super::narrow::{Codes, PageIntegers};
use super::page::PageData;
use super::{delta, hybrid};
use crate::block::absent;
use crate::cache::{DICTIONARY, FILTER, PageCache, PageKey, WORDS};
use crate::column::{Column, Kind};
use crate::values::{ABSENT, Dictionary, NO_INTEGER, NO_UUID, Strings, Values};
use crate::words::WordIndex;

/// Scratch space that a thread keeps between pages.
const SCRATCH_BYTES_MAX: usize = 1 << 20;
/// Largest page that is read.
const PAGE_BYTES_MAX: u32 = 1 << 30;

/// A page that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The file cannot be read.
    #[error("cannot read {length} bytes at {offset}")]
    Disk {
        /// Where in the file.
        offset: u64,
        /// How many bytes.
        length: usize,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// The bytes are not what a segment holds there.
    #[error("the page at {offset} of column {column} is damaged")]
    Damaged {
        /// Where in the file.
        offset: u64,
        /// Column of the page.
        column: &'static str,
    },
}

/// Values of one page as they are read, a value for each row.
pub(super) enum Decoded {
    Integers(Vec<i64>),
    Uuids(Vec<[u8; 16]>),
    /// Codes of the chunk's dictionary.
    Codes(Vec<u32>),
    /// Codes of a dictionary of the page's own.
    Plain(Vec<u32>, Dictionary),
    Bytes(Strings),
}

impl From<Decoded> for PageData {
    fn from(values: Decoded) -> Self {
        match values {
            Decoded::Integers(values) => Self::Integers(PageIntegers::new(&values)),
            Decoded::Uuids(values) => Self::Uuids(values),
            Decoded::Codes(codes) => Self::Codes(Codes::new(&codes)),
            Decoded::Plain(codes, dictionary) => Self::Plain(Codes::new(&codes), dictionary),
            Decoded::Bytes(strings) => Self::Bytes(strings),
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct PageAt {
    offset: u64,
    length: usize,
    first_row: usize,
    pub(super) rows: usize,
}

/// One column of one row group in a file.
pub(crate) struct Chunk {
    file: Arc<dyn DiskFile>,
    pub(super) column: Column,
    compressed: bool,
    dictionary: Option<(u64, usize)>,
    pub(super) pages: Vec<PageAt>,
    /// Where the index of words is and how long.
    words: Option<(u64, usize)>,
    cache: Arc<PageCache>,
    number: u64,
}

/// Whether a page that was not in the cache is put there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// It is likely to be wanted again.
    Again,
    /// It is one of many that are looked through.
    Once,
}

thread_local! {
    static DECOMPRESSOR: RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { RefCell::new(None) };
    static COMPRESSED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Chunk {
    pub(crate) fn new(
        file: Arc<dyn DiskFile>,
        cache: Arc<PageCache>,
        column: Column,
        metadata: &ColumnChunkMetaData,
        offsets: &OffsetIndexMetaData,
        rows: usize,
    ) -> Self {
        let locations = offsets.page_locations();
        let ends = locations.iter().skip(1).map(|next| next.first_row_index as usize).chain([rows]);
        let pages = locations.iter().zip(ends).map(|(page, end)| PageAt {
            offset: page.offset as u64,
            length: page.compressed_page_size as usize,
            first_row: page.first_row_index as usize,
            rows: end.saturating_sub(page.first_row_index as usize),
        });
        let pages: Vec<PageAt> = pages.collect();
        let dictionary = metadata.dictionary_page_offset().map(|offset| {
            let end = pages.first().map_or(offset as u64, |page| page.offset);
            (offset as u64, end.saturating_sub(offset as u64) as usize)
        });
        let compressed = metadata.compression() != Compression::UNCOMPRESSED;
        let number = cache.number();
        Self { file, column, compressed, dictionary, pages, words: None, cache, number }
    }

    /// With an index of words at a place of the file.
    pub(crate) fn with_words(self, offset: u64, length: usize) -> Self {
        Self { words: Some((offset, length)), ..self }
    }

    /// The index of words as it stands in the file; empty if there is none.
    pub(crate) fn words_bytes(&self) -> Result<Vec<u8>, PageError> {
        self.words.map_or(Ok(Vec::new()), |(offset, length)| self.read_bytes(offset, length))
    }

    /// The index of words, as [`PageData::Words`]. One that cannot be read rules nothing out.
    pub(crate) fn words(&self) -> Result<Arc<PageData>, PageError> {
        self.cached(WORDS, Use::Again, || Ok(PageData::Words(self.read_words(&self.words_bytes()?))))
    }

    fn read_words(&self, bytes: &[u8]) -> Option<WordIndex> {
        let (length, compressed) = bytes.split_first_chunk::<4>()?;
        let length = u32::from_le_bytes(*length);
        let plain = (length <= PAGE_BYTES_MAX).then(|| decompress(compressed, length as usize))??;
        WordIndex::read(&plain, self.pages.len())
    }

    /// What is kept under `page`, or what `read` gives.
    fn cached(
        &self,
        page: u32,
        again: Use,
        read: impl FnOnce() -> Result<PageData, PageError>,
    ) -> Result<Arc<PageData>, PageError> {
        let key = PageKey { chunk: self.number, page };
        if let Some(data) = self.cache.get(key) {
            return Ok(data);
        }
        let data = Arc::new(read()?);
        if again == Use::Again {
            self.cache.insert(key, &data);
        }
        Ok(data)
    }

    /// The values of a page.
    pub(crate) fn page(&self, page: usize, again: Use) -> Result<Arc<PageData>, PageError> {
        self.cached(page as u32, again, || self.read_values(page).map(PageData::from))
    }

    /// The chunk's dictionary, as [`PageData::Dictionary`]; empty if it has none.
    pub(crate) fn dictionary(&self) -> Result<Arc<PageData>, PageError> {
        self.cached(DICTIONARY, Use::Again, || self.read_dictionary().map(PageData::Dictionary))
    }

    /// The chunk's filter as `read` gives it, or as it was read before.
    pub(crate) fn filter(&self, read: impl FnOnce() -> Option<Sbbf>) -> Result<Arc<PageData>, PageError> {
        self.cached(FILTER, Use::Again, || Ok(PageData::Filter(read())))
    }

    /// Bytes in the file.
    pub(crate) fn bytes(&self) -> u64 {
        self.pages.iter().map(|page| page.length as u64).sum::<u64>()
            + self.dictionary.map_or(0, |(_, length)| length as u64)
    }

    pub(crate) fn has_dictionary(&self) -> bool {
        self.dictionary.is_some()
    }

    /// First row of a page and the row after its last.
    pub(crate) fn page_rows(&self, page: usize) -> std::ops::Range<usize> {
        let PageAt { first_row, rows, .. } = self.pages[page];
        first_row..first_row + rows
    }

    /// The page that holds `row`.
    pub(crate) fn page_of(&self, row: usize) -> usize {
        self.pages.partition_point(|page| page.first_row <= row).saturating_sub(1)
    }

    pub(super) fn read_dictionary(&self) -> Result<Dictionary, PageError> {
        let Some((offset, length)) = self.dictionary else { return Ok(Dictionary::default()) };
        let (header, payload) = self.read_page(offset, length)?;
        let mut places = Vec::with_capacity((header.values as usize).min(payload.len()));
        let mut at = 0;
        for _ in 0..header.values {
            places.push(string_at(&payload, &mut at).ok_or_else(|| self.damaged(offset))?);
        }
        Ok(Dictionary::within(payload, places))
    }

    /// All values of the chunk.
    pub(crate) fn load(&self) -> Result<Values, PageError> {
        let mut all = absent(self.column, 0);
        if let Values::Coded { dictionary, .. } = &mut all {
            *dictionary = self.read_dictionary()?;
        }
        for page in 0..self.pages.len() {
            match (&mut all, self.read_values(page)?) {
                (Values::Integers(all), Decoded::Integers(values)) => all.extend(values),
                (Values::Uuids(all), Decoded::Uuids(values)) => all.extend(values),
                (Values::Coded { codes: all, dictionary }, Decoded::Codes(codes))
                    if codes.iter().all(|code| (*code as usize) < dictionary.len()) =>
                {
                    all.extend(codes);
                }
                (Values::Coded { codes: all, dictionary }, Decoded::Plain(codes, values)) => {
                    let shift = dictionary.len() as u32 - 1;
                    for value in values.values() {
                        dictionary.push(value);
                    }
                    all.extend(codes.iter().map(|code| if *code == ABSENT { ABSENT } else { code + shift }));
                }
                (Values::Bytes(all), Decoded::Bytes(strings)) => strings.iter().for_each(|value| all.push(value)),
                _ => return Err(self.damaged(self.pages[page].offset)),
            }
        }
        Ok(all)
    }

    /// Whether it has the pages of another chunk, byte by byte.
    pub(crate) fn is_copy_of(&self, other: &Self) -> Result<bool, PageError> {
        let shape = |chunk: &Self| (chunk.compressed, chunk.dictionary.is_some(), chunk.pages.len());
        if shape(self) != shape(other) || self.words_bytes()? != other.words_bytes()? {
            return Ok(false);
        }
        let rows = |chunk: &Self| (0..chunk.pages.len()).map(|page| chunk.page_rows(page)).collect::<Vec<_>>();
        let places = |chunk: &Self| {
            let pages = chunk.pages.iter().map(|page| (page.offset, page.length));
            chunk.dictionary.into_iter().chain(pages).collect::<Vec<_>>()
        };
        if rows(self) != rows(other) {
            return Ok(false);
        }
        for (mine, theirs) in places(self).into_iter().zip(places(other)) {
            if mine.1 != theirs.1 || self.read_bytes(mine.0, mine.1)? != other.read_bytes(theirs.0, theirs.1)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(super) fn read_values(&self, page: usize) -> Result<Decoded, PageError> {
        let PageAt { offset, length, rows, .. } = self.pages[page];
        let (header, payload) = self.read_page(offset, length)?;
        self.decode(&header, payload, rows)?.ok_or_else(|| self.damaged(offset))
    }

    fn decode(&self, header: &PageHeader, payload: Vec<u8>, rows: usize) -> Result<Option<Decoded>, PageError> {
        if header.kind != PageKind::Data || header.values as usize != rows {
            return Ok(None);
        }
        let mut rest = payload.as_slice();
        let Some(levels) = self.take_levels(&mut rest, rows) else { return Ok(None) };
        Ok(match self.column.kind() {
            Kind::Integer | Kind::Time => {
                let Some(present) = self.integers(header, rest, levels.present)? else { return Ok(None) };
                Some(Decoded::Integers(levels.spread(present, NO_INTEGER)))
            }
            Kind::Uuid => uuids(rest, levels.present).map(|present| Decoded::Uuids(levels.spread(present, NO_UUID))),
            Kind::Text | Kind::Json | Kind::Binary if header.encoding == Encoding::PLAIN as i32 => {
                let start = payload.len() - rest.len();
                plain_codes(payload, start, &levels)
            }
            _ if levels.present == 0 && self.column.kind().is_coded() => Some(Decoded::Codes(vec![ABSENT; rows])),
            Kind::Text | Kind::Json | Kind::Binary => {
                // Code zero means "absent" in memory, the first value in the file.
                take_codes(rest, levels.present).map(|mut codes| {
                    codes.iter_mut().for_each(|code| *code = code.saturating_add(1));
                    Decoded::Codes(levels.spread(codes, ABSENT))
                })
            }
            Kind::Body | Kind::Blob => {
                let start = payload.len() - rest.len();
                strings(payload, start, &levels)
            }
        })
    }

    fn integers(&self, header: &PageHeader, bytes: &[u8], count: usize) -> Result<Option<Vec<i64>>, PageError> {
        if header.encoding == Encoding::DELTA_BINARY_PACKED as i32 {
            let mut values = Vec::with_capacity(count);
            return Ok(delta::decode(bytes, count, &mut values).map(|()| values));
        }
        let Some(codes) = take_codes(bytes, count) else { return Ok(None) };
        let Some((offset, length)) = self.dictionary else { return Ok(None) };
        let dictionary = self.cached(DICTIONARY, Use::Again, || {
            let (_, plain) = self.read_page(offset, length)?;
            let values = plain.as_chunks().0.iter().map(|bytes: &[u8; 8]| i64::from_le_bytes(*bytes));
            Ok(PageData::Integers(PageIntegers::new(&values.collect::<Vec<_>>())))
        })?;
        let PageData::Integers(values) = &*dictionary else { return Ok(None) };
        let values = values.all();
        Ok(codes.iter().map(|code| values.get(*code as usize).copied()).collect())
    }

    fn take_levels(&self, bytes: &mut &[u8], rows: usize) -> Option<Levels> {
        if is_required(self.column) {
            return Some(Levels { present: rows, levels: None });
        }
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (levels, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        *bytes = rest;
        if let Some(level) = hybrid::single_run(levels, 1, rows) {
            let levels = (level == 0).then(|| vec![0; rows]);
            return Some(Levels { present: if level == 0 { 0 } else { rows }, levels });
        }
        let mut decoded = Vec::with_capacity(rows);
        hybrid::decode(levels, 1, rows, &mut decoded)?;
        let present = decoded.iter().map(|level| *level as usize).sum();
        Some(Levels { present, levels: (present < rows).then_some(decoded) })
    }

    fn read_page(&self, offset: u64, length: usize) -> Result<(PageHeader, Vec<u8>), PageError> {
        let mut bytes = COMPRESSED.take();
        bytes.resize(length.max(bytes.len()), 0);
        let read = self.fill(&mut bytes[..length], offset).and_then(|()| {
            let mut rest = &bytes[..length];
            let header = PageHeader::read(&mut rest).filter(|header| header.size <= PAGE_BYTES_MAX);
            let header = header.filter(|header| header.compressed as usize == rest.len());
            let header = header.ok_or_else(|| self.damaged(offset))?;
            let payload = if self.compressed { decompress(rest, header.size as usize) } else { Some(rest.to_vec()) };
            Ok((header, payload.ok_or_else(|| self.damaged(offset))?))
        });
        bytes.truncate(SCRATCH_BYTES_MAX);
        bytes.shrink_to(SCRATCH_BYTES_MAX);
        COMPRESSED.set(bytes);
        read
    }

    fn read_bytes(&self, offset: u64, length: usize) -> Result<Vec<u8>, PageError> {
        let mut bytes = vec![0; length];
        self.fill(&mut bytes, offset)?;
        Ok(bytes)
    }

    fn fill(&self, bytes: &mut [u8], offset: u64) -> Result<(), PageError> {
        let length = bytes.len();
        let read = self.file.read_at(bytes, offset).map_err(|cause| PageError::Disk { offset, length, cause })?;
        if read < length { Err(self.damaged(offset)) } else { Ok(()) }
    }

    /// A page whose values cannot be right.
    pub(crate) fn damaged_page(&self, page: usize) -> PageError {
        self.damaged(self.pages[page].offset)
    }

    fn damaged(&self, offset: u64) -> PageError {
        PageError::Damaged { offset, column: self.column.name() }
    }
}

fn decompress(bytes: &[u8], size: usize) -> Option<Vec<u8>> {
    DECOMPRESSOR.with_borrow_mut(|slot| {
        let decompressor = match slot {
            Some(decompressor) => decompressor,
            None => slot.insert(zstd::bulk::Decompressor::new().ok()?),
        };
        decompressor.decompress(bytes, size).ok().filter(|payload| payload.len() == size)
    })
}

/// Which rows of a page have a value.
struct Levels {
    present: usize,
    /// One or zero for each row; none if every row has a value.
    levels: Option<Vec<u32>>,
}

impl Levels {
    /// Puts `absent` between the present values.
    fn spread<T: Copy>(&self, present: Vec<T>, absent: T) -> Vec<T> {
        let Some(levels) = &self.levels else { return present };
        let mut values = present.into_iter();
        levels.iter().map(|level| if *level == 0 { absent } else { values.next().unwrap_or(absent) }).collect()
    }

    fn rows(&self) -> usize {
        self.levels.as_ref().map_or(self.present, Vec::len)
    }

    fn iter(&self) -> impl Iterator<Item = bool> {
        (0..self.rows()).map(|row| self.levels.as_ref().is_none_or(|levels| levels[row] != 0))
    }
}

fn take_codes(bytes: &[u8], count: usize) -> Option<Vec<u32>> {
    let mut codes = Vec::with_capacity(count);
    let (width, rest) = bytes.split_first()?;
    hybrid::decode(rest, *width, count, &mut codes)?;
    Some(codes)
}

fn uuids(bytes: &[u8], count: usize) -> Option<Vec<[u8; 16]>> {
    let (uuids, rest) = bytes.as_chunks::<16>();
    (uuids.len() == count && rest.is_empty()).then(|| uuids.to_vec())
}

fn plain_codes(payload: Vec<u8>, mut at: usize, levels: &Levels) -> Option<Decoded> {
    let mut places = Vec::with_capacity(levels.present);
    let mut codes = Vec::with_capacity(levels.rows());
    for present in levels.iter() {
        if present {
            places.push(string_at(&payload, &mut at)?);
        }
        codes.push(if present { places.len() as u32 } else { ABSENT });
    }
    Some(Decoded::Plain(codes, Dictionary::within(payload, places)))
}

fn strings(payload: Vec<u8>, mut at: usize, levels: &Levels) -> Option<Decoded> {
    let mut places = Vec::with_capacity(levels.rows());
    for present in levels.iter() {
        places.push(if present { string_at(&payload, &mut at)? } else { (at as u32, at as u32) });
    }
    Some(Decoded::Bytes(Strings::within(payload, places)))
}

/// Start and end of the string whose length stands `at`, which moves on.
fn string_at(payload: &[u8], at: &mut usize) -> Option<(u32, u32)> {
    let length = u32::from_le_bytes(*payload.get(*at..)?.first_chunk()?) as usize;
    let start = *at + size_of::<u32>();
    *at = start.checked_add(length).filter(|end| *end <= payload.len())?;
    Some((start as u32, *at as u32)) // pages are at most `PAGE_BYTES_MAX` long
}
