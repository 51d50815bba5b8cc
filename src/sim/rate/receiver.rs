//! The receiver of the load: what it counts, and what a report says of it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::probe::rate_search::Report;
use crate::time::{Duration, Instant};

/// What a receiver has counted; sums, so that a lost report costs nothing but time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sums {
    newest: u64,
    arrived: u64,
    bytes: u64,
    number: u64,
    first: Instant,
    last: Instant,
    delays: [Duration; 4],
}

#[derive(Debug, Default)]
pub(super) struct Receiver {
    on_the_way: BinaryHeap<Reverse<(Instant, u64, Instant)>>,
    newest: u64,
    arrived: u64,
    reports: u64,
    packet: u64,
    delays: Vec<Duration>,
}

impl Receiver {
    pub(super) fn new(packet: u32) -> Self {
        Self { packet: u64::from(packet), ..Self::default() }
    }

    pub(super) fn expect(&mut self, arrives: Instant, seq: u64, sent: Instant) {
        self.on_the_way.push(Reverse((arrives, seq, sent)));
    }

    /// What has arrived since the last report; nothing if nothing has.
    pub(super) fn report(&mut self, now: Instant) -> Option<Sums> {
        let (mut first, mut last) = (None, now);
        self.delays.clear();
        while let Some(Reverse((at, seq, sent))) = self.on_the_way.peek().copied()
            && at <= now
        {
            self.on_the_way.pop();
            first.get_or_insert(at);
            last = at;
            self.newest = self.newest.max(seq + 1);
            self.arrived += 1;
            self.delays.push(at - sent);
        }
        let first = first?;
        self.delays.sort_unstable();
        let at = |share: usize| self.delays[(self.delays.len() * share / 100).min(self.delays.len() - 1)];
        self.reports += 1;
        Some(Sums {
            newest: self.newest,
            arrived: self.arrived,
            bytes: self.arrived * self.packet,
            number: self.reports,
            first,
            last,
            delays: [at(10), at(50), at(90), at(100)],
        })
    }
}

/// Turns the sums of successive reports into what happened between them.
#[derive(Debug, Default)]
pub(super) struct Differences(Option<Sums>);

impl Differences {
    /// Nothing if a newer report came before.
    pub(super) fn of(&mut self, sums: Sums) -> Option<Report> {
        let before = self.0.filter(|before| before.number < sums.number || self.0.is_none());
        if self.0.is_some() && before.is_none() {
            return None;
        }
        self.0 = Some(sums);
        let zero = Sums { newest: 0, arrived: 0, bytes: 0, number: 0, ..sums };
        let since = before.unwrap_or(zero);
        let is_next = sums.number == since.number + 1;
        let [delay_p10, delay_p50, delay_p90, delay_max] = sums.delays;
        Some(Report {
            sent: sums.newest - since.newest,
            arrived: sums.arrived - since.arrived,
            bytes: sums.bytes - since.bytes,
            // What a lost report told of arrived after the one before it.
            first_arrival: if is_next { sums.first } else { since.last },
            last_arrival: sums.last,
            delay_p10,
            delay_p50,
            delay_p90,
            delay_max,
        })
    }
}
