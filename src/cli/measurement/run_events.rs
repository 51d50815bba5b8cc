//! From the client's events to the events of `run.json`: restarts, errors, clock steps.

use std::collections::VecDeque;

use crate::net::describe_client_error;
use crate::probe::{self, Counters, Resolved, SendError};
use crate::record::Event;
use crate::time::{Duration, Instant};

#[derive(Debug, Default)]
pub(super) struct RunEvents {
    zero: Instant,
    /// Events about probes whose row, which has the time, is still to come; in the order of the probes.
    waiting: VecDeque<(u64, &'static str, String)>,
    /// Probes that were not sent: consecutive ones with the same reason are one item.
    unsent: VecDeque<Unsent>,
}

#[derive(Debug)]
struct Unsent {
    first: u64,
    last: u64,
    /// Due time of the first.
    due: Option<Duration>,
    why: SendError,
}

impl RunEvents {
    /// When the first probe was due.
    pub(super) fn zero(&self) -> Instant {
        self.zero
    }

    /// The events that this one completes.
    pub(super) fn of(&mut self, event: &probe::Event) -> Vec<Event> {
        match event {
            probe::Event::Started { zero } => self.zero = *zero,
            probe::Event::NotSent { seq, why } => match self.unsent.back_mut() {
                Some(unsent) if unsent.last + 1 == *seq && unsent.why == *why => unsent.last = *seq,
                _ => self.unsent.push_back(Unsent { first: *seq, last: *seq, due: None, why: *why }),
            },
            probe::Event::Finished => return self.unsent.drain(..).filter_map(Unsent::event).collect(),
            probe::Event::AtFloor { seq, interval } => {
                let text = format!("from seq {seq} on the interval is {interval}");
                self.waiting.push_back((*seq, "at_floor", text));
            }
            probe::Event::Suspended { first_seq, probes, late } => {
                let last = first_seq + probes - 1;
                let text = format!(
                    "seq {first_seq} to {last} were skipped: this host was suspended or stalled for {late}"
                );
                self.waiting.push_back((*first_seq, "suspended", text));
            }
            probe::Event::Resolved(probe) => return self.about(probe),
            probe::Event::Forgotten { at } => {
                return vec![self.at(*at, "session_lost", "the server does not know the session".to_owned())];
            }
            probe::Event::SessionLost { at, silent } => {
                let text = format!("no answer for {silent} while the server took a new handshake");
                return vec![self.at(*at, "session_lost", text)];
            }
            probe::Event::Reopened { at, first_seq } => {
                return vec![self.at(*at, "session_reopened", format!("from seq {first_seq} on"))];
            }
            probe::Event::Unreachable { at } => {
                return vec![self.at(*at, "unreachable", "ICMP port unreachable".to_owned())];
            }
            probe::Event::PathError { at, why } => {
                return vec![self.at(*at, "path_error", describe_client_error(*why))];
            }
            probe::Event::ServerMoved { at, remote } => {
                return vec![self.at(*at, "server_moved", format!("the server sends from {remote}"))];
            }
            probe::Event::NotClean { at, seq } => {
                let text = format!("the server claims to inject nothing, but dropped or held seq {seq}");
                return vec![self.at(*at, "not_clean", text)];
            }
            probe::Event::ImpossibleTimes { at, seq } => {
                let text = format!(
                    "from seq {seq} on: the server's times in a reply are impossible and are left out"
                );
                return vec![self.at(*at, "impossible_times", text)];
            }
            probe::Event::Found { at, finding } => {
                return vec![self.at(*at, "reflector", finding.words().to_owned())];
            }
            probe::Event::Unexpected { at, counters } => {
                return vec![self.at(*at, "unexpected", unexpected(counters))];
            }
            _ => {}
        }
        Vec::new()
    }

    fn about(&mut self, probe: &Resolved) -> Vec<Event> {
        let mut notes = Vec::new();
        while self.waiting.front().is_some_and(|(seq, ..)| *seq <= probe.seq)
            && let Some((_, kind, text)) = self.waiting.pop_front()
        {
            notes.push(Event { at_us: probe.due.as_micros_f64(), kind: kind.to_owned(), text });
        }
        while self.unsent.front().is_some_and(|unsent| unsent.last < probe.seq) {
            notes.extend(self.unsent.pop_front().and_then(Unsent::event));
        }
        if let Some(unsent) = self.unsent.front_mut()
            && unsent.first == probe.seq
        {
            unsent.due = Some(probe.due);
        }
        notes
    }

    pub(super) fn clock_step(&self, at: Instant, by: Duration) -> Event {
        self.at(at, "clock_step", format!("by {by}"))
    }

    pub(super) fn truncated_metadata(&self, at: Instant, datagrams: u64) -> Event {
        let text = format!("the kernel truncated the control messages of {datagrams} datagrams");
        self.at(at, "truncated_metadata", text)
    }

    pub(super) fn socket_failed(&self, at: Instant, why: &str) -> Event {
        self.at(at, "socket_failed", why.to_owned())
    }

    fn at(&self, at: Instant, kind: &str, text: String) -> Event {
        Event { at_us: (at - self.zero).as_micros_f64(), kind: kind.to_owned(), text }
    }
}

impl Unsent {
    /// None if its first row has not come, which has the time.
    fn event(self) -> Option<Event> {
        let Self { first, last, due, why } = self;
        let why = describe(why);
        let text = if first == last {
            format!("seq {first}: {why}")
        } else {
            format!("seq {first} to {last}: {why}")
        };
        Some(Event { at_us: due?.as_micros_f64(), kind: "not_sent".to_owned(), text })
    }
}

/// Datagrams so far that do not belong to the run.
pub(super) fn unexpected(counters: &Counters) -> String {
    let kinds = [
        (counters.junk, "malformed or of another session"),
        (counters.forged, "replies to probes never sent"),
        (counters.unauthentic, "without the key"),
        (counters.stragglers, "first replies to probes given up long ago"),
        (counters.foreign, "from other sources"),
        (counters.elsewhere, "of the session from another address"),
    ];
    let told = kinds.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    told.collect::<Vec<_>>().join(", ")
}

pub(super) fn describe(why: SendError) -> String {
    match why {
        SendError::TooLong => "too long for the path".to_owned(),
        SendError::NoChannel => "no socket of the text dialect is free".to_owned(),
        SendError::Socket(error) => describe_client_error(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::{Outcome, SocketError, SocketErrorKind, SocketOperation};

    fn row(seq: u64) -> Resolved {
        Resolved {
            due: Duration::from_millis(10) * seq as i64,
            sent: None,
            outcome: Outcome::SendError,
            ..Resolved::unanswered(seq)
        }
    }

    #[test]
    fn an_event_about_a_probe_waits_for_its_row() {
        let mut notes = RunEvents::default();
        let zero = Instant::from_nanos(5_000_000_000);
        assert!(notes.of(&probe::Event::Started { zero }).is_empty());
        let interval = Duration::from_millis(10);
        assert!(notes.of(&probe::Event::AtFloor { seq: 1, interval }).is_empty());
        assert!(notes.of(&probe::Event::NotSent { seq: 1, why: SendError::TooLong }).is_empty());
        assert!(notes.of(&probe::Event::Resolved(row(0))).is_empty());
        let told = notes.of(&probe::Event::Resolved(row(1)));
        let kinds: Vec<_> = told.iter().map(|note| (note.at_us, note.kind.as_str())).collect();
        assert_eq!(kinds, [(10_000.0, "at_floor")]);
        let told = notes.of(&probe::Event::Resolved(row(2)));
        let kinds: Vec<_> = told.iter().map(|note| (note.at_us, note.kind.as_str())).collect();
        assert_eq!(kinds, [(10_000.0, "not_sent")]);
        let lost = notes.of(&probe::Event::Unreachable { at: zero + Duration::from_millis(3) });
        assert_eq!((lost[0].at_us, lost[0].kind.as_str()), (3_000.0, "unreachable"));
    }

    #[test]
    fn an_outage_is_one_event_for_all_its_probes() {
        let mut notes = RunEvents::default();
        notes.of(&probe::Event::Started { zero: Instant::ZERO });
        let no_route = SendError::Socket(SocketError {
            operation: SocketOperation::Send,
            kind: SocketErrorKind::Other,
            code: None,
        });
        let mut told = Vec::new();
        for seq in 0..1000 {
            let why = match seq {
                10..500 | 502..600 => Some(no_route),
                600 | 999 => Some(SendError::TooLong),
                _ => None,
            };
            if let Some(why) = why {
                told.extend(notes.of(&probe::Event::NotSent { seq, why }));
            }
            // Rows lag behind.
            if let Some(settled) = u64::checked_sub(seq, 50) {
                told.extend(notes.of(&probe::Event::Resolved(row(settled))));
            }
        }
        (950..1000).for_each(|seq| told.extend(notes.of(&probe::Event::Resolved(row(seq)))));
        told.extend(notes.of(&probe::Event::Finished));
        let texts: Vec<_> = told.iter().map(|note| (note.at_us / 10_000.0, note.text.as_str())).collect();
        let too_long = |seq: u32| format!("seq {seq}: too long for the path");
        assert_eq!(
            texts,
            [
                (10.0, "seq 10 to 499: the system does not say why"),
                (502.0, "seq 502 to 599: the system does not say why"),
                (600.0, &too_long(600)),
                (999.0, &too_long(999))
            ]
        );
    }
}
