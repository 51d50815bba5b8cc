//! Where lost probes were lost, for servers that number their replies: tells the probes of each closed gap, and asks
//! on after the last probe until the last gap closes.

mod numbers;

use crate::probe::in_flight::InFlight;
use crate::time::{Duration, Instant};
use crate::wire::native::ProbeStatus;
pub(super) use numbers::Noted;
use numbers::{Direction, Numbers};

#[derive(Debug)]
pub(super) struct Gaps {
    numbers: Numbers,
    /// No reply to probes below this one counts any more.
    over_below: u64,
    closing: Closing,
}

/// Requests after the last probe, so that the numbers around that are known.
#[derive(Debug)]
struct Closing {
    sent: u64,
    next: Instant,
    apart: Duration,
    /// One of them was answered.
    is_over: bool,
}

/// The packet that a reply's number names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Probe,
    Closing,
    /// No packet of this run.
    Nowhere,
}

impl Gaps {
    const MAX_CLOSING: u64 = 8;
    const CLOSING_GAP: Duration = Duration::from_millis(100);
    /// A lost probe waits this long for a later reply, whose number tells where it was lost.
    pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(10);

    pub(super) fn new(now: Instant) -> Self {
        let closing = Closing { sent: 0, next: now, apart: Self::CLOSING_GAP, is_over: false };
        Self { numbers: Numbers::default(), over_below: 0, closing }
    }

    /// Closing requests leave at least this far apart.
    pub(super) fn space_closing(&mut self, apart: Duration) {
        self.closing.apart = self.closing.apart.max(apart);
    }

    pub(super) fn sent(&mut self, seq: u64) {
        self.numbers.sent(seq);
    }

    pub(super) fn not_sent(&mut self, seq: u64) {
        self.numbers.not_sent(seq);
    }

    /// The number before that of the first probe's reply.
    pub(super) fn opened(&mut self, number: u32) {
        self.numbers.opened(number);
    }

    /// Replies are numbered anew: nothing is known of what was lost meanwhile.
    pub(super) fn restart(&mut self) {
        self.numbers.restart();
    }

    pub(super) fn place_of(&self, seq: u64, probes: &InFlight) -> Place {
        match seq.checked_sub(probes.range().end) {
            None => Place::Probe,
            Some(beyond) if beyond < self.closing.sent => Place::Closing,
            Some(_) => Place::Nowhere,
        }
    }

    /// A reply to this probe or closing request has come.
    pub(super) fn replied(&mut self, seq: u64, number: u32) -> Noted {
        self.numbers.replied(seq, number)
    }

    /// A closing request was answered.
    pub(super) fn closed(&mut self) {
        self.closing.is_over = true;
    }

    /// A reply tells which of the probes before its own arrived: bit k is that of the k-th before.
    pub(super) fn window(&mut self, seq: u64, window: u64, now: Instant, probes: &mut InFlight) {
        for arrived in self.numbers.window(seq, window) {
            probes.set_status(arrived, ProbeStatus::Answered, now);
        }
    }

    /// Tells the probes of closed gaps where they were lost.
    pub(super) fn judge(&mut self, now: Instant, probes: &mut InFlight) {
        self.numbers.resolved_below(probes.range().start);
        while let Some(seq) = self.numbers.first_missing_from(self.over_below)
            && probes.give_up_at(seq).is_none_or(|at| at <= now)
        {
            self.over_below = seq + 1;
        }
        let (end, over_below) = (probes.range().end, self.over_below);
        while let Some(gap) = self.numbers.judge(|seq| seq >= end || seq < over_below) {
            for (seq, direction) in gap {
                let status = match direction {
                    Direction::Up => ProbeStatus::NotSeen,
                    Direction::Down => ProbeStatus::Answered,
                    Direction::Unclear => ProbeStatus::Forgotten,
                };
                probes.set_status(seq, status, now);
            }
        }
    }

    /// The number of the closing request to send now, if the last probes have no reply, so that nothing tells where
    /// they were lost.
    pub(super) fn next_closing(&mut self, now: Instant, probes: &InFlight) -> Option<u64> {
        if now < self.closing_at(probes)? {
            return None;
        }
        let seq = probes.range().end + self.closing.sent;
        self.closing.sent += 1;
        self.closing.next = now + self.closing.apart;
        self.numbers.sent(seq);
        Some(seq)
    }

    fn closing_at(&self, probes: &InFlight) -> Option<Instant> {
        let is_needed = probes.is_sending_over()
            && !self.closing.is_over
            && self.closing.sent < Self::MAX_CLOSING
            && self.numbers.first_missing_from(0).is_some_and(|seq| seq < probes.range().end);
        is_needed.then(|| self.closing.next.max(probes.last_deadline()))
    }

    /// When `judge` or `next_closing` next has something to do.
    pub(super) fn timeout(&self, probes: &InFlight) -> Option<Instant> {
        let waiting = self.numbers.first_missing_from(self.over_below);
        let judged = waiting.and_then(|seq| probes.give_up_at(seq));
        self.closing_at(probes).into_iter().chain(judged).min()
    }
}
