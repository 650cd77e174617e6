//! Notes, checkpoints, keys and cosignatures: vectors from the Go implementation, and hostile text.

use proptest::prelude::*;
use tlog::{
    Algorithm, Checkpoint, Hash, KeyError, Note, NoteError, SigningKey, TreeSize, VerifierKey, cosign,
    verify_cosignature,
};

/// The key and note of the example in the documentation of golang.org/x/mod/sumdb/note.
const SECRET: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const VERIFIER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const NOTE: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n\
    \n\
    \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

fn key(name: &str, algorithm: Algorithm) -> SigningKey {
    SigningKey::from_seed(name, algorithm, [7; 32]).expect("a valid name")
}

fn checkpoint() -> Checkpoint {
    Checkpoint { origin: "example.org/log".to_owned(), size: TreeSize::new(5), root: Hash::empty_root() }
}

#[test]
fn the_go_example_is_read_verified_and_made_again() {
    let verifier: VerifierKey = VERIFIER.parse().expect("a key");
    let note: Note = NOTE.parse().expect("a note");
    assert_eq!(note.verify(&verifier), Ok(()));
    assert_eq!(note.to_string(), NOTE);
    let signer = SigningKey::from_secret_text(SECRET).expect("a key");
    assert_eq!(signer.verifier(), &verifier);
    assert_eq!(signer.verifier().to_string(), VERIFIER);
    assert_eq!(signer.to_secret_text(), SECRET);
    let again = Note::new(note.text().to_owned()).expect("text").sign(&signer);
    assert_eq!(again.to_string(), NOTE);
}

#[test]
fn a_checkpoint_comes_back() {
    let signer = key("example.org/log", Algorithm::Ed25519);
    let note = checkpoint().sign(&[&signer]).expect("a note");
    let read: Note = note.to_string().parse().expect("a note");
    assert_eq!(read.verify(signer.verifier()), Ok(()));
    assert_eq!(Checkpoint::try_from(&read), Ok(checkpoint()));
    for bad in [
        "",
        "a\n1\n",
        "a\n01\nAAAA\n",
        "a\n+1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        "\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
    ] {
        assert!(bad.parse::<Checkpoint>().is_err(), "{bad:?}");
    }
}

#[test]
fn a_witness_signs_the_time_too() {
    let witness = key("witness.example", Algorithm::Cosignature);
    let log = key("example.org/log", Algorithm::Ed25519);
    let note = checkpoint().sign(&[&log]).expect("a note");
    let note = cosign(note, &witness, 1_700_000_000).expect("a witness's key");
    let read: Note = note.to_string().parse().expect("a note");
    assert_eq!(verify_cosignature(&read, witness.verifier()).map(|seen| seen.time), Ok(1_700_000_000));
    assert_eq!(read.verify(log.verifier()), Ok(()));
    assert!(verify_cosignature(&read, log.verifier()).is_err());
    // A cosignature is no plain signature.
    assert!(matches!(read.verify(witness.verifier()), Err(NoteError::Forged { .. })));
}

#[test]
fn keys_that_lie_are_refused() {
    let wrong_id = VERIFIER.replace("c74f20a3", "c74f20a4");
    assert_eq!(wrong_id.parse::<VerifierKey>(), Err(KeyError::Id));
    for bad in [
        "",
        "a+b",
        "a b+c74f20a3+AAAA",
        "PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "x+00000000+",
    ] {
        assert!(bad.parse::<VerifierKey>().is_err(), "{bad}");
    }
}

proptest! {
    #[test]
    fn a_note_with_a_changed_byte_is_no_longer_signed(at in 0..NOTE.len(), change in 1u8..) {
        let verifier: VerifierKey = VERIFIER.parse().unwrap();
        let mut bytes = NOTE.as_bytes().to_vec();
        bytes[at] ^= change;
        let verified = std::str::from_utf8(&bytes).ok()
            .and_then(|text| text.parse::<Note>().ok())
            .is_some_and(|note| note.verify(&verifier).is_ok());
        prop_assert!(!verified);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "(\\PC|\n|\u{2014} a AAAAAAAA\n){0,40}") {
        if let Ok(note) = text.parse::<Note>() {
            prop_assert_eq!(note.to_string(), text.clone());
        }
        let _ = text.parse::<Checkpoint>();
        let _ = text.parse::<VerifierKey>();
    }
}
