//! Finds the other dialects that a host speaks: the opening of each, and how its answer is recognised.

use crate::time::{Duration, Instant};
use crate::wire::stamp::{self, ErrorEstimate, Format, Mode, Reply, Request, Timestamp};
use crate::wire::{irtt, text, twamp_control};

/// A dialect besides the native one, as a user asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherDialect {
    /// STAMP and TWAMP-Light.
    Stamp,
    /// TWAMP with its control connection over TCP.
    Twamp,
    /// That of irtt's servers.
    Irtt,
    /// RFC 862 echo.
    Plain,
    /// That of the exercise servers.
    Text,
}

impl OtherDialect {
    /// In the order of what they tell of a path.
    pub const ALL: [Self; 5] = [Self::Stamp, Self::Twamp, Self::Irtt, Self::Plain, Self::Text];

    /// Its name in a sentence.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Stamp => "STAMP",
            Self::Twamp => "TWAMP",
            Self::Irtt => "irtt",
            Self::Plain => "plain echo",
            Self::Text => "text",
        }
    }

    /// The option of `ping` that speaks it.
    pub const fn option(self) -> &'static str {
        match self {
            Self::Stamp => "--stamp",
            Self::Twamp => "--twamp",
            Self::Irtt => "--irtt",
            Self::Plain => "--plain",
            Self::Text => "--text",
        }
    }

    /// Where its servers listen, unless told otherwise; of TWAMP the TCP port.
    pub const fn usual_port(self) -> u16 {
        match self {
            Self::Stamp => stamp::PORT,
            Self::Twamp => twamp_control::PORT,
            Self::Irtt => irtt::PORT,
            Self::Plain => 7,
            Self::Text => 8080,
        }
    }
}

/// The one datagram by which a host is asked for a dialect.
#[derive(Clone, Debug)]
pub struct Opening {
    dialect: OtherDialect,
    datagram: Vec<u8>,
    /// By the wall clock.
    sent: Instant,
}

impl Opening {
    const SECOND: i64 = 1_000_000_000;

    /// `draw` is unguessable; `now` is of the wall clock. TWAMP has no datagram: its server speaks first.
    pub fn new(dialect: OtherDialect, draw: u64, now: Instant) -> Self {
        let datagram = match dialect {
            OtherDialect::Stamp => {
                let mut datagram = vec![0; Mode::Open.base()];
                Request {
                    seq: 0,
                    sent: Timestamp::from_unix(now.as_nanos(), Format::Ntp),
                    error: ErrorEstimate::new(false, Format::Ntp, Duration::from_secs(1)),
                    ssid: draw.to_le_bytes()[0].into(),
                }
                .emit(Mode::Open, &mut datagram);
                datagram
            }
            OtherDialect::Twamp => Vec::new(),
            // To be closed at once: it opens no session.
            OtherDialect::Irtt => {
                let params = irtt::Params {
                    duration: Self::SECOND,
                    interval: Self::SECOND,
                    ..irtt::Params::default()
                };
                irtt::Packet::emit_long_open(&params, true, None)
            }
            OtherDialect::Plain => [draw >> 8 | 0xEC << 56, draw, !draw, draw].map(u64::to_be_bytes).concat(),
            OtherDialect::Text => {
                let mut datagram = vec![0; 16];
                let length = text::emit_calibrate(512, &mut datagram);
                datagram.truncate(length);
                datagram
            }
        };
        Self { dialect, datagram, sent: now }
    }

    /// The datagram to send; empty for TWAMP.
    pub fn datagram(&self) -> &[u8] {
        &self.datagram
    }

    /// The dialect that an answer shows. An echo server returns what it is sent, whatever that is.
    pub fn hear(&self, answer: &[u8]) -> Option<OtherDialect> {
        if !self.datagram.is_empty() && answer == self.datagram {
            return Some(OtherDialect::Plain);
        }
        let shown = match self.dialect {
            OtherDialect::Stamp => self.is_reflected(answer),
            OtherDialect::Twamp => answer.first_chunk().is_some_and(twamp_control::is_greeting),
            OtherDialect::Irtt => {
                irtt::Packet::parse(answer, None).is_ok_and(|packet| packet.open && packet.reply)
            }
            OtherDialect::Plain => false,
            OtherDialect::Text => answer.starts_with(text::CALIBRATED),
        };
        shown.then_some(self.dialect)
    }

    /// Our own time came back, or in a reply too short for that stands one of today.
    fn is_reflected(&self, answer: &[u8]) -> bool {
        let request = Request::parse(Mode::Open, &self.datagram);
        let (Some(reply), Some(request)) = (Reply::parse(Mode::Open, answer), request) else { return false };
        match reply.echoed {
            Some(echoed) => (echoed.seq, echoed.sent) == (request.seq, request.sent),
            None => reply.sent.read(reply.error.format, self.sent.as_nanos()).is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant::from_nanos(1_795_831_200_000_000_000);

    fn opening(dialect: OtherDialect) -> Opening {
        Opening::new(dialect, 0x1234_5678_9ABC_DEF0, NOW)
    }

    #[test]
    fn an_echo_of_any_opening_is_plain_echo() {
        for dialect in OtherDialect::ALL {
            let opening = opening(dialect);
            let heard = opening.hear(opening.datagram());
            let expected = (dialect != OtherDialect::Twamp).then_some(OtherDialect::Plain);
            assert_eq!(heard, expected, "{dialect:?}");
        }
    }

    #[test]
    fn a_reflector_shows_itself_by_the_time_that_it_returns_or_by_its_own() {
        let opening = opening(OtherDialect::Stamp);
        let request = Request::parse(Mode::Open, opening.datagram()).unwrap();
        let today = Timestamp::from_unix(NOW.as_nanos() + 5_000_000, Format::Ntp);
        let echoed = stamp::Echoed { seq: 0, sent: request.sent, error: request.error };
        let reply = Reply {
            seq: 7,
            sent: today,
            error: request.error,
            ssid: 0,
            received: Some(today),
            echoed: Some(echoed),
            ttl: None,
            tos: None,
        };
        let mut datagram = vec![0; 44];
        reply.emit(Mode::Open, &mut datagram);
        assert_eq!(opening.hear(&datagram), Some(OtherDialect::Stamp));
        assert_eq!(opening.hear(&datagram[..14]), Some(OtherDialect::Stamp), "a short reply");
        datagram[30] ^= 1;
        assert_eq!(opening.hear(&datagram), None, "not our time");
        assert_eq!(opening.hear(&[0x5A; 64]), None, "some other server");
        assert_eq!(opening.hear(&[0x5A; 14]), None);
    }

    #[test]
    fn an_irtt_server_a_twamp_server_and_a_text_server_are_told_by_their_first_answer() {
        let (duration, interval) = (Opening::SECOND, Opening::SECOND);
        let params = irtt::Params { duration, interval, ..irtt::Params::default() };
        let reply = irtt::Packet::emit_open_reply(0, &params, true, None);
        assert_eq!(opening(OtherDialect::Irtt).hear(&reply), Some(OtherDialect::Irtt));
        assert!(opening(OtherDialect::Irtt).datagram().len() >= reply.len());
        assert_eq!(opening(OtherDialect::Irtt).hear(&reply[..3]), None);
        let mut greeting = [0; 64];
        greeting[15] = 1;
        assert_eq!(opening(OtherDialect::Twamp).hear(&greeting), Some(OtherDialect::Twamp));
        assert_eq!(opening(OtherDialect::Twamp).hear(&greeting[..63]), None);
        assert_eq!(opening(OtherDialect::Twamp).hear(&[b'S'; 64]), None, "SSH");
        assert_eq!(opening(OtherDialect::Text).hear(text::CALIBRATED), Some(OtherDialect::Text));
        assert_eq!(opening(OtherDialect::Text).hear(text::ACKNOWLEDGED), None);
    }
}
