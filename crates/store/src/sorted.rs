//! Rows of some blocks in the order of a row group.

use std::sync::Arc;

use crate::block::{Block, concat_values};
use crate::column::Column;
use crate::values::{Dictionary, Values};

/// Rows of some blocks under common dictionaries, by resource, verb, namespace, name and place: like stands by like, which
/// compresses and prunes well.
pub(crate) struct Sorted {
    blocks: Vec<Arc<Block>>,
    /// For each block, the number of rows before its last one's end.
    ends: Vec<usize>,
    /// Values of the blocks one after the other, but for bytes, which stay where they are. Nothing for a single block.
    together: Vec<Values>,
    order: Vec<u32>,
}

impl Sorted {
    pub(crate) fn new(blocks: Vec<Arc<Block>>) -> Self {
        let mut rows = 0;
        let ends: Vec<usize> = blocks.iter().map(|block| (rows += block.rows(), rows).1).collect();
        let concat = |column| concat_values(column, blocks.iter().map(|block| block.values(column)), rows);
        let together = if blocks.len() == 1 { Vec::new() } else { Column::all().map(concat).collect() };
        let mut sorted = Self { blocks, ends, together, order: Vec::new() };
        sorted.order = sorted.sort(rows);
        sorted
    }

    pub(crate) fn rows(&self) -> usize {
        self.order.len()
    }

    /// Numbers of the rows, as they are sorted.
    pub(crate) fn order(&self) -> &[u32] {
        &self.order
    }

    /// Values by row number. Columns that are held row by row as bytes have none here.
    pub(crate) fn values(&self, column: Column) -> &Values {
        match self.blocks.as_slice() {
            [block] => block.values(column),
            _ => &self.together[column as usize],
        }
    }

    pub(crate) fn integers(&self, column: Column) -> &[i64] {
        match self.values(column) {
            Values::Integers(values) => values,
            _ => &[],
        }
    }

    /// The value of a row in a column that is held row by row as bytes.
    #[inline]
    pub(crate) fn bytes(&self, column: Column, row: u32) -> &[u8] {
        let row = row as usize;
        let at = self.ends.iter().take_while(|end| **end <= row).count();
        let before = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        match self.blocks[at].values(column) {
            Values::Bytes(strings) if strings.bytes() > 0 => strings.get(row - before),
            _ => &[],
        }
    }

    fn sort(&self, rows: usize) -> Vec<u32> {
        let mut keys: Vec<(u128, u32)> = (0..rows as u32).map(|row| (0, row)).collect();
        for column in [Column::Resource, Column::Verb, Column::Namespace, Column::Name] {
            let Values::Coded { codes, dictionary } = self.values(column) else { continue };
            let ranks = ranks(dictionary);
            for (key, row) in &mut keys {
                *key = *key << 32 | u128::from(ranks[codes[*row as usize] as usize]);
            }
        }
        keys.sort_unstable();
        keys.into_iter().map(|(_, row)| row).collect()
    }
}

/// Rank of each code by its value; "absent" comes first.
fn ranks(dictionary: &Dictionary) -> Vec<u32> {
    let mut ranks = vec![0; dictionary.len()];
    for (rank, code) in dictionary.by_value().into_iter().enumerate() {
        ranks[code as usize] = rank as u32 + 1;
    }
    ranks
}
