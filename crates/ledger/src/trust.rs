//! Which keys of a log are believed by someone who knows one of them.

use tlog::{Note, VerifierKey};

/// `trusted`, and every key of the log that one of them vouches for.
///
/// The checkpoint at a change of keys is signed by both the old and the new one. Who could sign it with a trusted key could
/// have signed anything else with it too, so nothing is lost by believing the other.
pub(crate) fn vouched(mut trusted: Vec<VerifierKey>, known: &[VerifierKey], notes: &[&Note]) -> Vec<VerifierKey> {
    let changes: Vec<&&Note> = notes.iter().filter(|note| note.signatures().len() > 1).collect();
    let is_signed = |note: &Note, key: &VerifierKey| note.verify(key).is_ok();
    loop {
        let vouched = known.iter().find(|key| {
            let by_trusted = |note: &&&Note| is_signed(note, key) && note.verify_any(&trusted).is_ok();
            !trusted.contains(key) && changes.iter().any(by_trusted)
        });
        match vouched {
            Some(key) => trusted.push(key.clone()),
            None => return trusted,
        }
    }
}

#[cfg(test)]
mod tests {
    use tlog::{Algorithm, SigningKey};

    use super::*;

    #[test]
    fn keys_vouch_for_the_next_and_for_the_one_before() {
        let keys = [1, 2, 3, 4].map(|seed| SigningKey::from_seed("log", Algorithm::Ed25519, [seed; 32]).unwrap());
        let known: Vec<VerifierKey> = keys.iter().map(|key| key.verifier().clone()).collect();
        let note = |signers: &[usize]| {
            let note = Note::new("text\n".to_owned()).unwrap();
            signers.iter().fold(note, |note, signer| note.sign(&keys[*signer]))
        };
        let (alone, first, second) = (note(&[3]), note(&[1, 0]), note(&[2, 1]));
        let notes = [&alone, &second, &first];
        for start in 0..3 {
            let mut found = vouched(vec![known[start].clone()], &known, &notes);
            found.sort_by_key(|key| known.iter().position(|known| known == key));
            assert_eq!(found, known[..3]);
        }
        assert_eq!(vouched(vec![known[3].clone()], &known, &notes), known[3..]);
    }
}
