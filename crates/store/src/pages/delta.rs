//! `DELTA_BINARY_PACKED`: differences between neighbours, packed in the fewest bits a small run needs.

use super::hybrid::{pack, put_varint, take_varint, unpack};

const BLOCK: usize = 128;
const MINIBLOCKS: usize = 4;
const MINIBLOCK: usize = BLOCK / MINIBLOCKS;
/// Widest layout that is read; files of other writers may use larger blocks than ours.
const BLOCK_MAX: u64 = 1 << 16;

/// Appends `values` to `out`.
pub(crate) fn encode(values: &[i64], out: &mut Vec<u8>) {
    put_varint(BLOCK as u64, out);
    put_varint(MINIBLOCKS as u64, out);
    put_varint(values.len() as u64, out);
    put_zigzag(values.first().copied().unwrap_or(0), out);
    let deltas: Vec<i64> = values.windows(2).map(|pair| pair[1].wrapping_sub(pair[0])).collect();
    for block in deltas.chunks(BLOCK) {
        let least = block.iter().copied().min().unwrap_or(0);
        put_zigzag(least, out);
        let width = |run: &[i64]| run.iter().fold(0u64, |all, delta| all | delta.wrapping_sub(least) as u64);
        let widths = block.chunks(MINIBLOCK).map(|run| (64 - width(run).leading_zeros()) as u8);
        let widths: Vec<u8> = widths.chain(std::iter::repeat(0)).take(MINIBLOCKS).collect();
        out.extend_from_slice(&widths);
        for (run, width) in block.chunks(MINIBLOCK).zip(widths) {
            let packed = run.iter().map(|delta| delta.wrapping_sub(least) as u64);
            pack(packed.chain(std::iter::repeat(0)).take(MINIBLOCK), width, out);
        }
    }
}

/// Reads `count` values; `None` if the bytes say otherwise.
pub(crate) fn decode(mut bytes: &[u8], count: usize, out: &mut Vec<i64>) -> Option<()> {
    let block = take_varint(&mut bytes).filter(|block| (1..=BLOCK_MAX).contains(block))?;
    let miniblocks = take_varint(&mut bytes).filter(|count| (1..=block).contains(count))? as usize;
    let miniblock = block as usize / miniblocks;
    if take_varint(&mut bytes)? != count as u64 || !miniblock.is_multiple_of(8) {
        return None;
    }
    let mut value = take_zigzag(&mut bytes)?;
    if count == 0 {
        return Some(());
    }
    out.push(value);
    let mut left = count - 1;
    while left > 0 {
        let least = take_zigzag(&mut bytes)?;
        let widths = bytes.get(..miniblocks)?;
        bytes = &bytes[miniblocks..];
        for width in widths {
            if left == 0 {
                break;
            }
            let size = miniblock / 8 * usize::from(*width);
            let packed = bytes.get(..size).filter(|_| *width <= 64)?;
            bytes = &bytes[size..];
            let take = left.min(miniblock);
            unpack(packed, *width, take, |delta| {
                value = value.wrapping_add(least).wrapping_add(delta as i64);
                out.push(value);
            });
            left -= take;
        }
    }
    Some(())
}

fn put_zigzag(value: i64, out: &mut Vec<u8>) {
    put_varint((value << 1 ^ value >> 63) as u64, out);
}

fn take_zigzag(bytes: &mut &[u8]) -> Option<i64> {
    take_varint(bytes).map(|value| (value >> 1) as i64 ^ -((value & 1) as i64))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn values_come_back(values in proptest::collection::vec(prop_oneof![any::<i64>(), -5i64..5, 1_000_000i64..1_000_900], 0..400)) {
            let mut bytes = Vec::new();
            encode(&values, &mut bytes);
            let mut back = Vec::new();
            prop_assert!(decode(&bytes, values.len(), &mut back).is_some());
            prop_assert_eq!(back, values);
        }

        #[test]
        fn any_bytes_are_safe(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut out = Vec::new();
            let _ = decode(&bytes, 300, &mut out);
            prop_assert!(out.len() <= 300);
        }
    }
}
