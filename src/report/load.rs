//! The steady load beside the probes, in words.

use super::format::{bit_rate, percent};
use crate::record::{Load, LoadDirection};

/// The header line of a steady load.
pub fn load_header(load: &Load) -> String {
    format!("a load of {} beside the probes{}", load_words(load), planned(load))
}

/// `10.0 Mbit/s up and down`.
pub(super) fn load_words(load: &Load) -> String {
    let ways: Vec<&str> = load.directions().map(|(name, _)| name).collect();
    format!("{} {}", bit_rate(load.asked_bps), ways.join(" and "))
}

/// When it is to be on; nothing if all the time.
fn planned(load: &Load) -> String {
    let after = (load.after_us > 0.0).then_some(load.after_us);
    match (after, load.for_us) {
        (None, None) => String::new(),
        (Some(after), None) => format!(", from {} on", seconds(after)),
        (None, Some(length)) => format!(", for {}", seconds(length)),
        (Some(after), Some(length)) => format!(", from {} to {}", seconds(after), seconds(after + length)),
    }
}

/// Where the load was not on all the time: when it was, in microseconds from time zero.
pub(super) fn load_period(load: &Load) -> Option<(f64, f64)> {
    let was_planned = load.after_us > 0.0 || load.for_us.is_some();
    if was_planned || load.ended.is_some() { load.from_us.zip(load.until_us) } else { None }
}

/// A load that is over: its rates, its time, why it ended early.
pub(super) fn load_lines(load: &Load) -> Vec<String> {
    let mut lines: Vec<String> = load.directions().map(|(name, of)| direction(name, of)).collect();
    if let Some((from, until)) = load_period(load) {
        lines.push(format!("load on from {} to {}", seconds(from.max(0.0)), seconds(until)));
    } else if load.from_us.is_none() && load.after_us > 0.0 {
        lines.push(format!("note: the load never began: the run was over before {}", seconds(load.after_us)));
    }
    lines.extend(load.ended.as_ref().map(|why| format!("note: the load ended before the probes: {why}")));
    lines
}

fn direction(name: &str, of: &LoadDirection) -> String {
    let (Some(sent), Some(received), Some(loss)) = (of.sent_bps, of.received_bps, of.loss) else {
        return format!("load {name}: what arrived is unknown");
    };
    format!("load {name}: {} sent, {} received, {} lost", bit_rate(sent), bit_rate(received), percent(loss))
}

fn seconds(micros: f64) -> String {
    format!("{:.1} s", micros / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load() -> Load {
        let of = LoadDirection { sent_bps: Some(10e6), received_bps: Some(9e6), loss: Some(0.1) };
        Load {
            asked_bps: 10e6,
            size: 1_200,
            up: Some(of),
            down: Some(LoadDirection::default()),
            after_us: 0.0,
            for_us: None,
            from_us: Some(-20e3),
            until_us: Some(30e6),
            ended: None,
        }
    }

    #[test]
    fn a_load_is_told_by_direction() {
        assert_eq!(load_header(&load()), "a load of 10.0 Mbit/s up and down beside the probes");
        let lines = [
            "load up: 10.0 Mbit/s sent, 9.00 Mbit/s received, 10 % lost",
            "load down: what arrived is unknown",
        ];
        assert_eq!(load_lines(&load()), lines);
    }

    #[test]
    fn a_load_of_a_part_of_the_run_is_told_with_its_time() {
        let part =
            Load { after_us: 5e6, for_us: Some(10e6), from_us: Some(5.02e6), until_us: Some(15e6), ..load() };
        assert!(load_header(&part).ends_with("beside the probes, from 5.0 s to 15.0 s"));
        assert_eq!(load_lines(&part)[2], "load on from 5.0 s to 15.0 s");
        let open = Load { for_us: None, ..part.clone() };
        assert!(load_header(&open).ends_with(", from 5.0 s on"));
        let short = Load { after_us: 0.0, from_us: Some(-20e3), ..part.clone() };
        assert!(load_header(&short).ends_with(", for 10.0 s"));
        assert_eq!(load_lines(&short)[2], "load on from 0.0 s to 15.0 s");
        let never = Load { from_us: None, until_us: None, ..part };
        assert_eq!(load_lines(&never)[2], "note: the load never began: the run was over before 5.0 s");
        let broken = Load { ended: Some("the server went away".to_owned()), ..load() };
        assert_eq!(load_lines(&broken)[2], "load on from 0.0 s to 30.0 s");
    }
}
