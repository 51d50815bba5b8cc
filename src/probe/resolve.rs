//! Probes whose story is over, one by one and in order; after the last of them the run ends.

use super::cause::Cause;
use super::event::{Event, ServerInfo};
use super::loss_attribution::Blame;
use super::retry::Retry;
use super::{AnyDialect, Client, Phase};
use crate::time::{Duration, Instant};

impl Client {
    /// When all have been sent, a server that is silent for so long is not asked any more.
    const SILENCE_AT_THE_END: Duration = Duration::from_secs(3);
    /// A server that is there has answered by then.
    const ANSWERED_SOON: Duration = Duration::from_millis(500);

    /// Reports what is overdue and takes out what is over; ends the run after the last probe.
    pub(super) fn settle(&mut self, now: Instant) {
        while let Some(seq) = self.flight.next_overdue(now) {
            self.events.push_back(Event::Overdue { seq });
        }
        if self.plan.is_finished() {
            self.flight.end_sending();
        }
        if self.plan.is_finished() && now >= self.gives_up_at() {
            self.flight.patience_mut().truth = Duration::ZERO;
        }
        loop {
            let blame = Blame {
                own: self.flight.socket(),
                dialect: &self.dialect,
                clean: self.server.as_ref().is_some_and(ServerInfo::is_clean),
                longest_hold: self.flight.patience_mut().longest_hold,
            };
            let Some(resolved) = self.flight.pop(now, |loss| blame.cause(loss)) else { break };
            if let AnyDialect::Text(channels) = &mut self.dialect
                && !self.plan.is_finished()
            {
                channels.give_up(resolved.seq, now);
            }
            if matches!(resolved.cause, Some(Cause::InjectedUp | Cause::InjectedDown)) {
                self.note_injection(resolved.seq, now);
            }
            if resolved.impossible_times {
                self.note_impossible_times(resolved.seq, now);
            }
            self.events.push_back(Event::Resolved(resolved));
        }
        self.tell_asking(now);
        if self.plan.is_finished() && self.flight.is_empty() {
            self.tell_overslept();
            self.phase =
                if self.settings.stop_server { Phase::Stopping(Retry::new(now)) } else { Phase::Closing };
        }
    }

    /// Says once why the run is not over yet, if the server does not answer soon.
    fn tell_asking(&mut self, now: Instant) {
        let since = self.flight.last_settles() + Self::ANSWERED_SOON;
        if !self.plan.is_finished() || self.flight.is_empty() || self.asking || now < since {
            return;
        }
        self.asking = true;
        let (probes, skippable) = (self.in_flight() as u64, !self.plan.is_stopped());
        self.events.push_back(Event::Asking { at: now, probes, skippable });
    }

    /// Told once; the rows and the summary have the number.
    fn note_impossible_times(&mut self, seq: u64, at: Instant) {
        self.counters.impossible_times += 1;
        if self.counters.impossible_times == 1 {
            self.events.push_back(Event::ImpossibleTimes { at, seq });
        }
    }

    /// When all have been sent and the server stays silent.
    pub(super) fn gives_up_at(&self) -> Instant {
        self.last_heard.max(self.flight.last_settles()) + Self::SILENCE_AT_THE_END
    }
}
