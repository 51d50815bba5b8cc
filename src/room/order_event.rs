//! How measurements on order go on: what everybody is shown, and what our own clients are to do.

use std::fmt::Write;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::name::Name;
use super::orders::{OrderNumber, Terms};
use crate::time::Duration;

/// One piece of news about an order; in JSON its `news` names it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "news", rename_all = "snake_case")]
pub enum OrderEvent {
    /// It was ordered.
    Placed {
        /// Its number.
        order: OrderNumber,
        /// Who ordered it.
        by: Name,
        /// The measuring host.
        from: Name,
        /// The answering host, or its address.
        to: Name,
        /// What is measured.
        terms: OrderTerms,
        /// Whether consent is still needed.
        state: Placed,
    },
    /// To the asked alone.
    Ask {
        /// Its number.
        order: OrderNumber,
    },
    /// The two hosts agree, and have looked for a way.
    Way {
        /// Its number.
        order: OrderNumber,
        /// The answering host, or its address.
        to: Name,
        /// What was found.
        way: FoundWay,
    },
    /// A host has measured.
    Result {
        /// Its number.
        order: OrderNumber,
        /// The measuring host.
        from: Name,
        /// To the room, for lack of a way.
        to_room: bool,
        /// What came out.
        figures: OrderFigures,
    },
    /// A host was busy meanwhile.
    Host {
        /// Its number.
        order: OrderNumber,
        /// Which host.
        host: Name,
        /// Busy seconds.
        busy: u32,
        /// Seconds that were looked at.
        seconds: u32,
        /// Why it was busy.
        reasons: Vec<String>,
    },
    /// It is over.
    Done {
        /// Its number.
        order: OrderNumber,
    },
    /// It ended early, or was refused.
    Ended {
        /// Its number.
        order: OrderNumber,
        /// In words.
        why: String,
    },
    /// To the two hosts: open a UDP socket, and say where it may be reached.
    Prepare {
        /// Its number.
        order: OrderNumber,
        /// In hexadecimal digits.
        key: String,
        /// This host answers; the other measures.
        answers: bool,
        /// What is measured.
        terms: OrderTerms,
    },
    /// To the two hosts: send to these addresses of the other until one answers.
    FindWay {
        /// Its number.
        order: OrderNumber,
        /// Where the other may be reached.
        candidates: Vec<SocketAddr>,
    },
    /// To the measuring host: measure to this address.
    Measure {
        /// Its number.
        order: OrderNumber,
        /// The answering host, or its address.
        to: SocketAddr,
        /// What is measured.
        terms: OrderTerms,
    },
    /// To a host: measure to the room.
    MeasureRoom {
        /// Its number.
        order: OrderNumber,
        /// What is measured.
        terms: OrderTerms,
    },
    /// To the measuring host: a second of the other host, as `run.json` has it.
    Second {
        /// Its number.
        order: OrderNumber,
        /// What came out.
        figures: serde_json::Value,
    },
    /// To the two hosts: close what belongs to this order.
    Close {
        /// Its number.
        order: OrderNumber,
    },
}

/// What is measured, in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderTerms {
    /// Probes.
    pub count: u64,
    /// Between two probes.
    pub interval_us: u64,
    /// Bytes of payload.
    pub size: u32,
}

/// Whether the asked member is still to agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Placed {
    /// One of the hosts is busy with another order.
    Queued,
    /// It was asked.
    Asked,
    /// It accepts without being asked.
    Accepted,
}

/// How datagrams go between the two hosts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FoundWay {
    /// With the address for members, without it for guests.
    Direct(Option<SocketAddr>),
    /// With the host whose NAT changes ports, if one does.
    None(Option<Name>),
}

/// What one host measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OrderFigures {
    /// Probes that left.
    pub sent: u64,
    /// Replies within the deadline.
    pub on_time: u64,
    /// Lost on the way to the answering host.
    pub lost_up: u64,
    /// Lost on the way back.
    pub lost_down: u64,
    /// Lost for another cause, or nobody knows where.
    pub lost_other: u64,
    /// Median of the round-trip times.
    pub rtt_p50_us: Option<f64>,
    /// Their 99th percentile.
    pub rtt_p99_us: Option<f64>,
    /// Why nothing was measured.
    pub failed: Option<String>,
}

impl From<Terms> for OrderTerms {
    fn from(terms: Terms) -> Self {
        let interval_us = u64::try_from(terms.interval.as_nanos() / 1_000).unwrap_or(0);
        Self { count: terms.count, interval_us, size: terms.size }
    }
}

impl From<OrderTerms> for Terms {
    fn from(terms: OrderTerms) -> Self {
        let micros = i64::try_from(terms.interval_us).unwrap_or(i64::MAX / 1_000);
        Self { count: terms.count, interval: Duration::from_micros(micros), size: terms.size }
    }
}

impl OrderEvent {
    /// The number of the order, if everybody is told this.
    pub fn for_all(&self) -> Option<OrderNumber> {
        match self {
            Self::Placed { order, .. }
            | Self::Way { order, .. }
            | Self::Result { order, .. }
            | Self::Host { order, .. }
            | Self::Done { order }
            | Self::Ended { order, .. } => Some(*order),
            _ => None,
        }
    }

    /// Whether it is for our own client alone, which carries it out.
    pub fn is_instruction(&self) -> bool {
        self.for_all().is_none() && !matches!(self, Self::Ask { .. })
    }

    /// As a line of the room; empty where people are shown nothing.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Placed { order, from, to, terms, state, .. } => {
                let state = match state {
                    Placed::Queued => "queued".to_owned(),
                    Placed::Asked => format!("asked {to}"),
                    Placed::Accepted => format!("{to} accepts"),
                };
                format!("-- #{order} {from} to {to}: {}. {state}", terms.words())
            }
            Self::Ask { order } => format!("-- #{order} needs your consent: /yes {order} or /no {order}"),
            Self::Way { order, to, way } => format!("-- #{order} {to} agrees, {}", way.words()),
            Self::Result { order, from, to_room, figures } => {
                let whom = if *to_room { format!("{from} to the room: ") } else { String::new() };
                format!("-- #{order} {whom}{}", figures.words())
            }
            Self::Host { order, host, busy, seconds, reasons } => format!(
                "-- #{order} {host} was BUSY: {} in {busy} of {seconds} s: suspect the host first",
                reasons.join(", ")
            ),
            Self::Ended { order, why } => format!("-- #{order} {why}"),
            Self::Done { .. }
            | Self::Prepare { .. }
            | Self::FindWay { .. }
            | Self::Measure { .. }
            | Self::MeasureRoom { .. }
            | Self::Second { .. }
            | Self::Close { .. } => String::new(),
        }
    }
}

impl OrderTerms {
    fn words(self) -> String {
        let terms = Terms::from(self);
        let bits = terms.bits_per_second();
        let rate = if bits < 1e6 {
            format!("{:.0} kbit/s", bits / 1e3)
        } else {
            format!("{:.1} Mbit/s", bits / 1e6)
        };
        let interval = terms.interval.as_micros_f64() / 1_000.0;
        let seconds = (terms.length().as_secs_f64() * 10.0).ceil() / 10.0;
        format!("{} probes, every {interval} ms, {rate} for {seconds} s", self.count)
    }
}

impl FoundWay {
    fn words(&self) -> String {
        match self {
            Self::Direct(None) => "direct (members see the addresses)".to_owned(),
            Self::Direct(Some(address)) => format!("direct to {address}"),
            Self::None(None) => {
                "no direct way: each is measured to the room, not the path between them".to_owned()
            }
            Self::None(Some(varies)) => format!(
                "no direct way ({varies}'s NAT changes ports): each is measured to the room, not the path between them"
            ),
        }
    }
}

impl OrderFigures {
    pub(super) fn words(&self) -> String {
        if let Some(why) = &self.failed {
            return format!("could not be measured: {why}");
        }
        let mut text = format!("{} sent, {} on time", self.sent, self.on_time);
        let late = self.sent.saturating_sub(self.on_time + self.lost_up + self.lost_down + self.lost_other);
        if late > 0 {
            // Writing to a string does not fail.
            let _ = write!(text, ", {late} late");
        }
        let lost = [("up", self.lost_up), ("down", self.lost_down), ("elsewhere", self.lost_other)];
        let mut separator = ", lost ";
        for (place, count) in lost.into_iter().filter(|(_, count)| *count > 0) {
            let _ = write!(text, "{separator}{place} {count}");
            separator = " ";
        }
        if let (Some(p50), Some(p99)) = (self.rtt_p50_us, self.rtt_p99_us) {
            let _ = write!(text, ", rtt p50/p99 {:.1}/{:.1} ms", p50 / 1e3, p99 / 1e3);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    #[test]
    fn an_order_reads_as_in_the_transcript() {
        let terms = OrderTerms { count: 100, interval_us: 50_000, size: 484 };
        let placed = |state| OrderEvent::Placed {
            order: 4,
            by: name("anna"),
            from: name("bea"),
            to: name("carl"),
            terms,
            state,
        };
        let figures = OrderFigures {
            sent: 100,
            on_time: 97,
            lost_up: 2,
            lost_down: 1,
            rtt_p50_us: Some(12_100.0),
            rtt_p99_us: Some(40_300.0),
            ..OrderFigures::default()
        };
        let result = |to_room, figures| OrderEvent::Result { order: 4, from: name("bea"), to_room, figures };
        let host = OrderEvent::Host {
            order: 4,
            host: name("carl"),
            busy: 3,
            seconds: 5,
            reasons: vec!["steal 12 %".into(), "UDP receive buffers full, 41 dropped".into()],
        };
        let way = |way| OrderEvent::Way { order: 4, to: name("carl"), way };
        for (event, text) in [
            (
                placed(Placed::Asked),
                "-- #4 bea to carl: 100 probes, every 50 ms, 164 kbit/s for 5 s. asked carl",
            ),
            (
                placed(Placed::Accepted),
                "-- #4 bea to carl: 100 probes, every 50 ms, 164 kbit/s for 5 s. carl accepts",
            ),
            (way(FoundWay::Direct(None)), "-- #4 carl agrees, direct (members see the addresses)"),
            (
                way(FoundWay::Direct(Some(([192, 0, 2, 7], 40_000).into()))),
                "-- #4 carl agrees, direct to 192.0.2.7:40000",
            ),
            (
                way(FoundWay::None(Some(name("carl")))),
                "-- #4 carl agrees, no direct way (carl's NAT changes ports): each is measured to the room, not the path between them",
            ),
            (
                result(false, figures.clone()),
                "-- #4 100 sent, 97 on time, lost up 2 down 1, rtt p50/p99 12.1/40.3 ms",
            ),
            (
                result(true, OrderFigures { sent: 1, on_time: 1, ..OrderFigures::default() }),
                "-- #4 bea to the room: 1 sent, 1 on time",
            ),
            (
                result(false, OrderFigures { sent: 9, on_time: 6, lost_up: 1, ..OrderFigures::default() }),
                "-- #4 9 sent, 6 on time, 2 late, lost up 1",
            ),
            (
                host,
                "-- #4 carl was BUSY: steal 12 %, UDP receive buffers full, 41 dropped in 3 of 5 s: suspect the host first",
            ),
            (OrderEvent::Done { order: 4 }, ""),
        ] {
            assert_eq!(event.text(), text);
            let json = serde_json::to_string(&event).unwrap();
            assert_eq!(serde_json::from_str::<OrderEvent>(&json).unwrap(), event, "{json}");
        }
    }
}
