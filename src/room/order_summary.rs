//! The outcome of an order in one piece: for scripts, and for the transcript.

use serde::{Deserialize, Serialize};

use super::name::Name;
use super::order_event::{OrderFigures, OrderTask};
use super::orders::OrderNumber;
use super::ports::PortsFound;

/// An order that was carried out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrderSummary {
    /// Its number.
    pub order: OrderNumber,
    /// The member who ordered it.
    pub by: Name,
    /// The host that measured, or knocked.
    pub from: Name,
    /// The host that answered, or listened.
    pub to: Name,
    /// The terms of the measurement, or the ports.
    pub terms: OrderTask,
    /// Of a measurement: one to the other host, or one of each host to the room.
    pub results: Vec<HostResult>,
    /// Of a check of ports: every port once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ports: Option<PortsFound>,
    /// How busy the two hosts were meanwhile.
    pub hosts: Vec<HostBusy>,
    /// The numbers of the recorded runs on the shelf.
    pub runs: Vec<u32>,
}

/// The result of one host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostResult {
    /// The measuring host.
    pub host: Name,
    /// To the room, for lack of a way.
    pub to_room: bool,
    /// Counts and round-trip times.
    pub figures: OrderFigures,
}

/// How often a host was busy during an order, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostBusy {
    /// The host.
    pub host: Name,
    /// Seconds that were looked at.
    pub seconds: u32,
    /// Busy seconds.
    pub busy: u32,
    /// Why it was busy: each kind once.
    pub reasons: Vec<String>,
}

impl OrderSummary {
    /// In one line, for the page of a kept room.
    pub(super) fn line(&self) -> String {
        let mut parts = vec![format!("#{} {} to {}", self.order, self.from, self.to)];
        for result in &self.results {
            let whom = if result.to_room { format!("{} to the room: ", result.host) } else { String::new() };
            parts.push(whom + &result.figures.words());
        }
        if let (OrderTask::Ports(check), Some(ports)) = (self.terms, &self.ports) {
            parts.push(check.words(ports, &self.to));
        }
        let busy = self.hosts.iter().filter(|host| host.busy > 0);
        parts.extend(busy.map(HostBusy::words));
        parts.join("; ")
    }
}

impl HostBusy {
    fn words(&self) -> String {
        let Self { host, seconds, busy, reasons } = self;
        format!("{host} was busy in {busy} of {seconds} s: {}", reasons.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::order_event::OrderTerms;
    use crate::room::ports::{Opened, PortCheck, PortFate, PortProtocol, PortSet};

    #[test]
    fn a_line_has_the_results_and_the_busy_hosts() {
        let name = |text| Name::new(text).unwrap();
        let figures = |sent| OrderFigures { sent, on_time: sent, ..OrderFigures::default() };
        let busy = |host, busy| HostBusy { host, seconds: 5, busy, reasons: vec!["steal 12 %".to_owned()] };
        let mut summary = OrderSummary {
            order: 4,
            by: name("anna"),
            from: name("bea"),
            to: name("carl"),
            terms: OrderTask::Ping(OrderTerms { count: 100, interval_us: 50_000, size: 512 }),
            ports: None,
            results: vec![HostResult { host: name("bea"), to_room: false, figures: figures(100) }],
            hosts: vec![busy(name("bea"), 0), busy(name("carl"), 3)],
            runs: vec![7],
        };
        assert_eq!(
            summary.line(),
            "#4 bea to carl; 100 sent, 100 on time; carl was busy in 3 of 5 s: steal 12 %"
        );
        summary.hosts.clear();
        summary.results = [name("bea"), name("carl")]
            .map(|host| HostResult { host, to_room: true, figures: figures(1) })
            .into();
        assert_eq!(
            summary.line(),
            "#4 bea to carl; bea to the room: 1 sent, 1 on time; carl to the room: 1 sent, 1 on time"
        );
        let check = PortCheck { range: "33000-33001".parse().unwrap(), protocol: PortProtocol::Udp };
        let knocked = [(PortFate::Open, "33000".parse().unwrap())].into();
        summary.terms = OrderTask::Ports(check);
        summary.ports = Some(PortsFound::of(&check, &Opened::default(), &PortSet::default(), &knocked));
        summary.results.clear();
        assert_eq!(
            summary.line(),
            "#4 bea to carl; UDP ports 33000-33001: 1 open (33000), 1 not asked (33001)"
        );
    }
}
