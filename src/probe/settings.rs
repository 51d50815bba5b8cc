//! The settings of a run, and what the client counts besides its probes.

use serde::{Deserialize, Serialize};

use super::irtt::IrttOptions;
use crate::impair::Impairment;
use crate::rng::Seed;
use crate::schedule::Schedule;
use crate::time::{Duration, Instant};
use crate::units::Interval;
use crate::wire::auth::{Key, TAG};
use crate::wire::irtt;
use crate::wire::native;
use crate::wire::stamp::{self, Format, HmacKey, Mode, TlvKind};

/// A wire protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// The protocol of `udpecho serve`, with times and the fates of probes.
    #[default]
    Native,
    /// `C SIZE`, then a fixed answer to each datagram.
    Text,
    /// RFC 862 echo.
    Plain,
    /// RFC 8762 and TWAMP-Light.
    Stamp,
    /// irtt, protocol version 1.
    Irtt,
}

impl Dialect {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Native, Self::Text, Self::Plain, Self::Stamp, Self::Irtt];

    /// In lower case, as files and metrics have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Text => "text",
            Self::Plain => "plain",
            Self::Stamp => "stamp",
            Self::Irtt => "irtt",
        }
    }

    /// The smallest payload of a probe, without a tag.
    pub const fn min_size(self) -> u32 {
        match self {
            Self::Native => native::MIN_SIZE,
            Self::Text => 1,
            Self::Plain => 32,
            Self::Stamp => 44,
            Self::Irtt => 60,
        }
    }

    /// The same with a key; none where there are no keys.
    pub const fn min_keyed_size(self) -> Option<u32> {
        match self {
            Self::Native => Some(native::MIN_SIZE + TAG as u32),
            Self::Stamp => Some(112),
            Self::Irtt => Some(76),
            Self::Text | Self::Plain => None,
        }
    }

    /// Where its servers listen, unless told otherwise.
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Native | Self::Text => 8080,
            Self::Plain => 7,
            Self::Stamp => stamp::PORT,
            Self::Irtt => irtt::PORT,
        }
    }

    /// A udpecho server speaks it at its main port, and the others at ports of their own.
    pub const fn is_spoken_at_the_main_port(self) -> bool {
        !matches!(self, Self::Stamp | Self::Irtt)
    }

    /// Its probes bear a number, so one socket is enough and a frame that the kernel stamped is told apart.
    pub const fn numbers_probes(self) -> bool {
        !matches!(self, Self::Text)
    }
}

/// The settings of a run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The protocol to speak.
    pub dialect: Dialect,
    /// UDP payload of every probe.
    pub size: u32,
    /// The due times of the probes.
    pub schedule: Schedule,
    /// Time zero is the next time that lies this long behind a multiple of the longest interval, and so the same
    /// after a restart; none: as soon as the session is open.
    pub phase: Option<Duration>,
    /// Source ports by which probes take turns, and a silent one of which is compared with a fresh one; native
    /// dialect only. None: one port, which stays.
    pub flows: Option<u8>,
    /// None: until the run is stopped.
    pub count: Option<u64>,
    /// No probe is sent later than this after time zero.
    pub total: Option<Duration>,
    /// A reply is on time until this long after its probe was sent; none: until the next probe is due.
    pub deadline: Option<Duration>,
    /// A reply that comes this long after its deadline and after every hold is late; after that it is lost.
    pub grace: Duration,
    /// A probe whose reply was given up waits no longer than this for the server's word on it; none: as long as the
    /// dialect has it.
    pub query: Option<Duration>,
    /// Impairments for this session, if the server lets clients choose.
    pub requested_impairment: Option<Impairment>,
    /// While no server answers, keep asking.
    pub wait_for_server: bool,
    /// A server that says that it ends gets no probe until its successor is there, for a minute at most; native
    /// dialect only. Without it, probes are sent and lost.
    pub heed_ending: bool,
    /// Ask the server to stop at the end.
    pub stop_server: bool,
    /// Of nonces and payloads; from the operating system's random source.
    pub seed: Seed,
    /// Shared with the server; native dialect only.
    pub key: Option<Key>,
    /// Of the STAMP dialect.
    pub stamp: StampOptions,
    /// Of the irtt dialect.
    pub irtt: IrttOptions,
}

/// The fields of a STAMP sender's packets beside number and time.
#[derive(Clone, Debug, Default)]
pub struct StampOptions {
    /// Tells sessions of one address and port apart; zero for none, and one at random without it.
    pub ssid: Option<u16>,
    /// Of its timestamps.
    pub format: Format,
    /// In this order, before padding.
    pub tlvs: Vec<TlvKind>,
    /// With it, authenticated mode.
    pub key: Option<HmacKey>,
    /// The DSCP that a reply is asked to leave with.
    pub dscp: u8,
    /// Whether something keeps this host's clock in step with UTC, and how far it may be off.
    pub synchronized: bool,
    /// How far it may be off.
    pub clock_error: Duration,
}

impl StampOptions {
    const TLV_HEADER: u32 = 4;
    const HMAC: u32 = 16;

    /// Whether the class with which replies come is to be told.
    pub fn asks_for_class(&self) -> bool {
        self.tlvs.contains(&TlvKind::ClassOfService)
    }

    /// Bytes of a request without padding.
    pub fn least_size(&self) -> u32 {
        let mode = if self.key.is_some() { Mode::Authenticated } else { Mode::Open };
        let tlvs: u32 = self.tlvs.iter().map(|tlv| Self::TLV_HEADER + value_length(*tlv)).sum();
        let hmac = if tlvs > 0 && self.key.is_some() { Self::TLV_HEADER + Self::HMAC } else { 0 };
        mode.base() as u32 + tlvs + hmac
    }

    /// Whether a request can have this size: padding has a header.
    pub fn allows_size(&self, size: u32) -> bool {
        let least = self.least_size();
        size == least || size >= least + Self::TLV_HEADER
    }
}

/// Bytes of the value of a TLV that a sender sends.
fn value_length(tlv: TlvKind) -> u32 {
    match tlv {
        TlvKind::ClassOfService | TlvKind::TimestampInfo => 4,
        TlvKind::DirectMeasurement => 12,
        _ => 16,
    }
}

impl Settings {
    /// Probes of 512 bytes at a fixed interval, which is their deadline, until the run is stopped.
    pub fn every(interval: Interval, seed: Seed) -> Self {
        Self {
            dialect: Dialect::Native,
            size: 512,
            schedule: Schedule::Fixed(interval),
            phase: None,
            flows: None,
            count: None,
            total: None,
            deadline: None,
            grace: Duration::from_secs(1),
            query: None,
            requested_impairment: None,
            wait_for_server: false,
            heed_ending: false,
            stop_server: false,
            seed,
            key: None,
            stamp: StampOptions::default(),
            irtt: IrttOptions::default(),
        }
    }

    /// Of a dialect whose sessions have no fixed port.
    pub(super) fn flow_count(&self) -> Option<u8> {
        self.flows.filter(|_| self.dialect == Dialect::Native)
    }

    /// When the first probe is due if the session is open now.
    pub(super) fn zero(&self, now: Instant) -> Instant {
        let Some(phase) = self.phase else { return now };
        let interval = self.schedule.longest_interval().as_nanos().max(1);
        now + Duration::from_nanos((phase.as_nanos() - now.as_nanos()).rem_euclid(interval))
    }

    /// How long the client waits for a reply that no known impairment holds.
    pub(super) fn longest_wait(&self) -> Duration {
        self.deadline.unwrap_or_else(|| self.schedule.longest_interval()) + self.grace
    }

    /// Without faults; a few more cost little.
    pub(super) fn expected_in_flight(&self) -> usize {
        let expected = self.schedule.most_within(self.longest_wait());
        let expected =
            self.count.map_or(expected, |count| expected.min(i64::try_from(count).unwrap_or(i64::MAX)));
        usize::try_from(expected).unwrap_or(0)
    }
}

/// A datagram to send, in the caller's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// The socket to send by; only the text dialect needs several.
    pub channel: usize,
    /// The channel gets another socket first; datagrams to the old one no longer count.
    pub renew: bool,
    /// Bytes of the datagram in the caller's buffer.
    pub length: usize,
    /// The number of the probe, if the datagram is one.
    pub seq: Option<u64>,
}

/// Datagrams that count for no probe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Not understood, or not from the session.
    pub junk: u64,
    /// A reply to a probe that was never sent, or not at that time.
    pub forged: u64,
    /// Duplicate replies to probes that were resolved.
    pub copies_after_close: u64,
    /// First replies to probes that had been given up.
    pub stragglers: u64,
    /// Not sealed with our key.
    pub unauthentic: u64,
    /// ICMP port unreachable and other errors of the path.
    pub unreachable: u64,
    /// From another address than the server's.
    pub foreign: u64,
    /// Of the session, but from another address than the server's.
    pub elsewhere: u64,
    /// Replies with impossible times, which are left out.
    pub impossible_times: u64,
}

impl Counters {
    /// Datagrams that a run without faults and forgers would not see.
    pub(super) fn unexpected(&self) -> u64 {
        self.junk + self.forged + self.unauthentic + self.stragglers + self.foreign + self.elsewhere
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_puts_time_zero_at_the_same_place_of_every_interval() {
        let millis = Duration::from_millis;
        let every = Interval::new(millis(100)).unwrap();
        let settings = Settings { phase: Some(millis(30)), ..Settings::every(every, 1) };
        for (now, zero) in [(0, 30), (30, 30), (31, 130), (1_000, 1_030), (1_029, 1_030)] {
            let [now, zero] = [now, zero].map(|at| Instant::ZERO + millis(at));
            assert_eq!(settings.zero(now), zero);
        }
        let now = Instant::ZERO + millis(77);
        assert_eq!(Settings::every(every, 1).zero(now), now);
    }
}
