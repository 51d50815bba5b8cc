//! The outcome of a probe: exactly one, and the cause of a loss.

use serde::{Deserialize, Serialize};

use super::cause::{Cause, NotOnTime};
use crate::time::Duration;

/// How a probe ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Its reply came within its deadline.
    Ok,
    /// Its reply came, but after its deadline.
    Late,
    /// No reply came.
    Lost,
    /// It never left: the socket refused it, or it was skipped.
    SendError,
}

/// Where a payload was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Corruption {
    /// By the server's injection.
    Injected,
    /// Between client and server.
    Network,
}

/// A probe about which nothing can change any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// From 0.
    pub seq: u64,
    /// When it was due, from time zero of the run (the due time of the first probe).
    pub due: Duration,
    /// When it left, from time zero; a probe that never left has none.
    pub sent: Option<Duration>,
    /// The time until the next probe was due.
    pub interval: Duration,
    /// Bytes of UDP payload.
    pub size: u32,
    /// On time, late, lost, or never sent.
    pub outcome: Outcome,
    /// Of a lost probe.
    pub cause: Option<Cause>,
    /// From sent to received; present when the outcome is `Ok` or `Late`.
    pub rtt: Option<Duration>,
    /// How long the server held the reply on purpose, where the dialect tells.
    pub hold: Option<Duration>,
    /// All the time between the server's receiving and its sending, the hold included.
    pub server: Option<Duration>,
    /// The server's receive stamp minus the client's send stamp: one-way delay plus clock offset.
    pub owd_up: Option<Duration>,
    /// The client's receive stamp minus the server's send stamp: one-way delay minus clock offset.
    pub owd_down: Option<Duration>,
    /// Replies received, the first included.
    pub copies: u32,
    /// How many of these the server sent on purpose beyond the first, where the dialect tells.
    pub injected_copies: Option<u32>,
    /// Copies of the probe that reached the server, as far as its replies or its word tell: more than one
    /// was duplicated on the way up.
    pub probe_copies: Option<u32>,
    /// Whether the payload of the first reply came back changed, and by whom.
    pub corrupted: Option<Corruption>,
    /// The server's times in the reply contradict themselves or those of other replies, and are left out.
    pub impossible_times: bool,
    /// It never left, because this host was suspended or stalled when it was due.
    pub skipped: bool,
    /// The server's own number of the first reply, where it counts what it answers.
    pub reply_number: Option<u32>,
}

impl Resolved {
    /// 64 bytes that left at time zero, 10 ms before the next probe, and were never answered. Callers replace the
    /// fields that they know.
    pub const fn unanswered(seq: u64) -> Self {
        Self {
            seq,
            due: Duration::ZERO,
            sent: Some(Duration::ZERO),
            interval: Duration::from_millis(10),
            size: 64,
            outcome: Outcome::Lost,
            cause: None,
            rtt: None,
            hold: None,
            server: None,
            owd_up: None,
            owd_down: None,
            copies: 0,
            injected_copies: Some(0),
            probe_copies: None,
            corrupted: None,
            impossible_times: false,
            skipped: false,
            reply_number: None,
        }
    }

    /// Why there is no reply in time; none where there is one.
    pub fn not_on_time(&self) -> Option<NotOnTime> {
        match self.outcome {
            Outcome::Ok => None,
            Outcome::Late => Some(NotOnTime::Late),
            Outcome::SendError => Some(NotOnTime::NotSent),
            Outcome::Lost => Some(NotOnTime::Lost(self.cause.unwrap_or(Cause::Unknown))),
        }
    }

    /// The RTT, if the reply came within the deadline.
    pub fn on_time(&self) -> Option<Duration> {
        self.rtt.filter(|_| self.outcome == Outcome::Ok)
    }

    /// RTT free of coordinated omission: from due to received.
    pub fn due_rtt(&self) -> Option<Duration> {
        Some(self.sent? - self.due + self.rtt?)
    }

    /// RTT without the time at the server; unknown where the stamps of the two are too coarse to tell.
    pub fn net_rtt(&self) -> Option<Duration> {
        Some(self.rtt? - self.server?).filter(|net| *net >= Duration::ZERO)
    }

    /// How often the replies to it came, as packets and copies of them (RFC 5560): those to each copy of the
    /// probe are packets of their own, those sent on purpose do not count.
    pub fn replies(&self) -> Option<(u32, u32)> {
        let copies = self.copies.saturating_sub(self.injected_copies.unwrap_or(0));
        Some((self.probe_copies?.min(copies), copies))
    }

    /// How late it left.
    pub fn schedule_error(&self) -> Option<Duration> {
        Some(self.sent? - self.due)
    }

    /// The second of the run in which it was sent, from 1. One that never left counts where it was due.
    pub fn second(&self) -> u64 {
        self.sent.unwrap_or(self.due).as_nanos().max(0) as u64 / 1_000_000_000 + 1
    }
}
