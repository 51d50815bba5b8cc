//! Asking the server what became of the probes that got no reply, again until it answers.
//!
//! Each probe is asked for when its deadline passes, which settles what was withheld on purpose,
//! and once more when no reply can be on its way any longer, which settles the rest.

use super::in_flight::Flight;
use super::retry::Retry;
use crate::time::{Duration, Instant};
use crate::wire::native::{OutcomeQuery, Outcomes, ProbeStatus, Token, statuses_that_fit};

#[derive(Debug)]
pub struct Truth {
    questions: Vec<Question>,
    next_number: u32,
    /// Fates in one answer.
    most: u16,
    /// Probes below these were asked for, after their deadline and after they settled.
    early: u64,
    last: u64,
    next_round: Instant,
}

#[derive(Debug)]
struct Question {
    number: u32,
    first: u64,
    count: u16,
    asked: Instant,
    retry: Retry,
}

impl Truth {
    /// Questions in flight at once.
    const MOST: usize = 32;
    /// Between two rounds, so that many losses share a question.
    const ROUND: Duration = Duration::from_millis(5);
    /// Questions and answers are at most so long, to pass wherever the probes may not.
    const LONGEST: usize = 1200;
    const SHORTEST: usize = 256;
    /// Shortly before they begin anew at 0: that they may is then true of every run with losses.
    const FIRST_NUMBER: u32 = u32::MAX - 3;

    pub fn new(size: u32) -> Self {
        let most = statuses_that_fit((size as usize).clamp(Self::SHORTEST, Self::LONGEST));
        Self {
            questions: Vec::new(),
            next_number: Self::FIRST_NUMBER,
            most,
            early: 0,
            last: 0,
            next_round: Instant::ZERO,
        }
    }

    /// Another session: what was asked of the one before is not known to this one.
    pub fn reset(&mut self) {
        self.questions.clear();
    }

    pub fn poll_timeout(&self, flight: &Flight, now: Instant) -> Option<Instant> {
        let retry = self.questions.iter().map(|question| question.retry.next()).min();
        let room = self.questions.len() < Self::MOST;
        let fresh = room
            .then(|| {
                let early = flight.deadline_of(self.early.max(flight.range().start));
                let last = flight.settles_at(self.last.max(flight.range().start));
                [early, last].into_iter().flatten().min()
            })
            .flatten()
            .map(|at| at.max(self.next_round).max(now));
        [retry, fresh].into_iter().flatten().min()
    }

    pub fn poll_transmit(
        &mut self,
        now: Instant,
        flight: &Flight,
        token: Token,
        buffer: &mut [u8],
    ) -> Option<usize> {
        // A question all of whose probes have been settled otherwise need not be asked again.
        self.questions.retain(|question| question.first + u64::from(question.count) > flight.range().start);
        if let Some(question) = self.questions.iter_mut().find(|question| question.retry.is_due(now)) {
            question.asked = now;
            question.retry.tried(now);
            let Question { number, first, count, .. } = *question;
            return Some(OutcomeQuery { token, question: number, first, count }.emit(buffer));
        }
        if self.questions.len() >= Self::MOST || now < self.next_round {
            return None;
        }
        let (first, count) = self.next_range(now, flight)?;
        if count < self.most {
            self.next_round = now + Self::ROUND;
        }
        let mut retry = Retry::steady(now);
        retry.tried(now);
        let number = self.next_number;
        self.next_number = self.next_number.wrapping_add(1);
        self.questions.push(Question { number, first, count, asked: now, retry });
        Some(OutcomeQuery { token, question: number, first, count }.emit(buffer))
    }

    /// Passes on what the server said, if it was asked, and whether it was. Of probes before the session's first it
    /// knows nothing: that it has not seen them does not mean that they were lost.
    pub fn handle_tell(&mut self, tell: &Outcomes, first_seq: u64, flight: &mut Flight) -> bool {
        let asked = |question: &Question| {
            (question.number, question.first, question.count) == (tell.question, tell.first, tell.count)
        };
        let Some(index) = self.questions.iter().position(asked) else { return false };
        let question = self.questions.swap_remove(index);
        for offset in 0..question.count {
            let seq = question.first + u64::from(offset);
            let known = if seq < first_seq { (ProbeStatus::Forgotten, false) } else { tell.status(offset) };
            let (fate, seen_twice) = known;
            flight.tell(seq, fate, question.asked);
            if seen_twice {
                flight.seen_twice(seq);
            }
        }
        true
    }

    /// The next probes to ask for: first those that wait for the last word.
    fn next_range(&mut self, now: Instant, flight: &Flight) -> Option<(u64, u16)> {
        let most = self.most;
        let last = advance(&mut self.last, flight, most, |seq| {
            flight.settles_at(seq).is_some_and(|at| at <= now).then(|| flight.wants_last_word(seq, now))
        });
        last.or_else(|| {
            advance(&mut self.early, flight, most, |seq| {
                flight.deadline_of(seq).is_some_and(|at| at <= now).then(|| flight.wants_fate(seq, now))
            })
        })
    }
}

/// Moves a cursor over the probes whose time has come (`ripe` is `Some`) and returns the range from
/// the first to the last of them that wants to be asked for.
fn advance(
    cursor: &mut u64,
    flight: &Flight,
    most: u16,
    ripe: impl Fn(u64) -> Option<bool>,
) -> Option<(u64, u16)> {
    *cursor = (*cursor).max(flight.range().start);
    let mut found: Option<(u64, u64)> = None;
    while let Some(wanted) = ripe(*cursor) {
        let first = found.map_or(*cursor, |(first, _)| first);
        if *cursor - first >= u64::from(most) {
            break;
        }
        if wanted {
            found = Some((first, *cursor));
        }
        *cursor += 1;
    }
    found.map(|(first, last)| (first, (last - first + 1) as u16))
}
