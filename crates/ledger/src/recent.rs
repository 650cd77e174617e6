//! The newest batches, as their submitters laid them out: followers in this process need not read them back from the disk.

use std::{collections::VecDeque, sync::Arc};

use parking_lot::RwLock;

use crate::Batch;

/// Committed batches up to a number of bytes; the newest push the oldest out.
pub(crate) struct Recent {
    bytes_max: usize,
    kept: RwLock<Kept>,
}

#[derive(Default)]
struct Kept {
    /// With the places of their first entries, in ascending order.
    batches: VecDeque<(u64, Arc<Batch>)>,
    bytes: usize,
    /// What was pushed out last and nobody reads any more: its memory is good for another batch.
    spare: Option<Batch>,
}

impl Recent {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, kept: RwLock::default() }
    }

    /// Keeps a batch of which every entry was committed, the first one at `first`.
    pub(crate) fn push(&self, first: u64, batch: &Arc<Batch>) {
        let mut kept = self.kept.write();
        kept.bytes += batch.memory();
        kept.batches.push_back((first, batch.clone()));
        while kept.bytes > self.bytes_max
            && let Some((_, oldest)) = kept.batches.pop_front()
        {
            kept.bytes -= oldest.memory();
            kept.spare = Arc::into_inner(oldest);
        }
    }

    /// A batch that was pushed out, for its memory.
    pub(crate) fn take_spare(&self) -> Option<Batch> {
        self.kept.write().spare.take()
    }

    /// The batch with the entry at a place, and the place of the batch's first entry.
    pub(crate) fn batch_of(&self, index: u64) -> Option<(u64, Arc<Batch>)> {
        let kept = self.kept.read();
        let after = kept.batches.partition_point(|(first, _)| *first <= index);
        let (first, batch) = kept.batches.get(after.checked_sub(1)?)?;
        (index < first + batch.len() as u64).then(|| (*first, batch.clone()))
    }

    /// Bytes of memory of the batches that end behind a place.
    pub(crate) fn bytes_from(&self, index: u64) -> usize {
        let kept = self.kept.read();
        let behind = kept.batches.iter().rev().take_while(|(first, batch)| first + batch.len() as u64 > index);
        behind.map(|(_, batch)| batch.memory()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Duplicates;

    fn batch(payloads: &[&str]) -> Arc<Batch> {
        let mut batch = Batch::new(Duplicates::Recognise);
        payloads.iter().for_each(|payload| batch.push(0, 0, "", payload.as_bytes()).unwrap());
        Arc::new(batch)
    }

    #[test]
    fn the_newest_are_found_and_the_oldest_go() {
        let [two, one, long] = [&["abc", "def"][..], &["ghi"], &["a longer one, so that another must go"]].map(batch);
        let recent = Recent::new(two.memory() + long.memory() - 1);
        let first_of = |index| recent.batch_of(index).map(|(first, _)| first);
        let (of_one, of_both) = (one.memory(), one.memory() + two.memory());
        recent.push(10, &two);
        recent.push(13, &one); // a duplicate stands at 12
        assert_eq!([9, 10, 11, 12, 13, 14].map(first_of), [None, Some(10), Some(10), None, Some(13), None]);
        assert_eq!([10, 12, 13, 14].map(|index| recent.bytes_from(index)), [of_both, of_one, of_one, 0]);
        drop(two);
        recent.push(14, &long);
        assert_eq!([11, 13, 14].map(first_of), [None, Some(13), Some(14)]);
        assert_eq!(recent.take_spare().map(|batch| batch.len()), Some(2));
        recent.push(15, &batch(&["longer than all that may be kept".repeat(9).as_str()]));
        assert_eq!([14, 15].map(first_of), [None, None]);
    }
}
