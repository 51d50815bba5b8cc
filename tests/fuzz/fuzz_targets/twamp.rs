//! `cargo +nightly fuzz run --fuzz-dir tests/fuzz twamp`
#![no_main]

#[path = "../harness.rs"]
mod harness;

libfuzzer_sys::fuzz_target!(|data: &[u8]| harness::twamp(data));
