//! A column chunk as it grows: pages with their headers, and what index and footer say about them.

use parquet::basic::{BoundaryOrder, Compression, Encoding, ZstdLevel};
use parquet::bloom_filter::Sbbf;
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, ColumnIndexBuilder, OffsetIndexBuilder};
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnDescPtr;

use super::header::{PageHeader, PageKind};
use super::hybrid;
use super::write::Encoder;
use crate::column::{Column, Kind};
use crate::words::WordIndexBuilder;

/// Longest value that page bounds are kept for.
const BOUND_BYTES_MAX: usize = 128;

/// A column chunk and what the footer says about it.
pub(crate) struct EncodedChunk {
    pub(crate) bytes: Vec<u8>,
    pub(crate) close: ColumnCloseResult,
    /// For bodies, which pages hold which words; compressed.
    pub(crate) words: Option<Vec<u8>>,
}

/// Whether every row has a value, so that the file declares the column required.
pub(crate) fn is_required(column: Column) -> bool {
    matches!(column, Column::Index | Column::Received | Column::Time | Column::Size | Column::Cluster | Column::Format)
}

pub(super) struct ChunkWriter<'e> {
    pub(super) encoder: &'e mut Encoder,
    pub(super) column: Column,
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
    pub(super) statistics: Option<Statistics>,
    pub(super) bloom: Option<Sbbf>,
    pub(super) words: Option<WordIndexBuilder>,
}

/// Lowest and highest value of a page, in the plain encoding, and the number of rows without one.
pub(super) struct Bounds {
    pub(super) range: Option<(Vec<u8>, Vec<u8>)>,
    pub(super) absent: usize,
}

impl<'e> ChunkWriter<'e> {
    pub(super) fn new(encoder: &'e mut Encoder, column: Column, descriptor: ColumnDescPtr, rows: usize) -> Self {
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
            words: (column.kind() == Kind::Body).then(WordIndexBuilder::default),
            descriptor,
        }
    }

    pub(super) fn dictionary_page(&mut self, plain: &[u8], values: usize) -> Result<(), ParquetError> {
        self.dictionary = true;
        self.note_encoding(Encoding::PLAIN);
        self.write_page(PageKind::Dictionary, plain, values, Encoding::PLAIN)?;
        Ok(())
    }

    pub(super) fn code_page(
        &mut self,
        codes: &[u32],
        dictionary_len: usize,
        rows: usize,
        bounds: Bounds,
    ) -> Result<(), ParquetError> {
        let width = hybrid::width_of(dictionary_len.saturating_sub(1) as u32);
        let mut payload = self.open_page(rows);
        payload.push(width);
        hybrid::encode(codes, width, &mut payload);
        self.close_page(payload, Encoding::RLE_DICTIONARY, rows, bounds)
    }

    /// The start of a data page: the levels that say which rows have a value.
    pub(super) fn open_page(&mut self, rows: usize) -> Vec<u8> {
        let mut payload = std::mem::take(&mut self.encoder.plain);
        payload.clear();
        if !is_required(self.column) {
            payload.extend_from_slice(&[0; 4]);
            match self.encoder.absent {
                0 => hybrid::put_run(1, rows, 1, &mut payload),
                all if all == rows => hybrid::put_run(0, rows, 1, &mut payload),
                _ => hybrid::encode(&self.encoder.levels, 1, &mut payload),
            }
            let length = payload.len() as u32 - 4;
            payload[..4].copy_from_slice(&length.to_le_bytes());
        }
        payload
    }

    pub(super) fn close_page(
        &mut self,
        payload: Vec<u8>,
        encoding: Encoding,
        rows: usize,
        bounds: Bounds,
    ) -> Result<(), ParquetError> {
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
    ) -> Result<(), ParquetError> {
        let compressed = if self.compress { Some(self.encoder.compress(payload)?) } else { None };
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

    pub(super) fn finish(self) -> Result<EncodedChunk, ParquetError> {
        let words = match self.words {
            Some(words) => Some(self.encoder.compress_words(&words.finish())?),
            None => None,
        };
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
        Ok(EncodedChunk { bytes: self.bytes, close, words })
    }
}
