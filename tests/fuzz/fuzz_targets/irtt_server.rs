//! `cargo +nightly fuzz run --fuzz-dir tests/fuzz irtt_server`
#![no_main]

#[path = "../harness.rs"]
mod harness;
#[path = "../irtt.rs"]
mod irtt;

libfuzzer_sys::fuzz_target!(|data: &[u8]| irtt::irtt_server(data));
