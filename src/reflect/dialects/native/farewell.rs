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
    has_begun: bool,
}

impl Farewell {
    const ROUNDS: u32 = 3;
    const GAP: Duration = Duration::from_millis(500);

    /// From now on no session is opened, and the clients of those that are open are told.
    pub(super) fn begin(&mut self, sessions: &Sessions, now: Instant) {
        let rounds_left = if sessions.is_empty() { 0 } else { Self::ROUNDS };
        *self = Self { rounds_left, next_round: now, untold: Vec::new(), has_begun: true };
    }

    pub(super) fn has_begun(&self) -> bool {
        self.has_begun
    }

    pub(super) fn next_send(&self) -> Option<Instant> {
        let rest_of_round = (!self.untold.is_empty()).then_some(Instant::ZERO);
        rest_of_round.or((self.rounds_left > 0).then_some(self.next_round))
    }

    pub(super) fn transmit(
        &mut self,
        sessions: &Sessions,
        now: Instant,
        buffer: &mut [u8],
    ) -> Option<(Endpoints, usize)> {
        if self.untold.is_empty() && self.rounds_left > 0 && now >= self.next_round {
            self.rounds_left -= 1;
            self.next_round = now + Self::GAP;
            self.untold = sessions.iter().map(|session| (session.word_path(), session.token)).collect();
        }
        let (path, token) = self.untold.pop()?;
        Some((path, emit_ending(token, buffer)))
    }
}
