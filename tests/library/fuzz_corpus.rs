//! The corpus of the fuzzers, once more, and what random bytes of the same kind do.

#[path = "../fuzz/harness.rs"]
mod harness;
#[path = "../fuzz/irtt.rs"]
mod irtt;

use std::fs;
use std::path::Path;

use proptest::prelude::*;

fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
    let files: Vec<_> = fs::read_dir(folder).expect("a corpus").map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 10, "{} inputs for {target}", files.len());
    for file in files {
        run(&fs::read(&file).unwrap());
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes(data in proptest::collection::vec(any::<u8>(), 0..2000)) {
        harness::decoders(&data);
        harness::reflect(&data);
        harness::probe(&data);
        harness::irtt_client(&data);
        irtt::irtt_server(&data);
    }
}
