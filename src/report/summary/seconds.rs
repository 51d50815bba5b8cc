//! The seconds of a run: each as a line while it goes on, all as a table at its end.

use super::super::format::{bit_rate, milliseconds};
use crate::stats::Second;

/// A run of more seconds is shown without its table.
pub const SECONDS_IN_TABLE: usize = 30;

/// A row in the middle of a run with many probes, or with `--every`.
pub fn second_line(second: &Second) -> String {
    let seconds = match second.length.get() {
        1 => format!("second {}", second.second),
        length => format!("seconds {}-{}", second.second, second.second + length - 1),
    };
    let outcomes = second.outcomes;
    let delay = second.delay.map_or("-".to_owned(), |delay| milliseconds(delay.mean));
    format!(
        "{seconds}: {} sent, {} on time, {} late, {} lost, {} both ways, mean delay {delay}",
        outcomes.sent(),
        outcomes.on_time,
        outcomes.late(),
        outcomes.lost(),
        bit_rate(second.throughput_bps() as f64)
    )
}

/// The seconds as a table, if they fit a screen.
pub(super) fn table(seconds: &[Second]) -> Option<Vec<String>> {
    if seconds.is_empty() || seconds.len() > SECONDS_IN_TABLE {
        return None;
    }
    let mut lines =
        vec!["second   sent     ok   late   lost    throughput (both ways)   mean delay".to_owned()];
    lines.extend(seconds.iter().map(|second| {
        let delay = second.delay.map_or("-".to_owned(), |delay| milliseconds(delay.mean));
        format!(
            "{:>6} {:>6} {:>6} {:>6} {:>6}  {:>24}   {:>10}",
            second.second,
            second.outcomes.sent(),
            second.outcomes.on_time,
            second.outcomes.late(),
            second.outcomes.lost(),
            bit_rate(second.throughput_bps() as f64),
            delay
        )
    }));
    Some(lines)
}
