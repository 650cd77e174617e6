//! Values of fields as hashes, each worked out at most once an event however many rules remember it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZeroU64;

use audit::Event;
use hashbrown::HashMap;
use rule::{FieldPath, Likeness};

/// Hashes of values that are remembered beyond one event, each in a place of its own that the next takes over.
const REMEMBERED: usize = 8_192;

/// A field that something remembers values of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FieldId(usize);

/// The fields whose values are remembered, and the hashes of those of the event at hand.
#[derive(Debug, Default)]
pub(crate) struct Values {
    fields: Vec<FieldPath>,
    by_field: HashMap<FieldPath, FieldId>,
    /// By field, with the number of the event: what bears another number is stale.
    hashes: Vec<(u64, u64)>,
    now: u64,
    /// The cluster, with its hash.
    cluster: (String, u64),
    likeness: Likeness,
    remembered: Vec<Remembered>,
}

/// The hash of the values of a field for which a number stands.
#[derive(Debug, Clone, Copy, Default)]
struct Remembered {
    of: Option<(usize, NonZeroU64)>,
    hash: u64,
}

impl Values {
    pub(crate) fn intern(&mut self, names: &[impl AsRef<str>]) -> Vec<FieldId> {
        names.iter().map(|name| self.intern_one(name.as_ref())).collect()
    }

    fn intern_one(&mut self, name: &str) -> FieldId {
        let Self { fields, by_field, hashes, .. } = self;
        *by_field.entry(FieldPath::new(name)).or_insert_with_key(|path| {
            fields.push(path.clone());
            hashes.push((0, 0));
            FieldId(fields.len() - 1)
        })
    }

    /// The next event is at hand, of which so much is known.
    pub(crate) fn begin(&mut self, cluster: &str, likeness: Likeness) {
        self.now += 1;
        self.likeness = likeness;
        if self.now == 1 || !is_same(&self.cluster.0, cluster) {
            self.cluster = (cluster.to_owned(), hash_of_text(cluster));
        }
        self.remembered.resize(REMEMBERED, Remembered::default());
    }

    /// What tells apart the values of `fields` in `event`, which is at hand.
    pub(crate) fn key(&mut self, fields: &[FieldId], event: &Event<'_>) -> u64 {
        fields.iter().fold(self.cluster.1, |key, field| mixed(key, self.hash(*field, event)))
    }

    /// The first value of a field, as a number.
    pub(crate) fn number(&self, field: FieldId, event: &Event<'_>) -> Option<f64> {
        rule::field_values(event, &self.fields[field.0]).first()?.parse().ok()
    }

    fn hash(&mut self, field: FieldId, event: &Event<'_>) -> u64 {
        let (now, hash) = self.hashes[field.0];
        if now == self.now {
            return hash;
        }
        let path = &self.fields[field.0];
        let hash = match self.likeness.of_field(path) {
            Some(number) => {
                let place = &mut self.remembered[place_of(field, number)];
                if place.of != Some((field.0, number)) {
                    *place = Remembered { of: Some((field.0, number)), hash: hash_of(path, event) };
                }
                place.hash
            }
            None => hash_of(path, event),
        };
        self.hashes[field.0] = (self.now, hash);
        hash
    }
}

/// Whether two texts are the same. Most logs name no cluster, and comparing nothing with nothing takes the processor
/// long: an empty text may lie anywhere, and what is nowhere in memory is looked for all the same.
pub(crate) fn is_same(text: &str, other: &str) -> bool {
    text.len() == other.len() && (text.is_empty() || text == other)
}

/// Numbers are given out one after the other, so that neighbours and fields have places of their own.
fn place_of(field: FieldId, number: NonZeroU64) -> usize {
    (number.get() as usize).wrapping_add(field.0.wrapping_mul(REMEMBERED / 16 + 1)) % REMEMBERED
}

fn hash_of_text(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// A hash of two hashes. These are SipHash's, so that nobody can choose values whose mixture is that of others.
fn mixed(first: u64, second: u64) -> u64 {
    const FIRST: u64 = 0x9e37_79b9_7f4a_7c15;
    const SECOND: u64 = 0xd1b5_4a32_d192_ed03;
    let product = u128::from(first ^ FIRST) * u128::from(second ^ SECOND);
    (product as u64) ^ ((product >> 64) as u64)
}

fn hash_of(path: &FieldPath, event: &Event<'_>) -> u64 {
    let (mut hasher, mut values) = (DefaultHasher::new(), 0usize);
    path.each_value(event, &mut |value| {
        value.hash(&mut hasher);
        values += 1;
    });
    values.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_tell_values_fields_and_clusters_apart() {
        let mut values = Values::default();
        let fields = values.intern(&["user.groups", "verb"]);
        assert_eq!(values.intern(&["verb", "user.groups"]), [fields[1], fields[0]]);
        let mut key = |cluster: &str, groups: &str, verb: &str| {
            let text = format!(r#"{{"auditID":"a","verb":"{verb}","user":{{"groups":{groups}}}}}"#);
            let event = Event::parse(text.as_bytes()).unwrap();
            values.begin(cluster, Likeness::default());
            let key = values.key(&fields, &event);
            assert_eq!(values.key(&fields, &event), key);
            key
        };
        let keys = [
            key("", r#"["a","b"]"#, "get"),
            key("", r#"["ab"]"#, "get"),
            key("", r#"["a"]"#, "b"),
            key("", "[]", "a"),
            key("x", r#"["a","b"]"#, "get"),
        ];
        let different: std::collections::HashSet<u64> = keys.into_iter().collect();
        assert_eq!(different.len(), keys.len());
        assert_eq!(key("", r#"["a","b"]"#, "get"), keys[0]);
    }
}
