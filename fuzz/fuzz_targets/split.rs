//! Looks for bytes that break the property [`fuzz::split`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::split(bytes));
