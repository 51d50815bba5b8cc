//! `cargo +nightly fuzz run --fuzz-dir tests/fuzz stamp_sender`
#![no_main]

#[path = "../harness.rs"]
mod harness;

libfuzzer_sys::fuzz_target!(|data: &[u8]| harness::stamp_sender(data));
