//! Looks for bytes that break the property [`fuzz::falco`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::falco(bytes));
