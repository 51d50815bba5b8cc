//! Tells the clients of all sessions that the server ends: three times, since datagrams are lost.

use super::sessions::Sessions;
use crate::endpoints::Endpoints;
use crate::time::{Duration, Instant};
use crate::wire::native::{Token, emit_ending};

#[derive(Default)]
pub(super) struct Farewell {
    rounds_left: u32,
    next_round: Instant,
    /// The clients that this round still has to tell.
    untold: Vec<(Endpoints, Token)>,
    next_burst: Instant,
    /// Datagrams of the present burst that have not left.
    left_of_burst: usize,
    burst: usize,
    has_begun: bool,
}

impl Farewell {
    const ROUNDS: u32 = 3;
    const GAP: Duration = Duration::from_millis(500);
    /// Thousands at once would overflow the queues of this host, and each round would lose the same ones.
    const BURSTS_APART: Duration = Duration::from_millis(10);
    const LEAST_BURST: usize = 64;
    /// So that a round is over before the next one.
    const MOST_BURSTS: usize = 40;

    /// Stops new sessions, and starts to tell the clients of the open ones.
    pub(super) fn begin(&mut self, sessions: &Sessions, now: Instant) {
        let rounds_left = if sessions.is_empty() { 0 } else { Self::ROUNDS };
        *self = Self { rounds_left, next_round: now, has_begun: true, ..Self::default() };
    }

    pub(super) fn has_begun(&self) -> bool {
        self.has_begun
    }

    pub(super) fn next_send(&self) -> Option<Instant> {
        let rest_of_round = (!self.untold.is_empty()).then_some(self.next_burst);
        rest_of_round.or((self.rounds_left > 0).then_some(self.next_round))
    }

    pub(super) fn transmit(
        &mut self,
        sessions: &Sessions,
        now: Instant,
        buffer: &mut [u8],
    ) -> Option<(Endpoints, usize)> {
        if self.untold.is_empty() && self.rounds_left > 0 && now >= self.next_round {
            self.begin_round(sessions, now);
        }
        if now < self.next_burst {
            return None;
        }
        let (path, token) = self.untold.pop()?;
        self.left_of_burst -= 1;
        if self.left_of_burst == 0 {
            (self.left_of_burst, self.next_burst) = (self.burst, now + Self::BURSTS_APART);
        }
        Some((path, emit_ending(token, buffer)))
    }

    fn begin_round(&mut self, sessions: &Sessions, now: Instant) {
        self.rounds_left -= 1;
        self.next_round = now + Self::GAP;
        self.untold = sessions.iter().map(|session| (session.word_path(), session.token)).collect();
        self.burst = self.untold.len().div_ceil(Self::MOST_BURSTS).max(Self::LEAST_BURST);
        (self.left_of_burst, self.next_burst) = (self.burst, now);
    }
}
