//! What was written is read back, and compared with what it was made from.

use super::PageError;
use super::read::{Chunk, Decoded};
use crate::interner::same;
use crate::sorted::Sorted;
use crate::values::{ABSENT, Dictionary, Values};

impl Chunk {
    /// Whether its values are those of these rows, one by one in their order.
    pub(crate) fn holds(&self, rows: &Sorted) -> Result<bool, PageError> {
        let wanted = rows.values(self.column);
        let file = if self.column.kind().is_coded() { self.read_dictionary()? } else { Dictionary::default() };
        let mut matches = Matches::default();
        let mut order = rows.order();
        for page in 0..self.pages.len() {
            let Some((here, rest)) = order.split_at_checked(self.pages[page].rows) else { return Ok(false) };
            order = rest;
            let holds = match (self.read_values(page)?, wanted) {
                (Decoded::Integers(values), Values::Integers(wanted)) => gathered(&values, wanted, here),
                (Decoded::Uuids(values), Values::Uuids(wanted)) => gathered(&values, wanted, here),
                (Decoded::Codes(codes), Values::Coded { codes: wanted, dictionary }) => {
                    matches.hold(&codes, &file, wanted, dictionary, here)
                }
                (Decoded::Plain(codes, file), Values::Coded { codes: wanted, dictionary }) => {
                    Matches::default().hold(&codes, &file, wanted, dictionary, here)
                }
                (Decoded::Bytes(values), _) => {
                    values.len() == here.len()
                        && values.iter().zip(here).all(|(value, row)| same(value, rows.bytes(self.column, *row)))
                }
                _ => false,
            };
            if !holds {
                return Ok(false);
            }
        }
        Ok(order.is_empty())
    }
}

/// Whether `values` are those that `wanted` has for `rows`.
fn gathered<T: PartialEq>(values: &[T], wanted: &[T], rows: &[u32]) -> bool {
    values.len() == rows.len() && values.iter().zip(rows).all(|(value, row)| *value == wanted[*row as usize])
}

/// Codes of two dictionaries whose values have been found to be equal.
#[derive(Default)]
struct Matches {
    /// For each code of the wanted dictionary that has come, that of the other.
    known: Vec<Option<u32>>,
}

impl Matches {
    /// Whether the values of `codes` are those that `wanted` has for `rows`.
    fn hold(
        &mut self,
        codes: &[u32],
        dictionary: &Dictionary,
        wanted: &[u32],
        wanted_dictionary: &Dictionary,
        rows: &[u32],
    ) -> bool {
        if wanted_dictionary.len() == 1 {
            return codes.len() == rows.len() && codes.iter().all(|code| *code == ABSENT);
        }
        self.known.resize(wanted_dictionary.len(), None);
        codes.len() == rows.len()
            && codes.iter().zip(rows).all(|(code, row)| {
                let wanted = wanted[*row as usize];
                let known = &mut self.known[wanted as usize];
                if *known == Some(*code) {
                    return true;
                }
                *known = Some(*code);
                // A code that the dictionary lacks has no value that could be equal.
                (*code as usize) < dictionary.len() && dictionary.get(*code) == wanted_dictionary.get(wanted)
            })
    }
}
