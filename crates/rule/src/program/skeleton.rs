//! The text of an event without the values that hardly two events share. Events whose skeletons are equal are alike in
//! everything that is remembered: JSON in which whole values are cut out at the same places reads the same elsewhere.

use std::hash::Hasher;

use audit::{Event, Json};

use crate::field::audit_id_form;

/// Values that are cut out.
const CUTS: usize = 8;

/// Where the values were cut out, and what tells more of them than that.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// Bytes between the values, before the first and after the last.
    lengths: [u32; CUTS + 1],
    /// Which values they are, in the order of the text; zero is none.
    cut: [u8; CUTS],
    /// The first letter of the form of the audit id.
    form: u8,
}

/// The text of an event in pieces.
pub(super) struct Skeleton<'e> {
    pub(super) shape: Shape,
    pieces: [&'e [u8]; CUTS + 1],
}

impl<'e> Skeleton<'e> {
    /// The skeleton of `event`; none if values lie where they cannot.
    pub(super) fn of(event: &Event<'e>) -> Option<Self> {
        let mut rest = event.text();
        let mut skeleton = Self { shape: Shape::default(), pieces: [&[]; CUTS + 1] };
        let mut values = own_values(event);
        let start = |value: &Option<Json<'_>>| value.map_or(usize::MAX, |value| value.bytes().as_ptr() as usize);
        if !values.is_sorted_by_key(|(value, _)| start(value)) {
            values.sort_unstable_by_key(|(value, _)| start(value));
        }
        let mut at = 0;
        for (value, kind) in values {
            let Some(value) = value else { continue };
            let offset = value.offset_in(rest);
            let (piece, after) = rest.split_at_checked(offset)?;
            rest = after.split_at_checked(value.bytes().len()).filter(|(cut, _)| std::ptr::eq(*cut, value.bytes()))?.1;
            skeleton.add(at, piece)?;
            skeleton.shape.cut[at] = kind;
            at += 1;
        }
        skeleton.add(at, rest)?;
        skeleton.shape.form = audit_id_form(event).bytes().next().unwrap_or_default();
        Some(skeleton)
    }

    fn add(&mut self, at: usize, piece: &'e [u8]) -> Option<()> {
        self.pieces[at] = piece;
        self.shape.lengths[at] = u32::try_from(piece.len()).ok()?;
        Some(())
    }

    fn pieces(&self) -> impl Iterator<Item = &'e [u8]> {
        self.pieces.into_iter().filter(|piece| !piece.is_empty())
    }

    pub(super) fn hash(&self, mut hasher: impl Hasher) -> u64 {
        self.pieces().for_each(|piece| hasher.write(piece));
        hasher.write_u64(u64::from_le_bytes(self.shape.cut));
        hasher.finish()
    }

    pub(super) fn bytes(&self) -> Box<[u8]> {
        self.pieces.concat().into()
    }

    pub(super) fn len(&self) -> usize {
        self.pieces().map(<[u8]>::len).sum()
    }

    /// Whether the bytes of a skeleton of the same shape are those of this one.
    pub(super) fn has_bytes(&self, mut bytes: &[u8]) -> bool {
        self.pieces().all(|piece| {
            let Some((start, rest)) = bytes.split_at_checked(piece.len()) else { return false };
            bytes = rest;
            start == piece
        })
    }
}

/// The values that are an event's own, in the order in which the API server writes them, each with its number.
fn own_values<'e>(event: &Event<'e>) -> [(Option<Json<'e>>, u8); CUTS] {
    [
        (event.audit_id, 1),
        (event.object_ref.and_then(|object| object.uid), 2),
        (event.object_ref.and_then(|object| object.resource_version), 3),
        (event.response_status.and_then(|status| status.message), 4),
        (event.request_object, 5),
        (event.response_object, 6),
        (event.request_received_timestamp, 7),
        (event.stage_timestamp, 8),
    ]
}
