//! Values in memory → an encoded column chunk.

use parquet::basic::Encoding;
use parquet::bloom_filter::Sbbf;
use parquet::data_type::FixedLenByteArray;
use parquet::errors::ParquetError;
use parquet::file::statistics::{Statistics, ValueStatistics};
use parquet::schema::types::ColumnDescPtr;

use super::chunk::{Bounds, ChunkWriter, EncodedChunk};
use super::delta;
use crate::column::Column;
use crate::sorted::Sorted;
use crate::values::{ABSENT, Dictionary, NO_INTEGER, NO_UUID, Values};

/// Rows of one page. Narrow columns share these bounds, so that one page of each is one piece of work for a query.
pub(crate) const PAGE_ROWS: usize = 8192;
/// A page of bodies ends at this size, so that one row costs little to fetch.
const BODY_PAGE_BYTES: usize = 128 << 10;
/// Integers with no more distinct values than this are kept through a dictionary.
const INTEGER_DICTIONARY_MAX: usize = 1024;
/// Rank of "absent".
const NO_RANK: u32 = u32::MAX;
/// Bits of the bloom filter for each row: about 2 % false answers.
const BLOOM_BITS_PER_ROW: usize = 8;

/// Encodes column chunks; keeps its compressor between them.
pub(crate) struct Encoder {
    compressor: zstd::bulk::Compressor<'static>,
    pub(super) level: i32,
    /// Rows of the open page without a value.
    pub(super) absent: usize,
    /// For each row of the open page, one if it has a value, else zero; nothing where all rows are alike.
    pub(super) levels: Vec<u32>,
    /// Scratch space of the open page.
    pub(super) plain: Vec<u8>,
}

impl Encoder {
    /// With zstd at `level`.
    pub(crate) fn new(level: i32) -> std::io::Result<Self> {
        Ok(Self {
            compressor: zstd::bulk::Compressor::new(level)?,
            level,
            absent: 0,
            levels: Vec::new(),
            plain: Vec::new(),
        })
    }

    pub(super) fn compress(&mut self, bytes: &[u8]) -> Result<Vec<u8>, ParquetError> {
        self.compressor.compress(bytes).map_err(|cause| ParquetError::External(Box::new(cause)))
    }

    /// An index of words as it stands in the file: its length, then its bytes compressed.
    pub(super) fn compress_words(&mut self, index: &[u8]) -> Result<Vec<u8>, ParquetError> {
        let mut out = (index.len() as u32).to_le_bytes().to_vec();
        out.extend(self.compress(index)?);
        Ok(out)
    }

    /// Leaves those of a page's values that are not absent, and notes which rows have one. Returns how many have none.
    fn keep_present<T>(&mut self, values: &mut Vec<T>, is_absent: impl Fn(&T) -> bool) -> usize {
        let count = values.iter().filter(|value| is_absent(value)).count();
        self.levels.clear();
        if count > 0 && count < values.len() {
            self.levels.extend(values.iter().map(|value| u32::from(!is_absent(value))));
            values.retain(|value| !is_absent(value));
        } else if count > 0 {
            values.clear();
        }
        self.absent = count;
        count
    }

    /// Encodes a column.
    pub(crate) fn encode(
        &mut self,
        column: Column,
        descriptor: ColumnDescPtr,
        rows: &Sorted,
    ) -> Result<EncodedChunk, ParquetError> {
        let order = rows.order();
        let mut chunk = ChunkWriter::new(self, column, descriptor, order.len());
        match rows.values(column) {
            Values::Integers(values) => chunk.integers(values, order)?,
            Values::Uuids(values) => chunk.uuids(values, order)?,
            Values::Coded { codes, dictionary } => chunk.coded(codes, dictionary, order)?,
            Values::Bytes(_) => chunk.bytes(rows)?,
        }
        chunk.finish()
    }
}

impl ChunkWriter<'_> {
    fn integers(&mut self, values: &[i64], order: &[u32]) -> Result<(), ParquetError> {
        let dictionary = IntegerCodes::of(values, INTEGER_DICTIONARY_MAX);
        if let Some(dictionary) = &dictionary {
            let plain: Vec<u8> = dictionary.sorted.iter().flat_map(|value| value.to_le_bytes()).collect();
            self.dictionary_page(&plain, dictionary.sorted.len())?;
        }
        let mut present = Vec::with_capacity(PAGE_ROWS);
        let mut codes = Vec::new();
        for rows in order.chunks(PAGE_ROWS) {
            present.clear();
            present.extend(rows.iter().map(|row| values[*row as usize]));
            let absent = self.encoder.keep_present(&mut present, |value| *value == NO_INTEGER);
            let bounds = Bounds { range: integer_range(&present), absent };
            match &dictionary {
                Some(dictionary) => {
                    dictionary.codes(&present, &mut codes);
                    self.code_page(&codes, dictionary.sorted.len(), rows.len(), bounds)?;
                }
                None => {
                    let mut payload = self.open_page(rows.len());
                    delta::encode(&present, &mut payload);
                    self.close_page(payload, Encoding::DELTA_BINARY_PACKED, rows.len(), bounds)?;
                }
            }
        }
        let range = values.iter().copied().filter(|value| *value != NO_INTEGER);
        let (min, max) = (range.clone().min(), range.max());
        self.statistics = Some(Statistics::int64(min, max, None, None, false));
        Ok(())
    }

    fn uuids(&mut self, values: &[[u8; 16]], order: &[u32]) -> Result<(), ParquetError> {
        let mut bloom = Sbbf::new_with_num_of_bytes(order.len() * BLOOM_BITS_PER_ROW / 8);
        let mut present = Vec::with_capacity(PAGE_ROWS);
        for rows in order.chunks(PAGE_ROWS) {
            present.clear();
            present.extend(rows.iter().map(|row| values[*row as usize]));
            self.encoder.keep_present(&mut present, |uuid| *uuid == NO_UUID);
            let mut payload = self.open_page(rows.len());
            for uuid in &present {
                payload.extend_from_slice(uuid);
                if self.column.has_bloom() {
                    bloom.insert(uuid.as_slice());
                }
            }
            self.close_page(payload, Encoding::PLAIN, rows.len(), Bounds { range: None, absent: 0 })?;
        }
        self.bloom = self.column.has_bloom().then_some(bloom);
        self.statistics = Some(Statistics::FixedLenByteArray(ValueStatistics::new(
            None::<FixedLenByteArray>,
            None,
            None,
            None,
            false,
        )));
        Ok(())
    }

    fn coded(&mut self, codes: &[u32], dictionary: &Dictionary, order: &[u32]) -> Result<(), ParquetError> {
        // Codes become ranks: equal order of codes and values makes bounds and look-ups cheap.
        let by_value = dictionary.by_value();
        let mut ranks = vec![NO_RANK; dictionary.len()];
        for (rank, code) in by_value.iter().enumerate() {
            ranks[*code as usize] = rank as u32;
        }
        let value_of = |rank: u32| dictionary.get(by_value[rank as usize]).unwrap_or_default();
        let present_rows = if by_value.is_empty() { 0 } else { codes.iter().filter(|code| **code != ABSENT).count() };
        let plain = by_value.len() * 4 > present_rows * 3;
        if !plain {
            let mut page = Vec::with_capacity(dictionary.bytes() + by_value.len() * 4);
            by_value.iter().for_each(|code| put_string(dictionary.get(*code).unwrap_or_default(), &mut page));
            self.dictionary_page(&page, by_value.len())?;
        }
        let mut present = Vec::with_capacity(PAGE_ROWS);
        for rows in order.chunks(PAGE_ROWS) {
            present.clear();
            match by_value.is_empty() {
                true => present.resize(rows.len(), NO_RANK), // as many columns
                false => present.extend(rows.iter().map(|row| ranks[codes[*row as usize] as usize])),
            }
            let absent = self.encoder.keep_present(&mut present, |rank| *rank == NO_RANK);
            let range = present.iter().copied().min().zip(present.iter().copied().max());
            let range = range.map(|(min, max)| (value_of(min).to_vec(), value_of(max).to_vec()));
            let bounds = Bounds { range, absent };
            if plain {
                let mut payload = self.open_page(rows.len());
                present.iter().for_each(|rank| put_string(value_of(*rank), &mut payload));
                self.close_page(payload, Encoding::PLAIN, rows.len(), bounds)?;
            } else {
                self.code_page(&present, by_value.len(), rows.len(), bounds)?;
            }
        }
        Ok(())
    }

    fn bytes(&mut self, rows: &Sorted) -> Result<(), ParquetError> {
        for block in rows.order().chunks(PAGE_ROWS) {
            let values: Vec<&[u8]> = block.iter().map(|row| rows.bytes(self.column, *row)).collect();
            let mut at = 0;
            while at < values.len() {
                let mut size = 0;
                let fits = |value: &&&[u8]| {
                    size += value.len();
                    size <= BODY_PAGE_BYTES
                };
                let rows = values[at..].iter().take_while(fits).count().max(1);
                self.body_page(&values[at..at + rows])?;
                at += rows;
            }
        }
        Ok(())
    }

    fn body_page(&mut self, values: &[&[u8]]) -> Result<(), ParquetError> {
        if let Some(words) = &mut self.words {
            words.add_page(values.iter().copied());
        }
        let mut present = values.to_vec();
        self.encoder.keep_present(&mut present, |value| value.is_empty());
        let mut payload = self.open_page(values.len());
        present.iter().for_each(|value| put_string(value, &mut payload));
        self.close_page(payload, Encoding::PLAIN, values.len(), Bounds { range: None, absent: 0 })
    }
}

fn put_string(value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(value.len() as u32).to_le_bytes());
    out.extend_from_slice(value);
}

fn integer_range(values: &[i64]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (min, max) = values.iter().min().zip(values.iter().max())?;
    Some((min.to_le_bytes().to_vec(), max.to_le_bytes().to_vec()))
}

/// Codes of integers that have few distinct values.
struct IntegerCodes {
    sorted: Vec<i64>,
    codes: hashbrown::HashMap<i64, u32>,
}

impl IntegerCodes {
    /// Nothing if more than `limit` distinct values are present.
    fn of(values: &[i64], limit: usize) -> Option<Self> {
        let mut codes = hashbrown::HashMap::with_capacity(limit);
        let mut last = NO_INTEGER;
        for value in values {
            if *value != last && *value != NO_INTEGER {
                last = *value;
                if codes.insert(last, 0).is_none() && codes.len() > limit {
                    return None;
                }
            }
        }
        let mut sorted: Vec<i64> = codes.keys().copied().collect();
        sorted.sort_unstable();
        codes.extend(sorted.iter().copied().zip(0..));
        Some(Self { sorted, codes })
    }

    fn codes(&self, values: &[i64], out: &mut Vec<u32>) {
        out.clear();
        let (mut last, mut code) = (NO_INTEGER, 0);
        out.extend(values.iter().map(|value| {
            if *value != last {
                (last, code) = (*value, self.codes.get(value).copied().unwrap_or(0));
            }
            code
        }));
    }
}
