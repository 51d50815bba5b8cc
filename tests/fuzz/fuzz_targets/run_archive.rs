//! `cargo +nightly fuzz run --fuzz-dir tests/fuzz run_archive`
#![no_main]

#[path = "../room.rs"]
mod room;

libfuzzer_sys::fuzz_target!(|data: &[u8]| room::run_archive(data));
