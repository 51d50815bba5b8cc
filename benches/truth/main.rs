//! Held against truth on this machine: a server that stands still for a tenth of each second, a
//! relay with a delay and a fate for each packet, and the wire itself as tshark sees it.
//!
//! `cargo bench --bench truth -- [frozen] [relay] [wire] [--OPTION...]`: without a name all of them;
//! options are those of `ping`, for the wire. Needs a quiet machine. Ends with 1 if a figure is not
//! within its bounds.
#![allow(clippy::print_stdout, reason = "its result")]

mod frozen;
mod process;
mod relay;
mod wire;

use std::process::ExitCode;

/// A figure that was measured, what it should be, and whether it is.
pub struct Verdict {
    pub text: String,
    pub good: bool,
}

fn main() -> ExitCode {
    let named: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    type Part = fn() -> Vec<Verdict>;
    let parts: [(&str, Part); 3] = [("frozen", frozen::run), ("relay", relay::run), ("wire", wire::run)];
    let mut good = true;
    for (name, run) in parts {
        if !named.is_empty() && !named.iter().any(|word| word == name) {
            continue;
        }
        println!("{name}:");
        for verdict in run() {
            println!("  {} {}", if verdict.good { "ok  " } else { "BAD " }, verdict.text);
            good &= verdict.good;
        }
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether a figure in microseconds lies within two bounds.
fn within(name: &str, us: f64, low: f64, high: f64) -> Verdict {
    Verdict {
        text: format!("{name} {us:.1} us (bounds {low:.0} to {high:.0})"),
        good: (low..=high).contains(&us),
    }
}

/// By nearest rank.
fn percentile(values: &mut [f64], p: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (p * values.len() as f64).ceil() as usize;
    values.get(rank.max(1) - 1).copied().unwrap_or(f64::NAN)
}
