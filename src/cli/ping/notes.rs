//! From what the client tells to what the record keeps of it: restarts, errors, steps of the clock.

use std::collections::VecDeque;

use crate::probe::{self, Counters, Resolved, SendError};
use crate::record::Event;
use crate::time::{Duration, Instant};

#[derive(Debug, Default)]
pub struct Notes {
    zero: Instant,
    /// About probes whose row, which tells the time, is still to come; in the order of the probes.
    waiting: VecDeque<(u64, &'static str, String)>,
}

impl Notes {
    /// What is to be noted by now.
    pub fn of(&mut self, event: &probe::Event) -> Vec<Event> {
        match event {
            probe::Event::Started { zero } => self.zero = *zero,
            probe::Event::NotSent { seq, why } => {
                self.waiting.push_back((*seq, "not_sent", format!("seq {seq}: {}", in_words(why))));
            }
            probe::Event::AtFloor { seq, interval } => {
                let text = format!("from seq {seq} on the interval is {interval}");
                self.waiting.push_back((*seq, "at_floor", text));
            }
            probe::Event::Overslept { first_seq, probes, late } => {
                let last = first_seq + probes - 1;
                let text = format!(
                    "seq {first_seq} to {last} were not sent: this host stood still, the first was {late} late"
                );
                self.waiting.push_back((*first_seq, "overslept", text));
            }
            probe::Event::Resolved(probe) => return self.about(probe),
            probe::Event::Forgotten { at } => {
                return vec![self.at(*at, "forgotten", "the server does not know the session".to_owned())];
            }
            probe::Event::Reopened { at, first_seq } => {
                return vec![self.at(*at, "reopened", format!("from seq {first_seq} on"))];
            }
            probe::Event::Unreachable { at } => {
                return vec![self.at(*at, "unreachable", "ICMP: nobody listens".to_owned())];
            }
            probe::Event::Strays { at, counters } => {
                return vec![self.at(*at, "strays", strays(counters))];
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
        notes
    }

    pub fn clock_step(&self, at: Instant, by: Duration) -> Event {
        self.at(at, "clock_step", format!("by {by}"))
    }

    fn at(&self, at: Instant, kind: &str, text: String) -> Event {
        Event { at_us: (at - self.zero).as_micros_f64(), kind: kind.to_owned(), text }
    }
}

/// Which datagrams came, so far, that were none of the run's.
pub fn strays(counters: &Counters) -> String {
    let kinds = [
        (counters.junk, "not understood or of no session of ours"),
        (counters.forged, "replies to what was never sent"),
        (counters.unauthentic, "without the key"),
        (counters.stragglers, "only replies to probes long given up"),
    ];
    let told = kinds.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    told.collect::<Vec<_>>().join(", ")
}

pub fn in_words(why: &SendError) -> String {
    match why {
        SendError::TooLong => "it is too long for the path".to_owned(),
        SendError::NoLane => "the text dialect has no socket free".to_owned(),
        SendError::Other(why) => why.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::Outcome;

    fn row(seq: u64) -> Resolved {
        Resolved {
            seq,
            due: Duration::from_millis(10) * seq as i64,
            sent: None,
            interval: Duration::from_millis(10),
            size: 64,
            outcome: Outcome::SendError,
            cause: None,
            rtt: None,
            hold: None,
            server: None,
            owd_up: None,
            owd_down: None,
            copies: 0,
            injected_copies: 0,
            corrupted: None,
        }
    }

    #[test]
    fn what_is_told_of_a_probe_waits_for_its_row() {
        let mut notes = Notes::default();
        let zero = Instant::from_nanos(5_000_000_000);
        assert!(notes.of(&probe::Event::Started { zero }).is_empty());
        let interval = Duration::from_millis(10);
        assert!(notes.of(&probe::Event::AtFloor { seq: 1, interval }).is_empty());
        assert!(notes.of(&probe::Event::NotSent { seq: 1, why: SendError::TooLong }).is_empty());
        assert!(notes.of(&probe::Event::Resolved(row(0))).is_empty());
        let told = notes.of(&probe::Event::Resolved(row(1)));
        let kinds: Vec<_> = told.iter().map(|note| (note.at_us, note.kind.as_str())).collect();
        assert_eq!(kinds, [(10_000.0, "at_floor"), (10_000.0, "not_sent")]);
        let lost = notes.of(&probe::Event::Unreachable { at: zero + Duration::from_millis(3) });
        assert_eq!((lost[0].at_us, lost[0].kind.as_str()), (3_000.0, "unreachable"));
    }
}
