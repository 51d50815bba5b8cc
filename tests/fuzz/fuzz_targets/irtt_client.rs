//! `cargo +nightly fuzz run --fuzz-dir tests/fuzz irtt_client`
#![no_main]

#[path = "../harness.rs"]
mod harness;

libfuzzer_sys::fuzz_target!(|data: &[u8]| harness::irtt_client(data));
