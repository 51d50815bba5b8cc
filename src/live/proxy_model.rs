//! The state of a running proxy, second by second. Pure: `now` is an argument.

use std::collections::VecDeque;

use crate::relay::{FlowFigures, RelayFigures, Tally};
use crate::time::{Duration, Instant};

/// The counts of one second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ProxySecond {
    /// From 1.
    pub second: u64,
    /// Up, then down: of all mappings.
    pub directions: [DirectionSecond; 2],
}

/// One direction in one second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DirectionSecond {
    /// Datagrams from the client, or from the server.
    pub arrived: u64,
    /// Sent on.
    pub passed: u64,
    /// Payload that was sent on.
    pub bytes: u64,
    /// For any cause, send errors included.
    pub lost: u64,
    /// The longest wait at a bottleneck when the second was over.
    pub queue: Duration,
}

/// A proxy at one moment.
#[derive(Clone, Debug, Default)]
pub struct ProxySnapshot {
    /// Its mappings and counters.
    pub figures: RelayFigures,
    /// Some of its flows, each with its port toward the server.
    pub flows: Vec<(FlowFigures, Option<u16>)>,
    /// Whole seconds so far.
    pub second: u64,
    /// The newest whole seconds.
    pub seconds: VecDeque<ProxySecond>,
}

/// Folds snapshots of a relay into seconds.
#[derive(Debug)]
pub struct ProxyModel {
    now: ProxySnapshot,
    next_second: Instant,
    /// The tallies at the end of the last second.
    counted: [Tally; 2],
}

impl ProxyModel {
    const SECOND: Duration = Duration::from_secs(1);
    const SECONDS: usize = 600;

    /// Of a relay that starts now.
    pub fn new(now: Instant) -> Self {
        Self { now: ProxySnapshot::default(), next_second: now + Self::SECOND, counted: Default::default() }
    }

    /// Takes what the relay showed.
    pub fn update(&mut self, figures: RelayFigures, flows: Vec<(FlowFigures, Option<u16>)>, now: Instant) {
        (self.now.figures, self.now.flows) = (figures, flows);
        while now >= self.next_second {
            self.now.second += 1;
            let tallies = tallies(&self.now.figures);
            let queues = longest_queues(&self.now.figures);
            let direction = |at: usize| between(&self.counted[at], &tallies[at], queues[at]);
            let directions = [direction(0), direction(1)];
            self.now.seconds.push_back(ProxySecond { second: self.now.second, directions });
            self.counted = tallies;
            self.next_second += Self::SECOND;
        }
        let surplus = self.now.seconds.len().saturating_sub(Self::SECONDS);
        self.now.seconds.drain(..surplus);
    }

    /// As it is now.
    pub fn snapshot(&self) -> ProxySnapshot {
        self.now.clone()
    }
}

impl ProxySnapshot {
    /// Both directions of all mappings.
    pub fn tallies(&self) -> [Tally; 2] {
        tallies(&self.figures)
    }

    /// The last whole second.
    pub fn last(&self) -> ProxySecond {
        self.seconds.back().copied().unwrap_or_default()
    }
}

/// Every datagram that did not pass.
pub fn lost(tally: &Tally) -> u64 {
    tally.dropped_in_all() + tally.send_errors
}

fn tallies(figures: &RelayFigures) -> [Tally; 2] {
    let mut both = [Tally::default(); 2];
    for mapping in &figures.mappings {
        both[0] += mapping.counters.up;
        both[1] += mapping.counters.down;
    }
    both
}

fn longest_queues(figures: &RelayFigures) -> [Duration; 2] {
    [0, 1].map(|at| figures.mappings.iter().map(|mapping| mapping.queues[at]).max().unwrap_or_default())
}

fn between(before: &Tally, after: &Tally, queue: Duration) -> DirectionSecond {
    let more = |count: fn(&Tally) -> u64| count(after).saturating_sub(count(before));
    DirectionSecond {
        arrived: more(|of| of.arrived),
        passed: more(|of| of.passed),
        bytes: more(|of| of.passed_bytes),
        lost: more(lost),
        queue,
    }
}

#[cfg(test)]
pub(crate) fn example() -> ProxySnapshot {
    let mut model = ProxyModel::new(Instant::ZERO);
    for second in 1..=75_u64 {
        let now = Instant::ZERO + Duration::from_secs(second as i64);
        let arrived = second * second;
        model.update(tests::figures(arrived, arrived - second), Vec::new(), now);
    }
    model.snapshot()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::relay::{Counters, MappingFigures, MappingSettings};

    pub(super) fn figures(arrived: u64, passed: u64) -> RelayFigures {
        let (up, down) = ("loss=nth:4".parse().unwrap(), "clean".parse().unwrap());
        let settings = MappingSettings::new("dns".into(), Arc::new(up), Arc::new(down), 7);
        let up = Tally { arrived, passed, passed_bytes: passed * 100, ..Tally::default() };
        let mapping = MappingFigures {
            settings,
            listen: "127.0.0.1:5300".parse().unwrap(),
            server: "192.0.2.53:53".into(),
            upstream: "192.0.2.53:53".parse().unwrap(),
            is_down: false,
            is_removed: false,
            counters: Counters { up, flows: 1, flows_opened: 1, ..Counters::default() },
            queues: [Duration::from_millis(3), Duration::ZERO],
        };
        RelayFigures { mappings: vec![mapping], elapsed: Duration::from_secs(9), ..RelayFigures::default() }
    }

    #[test]
    fn each_second_has_what_came_since_the_one_before() {
        let at = |millis| Instant::from_nanos(7_000_000_000) + Duration::from_millis(millis);
        let mut model = ProxyModel::new(at(0));
        model.update(figures(10, 8), Vec::new(), at(999));
        assert_eq!(model.snapshot().second, 0);
        model.update(figures(12, 9), Vec::new(), at(1_000));
        model.update(figures(20, 15), Vec::new(), at(3_100));
        let now = model.snapshot();
        let up: Vec<_> = now.seconds.iter().map(|second| second.directions[0]).collect();
        assert_eq!(
            up.iter().map(|up| (up.arrived, up.passed, up.bytes)).collect::<Vec<_>>(),
            [(12, 9, 900), (8, 6, 600), (0, 0, 0)]
        );
        assert_eq!((now.second, now.last().directions[0].queue), (3, Duration::from_millis(3)));
        assert_eq!(now.tallies()[0].arrived, 20);
    }
}
