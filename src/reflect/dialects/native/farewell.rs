//! Tells the client of each session three times that the server ends, since datagrams are lost.

use super::sessions::Sessions;
use crate::endpoints::Endpoints;
use crate::time::{Duration, Instant};
use crate::wire::native::{Token, emit_ending};

#[derive(Default)]
pub(super) struct Farewell {
    begun: Option<Instant>,
    /// Of the sessions that were open then.
    tokens: Vec<Token>,
    /// How many datagrams have had their turn.
    turns: usize,
}

impl Farewell {
    const ROUNDS: usize = 3;
    /// Thousands of datagrams at once would overflow the queues of this host, and each round would lose the same ones:
    /// those of a round leave one by one over this time.
    const ROUND: Duration = Duration::from_millis(500);

    /// Stops new sessions, and starts to tell the clients of the open ones.
    pub(super) fn begin(&mut self, sessions: &Sessions, now: Instant) {
        let tokens = sessions.iter().map(|session| session.token).collect();
        *self = Self { begun: Some(now), tokens, turns: 0 };
    }

    pub(super) fn has_begun(&self) -> bool {
        self.begun.is_some()
    }

    pub(super) fn next_send(&self) -> Option<Instant> {
        let clients = self.tokens.len();
        let begun = self.begun.filter(|_| self.turns < Self::ROUNDS * clients)?;
        Some(begun + Self::ROUND * self.turns as i64 / clients as i64)
    }

    /// A session that has closed meanwhile is passed over.
    pub(super) fn transmit(
        &mut self,
        sessions: &Sessions,
        now: Instant,
        buffer: &mut [u8],
    ) -> Option<(Endpoints, usize)> {
        while self.next_send().is_some_and(|at| at <= now) {
            let token = self.tokens[self.turns % self.tokens.len()];
            self.turns += 1;
            if let Some(at) = sessions.find(token) {
                return Some((sessions.at(at).word_path(), emit_ending(token, buffer)));
            }
        }
        None
    }
}
