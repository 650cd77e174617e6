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
    /// Blocks that nobody needs any more.
    room: Vec<Block>,
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

    /// Lets the `count` oldest blocks go. Their room is used again: fresh memory costs more than what is written to it.
    pub(crate) fn drop_blocks(&mut self, count: usize) {
        let gone = self.closed.drain(..count).filter_map(Arc::into_inner);
        self.room.extend(gone.filter(|block| block.entry_bytes() <= BLOCK_BYTES_MAX));
        self.rows = self.closed.iter().map(|block| block.rows()).sum::<usize>() + self.open.rows();
        self.bytes = self.closed.iter().map(|block| block.entry_bytes()).sum::<usize>() + self.open_bytes;
        self.oldest = self.blocks().first().and_then(|block| block.integers(crate::Column::Received).first().copied());
    }

    /// Gives back the room of blocks that are gone, when as many more are not to be expected soon.
    pub(crate) fn give_room_back(&mut self) {
        self.room = Vec::new();
    }

    fn close_block(&mut self) {
        if self.open.rows() > 0 {
            let room = self.room.pop().unwrap_or_else(|| self.open.as_much_room(BLOCK_BYTES_MAX));
            self.closed.push(Arc::new(self.open.finish(room)));
            self.open_bytes = 0;
            self.copy = None;
        }
    }
}
