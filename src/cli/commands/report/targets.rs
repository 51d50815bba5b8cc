//! A record of a watch in short: a line for each target, with its losses and round trips.

use std::collections::BTreeMap;

use crate::cli::commands::watch::{NAME, cut, percent};
use crate::fleet::{Counters, MinuteRow, minute_text};
use crate::probe::{Cause, Dialect};
use crate::report::milliseconds_bare;
use crate::stats::Join;
use crate::time::Instant;

/// By source and group, and then by target.
#[derive(Default)]
pub(super) struct Targets(BTreeMap<[String; 2], BTreeMap<String, Sums>>);

/// Of one target.
struct Sums {
    first: Instant,
    last: Instant,
    dialect: Dialect,
    counters: Counters,
}

impl Targets {
    pub(super) fn push(&mut self, row: &MinuteRow) {
        let place = &row.place;
        let group = [place.source.name.clone(), place.key.group.clone()];
        let new = || Sums {
            first: row.start,
            last: row.end(),
            dialect: place.dialect,
            counters: Counters::default(),
        };
        let targets = self.0.entry(group).or_default();
        let sums = targets.entry(place.key.target.clone()).or_insert_with(new);
        (sums.first, sums.last) = (sums.first.min(row.start), sums.last.max(row.end()));
        sums.counters.join(&row.counters);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Targets that were not measured all the time of their group have a second line with theirs.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for ([source, group], targets) in &self.0 {
            let first = targets.values().map(|sums| sums.first).min().unwrap_or_default();
            let last = targets.values().map(|sums| sums.last).max().unwrap_or_default();
            let all = time(first, last);
            lines.push(format!("{source}, {group}: {all} UTC"));
            lines.push(header());
            for (target, sums) in targets {
                lines.push(sums.line(target));
                let own = Some(time(sums.first, sums.last)).filter(|own| *own != all);
                lines.extend(own.map(|own| format!("  {own}")));
            }
        }
        lines
    }
}

impl Sums {
    fn line(&self, target: &str) -> String {
        let (rtt, sent) = (&self.counters.rtt, self.counters.outcomes.sent());
        let share = |count: u64| if sent > 0 { percent(count as f64 / sent as f64) } else { "-".into() };
        let by = |cause: Cause| match self.dialect.may_tell(cause) {
            true => share(self.counters.lost_by(cause)),
            false => "-".to_owned(),
        };
        let [up, down, unknown] = [Cause::Up, Cause::Down, Cause::Unknown].map(by);
        let [p50, p99] = [0.5, 0.99].map(|at| rtt.quantile(at).map_or_else(|| "-".into(), milliseconds_bare));
        let lost = share(self.counters.outcomes.lost());
        let target = cut(target);
        row([&target, &sent.to_string(), &lost, &up, &down, &unknown, &p50, &p99])
    }
}

fn header() -> String {
    row(["target", "sent", "lost", "up", "down", "unknown", "p50 ms", "p99 ms"])
}

fn row([target, sent, lost, up, down, unknown, p50, p99]: [&str; 8]) -> String {
    format!("{target:<NAME$} {sent:>9} {lost:>6} {up:>6} {down:>6} {unknown:>7} {p50:>7} {p99:>7}")
}

fn time(first: Instant, last: Instant) -> String {
    format!("{} to {}", minute_text(first), minute_text(last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::{header, read_rows};

    /// A row with these cells, and 0 or nothing in all others.
    fn file(rows: &[&[(&str, &str)]]) -> Vec<u8> {
        let header = String::from_utf8(header()).unwrap();
        let always = [("dialect", "native"), ("state", "measuring"), ("flows", "1"), ("flows_lossy", "0")];
        let cell = |row: &[(&str, &str)], name: &str| {
            let found = row.iter().chain(&always).find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned()).unwrap_or_default()
        };
        let line = |row: &&[(&str, &str)]| {
            header.trim().split(',').map(|name| cell(row, name)).collect::<Vec<_>>().join(",") + "\n"
        };
        (header.clone() + &rows.iter().map(line).collect::<String>()).into_bytes()
    }

    #[test]
    fn a_line_has_the_sums_of_a_target_and_fits_80_columns() {
        let begin = [("source", "n1"), ("group", "mesh"), ("seconds", "60.000")];
        let of = |time, target, more: &[(&'static str, &'static str)]| {
            [&begin[..], &[("time", time), ("target", target)], more].concat()
        };
        let at = ["2026-11-28T23:58:00.000Z", "2026-11-28T23:59:00.000Z"];
        let counts = [("ok", "1200000"), ("up", "600"), ("down", "5"), ("rtt_to_25600us", "1200000")];
        let rows = [
            of(at[1], "a-host-with-a-long-name.example.net", &counts),
            of(at[0], "a-host-with-a-long-name.example.net", &counts),
            of(at[0], "b", &[("dialect", "plain"), ("unknown", "60")]),
            of(at[0], "c", &[]),
            of(at[1], "c", &[]),
        ];
        let mut targets = Targets::default();
        let file = file(&rows.iter().map(Vec::as_slice).collect::<Vec<_>>());
        assert!(!read_rows(&file[..], |row| targets.push(&row)).unwrap());
        let expected = [
            "n1, mesh: 2026-11-28 23:58 to 2026-11-29 00:00 UTC",
            "target                       sent   lost     up   down unknown  p50 ms  p99 ms",
            "a-host-with…example.net   2401210  0.05%  0.05%  0.00%      0%    19.2    25.5",
            "b                              60   100%      -      -    100%       -       -",
            "  2026-11-28 23:58 to 2026-11-28 23:59",
            "c                               0      -      -      -       -       -       -",
        ];
        assert_eq!(targets.lines(), expected);
        assert!(targets.lines().iter().all(|line| line.chars().count() <= 80));
    }
}
