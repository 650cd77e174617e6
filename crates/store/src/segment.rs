//! A segment: an immutable Parquet file of rows, in row groups that are each sorted.

use std::io::{IoSlice, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use host::{Access, Disk, DiskFile, Secrecy};
use parquet::basic::{LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::bloom_filter::Sbbf;
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, KeyValue, PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::statistics::Statistics;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{Type, TypePtr};

use crate::block::Block;
use crate::cache::PageCache;
use crate::column::{Column, Kind};
use crate::pages::{Chunk, Encoder, PageData, PageError, is_required};
use crate::sorted::Sorted;

/// Name of this layout in the file's metadata, under [`LAYOUT_KEY`].
const LAYOUT: &str = "kubewitness.segment/1";
const LAYOUT_KEY: &str = "layout";
/// Key of the places of the indexes of words: for each row group, for each column with bodies, offset and length.
const WORDS_KEY: &str = "words";
/// Columns that have an index of words.
const WORDS_COLUMNS: [Column; 2] = [Column::RequestObject, Column::ResponseObject];

/// Offset and length in the file.
type At = (u64, usize);

/// A segment that cannot be written or opened.
#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    /// The file system refused.
    #[error("cannot {doing} segment {path}")]
    Disk {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: String,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// The file does not give back what was written to it. The ledger keeps the entries.
    #[error("{path} does not give back the values of column {column}; the log keeps these entries")]
    Differs {
        /// The file.
        path: String,
        /// The first column that is not what was written.
        column: &'static str,
    },
    /// The file is not a segment of a version that is known here, or it is damaged.
    #[error("{path} is not a readable segment")]
    Unreadable {
        /// The file.
        path: String,
        /// What the format says.
        #[source]
        cause: ParquetError,
    },
}

/// A segment on its way to the disk, row group by row group; only one is in memory.
pub(crate) struct SegmentWriter {
    path: PathBuf,
    file: SerializedFileWriter<FileWriter>,
    encoder: Encoder,
    /// For each row group, where its indexes of words are.
    words: Vec<Vec<At>>,
}

impl SegmentWriter {
    pub(crate) fn create(disk: &dyn Disk, path: &Path, zstd: i32) -> Result<Self, SegmentError> {
        let failed = |cause| SegmentError::Disk { doing: "write", path: path.display().to_string(), cause };
        let file = disk.open(path, Access::Replace(Secrecy::Shared)).map_err(failed)?;
        let properties = WriterProperties::builder()
            .set_created_by(format!("kubewitness {}", env!("CARGO_PKG_VERSION")))
            .set_key_value_metadata(Some(vec![KeyValue::new(LAYOUT_KEY.to_owned(), LAYOUT.to_owned())]))
            .build();
        let open = || SerializedFileWriter::new(FileWriter { file, at: 0 }, schema()?, Arc::new(properties));
        let file = open().map_err(|cause| unreadable(path, cause))?;
        let encoder = Encoder::new(zstd).map_err(failed)?;
        Ok(Self { path: path.to_owned(), file, encoder, words: Vec::new() })
    }

    /// Writes a row group.
    pub(crate) fn add(&mut self, rows: &Sorted) -> Result<(), SegmentError> {
        self.encode(rows).map_err(|cause| unreadable(&self.path, cause))
    }

    fn encode(&mut self, rows: &Sorted) -> Result<(), ParquetError> {
        let schema = self.file.schema_descr().columns().to_vec();
        let mut group = self.file.next_row_group()?;
        let mut words = Vec::new();
        for (column, descriptor) in Column::all().zip(schema) {
            let chunk = self.encoder.encode(column, descriptor, rows)?;
            group.append_column(&Bytes::from(chunk.bytes), chunk.close)?;
            words.extend(chunk.words);
        }
        group.close()?;
        self.add_words(&words)
    }

    /// Writes the indexes of the row group that was written last, one for each of [`WORDS_COLUMNS`].
    fn add_words(&mut self, indexes: &[Vec<u8>]) -> Result<(), ParquetError> {
        let mut places = Vec::new();
        for index in indexes {
            places.push((self.file.bytes_written() as u64, index.len()));
            self.file.write_all(index)?;
        }
        self.words.push(places);
        Ok(())
    }

    /// Copies a row group of another segment as it is.
    pub(crate) fn copy(&mut self, group: &RowGroup) -> Result<(), SegmentError> {
        self.splice(group).map_err(|cause| unreadable(&self.path, cause))
    }

    fn splice(&mut self, group: &RowGroup) -> Result<(), ParquetError> {
        let source = FileReader(Arc::clone(&group.file));
        let metadata = read_metadata(&source)?;
        let wrong = || ParquetError::General("row group without page index".to_owned());
        let offsets = metadata.offset_index().and_then(|index| index.get(group.at)).ok_or_else(wrong)?;
        let bounds = metadata.column_index().and_then(|index| index.get(group.at)).ok_or_else(wrong)?;
        let mut target = self.file.next_row_group()?;
        for (at, chunk) in metadata.row_group(group.at).columns().iter().enumerate() {
            let close = ColumnCloseResult {
                bytes_written: chunk.compressed_size() as u64,
                rows_written: group.rows as u64,
                metadata: chunk.clone(),
                bloom_filter: Sbbf::read_from_column_chunk(chunk, &source)?,
                column_index: Some(bounds[at].clone()).filter(|index| !matches!(index, ColumnIndexMetaData::NONE)),
                offset_index: Some(offsets[at].clone()),
            };
            target.append_column(&source, close)?;
        }
        target.close()?;
        let words: Result<Vec<_>, _> = WORDS_COLUMNS.iter().map(|column| group.chunk(*column).words_bytes()).collect();
        self.add_words(&words.map_err(|error| ParquetError::External(Box::new(error)))?)
    }

    /// Makes the file durable, though not yet its name. Returns its length.
    pub(crate) fn finish(mut self) -> Result<u64, SegmentError> {
        let words = serde_json::to_string(&self.words).unwrap_or_default();
        self.file.append_key_value_metadata(KeyValue::new(WORDS_KEY.to_owned(), words));
        self.file.finish().map_err(|cause| unreadable(&self.path, cause))?;
        let FileWriter { file, at } = self.file.inner();
        let failed = |cause| SegmentError::Disk { doing: "sync", path: self.path.display().to_string(), cause };
        file.sync_data().map_err(failed)?;
        Ok(*at)
    }
}

fn unreadable(path: &Path, cause: ParquetError) -> SegmentError {
    SegmentError::Unreadable { path: path.display().to_string(), cause }
}

fn value_of<'m>(metadata: &'m ParquetMetaData, key: &str) -> Option<&'m str> {
    let pairs = metadata.file_metadata().key_value_metadata()?;
    pairs.iter().find(|pair| pair.key == key)?.value.as_deref()
}

fn read_metadata(reader: &FileReader) -> Result<ParquetMetaData, ParquetError> {
    ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Required).parse_and_finish(reader)
}

fn schema() -> Result<TypePtr, ParquetError> {
    let fields = Column::all().map(|column| {
        let repetition = if is_required(column) { Repetition::REQUIRED } else { Repetition::OPTIONAL };
        let (physical, length, logical) = physical_type(column.kind());
        Type::primitive_type_builder(column.name(), physical)
            .with_repetition(repetition)
            .with_length(length)
            .with_logical_type(logical)
            .build()
            .map(Arc::new)
    });
    let fields = fields.collect::<Result<Vec<_>, _>>()?;
    Type::group_type_builder("event").with_fields(fields).build().map(Arc::new)
}

fn physical_type(kind: Kind) -> (Physical, i32, Option<LogicalType>) {
    match kind {
        Kind::Integer => (Physical::INT64, -1, None),
        Kind::Time => (Physical::INT64, -1, Some(LogicalType::timestamp(true, TimeUnit::MICROS))),
        Kind::Uuid => (Physical::FIXED_LEN_BYTE_ARRAY, 16, Some(LogicalType::Uuid)),
        Kind::Text => (Physical::BYTE_ARRAY, -1, Some(LogicalType::String)),
        Kind::Json | Kind::Body => (Physical::BYTE_ARRAY, -1, Some(LogicalType::Json)),
        Kind::Binary | Kind::Blob => (Physical::BYTE_ARRAY, -1, None),
    }
}

/// An open segment.
pub(crate) struct Segment {
    groups: Vec<RowGroup>,
}

/// One row group of an open segment.
pub(crate) struct RowGroup {
    at: usize,
    rows: usize,
    places: (i64, i64),
    times: (i64, i64),
    chunks: Vec<Chunk>,
    file: Arc<dyn DiskFile>,
    audit_ids: ColumnChunkMetaData,
}

impl Segment {
    pub(crate) fn open(disk: &dyn Disk, path: &Path, cache: &Arc<PageCache>) -> Result<Self, SegmentError> {
        let file = disk.open(path, Access::Read).map_err(|cause| SegmentError::Disk {
            doing: "open",
            path: path.display().to_string(),
            cause,
        })?;
        Self::read_footer(file, cache).map_err(|cause| unreadable(path, cause))
    }

    fn read_footer(file: Arc<dyn DiskFile>, cache: &Arc<PageCache>) -> Result<Self, ParquetError> {
        let metadata = read_metadata(&FileReader(Arc::clone(&file)))?;
        if value_of(&metadata, LAYOUT_KEY) != Some(LAYOUT) {
            return Err(ParquetError::General(format!("its layout is not {LAYOUT}")));
        }
        // An index that is not there or cannot be found rules nothing out.
        let words: Vec<Vec<At>> =
            value_of(&metadata, WORDS_KEY).and_then(|places| serde_json::from_str(places).ok()).unwrap_or_default();
        let groups = (0..metadata.num_row_groups()).map(|at| {
            let words = words.get(at).map_or(&[][..], Vec::as_slice);
            RowGroup::new(&file, cache, &metadata, at, words)
        });
        Ok(Self { groups: groups.collect::<Result<_, _>>()? })
    }

    pub(crate) fn groups(&self) -> &[RowGroup] {
        &self.groups
    }
}

impl RowGroup {
    fn new(
        file: &Arc<dyn DiskFile>,
        cache: &Arc<PageCache>,
        metadata: &ParquetMetaData,
        at: usize,
        words: &[At],
    ) -> Result<Self, ParquetError> {
        let wrong = |what: &str| ParquetError::General(format!("row group {at} {what}"));
        let group = metadata.row_group(at);
        let length_of_file = FileReader(Arc::clone(file)).len();
        let rows = usize::try_from(group.num_rows()).map_err(|_| wrong("has a negative length"))?;
        let offsets =
            metadata.offset_index().and_then(|index| index.get(at)).ok_or_else(|| wrong("has no page index"))?;
        let named =
            |column: Column| group.columns().iter().position(|chunk| chunk.column_path().string() == column.name());
        let chunks = Column::all().map(|column| {
            let place = named(column).ok_or_else(|| wrong(&format!("has no column {}", column.name())))?;
            let chunk =
                Chunk::new(Arc::clone(file), Arc::clone(cache), column, group.column(place), &offsets[place], rows);
            let words = WORDS_COLUMNS.iter().position(|with| *with == column).and_then(|place| words.get(place));
            Ok(match words {
                Some((offset, length)) if offset.saturating_add(*length as u64) <= length_of_file => {
                    chunk.with_words(*offset, *length)
                }
                _ => chunk,
            })
        });
        let range = |column: Column| match group.column(named(column)?).statistics()? {
            Statistics::Int64(values) => Some((*values.min_opt()?, *values.max_opt()?)),
            _ => None,
        };
        let places = range(Column::Index).ok_or_else(|| wrong("does not say which entries it holds"))?;
        let times = range(Column::Time).ok_or_else(|| wrong("does not say from when to when it goes"))?;
        let chunks = chunks.collect::<Result<_, ParquetError>>()?;
        let audit_ids = named(Column::AuditId).map(|place| group.column(place).clone());
        let audit_ids = audit_ids.ok_or_else(|| wrong("has no audit ids"))?;
        Ok(Self { at, rows, places, times, chunks, file: Arc::clone(file), audit_ids })
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Earliest and latest event time.
    pub(crate) fn times(&self) -> (i64, i64) {
        self.times
    }

    /// Whether an entry whose place is in `range` can be here.
    pub(crate) fn may_hold(&self, range: &Range<u64>) -> bool {
        (self.places.1 as u64) >= range.start && (self.places.0 as u64) < range.end
    }

    /// Whether an event with this audit id can be here. A filter that cannot be read rules nothing out.
    pub(crate) fn may_hold_audit_id(&self, uuid: &[u8; 16]) -> Result<bool, PageError> {
        let read = || Sbbf::read_from_column_chunk(&self.audit_ids, &FileReader(Arc::clone(&self.file))).ok().flatten();
        let filter = self.chunk(Column::AuditId).filter(read)?;
        Ok(!matches!(&*filter, PageData::Filter(Some(filter)) if !filter.check(uuid.as_slice())))
    }

    /// All its rows, in memory.
    pub(crate) fn load(&self) -> Result<Block, PageError> {
        let columns = self.chunks.iter().map(Chunk::load).collect::<Result<_, _>>()?;
        Ok(Block::from_columns(self.rows, columns))
    }

    /// The first column that does not hold these rows, value by value in their order.
    pub(crate) fn differs_from(&self, rows: &Sorted) -> Result<Option<Column>, PageError> {
        for column in Column::all() {
            if self.rows != rows.rows() || !self.chunk(column).holds(rows)? {
                return Ok(Some(column));
            }
        }
        Ok(None)
    }

    /// The first column of which this group is no copy of the other.
    pub(crate) fn difference(&self, other: &Self) -> Result<Option<Column>, PageError> {
        for column in Column::all() {
            if !self.chunk(column).is_copy_of(other.chunk(column))? {
                return Ok(Some(column));
            }
        }
        Ok(None)
    }

    pub(crate) fn chunk(&self, column: Column) -> &Chunk {
        &self.chunks[column as usize]
    }
}

/// Writes a file from its beginning.
struct FileWriter {
    file: Arc<dyn DiskFile>,
    at: u64,
}

impl Write for FileWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.file.write_at(&[IoSlice::new(bytes)], self.at)?;
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Lets the footer reader read through the disk.
struct FileReader(Arc<dyn DiskFile>);

impl Length for FileReader {
    fn len(&self) -> u64 {
        self.0.len().unwrap_or(0)
    }
}

impl ChunkReader for FileReader {
    type T = std::io::Cursor<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        let length = self.len().saturating_sub(start);
        self.get_bytes(start, length as usize).map(std::io::Cursor::new)
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let end = start.checked_add(length as u64).filter(|end| *end <= self.len());
        if end.is_none() {
            return Err(ParquetError::EOF(format!("{length} bytes at {start} are past the end")));
        }
        let mut bytes = vec![0; length];
        let read = self.0.read_at(&mut bytes, start)?;
        bytes.truncate(read);
        Ok(Bytes::from(bytes))
    }
}
