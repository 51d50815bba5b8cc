//! A NAT between the relay and the server: when it gives a flow another port, when it forgets a flow, and
//! which answers it lets in. A function of time and of the flow's own datagrams, without any draw.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::time::{Duration, Instant};
use crate::units::{UnitError, parse_duration};

const EXAMPLE: &str = "rebind=1s+5s,old=drop,expire=30s";

/// The behaviour of a NAT; by default it changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nat {
    rebind: Option<Rebind>,
    old: OldPort,
    expire: Option<Duration>,
    filter: Filter,
    /// The next datagrams of a flow go to the port of the server that answered last.
    follow: bool,
    via: Vec<IpAddr>,
}

/// A flow gets another port so long after its first datagram, and then again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rebind {
    first: Duration,
    every: Option<Duration>,
}

/// Whether answers to an earlier port of the flow pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum OldPort {
    #[default]
    Drop,
    Pass,
}

/// The senders that a port lets in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Filter {
    /// The server's address and port.
    #[default]
    AddressAndPort,
    /// Any port of the server's address.
    Address,
    /// Any address.
    Any,
}

/// Where a datagram toward a client came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// The server.
    Server,
    /// Another port of the server's address.
    OtherPort,
    /// Another address.
    OtherAddress,
}

impl Nat {
    const LEAST: Duration = Duration::from_millis(10);

    /// Whether it does nothing.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a port lets in others than the server.
    pub(crate) fn is_open(&self) -> bool {
        self.follow || self.filter != Filter::AddressAndPort
    }

    /// Whether a flow goes on with the port of the server that answered last.
    pub fn follows(&self) -> bool {
        self.follow
    }

    /// The own address to send from; none leaves the choice to the system.
    pub fn local_ip(&self, port: u32) -> Option<IpAddr> {
        let turn = port.checked_sub(1)? as usize;
        self.via.get(turn.checked_rem(self.via.len())?).copied()
    }

    fn lets_in(&self, sender: Sender) -> bool {
        match sender {
            Sender::Server => true,
            Sender::OtherPort => self.is_open(),
            Sender::OtherAddress => self.filter == Filter::Any,
        }
    }

    /// How often a flow of this age has had to get another port.
    fn turns(&self, age: Duration) -> u64 {
        let Some(Rebind { first, every }) = self.rebind else { return 0 };
        let since = age - first;
        match every {
            _ if since.is_negative() => 0,
            None => 1,
            Some(every) => 1 + (since.as_nanos() / every.as_nanos()).unsigned_abs(),
        }
    }
}

/// The NAT of one flow, and what it knows of it.
#[derive(Clone, Debug)]
pub(super) struct NatState {
    nat: Nat,
    /// When the times of `rebind` began to count.
    began: Instant,
    last_outbound: Instant,
    /// Counts the ports that the flow has had.
    port: u32,
    turns: u64,
    /// The next datagram toward the server leaves from another port.
    is_asked: bool,
    /// Ports before this one were forgotten.
    forgotten: u32,
}

impl NatState {
    pub(super) fn new(nat: Nat, now: Instant) -> Self {
        Self { nat, began: now, last_outbound: now, port: 0, turns: 0, is_asked: false, forgotten: 0 }
    }

    pub(super) fn nat(&self) -> &Nat {
        &self.nat
    }

    /// Another NAT from now on: its times count anew.
    pub(super) fn set(&mut self, nat: &Nat, now: Instant) {
        if self.nat != *nat {
            (self.nat, self.began, self.turns) = (nat.clone(), now, 0);
        }
    }

    /// The NAT forgets the flow's port, whatever its times say.
    pub(super) fn rebind(&mut self) {
        self.is_asked = true;
    }

    /// A datagram leaves for the server: the number of the flow's port, if it is another one from now on.
    pub(super) fn outbound(&mut self, now: Instant) -> Option<u32> {
        let turns = self.nat.turns(now - self.began);
        let expired = self.is_expired(now);
        self.last_outbound = self.last_outbound.max(now);
        if !expired && !self.is_asked && turns <= self.turns {
            return None;
        }
        self.turns = turns.max(self.turns);
        self.is_asked = false;
        self.port += 1;
        if expired {
            self.forgotten = self.port;
        }
        Some(self.port)
    }

    /// Whether a datagram that came to this port of the flow reaches the client.
    pub(super) fn admits(&self, now: Instant, port: u32, sender: Sender) -> bool {
        let is_due = self.is_asked || self.nat.turns(now - self.began) > self.turns;
        let is_current = port == self.port && !is_due;
        let is_known = is_current || self.nat.old == OldPort::Pass && port >= self.forgotten;
        is_known && !self.is_expired(now) && self.nat.lets_in(sender)
    }

    fn is_expired(&self, now: Instant) -> bool {
        self.nat.expire.is_some_and(|expire| now - self.last_outbound >= expire)
    }
}

impl FromStr for Nat {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let mut nat = Self::default();
        let mut seen: Vec<&str> = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty() && *part != "none") {
            let bad = |why: &str| UnitError::new(format!("'{part}' {why}"), EXAMPLE);
            let (key, value) = part.split_once('=').ok_or_else(|| bad("is not key=value"))?;
            if seen.contains(&key) {
                return Err(bad("is given twice"));
            }
            seen.push(key);
            match (key, value) {
                ("rebind", times) => nat.rebind = Some(times.parse()?),
                ("old", "drop") => nat.old = OldPort::Drop,
                ("old", "pass") => nat.old = OldPort::Pass,
                ("old", _) => return Err(bad("is not drop or pass")),
                ("expire", time) => nat.expire = Some(length(time)?),
                ("filter", "address+port") => nat.filter = Filter::AddressAndPort,
                ("filter", "address") => nat.filter = Filter::Address,
                ("filter", "any") => nat.filter = Filter::Any,
                ("filter", _) => return Err(bad("is not address+port, address or any")),
                ("follow", "port") => nat.follow = true,
                ("follow", _) => return Err(bad("is not follow=port")),
                ("via", addresses) => {
                    let addresses = addresses.split('+').map(str::parse).collect::<Result<_, _>>();
                    nat.via = addresses.map_err(|_| bad("is no list of addresses, as in via=127.0.0.2"))?;
                }
                _ => return Err(bad("is unknown (rebind, old, expire, filter, follow, via)")),
            }
        }
        Ok(nat)
    }
}

impl FromStr for Rebind {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let (first, every) = text.split_once('+').map_or((text, None), |(first, every)| (first, Some(every)));
        Ok(Self { first: length(first)?, every: every.map(length).transpose()? })
    }
}

fn length(text: &str) -> Result<Duration, UnitError> {
    let length = parse_duration(text)?;
    if length < Nat::LEAST {
        return Err(UnitError::new(format!("{text} must be at least 10ms"), EXAMPLE));
    }
    Ok(length)
}

impl fmt::Display for Nat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts: Vec<String> = Vec::new();
        if let Some(Rebind { first, every }) = self.rebind {
            let every = every.map_or(String::new(), |every| format!("+{every}"));
            parts.push(format!("rebind={first}{every}"));
        }
        if self.old == OldPort::Pass {
            parts.push("old=pass".to_owned());
        }
        parts.extend(self.expire.map(|expire| format!("expire={expire}")));
        match self.filter {
            Filter::AddressAndPort => {}
            Filter::Address => parts.push("filter=address".to_owned()),
            Filter::Any => parts.push("filter=any".to_owned()),
        }
        if self.follow {
            parts.push("follow=port".to_owned());
        }
        if !self.via.is_empty() {
            let addresses: Vec<String> = self.via.iter().map(IpAddr::to_string).collect();
            parts.push(format!("via={}", addresses.join("+")));
        }
        f.write_str(if parts.is_empty() { "none" } else { "" })?;
        f.write_str(&parts.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    #[test]
    fn it_reads_what_it_prints() {
        for (typed, printed) in [
            ("", "none"),
            ("none", "none"),
            ("rebind=1s+5s,old=drop", "rebind=1s+5s"),
            ("rebind=2,old=pass,expire=30s", "rebind=2s,old=pass,expire=30s"),
            ("filter=any,via=127.0.0.2+127.0.0.3", "filter=any,via=127.0.0.2+127.0.0.3"),
            ("filter=address+port", "none"),
            ("filter=address,via=::1", "filter=address,via=::1"),
            ("follow=port", "follow=port"),
        ] {
            let nat: Nat = typed.parse().unwrap();
            assert_eq!(nat.to_string(), printed);
            assert_eq!(printed.parse::<Nat>().unwrap(), nat);
        }
        for (text, why) in [
            ("rebind", "'rebind' is not key=value"),
            ("rebind=1ms", "1ms must be at least 10ms"),
            ("old=keep", "'old=keep' is not drop or pass"),
            ("filter=cone", "'filter=cone' is not address+port"),
            ("via=lo", "'via=lo' is no list of addresses"),
            ("expire=1s,expire=2s", "'expire=2s' is given twice"),
            ("follow=address", "'follow=address' is not follow=port"),
            ("hairpin=yes", "'hairpin=yes' is unknown"),
        ] {
            let error = text.parse::<Nat>().unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn a_flow_gets_another_port_with_the_first_datagram_after_it_is_due() {
        let nat: Nat = "rebind=1s+5s".parse().unwrap();
        let mut state = NatState::new(nat, at(0));
        let ports: Vec<Option<u32>> =
            [0, 999, 1_000, 1_001, 5_999, 6_000, 30_000].map(|ms| state.outbound(at(ms))).to_vec();
        assert_eq!(ports, [None, None, Some(1), None, None, Some(2), Some(3)]);
    }

    #[test]
    fn answers_to_an_old_port_are_dropped_or_pass() {
        for (text, passes) in [("rebind=1s", false), ("rebind=1s,old=pass", true)] {
            let nat: Nat = text.parse().unwrap();
            let mut state = NatState::new(nat, at(0));
            assert!(state.admits(at(999), 0, Sender::Server));
            // The NAT has forgotten the port before the client sends again.
            assert_eq!(state.admits(at(1_000), 0, Sender::Server), passes, "{text}");
            state.outbound(at(1_100));
            assert_eq!(state.admits(at(1_200), 0, Sender::Server), passes, "{text}");
            assert!(state.admits(at(1_200), 1, Sender::Server));
        }
    }

    #[test]
    fn a_port_may_be_forgotten_on_request_and_another_nat_counts_anew() {
        let mut state = NatState::new(Nat::default(), at(0));
        state.rebind();
        assert!(!state.admits(at(10), 0, Sender::Server), "forgotten before the client sends again");
        assert_eq!((state.outbound(at(20)), state.outbound(at(21))), (Some(1), None));
        assert!(state.admits(at(22), 1, Sender::Server));
        let nat = "rebind=1s+1s".parse().unwrap();
        state.set(&nat, at(10_000));
        assert_eq!((state.outbound(at(10_999)), state.outbound(at(11_000))), (None, Some(2)));
        // The same once more changes nothing.
        state.set(&nat, at(11_500));
        assert_eq!(state.outbound(at(12_000)), Some(3));
    }

    #[test]
    fn a_mapping_without_outbound_traffic_expires() {
        let nat: Nat = "expire=30s,old=pass".parse().unwrap();
        let mut state = NatState::new(nat, at(0));
        assert_eq!(state.outbound(at(20_000)), None);
        assert!(state.admits(at(49_999), 0, Sender::Server));
        assert!(!state.admits(at(50_000), 0, Sender::Server));
        assert_eq!(state.outbound(at(50_000)), Some(1));
        assert!(state.admits(at(50_001), 1, Sender::Server));
        assert!(!state.admits(at(50_001), 0, Sender::Server), "it was forgotten, not replaced");
    }

    #[test]
    fn a_filter_lets_in_whom_it_names() {
        const SENDERS: [Sender; 3] = [Sender::Server, Sender::OtherPort, Sender::OtherAddress];
        for (text, let_in) in [
            ("none", [true, false, false]),
            ("filter=address", [true, true, false]),
            ("follow=port", [true, true, false]),
            ("filter=any", [true, true, true]),
        ] {
            let nat: Nat = text.parse().unwrap();
            let state = NatState::new(nat, at(0));
            assert_eq!(SENDERS.map(|sender| state.admits(at(1), 0, sender)), let_in, "{text}");
        }
    }

    #[test]
    fn the_addresses_of_via_are_taken_in_turn() {
        let nat: Nat = "rebind=1s+1s,via=127.0.0.2+127.0.0.3".parse().unwrap();
        let ends: Vec<Option<String>> =
            (0..4).map(|port| nat.local_ip(port).map(|ip| ip.to_string())).collect();
        assert_eq!(
            ends,
            [None, Some("127.0.0.2".into()), Some("127.0.0.3".into()), Some("127.0.0.2".into())]
        );
        assert_eq!(Nat::default().local_ip(3), None);
    }
}
