//! Rows on their way into a block.

use std::borrow::Cow;

use audit::{Json, Micros};

use crate::block::Block;
use crate::column::{Column, Kind};
use crate::interner::{Interner, same};
use crate::residual::{self, Comparison, Cut, ESCAPED, Row, VERBATIM};
use crate::spelling::{self, Minute};
use crate::values::{ABSENT, Dictionary, NO_INTEGER, NO_UUID, Strings, Values};

/// Columns of integers; they come first.
const INTEGERS: usize = Column::ResponseSize as usize + 1;
/// Columns that are held row by row as bytes.
const WIDE: usize = 3;
/// Shapes of texts that are remembered; a power of two.
const SHAPES: usize = 256;
/// Longest string with escapes whose meaning is remembered.
const SPELLING_BYTES_MAX: usize = 1024;

/// The place of a column that is held row by row among those.
fn wide(column: Column) -> usize {
    match column {
        Column::RequestObject => 0,
        Column::ResponseObject => 1,
        _ => 2,
    }
}

/// Values of one row before it joins a block. Coded columns are interned as they come.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    codes: [u32; Column::COUNT],
    /// A bit for each coded column with a value.
    coded: u64,
    integers: [i64; INTEGERS],
    uuid: [u8; 16],
    bytes: [&'a [u8]; WIDE],
}

impl Default for Draft<'_> {
    fn default() -> Self {
        let codes = [ABSENT; Column::COUNT];
        Self { codes, coded: 0, integers: [NO_INTEGER; INTEGERS], uuid: NO_UUID, bytes: [&[]; WIDE] }
    }
}

impl<'a> Draft<'a> {
    #[inline]
    pub(crate) fn set_integer(&mut self, column: Column, value: i64) {
        self.integers[column as usize] = value;
    }

    pub(crate) fn set_uuid(&mut self, value: [u8; 16]) {
        self.uuid = value;
    }

    #[inline]
    pub(crate) fn set_bytes(&mut self, column: Column, value: &'a [u8]) {
        self.bytes[wide(column)] = value;
    }

    pub(crate) fn clear_text(&mut self, column: Column) {
        self.set_code(column, ABSENT);
    }

    #[inline]
    fn set_code(&mut self, column: Column, code: u32) {
        self.codes[column as usize] = code;
        self.coded |= u64::from(code != ABSENT) << column as usize;
    }
}

/// A block that grows.
#[derive(Debug, Clone)]
pub(crate) struct BlockBuilder {
    rows: usize,
    integers: [Vec<i64>; INTEGERS],
    uuids: Vec<[u8; 16]>,
    coded: Vec<Coded>,
    wide: [Strings; WIDE],
    shapes: Vec<(u64, u32)>,
    minute: Minute,
}

/// A coded column that grows.
#[derive(Debug, Clone, Default)]
struct Coded {
    /// Rows at the end that have no code yet have no value.
    codes: Vec<u32>,
    interner: Interner,
    /// Strings with escapes as they were written, and what is known of each.
    spellings: Interner,
    meanings: Vec<Meaning>,
    /// For each code, those of the columns that follow from this one; [`NOT_DERIVED`] while nobody asked.
    derived: Vec<u32>,
}

/// What a string with escapes stands for.
#[derive(Debug, Clone, Copy)]
struct Meaning {
    code: u32,
    /// How the value is written here; nothing if not as it would be put back.
    mark: Option<u8>,
}

const NOT_DERIVED: u32 = u32::MAX;

impl Default for BlockBuilder {
    fn default() -> Self {
        Self {
            rows: 0,
            integers: Default::default(),
            uuids: Vec::new(),
            coded: vec![Coded::default(); Column::COUNT],
            wide: Default::default(),
            shapes: vec![(0, ABSENT); SHAPES],
            minute: Minute::default(),
        }
    }
}

impl BlockBuilder {
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Interns `value` and notes it in the draft.
    #[inline]
    pub(crate) fn set_text(&mut self, draft: &mut Draft<'_>, column: Column, value: &[u8]) {
        draft.set_code(column, self.coded[column as usize].interner.intern(value));
    }

    /// Interns what a JSON string stands for. Returns how the value is written between its quotes; nothing if it is no
    /// string, or if it would be put back in another way.
    pub(crate) fn set_string(&mut self, draft: &mut Draft<'_>, column: Column, json: Json<'_>) -> Option<u8> {
        let inner = json.inner()?;
        let Meaning { code, mark } = self.coded[column as usize].meaning(json, inner);
        draft.set_code(column, code);
        mark
    }

    /// Sets the columns `to`, which follow from the value that `from` has: by `set` when the value is new.
    pub(crate) fn derive<const N: usize>(
        &mut self,
        draft: &mut Draft<'_>,
        from: Column,
        to: [Column; N],
        set: impl FnOnce(&mut Self, &mut Draft<'_>),
    ) {
        let first = draft.codes[from as usize] as usize * N;
        let known = self.coded[from as usize].derived.get(first..first + N);
        if let Some(codes) = known.filter(|codes| !codes.contains(&NOT_DERIVED)) {
            return to.iter().zip(codes).for_each(|(column, code)| draft.set_code(*column, *code));
        }
        set(self, draft);
        let derived = &mut self.coded[from as usize].derived;
        derived.resize(derived.len().max(first + N), NOT_DERIVED);
        derived[first..first + N].copy_from_slice(&to.map(|column| draft.codes[column as usize]));
    }

    /// Reads a time that is written as it would be put back.
    #[inline]
    pub(crate) fn read_time(&mut self, text: &[u8]) -> Option<Micros> {
        self.minute.read(text)
    }

    /// Sets the residual of `text`, and checks that the draft gives the text back exactly. Sorts the cuts.
    pub(crate) fn set_residual(
        &mut self,
        draft: &mut Draft<'_>,
        text: &[u8],
        cuts: &mut [Cut],
        scratch: &mut Vec<u8>,
    ) -> bool {
        let Some(shape) = residual::shape(text, cuts) else { return false };
        let slot = shape as usize % SHAPES;
        let residuals = &mut self.coded[Column::Residual as usize].interner;
        // Texts of one shape mostly leave the same residual. It is compared piece by piece, and so is every value.
        let (known, code) = self.shapes[slot];
        if known == shape
            && residuals.dictionary().get(code).is_some_and(|residual| residual::is_left_of(text, cuts, residual))
        {
            draft.set_code(Column::Residual, code);
            let exact = cuts.iter().all(|cut| self.gives(draft, cut, &text[cut.start..cut.end]));
            debug_assert_eq!(exact, self.gives_all(draft, text), "{}", String::from_utf8_lossy(text));
            return exact;
        }
        if !residual::cut(text, cuts, scratch) {
            return false;
        }
        let code = residuals.intern(scratch);
        draft.set_code(Column::Residual, code);
        self.shapes[slot] = (shape, code);
        self.gives_all(draft, text)
    }

    /// Whether a value of the draft is put back as it is `written`.
    #[inline]
    fn gives(&self, draft: &Draft<'_>, cut: &Cut, written: &[u8]) -> bool {
        let (at, column) = (cut.column as usize, &self.coded[cut.column as usize]);
        if draft.coded >> at & 1 == 0 {
            return self.gives_other(draft, cut, written);
        }
        match cut.mark {
            VERBATIM => column.interner.dictionary().get(draft.codes[at]).is_some_and(|value| same(value, written)),
            _ => column.knows(written, draft.codes[at]) || self.gives_other(draft, cut, written),
        }
    }

    fn gives_other(&self, draft: &Draft<'_>, cut: &Cut, written: &[u8]) -> bool {
        let row = DraftRow { builder: self, draft };
        match cut.column {
            Column::Time | Column::LatencyUs => self.minute.gives(residual::time_of(cut.column, &row), written),
            // Wide values are still where they were found.
            column if column.kind().is_bytes() => std::ptr::eq(draft.bytes[wide(column)], written),
            column => {
                let mut comparison = Comparison::with(written);
                residual::put_value(cut.mark, column, &row, &mut comparison);
                comparison.is_equal()
            }
        }
    }

    /// Whether the draft's residual and values give `text`.
    fn gives_all(&self, draft: &Draft<'_>, text: &[u8]) -> bool {
        let row = DraftRow { builder: self, draft };
        let mut comparison = Comparison::with(text);
        residual::join(row.bytes(Column::Residual), &row, &mut comparison);
        comparison.is_equal()
    }

    pub(crate) fn push(&mut self, draft: &Draft<'_>) {
        self.integers.iter_mut().zip(draft.integers).for_each(|(values, value)| values.push(value));
        self.uuids.push(draft.uuid);
        self.wide.iter_mut().zip(draft.bytes).for_each(|(strings, value)| strings.push(value));
        let mut left = draft.coded;
        while left != 0 {
            let at = left.trailing_zeros() as usize;
            left &= left - 1;
            let codes = &mut self.coded[at].codes;
            if codes.len() < self.rows {
                codes.resize(self.rows, ABSENT);
            }
            codes.push(draft.codes[at]);
        }
        self.rows += 1;
    }

    /// The rows as a block. Goes on without rows, in the room of a block that nobody needs any more.
    pub(crate) fn finish(&mut self, room: Block) -> Block {
        let rows = std::mem::take(&mut self.rows);
        self.shapes.fill((0, ABSENT));
        let columns = Column::all().zip(room.into_columns()).map(|(column, room)| match room {
            Values::Integers(room) => Values::Integers(exchange(&mut self.integers[column as usize], room)),
            Values::Uuids(room) => Values::Uuids(exchange(&mut self.uuids, room)),
            Values::Coded { codes, dictionary } => self.coded[column as usize].finish(rows, codes, dictionary),
            Values::Bytes(mut room) => {
                room.clear();
                Values::Bytes(std::mem::replace(&mut self.wide[wide(column)], room))
            }
        });
        Block::from_columns(rows, columns.collect())
    }

    /// Room for about as much as it has, but for no more than `bytes_max` in a column that is held row by row as bytes.
    pub(crate) fn as_much_room(&self, bytes_max: usize) -> Block {
        let mut room = Block::empty().into_columns();
        for (column, values) in Column::all().zip(&mut room) {
            match values {
                Values::Integers(values) => values.reserve(self.rows),
                Values::Uuids(values) => values.reserve(self.rows),
                Values::Coded { codes, .. } => codes.reserve(self.coded[column as usize].codes.len()),
                Values::Bytes(strings) => {
                    let bytes = self.wide[wide(column)].bytes();
                    *strings = Strings::with_capacity(self.rows, (bytes + bytes / 8).min(bytes_max));
                }
            }
        }
        Block::from_columns(0, room)
    }

    /// The rows so far, as a block of their own.
    pub(crate) fn copy(&self) -> Block {
        let columns = Column::all().map(|column| match column.kind() {
            Kind::Integer | Kind::Time => Values::Integers(self.integers[column as usize].clone()),
            Kind::Uuid => Values::Uuids(self.uuids.clone()),
            Kind::Text | Kind::Json | Kind::Binary => {
                let Coded { codes, interner, .. } = &self.coded[column as usize];
                let mut codes = codes.clone();
                codes.resize(self.rows, ABSENT);
                Values::Coded { codes, dictionary: interner.dictionary().clone() }
            }
            Kind::Body | Kind::Blob => Values::Bytes(self.wide[wide(column)].clone()),
        });
        Block::from_columns(self.rows, columns.collect())
    }
}

/// What is in `values`, and puts `room` there.
fn exchange<T>(values: &mut Vec<T>, mut room: Vec<T>) -> Vec<T> {
    room.clear();
    std::mem::replace(values, room)
}

impl Coded {
    fn finish(&mut self, rows: usize, room: Vec<u32>, dictionary: Dictionary) -> Values {
        self.spellings.clear();
        self.meanings.clear();
        self.derived.clear();
        let mut codes = exchange(&mut self.codes, room);
        codes.resize(rows, ABSENT);
        Values::Coded { codes, dictionary: self.interner.finish(dictionary) }
    }

    fn meaning(&mut self, json: Json<'_>, inner: &[u8]) -> Meaning {
        if let Some(code) = self.interner.recent_plain(inner) {
            return Meaning { code, mark: Some(VERBATIM) };
        }
        let has_escapes = memchr::memchr(b'\\', inner).is_some();
        if !has_escapes && std::str::from_utf8(inner).is_ok() {
            return Meaning { code: self.interner.intern(inner), mark: Some(VERBATIM) };
        }
        if inner.len() > SPELLING_BYTES_MAX {
            return self.decode(json, inner);
        }
        let spelling = self.spellings.intern(inner) as usize - 1;
        if let Some(meaning) = self.meanings.get(spelling) {
            return *meaning;
        }
        let meaning = self.decode(json, inner);
        self.meanings.push(meaning);
        meaning
    }

    fn decode(&mut self, json: Json<'_>, inner: &[u8]) -> Meaning {
        let value = json.text().unwrap_or(Cow::Borrowed(""));
        let code = self.interner.intern(value.as_bytes());
        if value.as_bytes() == inner {
            return Meaning { code, mark: Some(VERBATIM) };
        }
        let mut comparison = Comparison::with(inner);
        spelling::escape(value.as_bytes(), &mut comparison);
        Meaning { code, mark: comparison.is_equal().then_some(ESCAPED) }
    }

    /// Whether the value of `code` is known to stand as `inner` when it is escaped.
    fn knows(&self, inner: &[u8], code: u32) -> bool {
        let spelling = self.spellings.recent(inner);
        let meaning = spelling.and_then(|spelling| self.meanings.get(spelling as usize - 1));
        meaning.is_some_and(|meaning| meaning.code == code && meaning.mark == Some(ESCAPED))
    }
}

struct DraftRow<'a> {
    builder: &'a BlockBuilder,
    draft: &'a Draft<'a>,
}

impl Row for DraftRow<'_> {
    fn integer(&self, column: Column) -> i64 {
        self.draft.integers.get(column as usize).copied().unwrap_or(NO_INTEGER)
    }

    fn uuid(&self) -> [u8; 16] {
        self.draft.uuid
    }

    fn bytes(&self, column: Column) -> &[u8] {
        if column.kind().is_bytes() {
            return self.draft.bytes[wide(column)];
        }
        let dictionary = self.builder.coded[column as usize].interner.dictionary();
        dictionary.get(self.draft.codes[column as usize]).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_has_room_for_every_column() {
        for column in Column::all() {
            assert_eq!(column.kind().is_integer(), (column as usize) < INTEGERS, "{}", column.name());
        }
        let wide_ones: Vec<usize> = Column::all().filter(|column| column.kind().is_bytes()).map(wide).collect();
        assert_eq!(wide_ones, (0..WIDE).collect::<Vec<_>>());
    }
}
