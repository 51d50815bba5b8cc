//! One probe in flight: what is known of it, and when that is final.

use super::super::loss_attribution::Marks;
use super::super::outcome::Corruption;
use super::server_times::{SendClock, ServerTimes, Trust};
use crate::time::{Duration, Instant};
use crate::wire::native::{ProbeStatus, SocketMark};

/// The figures in a reply; a dialect may leave out all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReplyFacts {
    pub times: Option<ServerTimes>,
    /// A further reply, sent on purpose.
    pub injected_copy: bool,
    pub corrupted: Option<Corruption>,
    /// The server's socket, when the probe came.
    pub socket: SocketMark,
    /// The server's own number of the reply.
    pub number: Option<u32>,
}

/// A probe in flight.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub due: Instant,
    pub interval: Duration,
    pub sent: Instant,
    /// The kernel's transmit timestamp, if there is one.
    pub tx_timestamp: Option<Instant>,
    /// A reply after this is late.
    pub deadline: Instant,
    /// No reply is expected after this.
    pub give_up_at: Instant,
    pub state: State,
    pub copies: u32,
    pub injected_copies: u32,
    /// Copies of the probe that the server answered, and the first and last of these by its stamp.
    pub probe_copies: u32,
    pub earliest: Duration,
    pub latest: Duration,
    /// The server said that more than one copy came.
    pub seen_twice: bool,
    /// The server's last word on it, and whether it was asked when the reply had been given up.
    pub status: Option<ProbeStatus>,
    pub status_is_final: bool,
    /// A later reply's window shows that it arrived.
    pub seen_in_window: bool,
    /// It left with others in one GSO batch.
    pub sent_offloaded: bool,
    /// The client's socket when it left.
    pub own: SocketMark,
}

impl Entry {
    /// An answered probe stays for this long at most, to count its duplicates.
    const COPIES: Duration = Duration::from_millis(200);
    /// It stays for this long at most until another reply confirms its receive time.
    const CONFIRMATION: Duration = Duration::from_secs(2);

    pub(super) fn due_at(due: Instant, interval: Duration) -> Self {
        Self {
            due,
            interval,
            sent: due,
            tx_timestamp: None,
            deadline: due,
            give_up_at: due,
            state: State::Waiting,
            copies: 0,
            injected_copies: 0,
            probe_copies: 0,
            earliest: Duration::MAX,
            latest: -Duration::MAX,
            seen_twice: false,
            status: None,
            status_is_final: false,
            seen_in_window: false,
            sent_offloaded: false,
            own: SocketMark::default(),
        }
    }

    /// The deadline counts from the actual send time.
    pub(super) fn finalize(&mut self, now: Instant, timeouts: &Timeouts) {
        self.sent = now;
        self.deadline = now + timeouts.deadline.unwrap_or(self.interval);
        self.give_up_at = self.deadline.max(now + timeouts.longest_hold) + timeouts.grace;
    }

    /// A duplicate that the network made on the way down has the receive time of its original; a reply to a
    /// duplicate of the probe has its own. Of more than two, those between may be missed.
    pub(super) fn count_probe_copy(&mut self, times: ServerTimes) {
        let is_new = times.owd_up < self.earliest || times.owd_up > self.latest;
        self.probe_copies += u32::from(is_new);
        self.earliest = self.earliest.min(times.owd_up);
        self.latest = self.latest.max(times.owd_up);
    }

    pub(super) fn known_probe_copies(&self) -> Option<u32> {
        let copies = self.probe_copies.max(if self.seen_twice { 2 } else { 0 });
        let arrived = matches!(
            self.status,
            Some(
                ProbeStatus::Answered
                    | ProbeStatus::DroppedUp
                    | ProbeStatus::DroppedDown
                    | ProbeStatus::Refused
                    | ProbeStatus::Held
                    | ProbeStatus::SendFailed
            )
        );
        let copies = if copies == 0 { u32::from(arrived) } else { copies };
        (copies > 0).then_some(copies)
    }

    pub(super) fn sent(&self) -> Instant {
        self.tx_timestamp.unwrap_or(self.sent)
    }

    pub(super) fn sent_by(&self) -> SendClock {
        if self.tx_timestamp.is_some() { SendClock::Kernel } else { SendClock::Program }
    }

    /// It waits past its deadline, and its status may still change.
    pub(super) fn needs_query(&self, now: Instant) -> bool {
        matches!(self.state, State::Waiting) && now >= self.deadline && self.status.is_none_or(is_open)
    }

    /// Its reply was given up, and the server was not asked since.
    pub(super) fn needs_final_query(&self, now: Instant) -> bool {
        matches!(self.state, State::Waiting)
            && now >= self.give_up_at
            && !self.status_is_final
            && self.status.is_none_or(|status| is_open(status) && status != ProbeStatus::Answered)
    }

    /// The server's word on it, if that stays.
    pub(super) fn final_status(&self) -> Option<ProbeStatus> {
        let is_final = |status: &ProbeStatus| {
            !is_open(*status) || self.status_is_final || *status == ProbeStatus::Answered
        };
        self.status.filter(is_final)
    }

    /// When nothing about it can change any more, as far as that depends on time alone.
    pub(super) fn ready_at(&self, timeouts: &Timeouts, sending_is_over: bool) -> Instant {
        match self.state {
            State::Failed | State::Skipped => self.sent,
            State::Answered { received, trust: Trust::Pending, .. } if !sending_is_over => {
                self.give_up_at.min(received + Self::CONFIRMATION)
            }
            State::Answered { received, .. } => self.deadline.min(received + Self::COPIES),
            State::Waiting => match self.status {
                // A restarted server does not know it; the server before may have answered another copy of it.
                Some(ProbeStatus::Answered | ProbeStatus::Forgotten) => self.give_up_at,
                Some(status) if !is_open(status) => self.deadline,
                Some(_) if self.status_is_final => self.give_up_at,
                _ => self.give_up_at + timeouts.query,
            },
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) enum State {
    Failed,
    Skipped,
    Waiting,
    Answered { received: Instant, late: bool, reply: ReplyFacts, trust: Trust, marks: Marks },
}

/// How long to wait for what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    /// From the send to the deadline; none: the probe's interval.
    pub deadline: Option<Duration>,
    /// The longest that the server holds a reply on purpose.
    pub longest_hold: Duration,
    /// A reply is given up this long after its deadline and after the longest hold.
    pub grace: Duration,
    /// How long a probe whose reply was given up waits for the server's word.
    pub query: Duration,
}

/// Whether a status can still change: the probe or its reply may be on the way.
pub(super) fn is_open(status: ProbeStatus) -> bool {
    matches!(status, ProbeStatus::NotSeen | ProbeStatus::Answered | ProbeStatus::Held)
}
