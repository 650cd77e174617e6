//! Free text: a pattern in any value of the event.

use audit::{Event, Json};
use query::{Pattern, Piece, Scalars, Target, Term, Test};

use super::ask::Asking;
use crate::column::Column;
use crate::mask::Mask;
use crate::needle::Needle;
use crate::pages::PageError;
use crate::residual;
use crate::spelling;
use crate::values::{ABSENT, NO_INTEGER};

/// A pattern that is looked for everywhere.
#[derive(Debug)]
pub(super) struct Anything {
    pattern: Pattern,
    /// First of the numbers of its text columns.
    id: usize,
    needle: Needle,
    term: Term,
}

/// Columns with texts of the event that stand in no other column.
const TEXTS: [Column; 23] = [
    Column::Level,
    Column::Stage,
    Column::Verb,
    Column::User,
    Column::Uid,
    Column::ImpersonatedUser,
    Column::ImpersonatedUid,
    Column::Agent,
    Column::Resource,
    Column::Subresource,
    Column::Namespace,
    Column::Name,
    Column::ObjectUid,
    Column::ApiGroup,
    Column::ApiVersion,
    Column::ResourceVersion,
    Column::Status,
    Column::StatusReason,
    Column::StatusMessage,
    Column::Uri,
    Column::AuditIdText,
    Column::Residual,
    Column::Ips,
];

/// Columns with JSON of the event.
const JSONS: [Column; 6] = [
    Column::Groups,
    Column::Extra,
    Column::ImpersonatedGroups,
    Column::ImpersonatedExtra,
    Column::StatusDetails,
    Column::Annotations,
];

impl Anything {
    /// `texts` counts the text columns that the plan asks.
    pub(super) fn new(pattern: &Pattern, term: &Term, texts: &mut usize) -> Self {
        let id = *texts;
        *texts += TEXTS.len() + JSONS.len();
        Self { pattern: pattern.clone(), id, needle: Needle::of(pattern), term: term.clone() }
    }
}

impl Asking<'_, '_> {
    pub(super) fn anything(&self, anything: &Anything, page: usize, among: Mask) -> Result<Mask, PageError> {
        let rows = self.part.page_rows(page).len();
        let pattern = &anything.pattern;
        let mut found = Mask::none(rows);
        let mut left = among;
        let note = |more: Mask, left: &mut Mask, found: &mut Mask| {
            left.subtract(&more);
            found.unite(&more);
        };
        for (at, column) in TEXTS.into_iter().enumerate() {
            let test = |value: &[u8]| match column {
                Column::Residual => residual_has(value, pattern),
                Column::Ips => json_has(value, pattern),
                _ => std::str::from_utf8(value).is_ok_and(|text| pattern.found_in(text)),
            };
            let more = self.texts(anything.id + at, column, page, left.clone(), test)?;
            note(more, &mut left, &mut found);
        }
        for (at, column) in JSONS.into_iter().enumerate() {
            let test = |value: &[u8]| json_has(value, pattern);
            let more = self.texts(anything.id + TEXTS.len() + at, column, page, left.clone(), test)?;
            note(more, &mut left, &mut found);
        }
        if may_be_number(pattern) {
            let more = self.numbers(pattern, page, left.clone())?;
            note(more, &mut left, &mut found);
        }
        for column in [Column::RequestObject, Column::ResponseObject] {
            let more = self.bodies(column, Some(&anything.needle), page, left.clone(), |body| {
                Scalars::of(body).any(|scalar| pattern.found_in(&scalar.display()))
            })?;
            note(more, &mut left, &mut found);
        }
        // Rows that are kept as they are may say more than their columns.
        let raw = self.raw_rows(page, &left)?;
        found.unite(&self.events(&anything.term, page, raw)?);
        Ok(found)
    }

    /// Free text that could be a time, an audit id or a status code.
    fn numbers(&self, pattern: &Pattern, page: usize, among: Mask) -> Result<Mask, PageError> {
        let (times, latencies) =
            (self.part.integers(Column::Time, page)?, self.part.integers(Column::LatencyUs, page)?);
        let (codes, uuids) = (self.part.integers(Column::Code, page)?, self.part.uuids(page)?);
        let mut found = Mask::none(self.part.page_rows(page).len());
        let mut text = Vec::new();
        for row in among.iter() {
            let time = times.get(row);
            let latency = latencies.get(row);
            let request = if latency == NO_INTEGER { time } else { time.wrapping_sub(latency) };
            text.clear();
            // Blanks separate words as the borders of values do; patterns do not reach over them.
            spelling::put_time(time, &mut text);
            let mut ends = vec![text.len()];
            spelling::put_time(request, &mut text);
            ends.push(text.len());
            spelling::put_uuid(&uuids.slice()[row], &mut text);
            ends.push(text.len());
            text.extend_from_slice(codes.get(row).to_string().as_bytes());
            ends.push(text.len());
            let mut start = 0;
            let hit = ends.into_iter().any(|end| {
                let value = std::str::from_utf8(&text[start..end]).unwrap_or_default();
                start = end;
                pattern.found_in(value)
            });
            if hit {
                found.insert(row);
            }
        }
        // Columns hold times in one form only, so each hit is asked again of the event itself.
        let term = Term { target: Target::Anything, test: Test::Has(pattern.clone()) };
        self.events(&term, page, found)
    }

    /// Rows of `among` that are kept as they are.
    fn raw_rows(&self, page: usize, among: &Mask) -> Result<Mask, PageError> {
        let residuals = self.part.texts(Column::Residual, page)?;
        let mut raw = Mask::of(self.part.page_rows(page).len(), |row| residuals.code(row) == ABSENT);
        raw.intersect(among);
        Ok(raw)
    }
}

fn json_has(value: &[u8], pattern: &Pattern) -> bool {
    Json::whole(value).is_ok_and(|json| Scalars::of(json).any(|scalar| pattern.found_in(&scalar.display())))
}

/// Whether a value that was left in the residual has the pattern.
fn residual_has(value: &[u8], pattern: &Pattern) -> bool {
    let left = residual::without_cuts(value);
    Event::parse(&left).is_ok_and(|event| Scalars::of(event.json).any(|scalar| pattern.found_in(&scalar.display())))
}

/// Whether a time, a UUID or a status code can have the pattern in it.
fn may_be_number(pattern: &Pattern) -> bool {
    pattern.pieces().iter().all(|piece| match piece {
        Piece::Text(text) => text.bytes().all(|byte| {
            byte.is_ascii_hexdigit() || matches!(byte.to_ascii_uppercase(), b'T' | b'Z' | b'-' | b':' | b'.')
        }),
        Piece::One | Piece::Many => true,
    })
}
