//! Sets of requests as lists of boxes.

use smallvec::{SmallVec, smallvec};

/// Boxes that one operation may make before it gives up: many times what published policies need, and soon reached by
/// rules that all overlap.
const BOXES_MAX: usize = 5_000;

/// The question needs more boxes than one may spend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the rules overlap in too many ways to be compared exactly")]
pub struct TooComplex;

/// A set of atoms of one attribute. Four words hold the resources of a policy and of all built-in detections.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Bits(SmallVec<[u64; 4]>);

impl Bits {
    pub(crate) fn none(count: usize) -> Self {
        Self(smallvec![0; count.div_ceil(64).max(1)])
    }

    pub(crate) fn all(count: usize) -> Self {
        let mut bits = Self::none(count);
        (0..count).for_each(|i| bits.insert(i));
        bits
    }

    pub(crate) fn insert(&mut self, atom: usize) {
        self.0[atom / 64] |= 1 << (atom % 64);
    }

    pub(crate) fn remove(&mut self, atom: usize) {
        self.0[atom / 64] &= !(1 << (atom % 64));
    }

    pub(crate) fn contains(&self, atom: usize) -> bool {
        self.0[atom / 64] >> (atom % 64) & 1 == 1
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|&word| word == 0)
    }

    pub(crate) fn atoms(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.0.len() * 64).filter(|&atom| self.contains(atom))
    }

    fn zip(&self, other: &Self, combine: fn(u64, u64) -> u64) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(&a, &b)| combine(a, b)).collect())
    }

    pub(crate) fn and(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a & b)
    }

    pub(crate) fn or(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a | b)
    }

    pub(crate) fn minus(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a & !b)
    }

    pub(crate) fn is_subset(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(a, b)| a & !b == 0)
    }

    fn intersects(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(a, b)| a & b != 0)
    }
}

/// Requests with one of these atoms in every attribute, whose user is in all groups of `within` and in none of
/// `outside`. The first attribute is the user, its first atom the absence of one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Cell {
    pub(crate) is_resource: bool,
    pub(crate) sides: SmallVec<[Bits; 7]>,
    pub(crate) within: Bits,
    pub(crate) outside: Bits,
}

/// Index of the user among the sides.
pub(crate) const USER: usize = 0;
/// Atom of a request without a user.
pub(crate) const NO_USER: usize = 0;

impl Cell {
    /// A cell whose user constraints agree, if it holds any request.
    fn settled(mut self) -> Option<Self> {
        if !self.within.is_empty() {
            self.sides[USER].remove(NO_USER);
        }
        let possible = !self.within.intersects(&self.outside) && self.sides.iter().all(|side| !side.is_empty());
        possible.then_some(self)
    }

    /// Whether any request is in both. Most pairs of cells have none in common, and this is quicker than cutting them.
    pub(crate) fn intersects(&self, other: &Self) -> bool {
        self.is_resource == other.is_resource
            && self.sides.iter().zip(&other.sides).skip(1).all(|(a, b)| a.intersects(b))
            && !self.within.intersects(&other.outside)
            && !self.outside.intersects(&other.within)
            && self.shares_users(other)
    }

    /// Whether a user is in both; none is not one where a group is asked for.
    fn shares_users(&self, other: &Self) -> bool {
        let is_grouped = !self.within.is_empty() || !other.within.is_empty();
        let (a, b) = (&self.sides[USER], &other.sides[USER]);
        if is_grouped { a.and(b).atoms().any(|atom| atom != NO_USER) } else { a.intersects(b) }
    }

    pub(crate) fn and(&self, other: &Self) -> Option<Self> {
        if !self.intersects(other) {
            return None;
        }
        let sides = self.sides.iter().zip(&other.sides).map(|(a, b)| a.and(b)).collect();
        let (within, outside) = (self.within.or(&other.within), self.outside.or(&other.outside));
        Self { is_resource: self.is_resource, sides, within, outside }.settled()
    }

    /// This cell without another, as disjoint cells.
    fn minus(&self, other: &Self, out: &mut Vec<Self>) {
        if !self.intersects(other) {
            out.push(self.clone());
            return;
        }
        let mut rest = self.clone();
        for (i, side) in other.sides.iter().enumerate() {
            let cut = rest.sides[i].minus(side);
            if !cut.is_empty() {
                let mut piece = rest.clone();
                piece.sides[i] = cut;
                out.extend(piece.settled());
            }
            rest.sides[i] = rest.sides[i].and(side);
        }
        for group in other.within.minus(&rest.within).atoms() {
            let mut piece = rest.clone();
            piece.outside.insert(group);
            out.extend(piece.settled());
            rest.within.insert(group);
        }
        for group in other.outside.minus(&rest.outside).atoms() {
            let mut piece = rest.clone();
            piece.within.insert(group);
            out.extend(piece.settled());
            rest.outside.insert(group);
        }
    }

    /// Whether every request of this cell is in the other.
    fn is_within(&self, other: &Self) -> bool {
        self.is_resource == other.is_resource
            && self.sides.iter().zip(&other.sides).all(|(a, b)| a.is_subset(b))
            && other.within.is_subset(&self.within)
            && other.outside.is_subset(&self.outside)
    }
}

/// A set of requests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Region {
    pub(crate) cells: Vec<Cell>,
}

impl Region {
    pub(crate) fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    pub(crate) fn add(&mut self, cell: Cell) {
        let Some(cell) = cell.settled() else { return };
        if !self.cells.iter().any(|known| cell.is_within(known)) {
            self.cells.push(cell);
        }
    }

    pub(crate) fn minus(&self, other: &Self) -> Result<Self, TooComplex> {
        let mut cells = self.cells.clone();
        for cut in &other.cells {
            let mut next = Vec::with_capacity(cells.len());
            for cell in &cells {
                cell.minus(cut, &mut next);
                if next.len() > BOXES_MAX {
                    return Err(TooComplex);
                }
            }
            cells = next;
        }
        Ok(Self { cells })
    }

    /// Whether any request is in both.
    pub(crate) fn intersects(&self, other: &Self) -> bool {
        self.cells.iter().any(|a| other.cells.iter().any(|b| a.intersects(b)))
    }

    pub(crate) fn and(&self, other: &Self) -> Self {
        let pairs = self.cells.iter().flat_map(|a| other.cells.iter().filter_map(|b| a.and(b)));
        Self { cells: pairs.collect() }
    }

    pub(crate) fn union(&mut self, other: Self) {
        self.cells.extend(other.cells);
    }

    /// The same requests in as few and as wide boxes as are easily found: each is widened as far as the region
    /// allows, and then those that the others cover are dropped.
    pub(crate) fn simplified(&self, widest: &[Cell]) -> Result<Self, TooComplex> {
        /// Beyond so many boxes and atoms, multiplied, the boxes are shown as they are: work grows with their square.
        const WORK_MAX: usize = 20_000;
        let atoms: usize = widest.iter().flat_map(|cell| &cell.sides).map(|side| side.atoms().count()).sum();
        if self.cells.len() * atoms > WORK_MAX {
            return Ok(self.clone());
        }
        let mut wide = Self::default();
        for cell in &self.cells {
            if !wide.cells.iter().any(|known| cell.is_within(known)) {
                let cell = self.widened(cell, widest)?;
                wide.cells.retain(|known| !known.is_within(&cell));
                wide.cells.push(cell);
            }
        }
        for i in (0..wide.cells.len()).rev() {
            let mut others = wide.clone();
            let cell = others.cells.remove(i);
            if others.covers(cell)? {
                wide = others;
            }
        }
        Ok(wide)
    }

    fn covers(&self, cell: Cell) -> Result<bool, TooComplex> {
        Ok(Self { cells: vec![cell] }.minus(self)?.is_empty())
    }

    fn widened(&self, cell: &Cell, widest: &[Cell]) -> Result<Cell, TooComplex> {
        let mut cell = cell.clone();
        let Some(full) = widest.iter().find(|full| full.is_resource == cell.is_resource) else { return Ok(cell) };
        for group in cell.within.clone().atoms() {
            let mut wider = cell.clone();
            wider.within.remove(group);
            if self.covers(wider.clone())? {
                cell = wider;
            }
        }
        for group in cell.outside.clone().atoms() {
            let mut wider = cell.clone();
            wider.outside.remove(group);
            if self.covers(wider.clone())? {
                cell = wider;
            }
        }
        for i in (0..cell.sides.len()).rev() {
            let mut wider = cell.clone();
            wider.sides[i].clone_from(&full.sides[i]);
            if self.covers(wider.clone())? {
                cell = wider;
                continue;
            }
            for atom in full.sides[i].minus(&cell.sides[i]).atoms() {
                let mut wider = cell.clone();
                wider.sides[i].insert(atom);
                if self.covers(wider.clone())? {
                    cell = wider;
                }
            }
        }
        Ok(cell)
    }
}
