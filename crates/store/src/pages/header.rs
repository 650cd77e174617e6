//! Page headers in Thrift's compact protocol.

use super::hybrid::{put_varint, take_varint};

/// What stands before a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PageHeader {
    pub(crate) kind: PageKind,
    pub(crate) size: u32,
    pub(crate) compressed: u32,
    pub(crate) values: u32,
    pub(crate) encoding: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PageKind {
    Data = 0,
    Dictionary = 2,
}

const I32: u8 = 5;
const STRUCT: u8 = 12;
const STOP: u8 = 0;
/// Number of the `RLE` encoding, which levels use.
const RLE: i32 = 3;

impl PageHeader {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        put_field(1, I32, out);
        put_i32(self.kind as i32, out);
        put_field(1, I32, out);
        put_i32(self.size as i32, out);
        put_field(1, I32, out);
        put_i32(self.compressed as i32, out);
        put_field(if self.kind == PageKind::Data { 2 } else { 4 }, STRUCT, out);
        put_field(1, I32, out);
        put_i32(self.values as i32, out);
        put_field(1, I32, out);
        put_i32(self.encoding, out);
        if self.kind == PageKind::Data {
            put_field(1, I32, out);
            put_i32(RLE, out);
            put_field(1, I32, out);
            put_i32(RLE, out);
        }
        out.extend_from_slice(&[STOP, STOP]);
    }

    /// Takes a header off the front of `bytes`; `None` if it is not one that [`Self::write`] makes.
    pub(crate) fn read(bytes: &mut &[u8]) -> Option<Self> {
        let kind = match take_i32(1, bytes)? {
            0 => PageKind::Data,
            2 => PageKind::Dictionary,
            _ => return None,
        };
        let size = u32::try_from(take_i32(1, bytes)?).ok()?;
        let compressed = u32::try_from(take_i32(1, bytes)?).ok()?;
        take_byte(if kind == PageKind::Data { 2 << 4 } else { 4 << 4 } | STRUCT, bytes)?;
        let values = u32::try_from(take_i32(1, bytes)?).ok()?;
        let encoding = take_i32(1, bytes)?;
        if kind == PageKind::Data {
            take_i32(1, bytes)?;
            take_i32(1, bytes)?;
        }
        take_byte(STOP, bytes)?;
        take_byte(STOP, bytes)?;
        Some(Self { kind, size, compressed, values, encoding })
    }
}

fn put_field(step: u8, kind: u8, out: &mut Vec<u8>) {
    out.push(step << 4 | kind);
}

fn put_i32(value: i32, out: &mut Vec<u8>) {
    put_varint(u64::from((value << 1 ^ value >> 31) as u32), out);
}

fn take_byte(expected: u8, bytes: &mut &[u8]) -> Option<()> {
    let (first, rest) = bytes.split_first()?;
    *bytes = rest;
    (*first == expected).then_some(())
}

fn take_i32(step: u8, bytes: &mut &[u8]) -> Option<i32> {
    take_byte(step << 4 | I32, bytes)?;
    let value = u32::try_from(take_varint(bytes)?).ok()?;
    Some((value >> 1) as i32 ^ -((value & 1) as i32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_back() {
        for kind in [PageKind::Data, PageKind::Dictionary] {
            let header = PageHeader { kind, size: 1 << 20, compressed: 77, values: 8192, encoding: 8 };
            let mut bytes = Vec::new();
            header.write(&mut bytes);
            bytes.push(9);
            let mut rest = bytes.as_slice();
            assert_eq!(PageHeader::read(&mut rest), Some(header));
            assert_eq!(rest, [9]);
        }
    }
}
