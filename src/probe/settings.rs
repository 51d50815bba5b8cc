//! What a client is told to do, and what it counts besides its probes.

use crate::impair::Impairment;
use crate::rng::Seed;
use crate::schedule::Schedule;
use crate::time::Duration;
use crate::units::Interval;
use crate::wire::auth::{Key, TAG};

/// Which language is spoken with the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Native,
    Text,
}

/// What a run is asked to do.
#[derive(Clone, Debug)]
pub struct Settings {
    pub dialect: Dialect,
    /// UDP payload of every probe.
    pub size: u32,
    pub schedule: Schedule,
    /// Without one it goes on until it is stopped.
    pub count: Option<u64>,
    /// No probe is sent later than this after time zero.
    pub total: Option<Duration>,
    /// How long after it was sent a reply is in time; none: until the next probe is due.
    pub deadline: Option<Duration>,
    /// How long beyond every known reason a reply is waited for, so that it can be called late.
    pub grace: Duration,
    /// What the server is asked to inject into this session, if it lets clients choose.
    pub requested_impairment: Option<Impairment>,
    /// While no server answers, ask on instead of giving up.
    pub wait_for_server: bool,
    /// Ask the server to stop at the end.
    pub stop_server: bool,
    /// Where nonces and payloads come from; from the operating system's random source.
    pub seed: Seed,
    /// What the server shares; the native language only.
    pub key: Option<Key>,
}

impl Settings {
    /// Probes of 512 bytes at a fixed interval, which is their deadline, until the run is stopped.
    pub fn every(interval: Interval, seed: Seed) -> Self {
        Self {
            dialect: Dialect::Native,
            size: 512,
            schedule: Schedule::Fixed(interval),
            count: None,
            total: None,
            deadline: None,
            grace: Duration::from_secs(1),
            requested_impairment: None,
            wait_for_server: false,
            stop_server: false,
            seed,
            key: None,
        }
    }

    /// How long a reply is waited for at most, where nothing is known to hold it.
    pub(super) fn longest_wait(&self) -> Duration {
        self.deadline.unwrap_or_else(|| self.schedule.longest_interval()) + self.grace
    }

    /// Where nothing goes wrong; of a few more the room is no matter.
    pub(super) fn expected_in_flight(&self) -> usize {
        let expected = self.schedule.most_within(self.longest_wait());
        let expected =
            self.count.map_or(expected, |count| expected.min(i64::try_from(count).unwrap_or(i64::MAX)));
        usize::try_from(expected).unwrap_or(0)
    }

    /// The part of a probe that is not its tag.
    pub(super) fn message_size(&self) -> u32 {
        self.size.saturating_sub(self.tag())
    }

    pub(super) fn tag(&self) -> u32 {
        if self.key.is_some() { TAG as u32 } else { 0 }
    }
}

/// A datagram to send, in the caller's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Which of the client's sockets it leaves by; the native protocol needs one only.
    pub channel: usize,
    /// From here on that lane is another socket: nothing that comes to the one before is of interest.
    pub renew: bool,
    pub length: usize,
    /// The probe that it is, if it is one.
    pub seq: Option<u64>,
}

/// Datagrams that were none of ours, and others that came too late to matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Not understood, or not from the session.
    pub junk: u64,
    /// A reply to a probe that was never sent, or not at that time.
    pub forged: u64,
    /// Further replies to probes whose story was over.
    pub copies_after_close: u64,
    /// Only replies to probes that had been given up.
    pub stragglers: u64,
    /// Not sealed with our key.
    pub unauthentic: u64,
    /// ICMP messages that nobody listens, and errors of the way to the server.
    pub unreachable: u64,
    /// From another address than the server's.
    pub foreign: u64,
    /// Of the session, but from another address than the server's.
    pub elsewhere: u64,
    /// Replies whose times were left out, for they are impossible.
    pub impossible_times: u64,
}

impl Counters {
    /// Datagrams that no run without faults and forgers would see.
    pub(super) fn strays(&self) -> u64 {
        self.junk + self.forged + self.unauthentic + self.stragglers + self.foreign + self.elsewhere
    }
}
