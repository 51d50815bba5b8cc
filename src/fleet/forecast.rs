//! The cost of a configuration, before it runs.

use super::config::{Detail, Group};
use crate::time::Duration;

/// The cost of a group, or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Forecast {
    /// Targets that its names and files have now.
    pub targets: u64,
    /// To all targets.
    pub probes_per_second: f64,
    /// Each way, with IPv4 and UDP headers.
    pub bits_per_second: f64,
    /// On `/metrics`.
    pub series: u64,
    /// Of memory in bytes, after a week; without the program's own.
    pub memory: u64,
    /// Of the record, in bytes a day.
    pub record: u64,
}

impl Forecast {
    /// Counters, gauges and 20 buckets.
    const FULL: u64 = 47;
    const COUNTS: u64 = 12;
    /// Two histograms, the clock offset and its bound.
    const ONE_WAY: u64 = 48;
    /// A session, its counters, and a history of a week, which is 8 kB of it; see `results/fleet.md`.
    const TARGET_BYTES: f64 = 20_000.0;
    const IN_FLIGHT_BYTES: f64 = 180.0;
    /// Of each source port of several.
    const FLOW_BYTES: f64 = 250.0;
    /// Copies of the counters for readers, and the text of `/metrics`.
    const PAGE_TARGET_BYTES: u64 = 3_700;
    const PAGE_SERIES_BYTES: u64 = 80;
    const HEADERS: u32 = 28;
    /// A row with names of 15 characters, of which there is one a minute.
    const ROW_BYTES: u64 = 200;
    const ROWS_A_DAY: u64 = 1_440;

    /// Of a group with so many targets.
    pub fn of(group: &Group, targets: u64) -> Self {
        let per_target = 1.0 / group.interval.get().as_secs_f64();
        let probes_per_second = per_target * targets as f64;
        let in_flight = per_target * (group.give_up + Duration::from_secs(1)).as_secs_f64();
        let series = match group.detail {
            Detail::Counts => Self::COUNTS,
            Detail::Full if group.one_way => Self::FULL + Self::ONE_WAY,
            Detail::Full => Self::FULL,
        };
        let flows = if group.flows > 1 { f64::from(group.flows) } else { 0.0 };
        let bytes = Self::TARGET_BYTES + in_flight * Self::IN_FLIGHT_BYTES + flows * Self::FLOW_BYTES;
        Self {
            targets,
            probes_per_second,
            bits_per_second: probes_per_second * f64::from(group.size + Self::HEADERS) * 8.0,
            series: series * targets,
            memory: (bytes * targets as f64) as u64,
            record: Self::ROW_BYTES * Self::ROWS_A_DAY * targets,
        }
    }

    /// With a page that Prometheus scrapes.
    #[must_use]
    pub fn with_page(self) -> Self {
        let page = self.targets * Self::PAGE_TARGET_BYTES + self.series * Self::PAGE_SERIES_BYTES;
        Self { memory: self.memory + page, ..self }
    }

    /// Together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            targets: self.targets + other.targets,
            probes_per_second: self.probes_per_second + other.probes_per_second,
            bits_per_second: self.bits_per_second + other.bits_per_second,
            series: self.series + other.series,
            memory: self.memory + other.memory,
            record: self.record + other.record,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::Config;

    #[test]
    fn a_thousand_targets_a_second_are_a_thousand_probes() {
        let group = Config::of_targets(vec!["h".into()]).groups.remove(0);
        let cost = Forecast::of(&group, 1_000);
        assert_eq!((cost.targets, cost.probes_per_second, cost.series), (1_000, 1_000.0, 47_000));
        assert_eq!(cost.bits_per_second, 1_000.0 * (128.0 + 28.0) * 8.0);
        assert_eq!(cost.memory, 21_980_000, "11 probes of each are in flight while none is answered");
        let ports = Forecast::of(&Group { flows: 16, ..group.clone() }, 1_000);
        assert_eq!(ports.memory, 25_980_000);
        let counts = Forecast::of(&Group { detail: Detail::Counts, ..group }, 1_000);
        assert_eq!(counts.and(cost).series, 59_000);
        assert_eq!(counts.with_page().memory - counts.memory, 4_660_000);
    }
}
