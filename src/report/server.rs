//! What a server says of itself: what it injects, and its totals when it ends.

use crate::reflect::Counters;

/// What is injected, in words.
pub fn injection(spec: &str, seed: Option<u64>) -> String {
    if spec == "clean" {
        return "nothing".to_owned();
    }
    let seed = seed.map_or(String::new(), |seed| format!(" (seed {seed})"));
    format!("on purpose: {spec}{seed}")
}

pub fn server_totals(counters: &Counters) -> Vec<String> {
    let mut lines = vec![format!(
        "received {} datagrams, sent {}: {} probes, {} text packets, {} plain",
        counters.received, counters.sent, counters.probes, counters.text_packets, counters.plain_packets
    )];
    let odd = [
        (counters.dropped, "dropped on purpose"),
        (counters.refused, "refused by a limit"),
        (counters.malformed, "malformed"),
        (counters.forgotten, "of unknown sessions"),
        (counters.overflows, "lost in a full socket buffer"),
        (counters.send_errors, "could not be sent"),
        (counters.held, "still held"),
    ];
    let odd: Vec<String> =
        odd.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    if !odd.is_empty() {
        lines.push(odd.join(", "));
    }
    lines
}
