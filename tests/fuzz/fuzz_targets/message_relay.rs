//! `cargo +nightly fuzz run --fuzz-dir tests/fuzz message_relay`
#![no_main]

#[path = "../room.rs"]
mod room;

libfuzzer_sys::fuzz_target!(|data: &[u8]| room::message_relay(data));
