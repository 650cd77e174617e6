//! What is done to segments later: small ones are put together, expired parts are taken out, holds come and go.

use std::ops::Range;
use std::sync::Arc;

use audit::Micros;

use crate::block::Block;
use crate::column::Column;
use crate::manifest::{Manifest, SegmentInfo, segment_path};
use crate::retention::{Expired, Hold, Retention};
use crate::segment::{RowGroup, SegmentWriter};
use crate::snapshot::OpenSegment;
use crate::sorted::Sorted;
use crate::store::{Source, Store, StoreError};
use crate::values::{ABSENT, Values};

/// Rows that one segment grows to by compaction.
const SEGMENT_ROWS_MAX: u64 = 1 << 20;
/// Fewest neighbours that are put together.
const COMPACTED_SEGMENTS_MIN: usize = 4;

/// What is about to be taken out. The ledger must note the leaf hashes of `ranges` before [`Store::remove`] takes the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// Which parts.
    pub expired: Vec<Expired>,
    /// Places of their entries, in order, as few ranges as possible.
    pub ranges: Vec<Range<u64>>,
}

impl Store {
    /// Puts the oldest run of small neighbouring segments together; whether there was one. Call again until there is none.
    pub fn compact(&mut self) -> Result<bool, StoreError> {
        let (manifest, segments) = self.current();
        let Some(run) = small_neighbours(&manifest.segments) else { return Ok(false) };
        let sources = &segments[run.clone()];
        let merged = self.merge(self.take_segment_id(), sources)?;
        self.swap(manifest, segments, run, Some(merged))?;
        Ok(true)
    }

    /// What `retention` lets go at the time `now`.
    pub fn plan_removal(&self, retention: &Retention, now: Micros) -> Result<Removal, StoreError> {
        let (manifest, segments) = self.current();
        let expired = retention.plan(&manifest, now);
        let mut places = Vec::new();
        for part in &expired {
            let Some(segment) = segments.iter().find(|segment| segment.info.id == part.segment) else { continue };
            for group in segment.segment.groups() {
                let block = group.load()?;
                let gone = rows_of(&block, &part.clusters);
                places.extend(gone.into_iter().map(|row| block.integers(Column::Index)[row as usize] as u64));
            }
        }
        Ok(Removal { expired, ranges: ranges(places) })
    }

    /// Takes out what was planned. Parts that are gone or held by now are passed over.
    pub fn remove(&mut self, removal: &Removal) -> Result<(), StoreError> {
        for expired in &removal.expired {
            let (manifest, segments) = self.current();
            let Some(at) = manifest.segments.iter().position(|info| info.id == expired.segment) else { continue };
            let held = |name: &String| {
                let part = manifest.segments[at].clusters.iter().find(|part| part.cluster == *name);
                part.is_some_and(|part| manifest.holds.iter().any(|hold| hold.keeps(part)))
            };
            let clusters: Vec<String> = expired.clusters.iter().filter(|name| !held(name)).cloned().collect();
            if clusters.is_empty() {
                continue;
            }
            let left = self.without(self.take_segment_id(), &segments[at], &clusters)?;
            self.swap(manifest, segments, at..at + 1, left)?;
        }
        Ok(())
    }

    /// Holds, by name.
    pub fn holds(&self) -> Vec<Hold> {
        self.current().0.holds
    }

    /// Sets a hold, in place of one of the same name. It is in force on return.
    pub fn set_hold(&mut self, hold: Hold) -> Result<(), StoreError> {
        let (mut manifest, segments) = self.current();
        manifest.holds.retain(|known| known.name != hold.name);
        manifest.holds.push(hold);
        manifest.holds.sort_by(|a, b| a.name.cmp(&b.name));
        self.adopt(manifest, segments, 0)
    }

    /// Lifts a hold; whether there was one.
    pub fn lift_hold(&mut self, name: &str) -> Result<bool, StoreError> {
        let (mut manifest, segments) = self.current();
        let before = manifest.holds.len();
        manifest.holds.retain(|known| known.name != name);
        let lifted = manifest.holds.len() < before;
        if lifted {
            self.adopt(manifest, segments, 0)?;
        }
        Ok(lifted)
    }

    /// Full row groups are copied as they are, small ones are sorted anew together.
    fn merge(&self, id: u64, sources: &[Arc<OpenSegment>]) -> Result<OpenSegment, StoreError> {
        let path = segment_path(self.directory(), id);
        let mut writer = SegmentWriter::create(self.disk(), &path, self.options().zstd_level)?;
        let groups: Vec<&RowGroup> = sources.iter().flat_map(|source| source.segment.groups()).collect();
        let runs = self.runs(&groups);
        for run in &runs {
            match run {
                [full] if self.is_full(full) => writer.copy(full)?,
                small => writer.add(&together(small)?)?,
            }
        }
        let mut info = SegmentInfo::empty(id);
        info.bytes = writer.finish()?;
        sources.iter().for_each(|source| info.absorb(&source.info));
        let sources = runs.iter().map(|run| match run {
            [full] if self.is_full(full) => Ok(Source::Group(full)),
            small => together(small).map(Source::Rows),
        });
        self.open_written(info, sources)
    }

    fn is_full(&self, group: &RowGroup) -> bool {
        group.rows() * 2 > self.options().head_rows_max
    }

    /// Cuts row groups into runs that become one row group each.
    fn runs<'g>(&self, groups: &'g [&'g RowGroup]) -> Vec<&'g [&'g RowGroup]> {
        let (mut runs, mut start, mut rows) = (Vec::new(), 0, 0);
        for (at, group) in groups.iter().enumerate() {
            let after_full = at > start && self.is_full(groups[at - 1]);
            if at > start && (after_full || self.is_full(group) || rows + group.rows() > self.options().head_rows_max) {
                runs.push(&groups[start..at]);
                (start, rows) = (at, 0);
            }
            rows += group.rows();
        }
        if start < groups.len() {
            runs.push(&groups[start..]);
        }
        runs
    }

    /// The segment without the rows of some clusters; nothing if that leaves none.
    fn without(&self, id: u64, source: &OpenSegment, clusters: &[String]) -> Result<Option<OpenSegment>, StoreError> {
        if source.info.clusters.iter().all(|part| clusters.contains(&part.cluster)) {
            return Ok(None);
        }
        let path = segment_path(self.directory(), id);
        let mut writer = SegmentWriter::create(self.disk(), &path, self.options().zstd_level)?;
        let mut info = SegmentInfo::empty(id);
        let mut kept = Vec::new();
        for group in source.segment.groups() {
            let left = rest_of(group, clusters)?;
            if left.rows() > 0 {
                writer.add(&left)?;
                info.note(&left);
                kept.push(group);
            }
        }
        info.bytes = writer.finish()?;
        let rows = |group| rest_of(group, clusters).map(Source::Rows);
        self.open_written(info, kept.into_iter().map(rows)).map(Some)
    }

    /// Puts `new` in the place of the segments in `run`.
    fn swap(
        &self,
        mut manifest: Manifest,
        mut segments: Vec<Arc<OpenSegment>>,
        run: Range<usize>,
        new: Option<OpenSegment>,
    ) -> Result<(), StoreError> {
        manifest.segments.splice(run.clone(), new.iter().map(|segment| segment.info.clone()));
        segments.splice(run, new.map(Arc::new));
        self.adopt(manifest, segments, 0)
    }
}

/// The first run of neighbours that together fit into one segment and are worth it.
fn small_neighbours(segments: &[SegmentInfo]) -> Option<Range<usize>> {
    (0..segments.len()).find_map(|start| {
        let mut rows = 0;
        let fits = |info: &&SegmentInfo| {
            rows += info.rows;
            rows <= SEGMENT_ROWS_MAX
        };
        let count = segments[start..].iter().take_while(fits).count();
        (count >= COMPACTED_SEGMENTS_MIN).then_some(start..start + count)
    })
}

/// The rows of some row groups.
fn together(groups: &[&RowGroup]) -> Result<Sorted, StoreError> {
    let blocks = groups.iter().map(|group| group.load().map(Arc::new)).collect::<Result<_, _>>()?;
    Ok(Sorted::new(blocks))
}

fn rows_of(block: &Block, clusters: &[String]) -> Vec<u32> {
    let Values::Coded { codes, dictionary } = block.values(Column::Cluster) else { return Vec::new() };
    let named =
        |code: u32| dictionary.get(code).is_some_and(|name| clusters.iter().any(|cluster| cluster.as_bytes() == name));
    let gone: Vec<bool> = (ABSENT..dictionary.len() as u32).map(named).collect();
    (0..block.rows() as u32).filter(|row| gone[codes[*row as usize] as usize]).collect()
}

fn rest_of(group: &RowGroup, clusters: &[String]) -> Result<Sorted, StoreError> {
    let block = group.load()?;
    let gone = rows_of(&block, clusters);
    let left: Vec<u32> = (0..block.rows() as u32).filter(|row| gone.binary_search(row).is_err()).collect();
    Ok(Sorted::new(vec![Arc::new(block.select(&left))]))
}

/// Places as ranges.
fn ranges(mut places: Vec<u64>) -> Vec<Range<u64>> {
    places.sort_unstable();
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for place in places {
        match ranges.last_mut() {
            Some(last) if last.end == place => last.end += 1,
            _ => ranges.push(place..place + 1),
        }
    }
    ranges
}
