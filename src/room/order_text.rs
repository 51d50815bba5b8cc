//! Orders in the words that people are shown.

use std::fmt::Write;

use super::name::Name;
use super::order_event::{FoundWay, OrderEvent, OrderFigures, OrderTask, OrderTerms, Placed};
use super::orders::Terms;
use super::ports::{PortCheck, PortsFound};

impl OrderEvent {
    /// As a line of the room; empty where people are shown nothing.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Placed { order, from, to, terms, state, asked, .. } => {
                let state = match state {
                    Placed::Queued => "queued".to_owned(),
                    Placed::Asked => format!("asked {}", and(asked)),
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
            Self::Ports { order, to, check, ports, .. } => {
                format!("-- #{order} {}", check.words(ports, to))
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
            | Self::Knock { .. }
            | Self::Second { .. }
            | Self::Close { .. } => String::new(),
        }
    }
}

/// `bea and carl`.
fn and(names: &[Name]) -> String {
    let names: Vec<&str> = names.iter().map(Name::as_str).collect();
    names.join(" and ")
}

impl PortCheck {
    /// The fates of the ports of the listening host.
    pub(super) fn words(&self, ports: &PortsFound, to: &Name) -> String {
        format!("{} ports {}: {}", self.protocol.label(), self.range, ports.words(to.as_str()))
    }
}

impl OrderTask {
    fn words(self) -> String {
        match self {
            Self::Ping(terms) => terms.words(),
            Self::Ports(check) => {
                let PortCheck { range, protocol } = check;
                let seconds = check.length().as_secs_f64().ceil();
                format!("{} ports {range}, {seconds} s at most", protocol.label())
            }
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
            Self::Seen(None) => "no datagram comes through; its ports are asked all the same".to_owned(),
            Self::Seen(Some(address)) => {
                format!("no datagram comes through; its ports are asked at {address}, where the room sees it")
            }
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
        let late = [self.on_time, self.lost_up, self.lost_down, self.lost_other]
            .iter()
            .fold(self.sent, |left, more| left.saturating_sub(*more));
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
    use crate::room::ports::{Opened, PortFate, PortProtocol, PortSet};

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    #[test]
    fn an_order_reads_as_in_the_transcript() {
        let terms = OrderTask::Ping(OrderTerms { count: 100, interval_us: 50_000, size: 484 });
        let placed = |state, terms, asked: &[&str]| OrderEvent::Placed {
            order: 4,
            by: name("anna"),
            from: name("bea"),
            to: name("carl"),
            terms,
            state,
            asked: asked.iter().map(|asked| name(asked)).collect(),
        };
        let check = PortCheck { range: "33000-33009".parse().unwrap(), protocol: PortProtocol::Udp };
        let knocked = [(PortFate::Open, "33000-33008".parse().unwrap())].into();
        let ports = PortsFound::of(&check, &Opened::default(), &PortSet::default(), &knocked);
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
                placed(Placed::Asked, terms, &["carl"]),
                "-- #4 bea to carl: 100 probes, every 50 ms, 164 kbit/s for 5 s. asked carl",
            ),
            (
                placed(Placed::Accepted, terms, &[]),
                "-- #4 bea to carl: 100 probes, every 50 ms, 164 kbit/s for 5 s. carl accepts",
            ),
            (
                placed(Placed::Asked, OrderTask::Ports(check), &["bea", "carl"]),
                "-- #4 bea to carl: UDP ports 33000-33009, 5 s at most. asked bea and carl",
            ),
            (
                OrderEvent::Ports { order: 4, from: name("bea"), to: name("carl"), check, ports },
                "-- #4 UDP ports 33000-33009: 9 open (33000-33008), 1 not asked (33009)",
            ),
            (
                way(FoundWay::Seen(Some([192, 0, 2, 7].into()))),
                "-- #4 carl agrees, no datagram comes through; its ports are asked at 192.0.2.7, where the room sees it",
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
