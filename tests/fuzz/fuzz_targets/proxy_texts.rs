//! `cargo +nightly fuzz run --fuzz-dir tests/fuzz proxy_texts`
#![no_main]

#[path = "../proxy_harness.rs"]
mod proxy_harness;

libfuzzer_sys::fuzz_target!(|data: &[u8]| proxy_harness::proxy_texts(data));
