//! Queries what became of probes without a reply, repeated until the server answers.
//!
//! The client asks for a probe when its deadline passes, which is enough for injected losses, and again when
//! no reply can be on its way any longer, which decides the rest.

use super::super::super::in_flight::InFlight;
use super::super::super::retry::Retry;
use crate::time::{Duration, Instant};
use crate::wire::native::{OutcomeQuery, Outcomes, ProbeStatus, Token, statuses_that_fit};

#[derive(Debug)]
pub(super) struct OutcomeQueries {
    pending: Vec<Pending>,
    next_number: u32,
    /// Statuses in one answer.
    max_count: u16,
    /// Probes below these were asked for: at their deadline, and when their reply was given up.
    early: u64,
    last: u64,
    next_round: Instant,
}

#[derive(Debug)]
struct Pending {
    first: u64,
    count: u16,
    /// The number of each query sent for it, and when. With a key a server answers no number twice.
    sent: Vec<(u32, Instant)>,
    retry: Retry,
}

impl Pending {
    /// Answers to older ones come too late to count.
    const REMEMBERED: usize = 64;

    fn send(&mut self, number: u32, now: Instant) {
        if self.sent.len() == Self::REMEMBERED {
            self.sent.remove(0);
        }
        self.sent.push((number, now));
        self.retry.tried(now);
    }

    /// When the query of this number was sent.
    fn asked(&self, number: u32) -> Option<Instant> {
        self.sent.iter().find(|(sent, _)| *sent == number).map(|(_, at)| *at)
    }
}

impl OutcomeQueries {
    /// Queries in probes at once.
    const MAX_PENDING: usize = 32;
    /// Between two rounds, so that many losses share a query.
    const ROUND: Duration = Duration::from_millis(5);
    /// Queries and answers are no longer, so that they pass where long probes may not.
    const LONGEST: usize = 1200;
    const SHORTEST: usize = 256;
    /// Shortly before the wrap to 0, so that every run with losses tests it.
    const FIRST_NUMBER: u32 = u32::MAX - 3;

    pub(super) fn new(size: u32) -> Self {
        let max_count = statuses_that_fit((size as usize).clamp(Self::SHORTEST, Self::LONGEST));
        Self {
            pending: Vec::new(),
            next_number: Self::FIRST_NUMBER,
            max_count,
            early: 0,
            last: 0,
            next_round: Instant::ZERO,
        }
    }

    /// Another session knows nothing of the queries before.
    pub(super) fn reset(&mut self) {
        self.pending.clear();
    }

    pub(super) fn poll_timeout(&self, probes: &InFlight, now: Instant) -> Option<Instant> {
        let retry = self.pending.iter().map(|query| query.retry.next()).min();
        let room = self.pending.len() < Self::MAX_PENDING;
        let fresh = room
            .then(|| {
                let early = probes.deadline_of(self.early.max(probes.range().start));
                let last = probes.give_up_at(self.last.max(probes.range().start));
                [early, last].into_iter().flatten().min()
            })
            .flatten()
            .map(|at| at.max(self.next_round).max(now));
        [retry, fresh].into_iter().flatten().min()
    }

    pub(super) fn poll_transmit(
        &mut self,
        now: Instant,
        probes: &InFlight,
        token: Token,
        buffer: &mut [u8],
    ) -> Option<usize> {
        // All probes of a query may have been resolved otherwise.
        self.pending.retain(|query| query.first + u64::from(query.count) > probes.range().start);
        let again = self.pending.iter().position(|query| query.retry.is_due(now));
        let index = again.or_else(|| self.add(now, probes))?;
        let number = self.next_number;
        self.next_number = self.next_number.wrapping_add(1);
        let query = &mut self.pending[index];
        query.send(number, now);
        let Pending { first, count, .. } = *query;
        Some(OutcomeQuery { token, question: number, first, count }.emit(buffer))
    }

    /// Makes a query for the next probes, if there are some to ask for; returns its index.
    fn add(&mut self, now: Instant, probes: &InFlight) -> Option<usize> {
        if self.pending.len() >= Self::MAX_PENDING || now < self.next_round {
            return None;
        }
        let (first, count) = self.next_range(now, probes)?;
        if count < self.max_count {
            self.next_round = now + Self::ROUND;
        }
        self.pending.push(Pending { first, count, sent: Vec::new(), retry: Retry::steady(now) });
        Some(self.pending.len() - 1)
    }

    /// Applies the server's answer; false if there was no such query. The server knows nothing of probes before
    /// the session: that it did not see them does not mean that they were lost.
    pub(super) fn hear(&mut self, outcomes: &Outcomes, first_seq: u64, probes: &mut InFlight) -> bool {
        let asked = |query: &Pending| {
            let asked = query.asked(outcomes.question)?;
            ((query.first, query.count) == (outcomes.first, outcomes.count)).then_some(asked)
        };
        let found = self.pending.iter().enumerate().find_map(|(index, query)| Some((index, asked(query)?)));
        let Some((index, asked)) = found else { return false };
        let query = self.pending.swap_remove(index);
        for offset in 0..query.count {
            let seq = query.first + u64::from(offset);
            let known =
                if seq < first_seq { (ProbeStatus::Forgotten, false) } else { outcomes.status(offset) };
            let (status, seen_twice) = known;
            probes.set_status(seq, status, asked);
            if seen_twice {
                probes.seen_twice(seq);
            }
        }
        true
    }

    /// The next probes to ask for: first those that wait for the last word.
    fn next_range(&mut self, now: Instant, probes: &InFlight) -> Option<(u64, u16)> {
        let max_count = self.max_count;
        let last = advance(&mut self.last, probes, max_count, |seq| {
            probes.give_up_at(seq).is_some_and(|at| at <= now).then(|| probes.needs_final_query(seq, now))
        });
        last.or_else(|| {
            advance(&mut self.early, probes, max_count, |seq| {
                probes.deadline_of(seq).is_some_and(|at| at <= now).then(|| probes.needs_query(seq, now))
            })
        })
    }
}

/// Moves a cursor over the probes whose time has come (`ripe` is `Some`) and returns the range from
/// the first to the last of them that wants to be asked for.
fn advance(
    cursor: &mut u64,
    probes: &InFlight,
    max_count: u16,
    ripe: impl Fn(u64) -> Option<bool>,
) -> Option<(u64, u16)> {
    *cursor = (*cursor).max(probes.range().start);
    let mut found: Option<(u64, u64)> = None;
    while let Some(wanted) = ripe(*cursor) {
        let first = found.map_or(*cursor, |(first, _)| first);
        if *cursor - first >= u64::from(max_count) {
            break;
        }
        if wanted {
            found = Some((first, *cursor));
        }
        *cursor += 1;
    }
    found.map(|(first, last)| (first, (last - first + 1) as u16))
}
