//! `cargo +nightly fuzz run --fuzz-dir tests/fuzz relay`
#![no_main]

#[path = "../proxy_harness.rs"]
mod proxy_harness;

libfuzzer_sys::fuzz_target!(|data: &[u8]| proxy_harness::relay(data));
