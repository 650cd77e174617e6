//! Documents in a form that is read faster than YAML: the product's own rules are packed when it is built.
//!
//! A value is three numbers (its line; its column; its length times four plus its kind), then its text, items, or keys and
//! values. The length counts bytes, items or pairs. Numbers are LEB128. A file is its documents one after the other.

use std::borrow::Cow;

use crate::node::{Node, Value};
use crate::problem::Place;

const PLAIN: usize = 0;
const QUOTED: usize = 1;
const LIST: usize = 2;
const MAP: usize = 3;

/// Adds a document.
#[cfg_attr(not(test), allow(dead_code, reason = "packing is done by the build script, which shares this file"))]
pub(crate) fn pack(node: &Node, out: &mut Vec<u8>) {
    let mut head = |length: usize, kind: usize| {
        write_number(node.place.line as usize, out);
        write_number(node.place.column as usize, out);
        write_number(length * 4 + kind, out);
    };
    match &node.value {
        Value::Scalar { text, plain } => {
            head(text.len(), if *plain { PLAIN } else { QUOTED });
            out.extend_from_slice(text.as_bytes());
        }
        Value::List(items) => {
            head(items.len(), LIST);
            items.iter().for_each(|item| pack(item, out));
        }
        Value::Map(entries) => {
            head(entries.len(), MAP);
            for (key, value) in entries {
                pack(key, out);
                pack(value, out);
            }
        }
    }
}

fn write_number(mut number: usize, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// The documents that were packed; `None` if there are none.
pub(crate) fn unpack(mut bytes: &'static [u8]) -> Option<Vec<Node>> {
    let mut documents = Vec::new();
    while !bytes.is_empty() {
        documents.push(node(&mut bytes)?);
    }
    (!documents.is_empty()).then_some(documents)
}

fn node(bytes: &mut &'static [u8]) -> Option<Node> {
    let place = Place { line: u32::try_from(number(bytes)?).ok()?, column: u32::try_from(number(bytes)?).ok()? };
    let head = number(bytes)?;
    let (length, kind) = (head / 4, head % 4);
    let value = match kind {
        LIST => Value::List((0..length).map(|_| node(bytes)).collect::<Option<_>>()?),
        MAP => Value::Map((0..length).map(|_| Some((node(bytes)?, node(bytes)?))).collect::<Option<_>>()?),
        _ => {
            let (text, rest) = bytes.split_at_checked(length)?;
            *bytes = rest;
            Value::Scalar { text: Cow::Borrowed(std::str::from_utf8(text).ok()?), plain: kind == PLAIN }
        }
    };
    Some(Node { place, value })
}

fn number(bytes: &mut &'static [u8]) -> Option<usize> {
    let (mut number, mut shift) = (0usize, 0u32);
    loop {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= usize::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
        shift += 7;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::{Cut, load};

    #[test]
    fn what_is_packed_comes_back() {
        for source in crate::builtin() {
            let (documents, faults) = load(&source.text, Cut::Documents);
            assert_eq!(faults, [], "{}", source.name);
            let mut bytes = Vec::new();
            documents.iter().for_each(|document| pack(document, &mut bytes));
            assert_eq!(unpack(bytes.leak()), Some(documents), "{}", source.name);
        }
    }

    #[test]
    fn what_is_cut_off_is_nothing() {
        let documents = load("a: [b, 'c']", Cut::Documents).0;
        let mut bytes = Vec::new();
        pack(&documents[0], &mut bytes);
        let bytes: &'static [u8] = bytes.leak();
        for end in 0..bytes.len() {
            assert_eq!(unpack(&bytes[..end]), None);
        }
    }
}
