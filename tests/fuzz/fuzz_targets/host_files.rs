//! `cargo +nightly fuzz run --fuzz-dir tests/fuzz host_files`
#![no_main]

#[path = "../host.rs"]
mod host;

libfuzzer_sys::fuzz_target!(|data: &[u8]| host::host_files(data));
