//! The steady load beside the probes, in words.

use super::format::{bit_rate, percent};
use crate::record::{Load, LoadDirection};

/// The header line of a steady load.
pub fn load_header(load: &Load) -> String {
    format!("a load of {} beside the probes", load_words(load))
}

/// `10.0 Mbit/s up and down`.
pub(super) fn load_words(load: &Load) -> String {
    let ways: Vec<&str> = load.directions().map(|(name, _)| name).collect();
    format!("{} {}", bit_rate(load.asked_bps), ways.join(" and "))
}

/// The result lines of a steady load.
pub(super) fn load_lines(load: &Load) -> Vec<String> {
    let mut lines: Vec<String> = load.directions().map(|(name, of)| direction(name, of)).collect();
    lines.extend(load.ended.as_ref().map(|why| format!("note: the load ended before the probes: {why}")));
    lines
}

fn direction(name: &str, of: &LoadDirection) -> String {
    let (Some(sent), Some(received), Some(loss)) = (of.sent_bps, of.received_bps, of.loss) else {
        return format!("load {name}: what arrived is unknown");
    };
    format!("load {name}: {} sent, {} received, {} lost", bit_rate(sent), bit_rate(received), percent(loss))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_is_told_by_direction() {
        let of = LoadDirection { sent_bps: Some(10e6), received_bps: Some(9e6), loss: Some(0.1) };
        let unknown = LoadDirection::default();
        let load = Load { asked_bps: 10e6, size: 1_200, up: Some(of), down: Some(unknown), ended: None };
        assert_eq!(load_header(&load), "a load of 10.0 Mbit/s up and down beside the probes");
        let lines = [
            "load up: 10.0 Mbit/s sent, 9.00 Mbit/s received, 10 % lost",
            "load down: what arrived is unknown",
        ];
        assert_eq!(load_lines(&load), lines);
    }
}
