//! A plan at work on one part.

use std::cell::{Ref, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use audit::Json;
use query::{Term, Test};

use super::fits::{Fits, fits_shape, fits_text};
use super::{Leaf, Node, Plan};
use crate::column::Column;
use crate::evaluate::matches_naively;
use crate::mask::Mask;
use crate::needle::Needle;
use crate::pages::{PageCodes, PageError};
use crate::part::PartReader;
use crate::residual;
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
        self.node(&self.plan.root, page, Mask::all(rows))
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
        let values = self.part.integers(column, page)?;
        let values = values.slice();
        let fits = match test {
            Test::Exists => Mask::of(values.len(), |row| values[row] != NO_INTEGER),
            Test::Within(range) => {
                let (low, high) = (range.low.unwrap_or(NO_INTEGER + 1), range.high.unwrap_or(i64::MAX));
                Mask::of(values.len(), |row| low <= values[row] && values[row] <= high)
            }
            Test::Is(_) | Test::Has(_) | Test::Between(_) | Test::Inside(_) => Mask::none(values.len()),
        };
        among.intersect(&fits);
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
        match (fits.between(low, high), texts.codes()) {
            (Some(true), _) => Ok(among),
            (Some(false), _) | (None, PageCodes::Same(_)) => Ok(among.clear()),
            (None, PageCodes::Each(codes)) => {
                among.intersect(&Mask::of(codes.len(), |row| fits.has(codes[row])));
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
                    residual::put_uuid(uuid, &mut text);
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
        let candidates: Vec<usize> = among.iter().map(|row| row + rows.start).collect();
        let may_hold = |run: usize| may_hold.as_ref().is_none_or(|pages| pages[run]);
        self.part.each_run(column, &candidates, may_hold, |first, strings, wanted| {
            let hits = needle.map(|needle| needle.rows(strings));
            for row in wanted.iter().copied() {
                let body = strings.get(row - first);
                let may_fit = hits.as_ref().is_none_or(|hits| hits.contains(row - first));
                if may_fit && !body.is_empty() && Json::whole(body).is_ok_and(&test) {
                    found.insert(row - rows.start);
                }
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
        let start = self.part.page_rows(page).start;
        let mut found = Mask::none(self.part.page_rows(page).len());
        for row in among.iter() {
            if self.part.with_row(start + row, |values| matches_naively(term, values))? {
                found.insert(row);
            }
        }
        Ok(found)
    }
}

/// The one UUID that satisfies the test, if it is a test for one.
fn wanted_uuid(test: &Test) -> Option<[u8; 16]> {
    match test {
        Test::Is(pattern) => residual::parse_uuid(pattern.as_literal()?.to_ascii_lowercase().as_bytes()),
        _ => None,
    }
}
