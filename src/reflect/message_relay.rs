//! The message relay by address: `to : IP / PORT ; content : TEXT`, answered with a code.
//!
//! The wording and the order of the checks are those of the exercise. Two rules are ours, against its use
//! as a reflector: messages go only to addresses that said `hii` themselves within ten minutes, and a
//! client sends 10 a second after a burst of 20, of at most 1,024 bytes.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use crate::meter::Meter;
use crate::time::{Duration, Instant};

/// The participants, by address.
#[derive(Clone, Debug, Default)]
pub(super) struct MessageRelay {
    members: HashMap<SocketAddr, Member>,
}

#[derive(Clone, Copy, Debug)]
struct Member {
    greeted: Instant,
    messages: Meter,
}

/// The messages that answer a datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RelayAnswer {
    /// To the sender.
    Reply(String),
    /// To the target; the sender is told that it was sent.
    Deliver {
        /// The target.
        to: SocketAddr,
        /// The message to the target.
        text: String,
        /// The reply to the sender.
        reply: String,
    },
    /// The sender asks the server to stop.
    Stop,
    /// More than a client may send: nothing.
    Silence,
}

impl MessageRelay {
    const REMEMBERED: Duration = Duration::from_secs(600);
    const MEMBERS: usize = 4_096;
    const LONGEST: usize = 1_024;
    const PER_MESSAGE: Duration = Duration::from_millis(100);
    const BURST: i64 = 20;
    /// The code of a text that has no `;`.
    pub(super) const NO_MESSAGE: &str = "400";

    /// Whether this datagram opens the relay, or is of a client of it: others speak another dialect.
    pub(super) fn claims(&self, now: Instant, from: SocketAddr, datagram: &[u8]) -> bool {
        datagram.eq_ignore_ascii_case(b"hii") || self.knows(now, from)
    }

    /// `claims` must have said yes.
    pub(super) fn handle(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) -> RelayAnswer {
        if datagram.eq_ignore_ascii_case(b"hii") {
            return self.greet(now, from);
        }
        if !self.pays(now, from) {
            return RelayAnswer::Silence;
        }
        let text = String::from_utf8_lossy(&datagram[..datagram.len().min(Self::LONGEST)]);
        if text == "exit server" {
            return RelayAnswer::Stop;
        }
        // Another server echoes it: an answer would come back forever.
        if is_answer(&text) {
            return RelayAnswer::Silence;
        }
        match parse(&text) {
            Err(code) => RelayAnswer::Reply(code.to_owned()),
            Ok(message) => match message.target().filter(|to| *to != from && self.knows(now, *to)) {
                Some(to) => RelayAnswer::Deliver {
                    to,
                    text: format!("{}/{} ; content : {}", from.ip(), from.port(), message.content),
                    reply: "200, UDP Packet Sent Successfully".to_owned(),
                },
                None => {
                    RelayAnswer::Reply("405, Could not send the message to the requested address".to_owned())
                }
            },
        }
    }

    fn knows(&self, now: Instant, address: SocketAddr) -> bool {
        self.members.get(&address).is_some_and(|member| now - member.greeted <= Self::REMEMBERED)
    }

    /// The answer is the sender's own address, as Python prints a pair.
    fn greet(&mut self, now: Instant, from: SocketAddr) -> RelayAnswer {
        if self.members.len() >= Self::MEMBERS && !self.members.contains_key(&from) {
            self.members.retain(|_, member| now - member.greeted <= Self::REMEMBERED);
            if self.members.len() >= Self::MEMBERS {
                return RelayAnswer::Silence;
            }
        }
        let member = self.members.entry(from).or_insert(Member { greeted: now, messages: Meter::default() });
        member.greeted = now;
        if !self.pays(now, from) {
            return RelayAnswer::Silence;
        }
        RelayAnswer::Reply(format!("('{}', {})", from.ip(), from.port()))
    }

    /// Whether one more message is within the burst.
    fn pays(&mut self, now: Instant, from: SocketAddr) -> bool {
        let burst = Self::PER_MESSAGE * Self::BURST;
        let member = self.members.get_mut(&from);
        member.is_some_and(|member| member.messages.admits(now, Self::PER_MESSAGE, burst))
    }
}

/// Whether it is what the relay itself answers.
fn is_answer(text: &str) -> bool {
    let is_code = |code: &str| code.len() == 3 && code.starts_with("40");
    is_code(text) || text.starts_with("405, Could") || text.starts_with("200, UDP") || text.starts_with("('")
}

struct Message<'a> {
    ip: &'a str,
    port: i64,
    content: &'a str,
}

impl Message<'_> {
    fn target(&self) -> Option<SocketAddr> {
        let (ip, port): (IpAddr, u16) = (self.ip.parse().ok()?, self.port.try_into().ok()?);
        Some(SocketAddr::new(ip, port))
    }
}

/// The checks in the order of the exercise; the error is the code.
fn parse(text: &str) -> Result<Message<'_>, &'static str> {
    let (header, data) = text.split_once(';').ok_or(MessageRelay::NO_MESSAGE)?;
    let header: Vec<&str> = header.split(':').collect();
    let data: Vec<&str> = data.split(':').collect();
    let (&[to, address], &[word, content]) = (&header[..], &data[..]) else { return Err("401") };
    let address: Vec<&str> = address.split('/').collect();
    let &[ip, port] = &address[..] else { return Err("401") };
    if to.trim() != "to" {
        return Err("402");
    }
    let port = port.trim().parse().map_err(|_| "403")?;
    if word.trim() != "content" {
        return Err("404");
    }
    Ok(Message { ip: ip.trim(), port, content: content.trim() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn address(last: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, last], 54_321))
    }

    fn reply(text: &str) -> RelayAnswer {
        RelayAnswer::Reply(text.to_owned())
    }

    fn relay_of(members: &[u8]) -> MessageRelay {
        let mut relay = MessageRelay::default();
        for last in members {
            relay.handle(Instant::ZERO, address(*last), b"hii");
        }
        relay
    }

    #[test]
    fn hii_is_answered_with_the_own_address_in_any_case() {
        let mut relay = MessageRelay::default();
        for word in ["hii", "HII", "Hii"] {
            assert!(relay.claims(Instant::ZERO, address(7), word.as_bytes()));
            let answer = relay.handle(Instant::ZERO, address(7), word.as_bytes());
            assert_eq!(answer, reply("('10.0.0.7', 54321)"));
        }
        assert!(!relay.claims(Instant::ZERO, address(8), b"C 512"));
    }

    #[test]
    fn each_mistake_has_its_code() {
        for (text, code) in [
            ("no semicolon", "400"),
            ("to 10.0.0.8/1 ; content : x", "401"),
            ("to : 10.0.0.8 ; content : x", "401"),
            ("to : 10.0.0.8/1/2 ; content : x", "401"),
            ("to : 10.0.0.8/1 ; content x", "401"),
            ("to : 10.0.0.8/1 ; content : a:b", "401"),
            ("for : 10.0.0.8/abc ; text : x", "402"),
            ("to : 10.0.0.8/abc ; text : x", "403"),
            ("to : 10.0.0.8/1 ; text : x", "404"),
            ("to : 10.0.0.8/1 ; content : x", "405, Could not send the message to the requested address"),
        ] {
            assert_eq!(
                relay_of(&[7]).handle(Instant::ZERO, address(7), text.as_bytes()),
                reply(code),
                "{text}"
            );
        }
    }

    #[test]
    fn a_message_reaches_an_address_that_said_hii_itself() {
        let mut relay = relay_of(&[7, 8]);
        for text in ["to : 10.0.0.8 / 54321 ; content : hello", "to:10.0.0.8/54321;content:hello"] {
            let answer = relay.handle(Instant::ZERO, address(7), text.as_bytes());
            let text = "10.0.0.7/54321 ; content : hello".to_owned();
            let reply = "200, UDP Packet Sent Successfully".to_owned();
            assert_eq!(answer, RelayAnswer::Deliver { to: address(8), text, reply });
        }
        let later = Instant::ZERO + Duration::from_secs(601);
        relay.handle(later, address(7), b"hii");
        let answer = relay.handle(later, address(7), b"to:10.0.0.8/54321;content:hello");
        assert_eq!(answer, reply("405, Could not send the message to the requested address"));
    }

    #[test]
    fn what_the_relay_answered_is_not_answered_again() {
        let mut relay = relay_of(&[7, 8]);
        for text in ["hii", "x", "a;b", "to:10.0.0.9/1;content:x", "to:10.0.0.8/54321;content:x"] {
            let answer = match relay.handle(Instant::ZERO, address(7), text.as_bytes()) {
                RelayAnswer::Reply(answer) | RelayAnswer::Deliver { reply: answer, .. } => answer,
                other => panic!("{text}: {other:?}"),
            };
            let again = relay.handle(Instant::ZERO, address(7), answer.as_bytes());
            assert_eq!(again, RelayAnswer::Silence, "{answer}");
        }
    }

    #[test]
    fn a_client_sends_twenty_at_once_and_then_ten_a_second() {
        let mut relay = relay_of(&[7]);
        let mut sent = |from: i64, count: i64, step: i64| {
            let at = |n| Instant::ZERO + Duration::from_millis(from + n * step);
            (0..count).filter(|n| relay.handle(at(*n), address(7), b"x") != RelayAnswer::Silence).count()
        };
        // The greeting was the first of the burst.
        assert_eq!(sent(0, 100, 0), 19);
        assert_eq!(sent(100, 1_000, 10), 100);
    }

    /// A transcription of the exercise's checks, line by line.
    fn oracle(text: &str) -> Option<&'static str> {
        if !text.contains(';') {
            return Some("400");
        }
        let (header, data) = text.split_once(';').unwrap();
        if header.matches(':').count() != 1 || data.matches(':').count() != 1 {
            return Some("401");
        }
        let (word, address) = header.split_once(':').unwrap();
        if address.matches('/').count() != 1 {
            return Some("401");
        }
        if word.trim() != "to" {
            return Some("402");
        }
        if address.split_once('/').unwrap().1.trim().parse::<i64>().is_err() {
            return Some("403");
        }
        if data.split_once(':').unwrap().0.trim() != "content" {
            return Some("404");
        }
        None
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]
        #[test]
        fn codes_are_those_of_the_exercise(parts in proptest::collection::vec(
            prop_oneof![Just("to"), Just("content"), Just(":"), Just(";"), Just("/"), Just(" "), Just("10.0.0.8"), Just("99"), Just("x")], 0..14)) {
            let text = parts.concat();
            prop_assert_eq!(parse(&text).err(), oracle(&text), "{}", text);
        }

        #[test]
        fn any_bytes_are_survived(datagram in proptest::collection::vec(any::<u8>(), 0..1_500)) {
            relay_of(&[7]).handle(Instant::ZERO, address(7), &datagram);
        }
    }
}
