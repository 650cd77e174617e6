//! Values in memory → an encoded column chunk.

use parquet::basic::{BoundaryOrder, Compression, Encoding, ZstdLevel};
use parquet::bloom_filter::Sbbf;
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::FixedLenByteArray;
use parquet::file::metadata::{ColumnChunkMetaData, ColumnIndexBuilder, OffsetIndexBuilder};
use parquet::file::statistics::{Statistics, ValueStatistics};
use parquet::schema::types::ColumnDescPtr;

use super::header::{PageHeader, PageKind};
use super::{delta, hybrid};
use crate::column::{Column, Kind};
use crate::values::{ABSENT, Dictionary, NO_INTEGER, NO_UUID, Strings, Values};

/// Rows of one page. Narrow columns share these bounds, so that one page of each is one piece of work for a query.
pub(crate) const PAGE_ROWS: usize = 8192;
/// A page of bodies ends at this size, so that one row costs little to fetch.
const BODY_PAGE_BYTES: usize = 512 << 10;
/// Integers with no more distinct values than this are kept through a dictionary.
const INTEGER_DICTIONARY_MAX: usize = 1024;
/// Longest value that page bounds are kept for.
const BOUND_BYTES_MAX: usize = 128;
/// Bits of the bloom filter for each row: about 2 % false answers.
const BLOOM_BITS_PER_ROW: usize = 8;

/// A column chunk and what the footer says about it.
pub(crate) struct EncodedChunk {
    pub(crate) bytes: Vec<u8>,
    pub(crate) close: ColumnCloseResult,
}

/// Encodes column chunks; keeps its compressor between them.
pub(crate) struct Encoder {
    compressor: zstd::bulk::Compressor<'static>,
    level: i32,
    levels: Vec<u32>,
    plain: Vec<u8>,
}

impl Encoder {
    /// With zstd at `level`.
    pub(crate) fn new(level: i32) -> std::io::Result<Self> {
        Ok(Self { compressor: zstd::bulk::Compressor::new(level)?, level, levels: Vec::new(), plain: Vec::new() })
    }

    /// Encodes `values` in the given row order.
    pub(crate) fn encode(
        &mut self,
        column: Column,
        descriptor: ColumnDescPtr,
        values: &Values,
        order: &[u32],
    ) -> Result<EncodedChunk, parquet::errors::ParquetError> {
        let mut chunk = ChunkWriter::new(self, column, descriptor, order.len());
        match values {
            Values::Integers(values) => chunk.integers(values, order)?,
            Values::Uuids(values) => chunk.uuids(values, order)?,
            Values::Coded { codes, dictionary } => chunk.coded(codes, dictionary, order)?,
            Values::Bytes(strings) => chunk.bytes(strings, order)?,
        }
        chunk.finish()
    }
}

/// Whether every row has a value, so that the file declares the column required.
pub(crate) fn is_required(column: Column) -> bool {
    matches!(column, Column::Index | Column::Received | Column::Time | Column::Size | Column::Cluster | Column::Format)
}

struct ChunkWriter<'e> {
    encoder: &'e mut Encoder,
    column: Column,
    descriptor: ColumnDescPtr,
    compress: bool,
    bytes: Vec<u8>,
    uncompressed: usize,
    rows: usize,
    dictionary: bool,
    encodings: Vec<Encoding>,
    first_data_page: Option<usize>,
    column_index: Option<ColumnIndexBuilder>,
    offset_index: OffsetIndexBuilder,
    statistics: Option<Statistics>,
    bloom: Option<Sbbf>,
}

/// Lowest and highest value of a page, in the plain encoding, and the number of rows without one.
struct Bounds {
    range: Option<(Vec<u8>, Vec<u8>)>,
    absent: usize,
}

impl<'e> ChunkWriter<'e> {
    fn new(encoder: &'e mut Encoder, column: Column, descriptor: ColumnDescPtr, rows: usize) -> Self {
        let column_index = matches!(column.kind(), Kind::Integer | Kind::Time | Kind::Text)
            .then(|| ColumnIndexBuilder::new(descriptor.physical_type()));
        Self {
            encoder,
            column,
            compress: column.kind() != Kind::Uuid,
            bytes: Vec::new(),
            uncompressed: 0,
            rows,
            dictionary: false,
            encodings: vec![Encoding::RLE],
            first_data_page: None,
            column_index,
            offset_index: OffsetIndexBuilder::new(),
            statistics: None,
            bloom: None,
            descriptor,
        }
    }

    fn integers(&mut self, values: &[i64], order: &[u32]) -> Result<(), parquet::errors::ParquetError> {
        let sorted = distinct(values, INTEGER_DICTIONARY_MAX);
        if let Some(sorted) = &sorted {
            let plain: Vec<u8> = sorted.iter().flat_map(|value| value.to_le_bytes()).collect();
            self.dictionary_page(&plain, sorted.len())?;
        }
        let mut present = Vec::with_capacity(PAGE_ROWS);
        let mut codes = Vec::new();
        for rows in order.chunks(PAGE_ROWS) {
            self.encoder.levels.clear();
            present.clear();
            for row in rows {
                let value = values[*row as usize];
                self.encoder.levels.push(u32::from(value != NO_INTEGER));
                if value != NO_INTEGER {
                    present.push(value);
                }
            }
            let bounds = Bounds { range: integer_range(&present), absent: rows.len() - present.len() };
            match &sorted {
                Some(sorted) => {
                    codes.clear();
                    codes.extend(present.iter().map(|value| sorted.binary_search(value).unwrap_or(0) as u32));
                    self.code_page(&codes, sorted.len(), rows.len(), bounds)?;
                }
                None => {
                    let mut payload = self.open_page();
                    delta::encode(&present, &mut payload);
                    self.close_page(payload, Encoding::DELTA_BINARY_PACKED, rows.len(), bounds)?;
                }
            }
        }
        let range = order.iter().map(|row| values[*row as usize]).filter(|value| *value != NO_INTEGER);
        let (min, max) = (range.clone().min(), range.max());
        self.statistics = Some(Statistics::int64(min, max, None, None, false));
        Ok(())
    }

    fn uuids(&mut self, values: &[[u8; 16]], order: &[u32]) -> Result<(), parquet::errors::ParquetError> {
        let mut bloom = Sbbf::new_with_num_of_bytes(order.len() * BLOOM_BITS_PER_ROW / 8);
        for rows in order.chunks(PAGE_ROWS) {
            self.encoder.levels.clear();
            let uuids = rows.iter().map(|row| &values[*row as usize]);
            self.encoder.levels.extend(uuids.clone().map(|uuid| u32::from(*uuid != NO_UUID)));
            let mut payload = self.open_page();
            for uuid in uuids.filter(|uuid| **uuid != NO_UUID) {
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

    fn coded(
        &mut self,
        codes: &[u32],
        dictionary: &Dictionary,
        order: &[u32],
    ) -> Result<(), parquet::errors::ParquetError> {
        // Codes become ranks: equal order of codes and values makes bounds and look-ups cheap.
        let mut by_value: Vec<u32> = (1..dictionary.len() as u32).collect();
        by_value.sort_unstable_by_key(|code| dictionary.get(*code));
        let mut ranks = vec![ABSENT; dictionary.len()];
        for (rank, code) in by_value.iter().enumerate() {
            ranks[*code as usize] = rank as u32 + 1;
        }
        let value_of = |rank: u32| dictionary.get(by_value[rank as usize]).unwrap_or_default();
        let present_rows = codes.iter().filter(|code| **code != ABSENT).count();
        let plain = by_value.len() * 4 > present_rows * 3;
        if !plain {
            let mut page = Vec::with_capacity(dictionary.bytes() + by_value.len() * 4);
            by_value.iter().for_each(|code| put_string(dictionary.get(*code).unwrap_or_default(), &mut page));
            self.dictionary_page(&page, by_value.len())?;
        }
        let mut present = Vec::with_capacity(PAGE_ROWS);
        for rows in order.chunks(PAGE_ROWS) {
            self.encoder.levels.clear();
            present.clear();
            for row in rows {
                let rank = ranks[codes[*row as usize] as usize];
                self.encoder.levels.push(u32::from(rank != ABSENT));
                if rank != ABSENT {
                    present.push(rank - 1);
                }
            }
            let range = present.iter().min().zip(present.iter().max());
            let range = range.map(|(min, max)| (value_of(*min).to_vec(), value_of(*max).to_vec()));
            let bounds = Bounds { range, absent: rows.len() - present.len() };
            if plain {
                let mut payload = self.open_page();
                present.iter().for_each(|rank| put_string(value_of(*rank), &mut payload));
                self.close_page(payload, Encoding::PLAIN, rows.len(), bounds)?;
            } else {
                self.code_page(&present, by_value.len(), rows.len(), bounds)?;
            }
        }
        Ok(())
    }

    fn bytes(&mut self, strings: &Strings, order: &[u32]) -> Result<(), parquet::errors::ParquetError> {
        for block in order.chunks(PAGE_ROWS) {
            let mut at = 0;
            while at < block.len() {
                let mut size = 0;
                let fits = |row: &&u32| {
                    size += strings.get(**row as usize).len();
                    size <= BODY_PAGE_BYTES
                };
                let rows = block[at..].iter().take_while(fits).count().max(1);
                self.body_page(strings, &block[at..at + rows])?;
                at += rows;
            }
        }
        Ok(())
    }

    fn body_page(&mut self, strings: &Strings, rows: &[u32]) -> Result<(), parquet::errors::ParquetError> {
        let values = rows.iter().map(|row| strings.get(*row as usize));
        self.encoder.levels.clear();
        self.encoder.levels.extend(values.clone().map(|value| u32::from(!value.is_empty())));
        let mut payload = self.open_page();
        values.filter(|value| !value.is_empty()).for_each(|value| put_string(value, &mut payload));
        self.close_page(payload, Encoding::PLAIN, rows.len(), Bounds { range: None, absent: 0 })
    }

    fn dictionary_page(&mut self, plain: &[u8], values: usize) -> Result<(), parquet::errors::ParquetError> {
        self.dictionary = true;
        self.note_encoding(Encoding::PLAIN);
        self.write_page(PageKind::Dictionary, plain, values, Encoding::PLAIN)?;
        Ok(())
    }

    fn code_page(
        &mut self,
        codes: &[u32],
        dictionary_len: usize,
        rows: usize,
        bounds: Bounds,
    ) -> Result<(), parquet::errors::ParquetError> {
        let width = hybrid::width_of(dictionary_len.saturating_sub(1) as u32);
        let mut payload = self.open_page();
        payload.push(width);
        hybrid::encode(codes, width, &mut payload);
        self.close_page(payload, Encoding::RLE_DICTIONARY, rows, bounds)
    }

    /// The start of a data page: the levels that say which rows have a value.
    fn open_page(&mut self) -> Vec<u8> {
        let mut payload = std::mem::take(&mut self.encoder.plain);
        payload.clear();
        if !is_required(self.column) {
            payload.extend_from_slice(&[0; 4]);
            hybrid::encode(&self.encoder.levels, 1, &mut payload);
            let length = payload.len() as u32 - 4;
            payload[..4].copy_from_slice(&length.to_le_bytes());
        }
        payload
    }

    fn close_page(
        &mut self,
        payload: Vec<u8>,
        encoding: Encoding,
        rows: usize,
        bounds: Bounds,
    ) -> Result<(), parquet::errors::ParquetError> {
        self.first_data_page.get_or_insert(self.bytes.len());
        self.note_encoding(encoding);
        let start = self.bytes.len();
        self.write_page(PageKind::Data, &payload, rows, encoding)?;
        self.encoder.plain = payload;
        self.offset_index.append_offset_and_size(start as i64, (self.bytes.len() - start) as i32);
        self.offset_index.append_row_count(rows as i64);
        self.note_bounds(bounds);
        Ok(())
    }

    fn note_bounds(&mut self, bounds: Bounds) {
        let Some(index) = &mut self.column_index else { return };
        match bounds.range {
            Some((min, max)) if min.len().max(max.len()) <= BOUND_BYTES_MAX => {
                index.append(false, min, max, bounds.absent as i64);
            }
            // A page that has values but no bounds voids the index of its column.
            Some(_) => self.column_index = None,
            None => index.append(true, Vec::new(), Vec::new(), bounds.absent as i64),
        }
    }

    fn note_encoding(&mut self, encoding: Encoding) {
        if !self.encodings.contains(&encoding) {
            self.encodings.push(encoding);
        }
    }

    fn write_page(
        &mut self,
        kind: PageKind,
        payload: &[u8],
        values: usize,
        encoding: Encoding,
    ) -> Result<(), parquet::errors::ParquetError> {
        let compressed = match self.compress {
            true => Some(
                self.encoder
                    .compressor
                    .compress(payload)
                    .map_err(|cause| parquet::errors::ParquetError::External(Box::new(cause)))?,
            ),
            false => None,
        };
        let body = compressed.as_deref().unwrap_or(payload);
        let header = PageHeader {
            kind,
            size: payload.len() as u32,
            compressed: body.len() as u32,
            values: values as u32,
            encoding: encoding as i32,
        };
        let start = self.bytes.len();
        header.write(&mut self.bytes);
        self.uncompressed += self.bytes.len() - start + payload.len();
        self.bytes.extend_from_slice(body);
        Ok(())
    }

    fn finish(self) -> Result<EncodedChunk, parquet::errors::ParquetError> {
        let compression = match self.compress {
            true => Compression::ZSTD(ZstdLevel::try_new(self.encoder.level)?),
            false => Compression::UNCOMPRESSED,
        };
        let mut metadata = ColumnChunkMetaData::builder(self.descriptor)
            .set_compression(compression)
            .set_encodings(self.encodings)
            .set_total_compressed_size(self.bytes.len() as i64)
            .set_total_uncompressed_size(self.uncompressed as i64)
            .set_num_values(self.rows as i64)
            .set_data_page_offset(self.first_data_page.unwrap_or(0) as i64)
            .set_dictionary_page_offset(self.dictionary.then_some(0));
        if let Some(statistics) = self.statistics {
            metadata = metadata.set_statistics(statistics);
        }
        let mut column_index = self.column_index;
        if let Some(index) = &mut column_index {
            index.set_boundary_order(BoundaryOrder::UNORDERED);
        }
        let close = ColumnCloseResult {
            bytes_written: self.bytes.len() as u64,
            rows_written: self.rows as u64,
            metadata: metadata.build()?,
            bloom_filter: self.bloom,
            column_index: column_index.map(ColumnIndexBuilder::build).transpose()?,
            offset_index: Some(self.offset_index.build()),
        };
        Ok(EncodedChunk { bytes: self.bytes, close })
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

/// Distinct present values in order, if there are at most `limit`.
fn distinct(values: &[i64], limit: usize) -> Option<Vec<i64>> {
    let mut seen = hashbrown::HashSet::with_capacity(limit);
    let mut last = NO_INTEGER;
    for value in values {
        if *value != last && *value != NO_INTEGER {
            last = *value;
            if seen.insert(last) && seen.len() > limit {
                return None;
            }
        }
    }
    let mut sorted: Vec<i64> = seen.into_iter().collect();
    sorted.sort_unstable();
    Some(sorted)
}
