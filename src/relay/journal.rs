//! The journal of a relay, for programs that follow it: flows, ports, refusals, errors and changes; the last thousand
//! entries, numbered.

use std::collections::VecDeque;
use std::net::SocketAddr;

use serde::Serialize;
use serde::ser::Serializer;

use crate::impair::Direction;
use crate::time::{Duration, Instant};

/// The last entries.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    kept: VecDeque<JournalEntry>,
    /// The number of the entry after the last.
    next: u64,
    troubles: Troubles,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct JournalEntry {
    /// From 0, without gaps.
    pub(crate) number: u64,
    /// Since the relay was made.
    #[serde(rename = "at_us", serialize_with = "micros")]
    at: Duration,
    /// The name of the mapping.
    mapping: String,
    #[serde(flatten)]
    what: Happening,
}

/// A flow has its number among all flows, `id`, and its ordinal in the mapping, `flow`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Happening {
    FlowOpened {
        id: u64,
        flow: u64,
        client: SocketAddr,
        /// `None`: the socket toward the server could not be opened.
        upstream: Option<SocketAddr>,
    },
    Rebound {
        id: u64,
        flow: u64,
        upstream: Option<SocketAddr>,
    },
    FlowClosed {
        id: u64,
        flow: u64,
    },
    /// ICMP port unreachable came from the server's host.
    Refused {
        id: u64,
        flow: u64,
        /// Refusals and errors before it that have no entry.
        left_out: u64,
    },
    Error {
        /// `None`: the mapping's own socket.
        id: Option<u64>,
        why: String,
        left_out: u64,
    },
    MappingAdded {
        listen: SocketAddr,
        to: SocketAddr,
    },
    MappingRemoved,
    /// The lines and the NAT in effect now.
    Changed {
        up: String,
        down: String,
        nat: String,
    },
    /// Its port is open or closed now.
    State {
        state: &'static str,
    },
    Blackhole {
        dir: &'static str,
        #[serde(rename = "for_us", serialize_with = "micros")]
        length: Duration,
    },
}

/// Refusals and errors of the current second.
#[derive(Debug, Default)]
struct Troubles {
    began: Option<Instant>,
    noted: u32,
    left_out: u64,
}

impl Troubles {
    /// Entries a second: a server that is gone refuses every datagram.
    const MOST: u32 = 10;
    const SECOND: Duration = Duration::from_secs(1);

    /// How many were left out before this one; `None` if it is left out, too.
    fn admit(&mut self, now: Instant) -> Option<u64> {
        if self.began.is_none_or(|began| now - began >= Self::SECOND) {
            (self.began, self.noted) = (Some(now), 0);
        }
        if self.noted == Self::MOST {
            self.left_out += 1;
            return None;
        }
        self.noted += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

impl Journal {
    const KEPT: usize = 1_000;

    /// An entry of this moment; `began` is when the relay was made.
    pub(crate) fn note(&mut self, now: Instant, began: Instant, mapping: &str, mut what: Happening) {
        if let Happening::Refused { left_out, .. } | Happening::Error { left_out, .. } = &mut what {
            let Some(before) = self.troubles.admit(now) else { return };
            *left_out = before;
        }
        if self.kept.len() == Self::KEPT {
            self.kept.pop_front();
        }
        let mapping = mapping.to_owned();
        self.kept.push_back(JournalEntry { number: self.next, at: now - began, mapping, what });
        self.next += 1;
    }

    /// Entries from this number on, at most so many; older ones may be gone.
    pub(crate) fn since(&self, number: u64, at_most: usize) -> Vec<JournalEntry> {
        let first = self.next - self.kept.len() as u64;
        let skip = usize::try_from(number.saturating_sub(first)).unwrap_or(usize::MAX);
        self.kept.iter().skip(skip).take(at_most).cloned().collect()
    }
}

impl Happening {
    pub(crate) fn state(down: bool) -> Self {
        Self::State { state: if down { "down" } else { "up" } }
    }

    pub(crate) fn blackhole(direction: Direction, length: Duration) -> Self {
        Self::Blackhole { dir: direction.name(), length }
    }
}

fn micros<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_micros_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    fn numbers(entries: &[JournalEntry]) -> Vec<u64> {
        entries.iter().map(|entry| entry.number).collect()
    }

    #[test]
    fn the_last_thousand_are_kept_and_a_reader_goes_on_where_it_was() {
        let mut journal = Journal::default();
        for id in 0..1_010 {
            journal.note(at(5), at(2), "m1", Happening::FlowClosed { id, flow: id });
        }
        assert_eq!(numbers(&journal.since(0, 2)), [10, 11]);
        assert_eq!(numbers(&journal.since(1_008, 9)), [1_008, 1_009]);
        assert_eq!(journal.since(1_010, 9), []);
        assert_eq!(journal.since(u64::MAX, 9), []);
        let shown = serde_json::to_value(&journal.since(1_009, 1)[0]).unwrap();
        let expected = serde_json::json!({
            "number": 1009, "at_us": 3000.0, "mapping": "m1", "event": "flow_closed", "id": 1009, "flow": 1009,
        });
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_storm_of_refusals_has_ten_entries_a_second_and_says_how_many_have_none() {
        let mut journal = Journal::default();
        let refused = || Happening::Refused { id: 1, flow: 1, left_out: 0 };
        (0..100).for_each(|n| journal.note(at(n), at(0), "m1", refused()));
        journal.note(at(1_000), at(0), "m1", refused());
        let entries = journal.since(0, 99);
        assert_eq!(entries.len(), 11);
        assert_eq!(entries[10].what, Happening::Refused { id: 1, flow: 1, left_out: 90 });
    }
}
