//! A long run under everything at once: 20,000 probes a second over loopback against a server that
//! holds, drops, doubles, reorders and corrupts. Prints memory and counts a minute, and fails if the
//! memory grows after the first tenth or if a count does not add up. `tests/soak.rs` is its short form.
//!
//! `cargo bench --bench soak -- [SECONDS] [PROBES_PER_SECOND]`, 1800 and 20000 by default
#![allow(clippy::print_stdout, reason = "its result")]

#[path = "../tests/common/soak.rs"]
mod soak;

fn main() {
    let numbers: Vec<i64> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let seconds = numbers.first().copied().unwrap_or(1800);
    let rate = numbers.get(1).copied().unwrap_or(20_000);
    let account = soak::run(seconds, rate, |second, sums| {
        println!("{second} s: {} kB, {sums:?}", soak::resident_bytes() / 1000);
    });
    println!("{account:#?}\nmemory grew by {} kB after the first tenth", account.grown() / 1000);
    account.assert_adds_up();
    let soak::Sums { elsewhere, resolved, .. } = account.sums;
    assert!(elsewhere * 1000 <= resolved, "more than one in a thousand lost for other reasons");
}
