//! The head: the newest rows, in memory, in small blocks.

use std::sync::Arc;

use audit::Micros;

use crate::block::Block;
use crate::draft::BlockBuilder;
use crate::entry::Arrival;
use crate::extract::Extractor;
use crate::pages::PAGE_ROWS;

/// A block of the head is closed at this many bytes of entries.
const BLOCK_BYTES_MAX: usize = 16 << 20;

/// Rows that are in no segment yet.
#[derive(Debug, Default)]
pub(crate) struct Head {
    closed: Vec<Arc<Block>>,
    open: BlockBuilder,
    open_bytes: usize,
    copy: Option<Arc<Block>>,
    extractor: Extractor,
    rows: usize,
    bytes: usize,
    oldest: Option<Micros>,
}

impl Head {
    pub(crate) fn append(&mut self, arrival: &Arrival<'_>) {
        self.extractor.append(&mut self.open, arrival);
        let entry = &arrival.entry;
        self.copy = None;
        self.rows += 1;
        self.bytes += entry.payload.len();
        self.open_bytes += entry.payload.len();
        self.oldest.get_or_insert(entry.received);
        if self.open.rows() >= PAGE_ROWS || self.open_bytes >= BLOCK_BYTES_MAX {
            self.close_block();
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes of the entries as they arrived.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Receipt of the oldest row.
    pub(crate) fn oldest(&self) -> Option<Micros> {
        self.oldest
    }

    /// All rows, oldest first.
    pub(crate) fn blocks(&mut self) -> Vec<Arc<Block>> {
        let open =
            (self.open.rows() > 0).then(|| Arc::clone(self.copy.get_or_insert_with(|| Arc::new(self.open.copy()))));
        self.closed.iter().cloned().chain(open).collect()
    }

    /// All rows, in blocks that stay as they are until [`Self::drop_blocks`].
    pub(crate) fn close(&mut self) -> Vec<Arc<Block>> {
        self.close_block();
        self.closed.clone()
    }

    /// Lets the `count` oldest blocks go.
    pub(crate) fn drop_blocks(&mut self, count: usize) {
        self.closed.drain(..count);
        self.rows = self.closed.iter().map(|block| block.rows()).sum::<usize>() + self.open.rows();
        self.bytes = self.closed.iter().map(|block| block.entry_bytes()).sum::<usize>() + self.open_bytes;
        self.oldest = self.blocks().first().and_then(|block| block.integers(crate::Column::Received).first().copied());
    }

    fn close_block(&mut self) {
        if self.open.rows() > 0 {
            let block = std::mem::take(&mut self.open).finish();
            self.open = BlockBuilder::after(&block);
            self.closed.push(Arc::new(block));
            self.open_bytes = 0;
            self.copy = None;
        }
    }
}
