//! The run-length and bit-packed hybrid encoding of Parquet, for levels and dictionary codes.

/// Bits that hold every code up to `max`.
pub(crate) fn width_of(max: u32) -> u8 {
    (32 - max.leading_zeros()) as u8
}

/// Appends `codes` to `out`, without a length in front.
pub(crate) fn encode(codes: &[u32], width: u8, out: &mut Vec<u8>) {
    let mut literals = 0;
    let mut at = 0;
    while at < codes.len() {
        let run = codes[at..].iter().take_while(|code| **code == codes[at]).count();
        // Literals come in groups of eight, so a run first fills up the open group.
        let fill = (8 - (at - literals) % 8) % 8;
        if run < fill + 8 {
            at += run;
            continue;
        }
        at += fill;
        put_literals(&codes[literals..at], width, out);
        put_run(codes[at], run - fill, width, out);
        at += run - fill;
        literals = at;
    }
    put_literals(&codes[literals..], width, out);
}

/// Appends one code for `count` rows.
pub(crate) fn put_run(code: u32, count: usize, width: u8, out: &mut Vec<u8>) {
    put_varint((count as u64) << 1, out);
    out.extend_from_slice(&code.to_le_bytes()[..usize::from(width.div_ceil(8))]);
}

fn put_literals(codes: &[u32], width: u8, out: &mut Vec<u8>) {
    if codes.is_empty() {
        return;
    }
    let groups = codes.len().div_ceil(8);
    put_varint((groups as u64) << 1 | 1, out);
    let codes = codes.iter().map(|code| u64::from(*code));
    pack(codes.chain(std::iter::repeat(0)).take(groups * 8), width, out);
}

/// Packs values of `width` bits, lowest bits first.
pub(crate) fn pack(values: impl Iterator<Item = u64>, width: u8, out: &mut Vec<u8>) {
    let width = u32::from(width);
    let (mut word, mut used) = (0u64, 0u32);
    for value in values {
        word |= value.checked_shl(used).unwrap_or(0);
        used += width;
        if used >= 64 {
            out.extend_from_slice(&word.to_le_bytes());
            used -= 64;
            // What did not fit begins the next word.
            word = if used == 0 { 0 } else { value.checked_shr(width - used).unwrap_or(0) };
        }
    }
    out.extend_from_slice(&word.to_le_bytes()[..used.div_ceil(8) as usize]);
}

/// Reads `count` codes; `None` if the bytes end early or a width is nonsense.
pub(crate) fn decode(mut bytes: &[u8], width: u8, count: usize, out: &mut Vec<u32>) -> Option<()> {
    if width > 32 {
        return None;
    }
    let end = out.len() + count;
    while out.len() < end {
        let header = take_varint(&mut bytes)?;
        let left = end - out.len();
        if header & 1 == 0 {
            let mut value = [0u8; 4];
            let size = usize::from(width.div_ceil(8));
            value[..size].copy_from_slice(bytes.get(..size)?);
            bytes = &bytes[size..];
            let run = usize::try_from(header >> 1).ok()?.min(left);
            if run == 0 {
                return None;
            }
            out.resize(out.len() + run, u32::from_le_bytes(value));
        } else {
            let groups = usize::try_from(header >> 1).ok()?;
            let size = groups.checked_mul(usize::from(width))?;
            let packed = bytes.get(..size)?;
            if groups == 0 {
                return None;
            }
            unpack(packed, width, left.min(groups.saturating_mul(8)), |value| out.push(value as u32));
            bytes = &bytes[size..];
        }
    }
    Some(())
}

/// The one code of all `count` rows, if they are written as one run.
pub(crate) fn single_run(mut bytes: &[u8], width: u8, count: usize) -> Option<u32> {
    let header = take_varint(&mut bytes)?;
    let value = bytes.get(..usize::from(width.div_ceil(8))).filter(|_| width <= 32)?;
    let is_run = header & 1 == 0 && usize::try_from(header >> 1).is_ok_and(|run| run >= count);
    is_run.then(|| value.iter().rev().fold(0, |all, byte| all << 8 | u32::from(*byte)))
}

/// Hands out `count` values of `width` bits; the caller made sure that `packed` holds them.
#[inline]
pub(crate) fn unpack(packed: &[u8], width: u8, count: usize, mut each: impl FnMut(u64)) {
    let width = usize::from(width);
    if width == 0 {
        return (0..count).for_each(|_| each(0));
    }
    let mask = u64::MAX >> (64 - width);
    for i in 0..count {
        let bit = i * width;
        let (byte, shift) = (bit / 8, bit % 8);
        let word = match packed.get(byte..byte + 8) {
            Some(eight) => u64::from_le_bytes(eight.try_into().unwrap_or_default()),
            None => tail_word(packed, byte),
        };
        let mut value = word >> shift;
        if shift + width > 64 {
            value |= u64::from(packed.get(byte + 8).copied().unwrap_or(0)) << (64 - shift);
        }
        each(value & mask);
    }
}

fn tail_word(packed: &[u8], byte: usize) -> u64 {
    let mut word = [0u8; 8];
    let tail = packed.get(byte..).unwrap_or_default();
    word[..tail.len().min(8)].copy_from_slice(&tail[..tail.len().min(8)]);
    u64::from_le_bytes(word)
}

/// Appends an unsigned LEB128 number.
pub(crate) fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Takes an unsigned LEB128 number off the front.
pub(crate) fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7F) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn codes_come_back(runs in proptest::collection::vec((0u32..70_000, 1usize..40), 0..60), top in 0u32..70_000) {
            let codes: Vec<u32> = runs.iter().flat_map(|(code, n)| std::iter::repeat_n((*code).min(top), *n)).collect();
            let mut bytes = Vec::new();
            encode(&codes, width_of(top), &mut bytes);
            let mut back = Vec::new();
            prop_assert!(decode(&bytes, width_of(top), codes.len(), &mut back).is_some());
            if let Some(code) = single_run(&bytes, width_of(top), codes.len()) {
                prop_assert!(codes.iter().all(|other| *other == code));
            }
            prop_assert_eq!(back, codes);
        }

        #[test]
        fn any_bytes_are_safe(bytes in proptest::collection::vec(any::<u8>(), 0..200), width in 0u8..40) {
            let mut out = Vec::new();
            let _ = decode(&bytes, width, 1000, &mut out);
            prop_assert!(out.len() <= 1000);
        }

        #[test]
        fn packed_values_come_back(values in proptest::collection::vec(any::<u64>(), 0..50), width in 1u8..=64) {
            let mask = u64::MAX >> (64 - width);
            let values: Vec<u64> = values.into_iter().map(|value| value & mask).collect();
            let mut bytes = Vec::new();
            pack(values.iter().copied(), width, &mut bytes);
            let mut back = Vec::new();
            unpack(&bytes, width, values.len(), |value| back.push(value));
            prop_assert_eq!(back, values);
        }
    }
}
