//! The corpus of the fuzzers, once more, and what random bytes of the same kind do.

#[path = "../fuzz/harness.rs"]
mod harness;
#[path = "../fuzz/host.rs"]
mod host;
#[path = "../fuzz/irtt.rs"]
mod irtt;
#[path = "../fuzz/proxy_harness.rs"]
mod proxy_harness;
#[path = "../fuzz/room.rs"]
mod room;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use proptest::prelude::*;

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
    let mut files: Vec<_> =
        fs::read_dir(folder).expect("a corpus").map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 10, "{} inputs for {target}", files.len());
    files.sort();
    files.into_iter().map(|file| fs::read(file).unwrap()).collect()
}

fn replay(target: &str, run: fn(&[u8])) {
    corpus(target).iter().for_each(|input| run(input));
}

/// Inputs of the corpus with some bytes changed, removed, repeated or taken from another one, as a fuzzer without
/// feedback makes them: `UDPECHO_FUZZ_INPUTS=5000000 cargo test --release --test library changed_inputs::NAME`.
fn replay_changed(target: &str, run: fn(&[u8])) {
    const INPUTS: u64 = 300;
    let inputs =
        std::env::var("UDPECHO_FUZZ_INPUTS").map_or(INPUTS, |inputs| inputs.parse().expect("a number"));
    let corpus = corpus(target);
    for seed in 0..inputs {
        let mut draw = Draw(seed);
        let mut input = corpus[draw.below(corpus.len())].clone();
        for _ in 0..=draw.below(4) {
            change(&mut input, &corpus, &mut draw);
        }
        input.truncate(4_096);
        if catch_unwind(AssertUnwindSafe(|| run(&input))).is_err() {
            panic!("seed {seed}: {}", input.escape_ascii());
        }
    }
}

fn change(input: &mut Vec<u8>, corpus: &[Vec<u8>], draw: &mut Draw) {
    let from = draw.below(input.len() + 1);
    let to = (from + draw.below(16)).min(input.len());
    match draw.below(5) {
        0 => drop(input.drain(from..to)),
        1 => input
            .splice(from..from, (0..draw.below(16)).map(|_| draw.below(256) as u8).collect::<Vec<_>>())
            .for_each(drop),
        2 => input.extend_from_within(from..to),
        3 => {
            let other = &corpus[draw.below(corpus.len())];
            let at = draw.below(other.len() + 1);
            input.splice(from..to, other[at..].iter().take(64).copied()).for_each(drop);
        }
        _ => input[from..to].iter_mut().for_each(|byte| *byte ^= 1 << draw.below(8)),
    }
}

/// SplitMix64.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) as usize % bound.max(1)
    }
}

#[test]
fn the_corpus_of_the_decoders() {
    replay("decoders", harness::decoders);
}

#[test]
fn the_corpus_of_the_server() {
    replay("reflect", harness::reflect);
}

#[test]
fn the_corpus_of_the_client() {
    replay("probe", harness::probe);
}

#[test]
fn the_corpus_of_the_irtt_server() {
    replay("irtt_server", irtt::irtt_server);
}

#[test]
fn the_corpus_of_the_irtt_client() {
    replay("irtt_client", harness::irtt_client);
}

#[test]
fn the_corpus_of_the_room() {
    replay("room", room::room);
}

#[test]
fn the_corpus_of_encrypted_connections() {
    replay("noise", room::noise);
}

#[test]
fn the_corpus_of_the_message_relay() {
    replay("message_relay", room::message_relay);
}

#[test]
fn the_corpus_of_archives_of_runs() {
    replay("run_archive", room::run_archive);
}

#[test]
fn the_corpus_of_the_files_of_a_host() {
    replay("host_files", host::host_files);
}

macro_rules! changed_inputs {
    ($($target:ident: $run:path;)*) => {
        mod changed_inputs {
            use super::*;
            $(#[test]
            fn $target() {
                replay_changed(stringify!($target), $run);
            })*
        }
    };
}

changed_inputs! {
    decoders: harness::decoders;
    reflect: harness::reflect;
    probe: harness::probe;
    load: harness::load;
    stamp: harness::stamp;
    stamp_sender: harness::stamp_sender;
    stamp_reflector: harness::stamp_reflector;
    twamp: harness::twamp;
    openings: harness::openings;
    irtt_server: irtt::irtt_server;
    irtt_client: harness::irtt_client;
    room: room::room;
    noise: room::noise;
    message_relay: room::message_relay;
    run_archive: room::run_archive;
    host_files: host::host_files;
    proxy_texts: proxy_harness::proxy_texts;
    relay: proxy_harness::relay;
}

#[test]
fn the_corpus_of_the_load() {
    replay("load", harness::load);
}

#[test]
fn the_corpus_of_a_proxys_texts() {
    replay("proxy_texts", proxy_harness::proxy_texts);
}

#[test]
fn the_corpus_of_the_relay() {
    replay("relay", proxy_harness::relay);
}

#[test]
fn the_corpus_of_stamp() {
    replay("stamp", harness::stamp);
    replay("stamp_sender", harness::stamp_sender);
    replay("stamp_reflector", harness::stamp_reflector);
}

#[test]
fn the_corpus_of_twamp_and_of_what_is_taken_for_an_answer() {
    replay("twamp", harness::twamp);
    replay("openings", harness::openings);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes(data in proptest::collection::vec(any::<u8>(), 0..2000)) {
        harness::decoders(&data);
        harness::reflect(&data);
        harness::probe(&data);
        harness::irtt_client(&data);
        irtt::irtt_server(&data);
        room::room(&data);
        room::noise(&data);
        room::message_relay(&data);
        room::run_archive(&data);
        host::host_files(&data);
        harness::load(&data);
        proxy_harness::proxy_texts(&data);
        proxy_harness::relay(&data);
        harness::stamp_sender(&data);
        harness::stamp_reflector(&data);
    }
}
