//! The line that stays under those of the probes.

use super::Snapshot;
use crate::report::{milliseconds_bare, percent};
use crate::time::Duration;

pub fn status(now: &Snapshot) -> String {
    let mut line = format!("{} sent, {} received, {} in flight", now.sent, now.received(), now.in_flight());
    if let Some(loss) = now.loss() {
        line += &format!(", {} lost", percent(loss));
    }
    if let (Some(p50), Some(p99)) = (now.rtt.at(0.5), now.rtt.at(0.99)) {
        line += &format!(", p50/p99 {}/{} ms", milliseconds_bare(p50), milliseconds_bare(p99));
    }
    match (now.left(), now.elapsed) {
        (Some(left), _) => line += &format!(", {} left", clock(left)),
        (None, Some(elapsed)) => line += &format!(", {} so far", clock(elapsed)),
        (None, None) => {}
    }
    line
}

/// `0:48`, `1:02:03`; a second that has begun counts.
pub fn clock(time: Duration) -> String {
    let seconds = (time.as_nanos().max(0) as u64).div_ceil(1_000_000_000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_reads_as_people_do() {
        for (millis, text) in [(0, "0:00"), (1, "0:01"), (48_000, "0:48"), (3_723_000, "1:02:03")] {
            assert_eq!(clock(Duration::from_millis(millis)), text);
        }
    }
}
