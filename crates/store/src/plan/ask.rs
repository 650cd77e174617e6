//! A plan at work on one part.

use std::cell::{Ref, RefCell};
use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

use audit::Json;
use query::{Term, Test};

use super::fits::{Fits, fits_shape, fits_text};
use super::{Leaf, Node, Plan};
use crate::column::Column;
use crate::evaluate::{NAIVE_COLUMNS, matches_naively};
use crate::mask::Mask;
use crate::needle::Needle;
use crate::page_rows::PageRows;
use crate::pages::{PageCodes, PageError};
use crate::part::PartReader;
use crate::spelling;
use crate::values::{ABSENT, NO_INTEGER, NO_UUID};

/// Answers a plan for one part, page by page.
pub(super) struct Asking<'p, 'a> {
    plan: &'p Plan,
    pub(super) part: &'p PartReader<'a>,
    /// For each text leaf, which codes of the part's dictionary fit.
    answers: RefCell<Vec<Option<Fits>>>,
    /// For each column with bodies and each needle of the plan, which pages may hold it.
    pages_with: RefCell<HashMap<(Column, *const Needle), MayHold>>,
}

/// For each page, whether it may hold something; nothing if that is not known.
type MayHold = Option<Rc<[bool]>>;

impl<'p, 'a> Asking<'p, 'a> {
    pub(super) fn new(plan: &'p Plan, part: &'p PartReader<'a>) -> Self {
        Self { plan, part, answers: RefCell::new(vec![None; plan.texts]), pages_with: RefCell::default() }
    }
}

impl Asking<'_, '_> {
    /// Whether dictionaries and filters leave it open that a row of the part matches.
    pub(super) fn may_match(&self) -> Result<bool, PageError> {
        self.node_may_match(&self.plan.root)
    }

    fn node_may_match(&self, node: &Node) -> Result<bool, PageError> {
        match node {
            Node::All | Node::Not(_) => Ok(true),
            Node::And(parts) => parts.iter().try_fold(true, |may, part| Ok(may && self.node_may_match(part)?)),
            Node::Or(parts) => parts.iter().try_fold(false, |may, part| Ok(may || self.node_may_match(part)?)),
            Node::Leaf(leaf) => self.leaf_may_match(leaf),
        }
    }

    fn leaf_may_match(&self, leaf: &Leaf) -> Result<bool, PageError> {
        match leaf {
            Leaf::Text { id, column, shape, test } if self.part.is_coded_throughout(*column) => {
                Ok(self.fits(*id, *column, |value| fits_shape(shape, test, value))?.any())
            }
            Leaf::AuditId(test) => {
                let text_may = !self.part.is_coded_throughout(Column::AuditIdText)
                    || self.part.dictionary(Column::AuditIdText)?.len() > 1;
                match wanted_uuid(test) {
                    Some(wanted) if !text_may => self.part.may_hold_audit_id(&wanted),
                    _ => Ok(true),
                }
            }
            Leaf::Body(column, _, _, Some(needle)) => {
                Ok(self.pages_with(*column, needle)?.is_none_or(|pages| pages.contains(&true)))
            }
            _ => Ok(true),
        }
    }

    /// Rows of `page` that match.
    pub(super) fn matches(&self, page: usize) -> Result<Mask, PageError> {
        let rows = self.part.page_rows(page).len();
        if !self.page_may_match(&self.plan.root, page)? {
            return Ok(Mask::none(rows));
        }
        self.node(&self.plan.root, page, Mask::all(rows))
    }

    /// Whether the bounds of a page leave it open that a row of it matches: like stands by like, so that most pages are
    /// ruled out by one of several terms before the rows of any are looked at.
    fn page_may_match(&self, node: &Node, page: usize) -> Result<bool, PageError> {
        match node {
            Node::And(parts) => parts.iter().try_fold(true, |may, part| Ok(may && self.page_may_match(part, page)?)),
            Node::Or(parts) => parts.iter().try_fold(false, |may, part| Ok(may || self.page_may_match(part, page)?)),
            Node::Leaf(Leaf::Text { id, column, shape, test }) if self.part.is_coded_throughout(*column) => {
                let (low, high) = self.part.texts(*column, page)?.range();
                Ok(self.fits(*id, *column, |value| fits_shape(shape, test, value))?.between(low, high) != Some(false))
            }
            _ => Ok(true),
        }
    }

    /// Rows of `among` that `node` matches.
    fn node(&self, node: &Node, page: usize, among: Mask) -> Result<Mask, PageError> {
        match node {
            _ if among.is_empty() => Ok(among),
            Node::All => Ok(among),
            Node::Not(inner) => {
                let mut rest = among.clone();
                rest.subtract(&self.node(inner, page, among)?);
                Ok(rest)
            }
            Node::And(parts) => parts.iter().try_fold(among, |among, part| self.node(part, page, among)),
            Node::Or(parts) => {
                let mut found = Mask::none(self.part.page_rows(page).len());
                let mut left = among;
                for part in parts {
                    let more = self.node(part, page, left.clone())?;
                    left.subtract(&more);
                    found.unite(&more);
                }
                Ok(found)
            }
            Node::Leaf(leaf) => self.leaf(leaf, page, among),
        }
    }

    fn leaf(&self, leaf: &Leaf, page: usize, among: Mask) -> Result<Mask, PageError> {
        match leaf {
            Leaf::Integer(column, test) => self.integers(*column, test, page, among),
            Leaf::Text { id, column, shape, test } => {
                self.texts(*id, *column, page, among, |value| fits_shape(shape, test, value))
            }
            Leaf::AuditId(test) => self.audit_ids(test, page, among),
            Leaf::Body(column, path, test, needle) => self.bodies(*column, needle.as_ref(), page, among, |body| {
                path.any_below(body, |value| test.fits_json(value))
            }),
            Leaf::Anything(anything) => self.anything(anything, page, among),
            Leaf::Event(term) => self.events(term, page, among),
        }
    }

    fn integers(&self, column: Column, test: &Test, page: usize, mut among: Mask) -> Result<Mask, PageError> {
        let Some((low, high)) = bounds(test) else { return Ok(among.clear()) };
        let values = self.part.integers(column, page)?;
        let (least, most) = values.range();
        if most < low || high < least {
            return Ok(among.clear());
        }
        if among.is_sparse() {
            return Ok(among.filter(|row| (low..=high).contains(&values.get(row))));
        }
        let values = values.all();
        among.intersect(&Mask::of(values.len(), |row| low <= values[row] && values[row] <= high));
        Ok(among)
    }

    /// Asks a coded column; `id` finds the answers for the part's dictionary again.
    pub(super) fn texts(
        &self,
        id: usize,
        column: Column,
        page: usize,
        mut among: Mask,
        mut test: impl FnMut(&[u8]) -> bool,
    ) -> Result<Mask, PageError> {
        let shared = self.fits(id, column, &mut test)?;
        if !shared.any() && self.part.is_coded_throughout(column) {
            return Ok(among.clear());
        }
        let texts = self.part.texts(column, page)?;
        let own;
        let fits = if texts.is_shared() {
            &*shared
        } else {
            own = Fits::of(texts.dictionary(), test);
            &own
        };
        let (low, high) = texts.range();
        match fits.between(low, high) {
            Some(true) => Ok(among),
            Some(false) => Ok(among.clear()),
            None if among.is_sparse() => Ok(among.filter(|row| fits.has(texts.code(row)))),
            None => {
                if let PageCodes::Each(codes) = texts.codes() {
                    among.intersect(&Mask::of(codes.len(), |row| fits.has(codes[row])));
                }
                Ok(among)
            }
        }
    }

    /// Which codes of the part's dictionary fit.
    fn fits(&self, id: usize, column: Column, test: impl FnMut(&[u8]) -> bool) -> Result<Ref<'_, Fits>, PageError> {
        if self.answers.borrow()[id].is_none() {
            let fits = Fits::of(self.part.dictionary(column)?, test);
            self.answers.borrow_mut()[id] = Some(fits);
        }
        Ok(Ref::map(self.answers.borrow(), |answers| answers[id].as_ref().unwrap_or(Fits::NONE)))
    }

    fn audit_ids(&self, test: &Test, page: usize, mut among: Mask) -> Result<Mask, PageError> {
        let mut fits = self.audit_id_texts(test, page)?;
        match wanted_uuid(test) {
            Some(wanted) if !self.part.may_hold_audit_id(&wanted)? => {}
            Some(wanted) => {
                let uuids = self.part.uuids(page)?;
                let uuids = uuids.slice();
                fits.unite(&Mask::of(uuids.len(), |row| uuids[row] == wanted));
            }
            None => {
                let uuids = self.part.uuids(page)?;
                let mut text = Vec::with_capacity(36);
                fits.unite(&Mask::of(uuids.slice().len(), |row| {
                    let uuid = &uuids.slice()[row];
                    text.clear();
                    spelling::put_uuid(uuid, &mut text);
                    *uuid != NO_UUID && test.fits_text(std::str::from_utf8(&text).unwrap_or_default())
                }));
            }
        }
        among.intersect(&fits);
        Ok(among)
    }

    fn audit_id_texts(&self, test: &Test, page: usize) -> Result<Mask, PageError> {
        let texts = self.part.texts(Column::AuditIdText, page)?;
        let rows = self.part.page_rows(page).len();
        match texts.codes() {
            PageCodes::Same(ABSENT) => Ok(Mask::none(rows)),
            _ => Ok(Mask::of(rows, |row| texts.get(row).is_some_and(|value| fits_text(test, value)))),
        }
    }

    /// Asks the bodies of the rows in `among`.
    pub(super) fn bodies(
        &self,
        column: Column,
        needle: Option<&Needle>,
        page: usize,
        among: Mask,
        test: impl Fn(Json<'_>) -> bool,
    ) -> Result<Mask, PageError> {
        let rows = self.part.page_rows(page);
        let mut found = Mask::none(rows.len());
        let may_hold = match needle {
            Some(needle) => self.pages_with(column, needle)?,
            None => None,
        };
        if may_hold.as_ref().is_some_and(|pages| !pages.contains(&true)) {
            return Ok(found);
        }
        let wanted = |page: usize, of_page: Range<usize>| {
            may_hold.as_ref().is_none_or(|pages| pages[page])
                && among.any_within(of_page.start.saturating_sub(rows.start)..of_page.end - rows.start)
        };
        self.part.each_run(column, rows.clone(), wanted, |first, strings| {
            let mut ask = |at: usize| {
                let (row, body) = ((first + at).wrapping_sub(rows.start), strings.get(at));
                if row < rows.len() && among.contains(row) && !body.is_empty() && Json::whole(body).is_ok_and(&test) {
                    found.insert(row);
                }
            };
            match needle {
                Some(needle) => needle.rows(strings).iter().for_each(&mut ask),
                None => (0..strings.len()).for_each(&mut ask),
            }
        })?;
        Ok(found)
    }

    /// For each page of a column with bodies, whether it may hold what `needle` wants; nothing if that is not known.
    fn pages_with(&self, column: Column, needle: &Needle) -> Result<MayHold, PageError> {
        let key = (column, std::ptr::from_ref(needle));
        if let Some(known) = self.pages_with.borrow().get(&key) {
            return Ok(known.clone());
        }
        let pages: MayHold = self.part.pages_with(column, &needle.tokens)?.map(Rc::from);
        self.pages_with.borrow_mut().insert(key, pages.clone());
        Ok(pages)
    }

    pub(super) fn events(&self, term: &Term, page: usize, among: Mask) -> Result<Mask, PageError> {
        let mut found = Mask::none(self.part.page_rows(page).len());
        let mut rows = PageRows::new(self.part, page);
        for row in among.iter() {
            if matches_naively(term, &rows.row(row, NAIVE_COLUMNS)?) {
                found.insert(row);
            }
        }
        Ok(found)
    }
}

/// Lowest and highest integer that satisfy the test, if any do.
fn bounds(test: &Test) -> Option<(i64, i64)> {
    match test {
        Test::Exists => Some((NO_INTEGER + 1, i64::MAX)),
        Test::Within(range) => {
            Some((range.low.unwrap_or(i64::MIN).max(NO_INTEGER + 1), range.high.unwrap_or(i64::MAX)))
        }
        Test::Is(_) | Test::Has(_) | Test::Between(_) | Test::Inside(_) => None,
    }
}

/// The one UUID that satisfies the test, if it is a test for one.
fn wanted_uuid(test: &Test) -> Option<[u8; 16]> {
    match test {
        Test::Is(pattern) => spelling::parse_uuid(pattern.as_literal()?.to_ascii_lowercase().as_bytes()),
        _ => None,
    }
}
