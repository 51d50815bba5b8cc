//! `cargo +nightly fuzz run --fuzz-dir tests/fuzz stamp`
#![no_main]

#[path = "../harness.rs"]
mod harness;

libfuzzer_sys::fuzz_target!(|data: &[u8]| harness::stamp(data));
