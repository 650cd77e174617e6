//! Decoded pages, dictionaries and filters that were used lately, so that a warm store does not read them again for
//! every question.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hashbrown::HashMap;
use parking_lot::Mutex;

use crate::pages::PageData;

/// One page of one column chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct PageKey {
    /// Number of the chunk, from [`PageCache::number`]: no two chunks that were ever opened share one.
    pub(crate) chunk: u64,
    /// Number of the page, or [`DICTIONARY`], [`FILTER`] or [`WORDS`].
    pub(crate) page: u32,
}

/// The chunk's dictionary in the place of a page.
pub(crate) const DICTIONARY: u32 = u32::MAX;
/// The chunk's filter in the place of a page.
pub(crate) const FILTER: u32 = u32::MAX - 1;
/// The chunk's index of words in the place of a page.
pub(crate) const WORDS: u32 = u32::MAX - 2;

/// Keeps at most so many bytes of what was used last.
///
/// Two generations: what is used is moved to the young one, and when that holds half of the limit it becomes the old
/// one, whose former content is forgotten. That is nearly the order of last use without keeping any order.
pub(crate) struct PageCache {
    generation_bytes: usize,
    numbers: AtomicU64,
    generations: Mutex<Generations>,
}

#[derive(Default)]
struct Generations {
    young: HashMap<PageKey, Arc<PageData>>,
    young_bytes: usize,
    old: HashMap<PageKey, Arc<PageData>>,
}

impl PageCache {
    /// A cache of at most `bytes`.
    pub(crate) fn new(bytes: usize) -> Self {
        Self { generation_bytes: bytes / 2, numbers: AtomicU64::new(0), generations: Mutex::default() }
    }

    /// A number for a chunk that is opened.
    pub(crate) fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn get(&self, key: PageKey) -> Option<Arc<PageData>> {
        let mut generations = self.generations.lock();
        if let Some(data) = generations.young.get(&key) {
            return Some(Arc::clone(data));
        }
        let data = generations.old.remove(&key)?;
        generations.keep(key, &data, self.generation_bytes);
        Some(data)
    }

    /// Keeps `data`, unless it alone would fill a generation.
    pub(crate) fn insert(&self, key: PageKey, data: &Arc<PageData>) {
        if data.bytes() < self.generation_bytes {
            self.generations.lock().keep(key, data, self.generation_bytes);
        }
    }
}

impl Generations {
    fn keep(&mut self, key: PageKey, data: &Arc<PageData>, limit: usize) {
        let bytes = data.bytes();
        if self.young_bytes + bytes > limit {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        if self.young.insert(key, Arc::clone(data)).is_none() {
            self.young_bytes += bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Arc<PageData> {
        Arc::new(PageData::Uuids(vec![[7; 16]; 1000]))
    }

    fn key(page: u32) -> PageKey {
        PageKey { chunk: 1, page }
    }

    #[test]
    fn what_is_used_stays_and_the_rest_goes() {
        let size = page().bytes();
        let cache = PageCache::new(8 * size);
        for number in 0..100 {
            cache.insert(key(number), &page());
            assert!(cache.get(key(0)).is_some(), "after {number}");
        }
        let kept = (0..100).filter(|number| cache.get(key(*number)).is_some()).count();
        assert!((2..=8).contains(&kept), "{kept}");
        assert!(cache.get(key(99)).is_some());
    }

    #[test]
    fn what_is_too_large_is_not_kept() {
        let cache = PageCache::new(page().bytes());
        cache.insert(key(0), &page());
        assert!(cache.get(key(0)).is_none());
    }
}
