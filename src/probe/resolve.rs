//! Emits finished probes in order; after the last of them the run ends.

use super::cause::Cause;
use super::dialect::DialectClient;
use super::event::{Event, ServerInfo};
use super::loss_attribution::Evidence;
use super::retry::Retry;
use super::{Client, Phase};
use crate::time::{Duration, Instant};

impl Client {
    /// After all probes were sent, the client stops asking a server that is silent for this long.
    const SILENCE_AT_END: Duration = Duration::from_secs(3);
    /// However much it says: a server that answers nonsense keeps no run waiting.
    const LONGEST_ASKING: Duration = Duration::from_secs(30);
    /// A server that is up has answered by then.
    const ANSWERED_SOON: Duration = Duration::from_millis(500);

    /// Reports overdue probes and emits resolved ones; ends the run after the last.
    pub(super) fn resolve(&mut self, now: Instant) {
        while let Some(seq) = self.in_flight.next_overdue(now) {
            self.events.push_back(Event::Overdue { seq });
            self.note_flow(seq, true, now);
        }
        let all_sent = self.plan.is_finished();
        if all_sent {
            self.in_flight.end_sending();
            if now >= self.gives_up_at() {
                self.in_flight.timeouts_mut().query = Duration::ZERO;
            }
        }
        loop {
            let evidence = Evidence {
                own: self.in_flight.socket(),
                server_socket: self.dialect.server_socket(),
                first_seq: self.first_seq,
                clean: self.server.as_ref().is_some_and(ServerInfo::is_clean),
                longest_hold: self.in_flight.timeouts_mut().longest_hold,
            };
            let Some(resolved) = self.in_flight.take_resolved(now, |loss| evidence.cause(loss)) else {
                break;
            };
            if !all_sent {
                self.dialect.resolved(resolved.seq, now);
            }
            if matches!(resolved.cause, Some(Cause::InjectedUp | Cause::InjectedDown)) {
                self.note_injection(resolved.seq, now);
            }
            if resolved.impossible_times {
                self.note_impossible_times(resolved.seq, now);
            }
            self.events.push_back(Event::Resolved(resolved));
        }
        if all_sent && self.in_flight.is_empty() {
            self.events.extend(self.suspended.end());
            self.phase =
                if self.settings.stop_server { Phase::Stopping(Retry::new(now)) } else { Phase::Closing };
        } else if all_sent {
            self.note_asking(now);
        }
    }

    /// Says once why the run is not over yet, if the server does not answer soon.
    fn note_asking(&mut self, now: Instant) {
        let since = self.in_flight.last_give_up_at() + Self::ANSWERED_SOON;
        if now >= since && !std::mem::replace(&mut self.told.asking, true) {
            let (probes, skippable) = (self.in_flight() as u64, !self.plan.is_stopped());
            self.events.push_back(Event::Asking { at: now, probes, skippable });
        }
    }

    /// Reported once; the rows and the summary have the number.
    fn note_impossible_times(&mut self, seq: u64, at: Instant) {
        self.counters.impossible_times += 1;
        if self.counters.impossible_times == 1 {
            self.events.push_back(Event::ImpossibleTimes { at, seq });
        }
    }

    pub(super) fn gives_up_at(&self) -> Instant {
        let asking_since = self.in_flight.last_give_up_at();
        (self.last_heard.max(asking_since) + Self::SILENCE_AT_END).min(asking_since + Self::LONGEST_ASKING)
    }
}
