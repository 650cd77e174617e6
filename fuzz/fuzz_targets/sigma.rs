//! Looks for bytes that break the property [`fuzz::sigma`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::sigma(bytes));
