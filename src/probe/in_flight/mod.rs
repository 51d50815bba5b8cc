//! The probes in flight, in the order of their numbers.
//!
//! A probe waits until its reply comes or is given up. The first of the queue leaves when nothing about it can
//! change any more, so rows come out in order, and the queue is bounded by the time a reply may take.

mod entry;
mod recently_resolved;
mod server_times;
mod surroundings;

use std::collections::VecDeque;

use super::cause::Cause;
use super::loss_attribution::{Loss, Marks};
use super::outcome::{Outcome, Resolved};
use super::send_plan::Planned;
use crate::time::{Duration, Instant};
use crate::wire::native::{ProbeStatus, SocketMark};
use entry::{Entry, State, is_open};
pub(super) use entry::{ReplyFacts, Timeouts};
use recently_resolved::RecentlyResolved;
use server_times::ClockRelation;
pub(super) use server_times::{ServerTimes, Trust};
use surroundings::Surroundings;

/// A reply that arrived, as its probe's state has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// The first reply; `late_by` if it came after the deadline. `hold` if the server's times are possible.
    First { rtt: Duration, hold: Option<Duration>, late_by: Option<Duration> },
    /// A further reply, the `copy`-th.
    Copy { rtt: Duration, hold: Option<Duration>, copy: u32 },
    /// A duplicate reply to a probe that was resolved.
    CopyAfterClose,
    /// The first reply, but its probe was given up.
    TooLate,
    /// A reply to a probe that was never sent.
    Forged,
}

#[derive(Debug)]
pub(super) struct InFlight {
    zero: Instant,
    size: u32,
    timeouts: Timeouts,
    /// Replies say whether they are injected copies.
    tells_injection: bool,
    entries: VecDeque<Entry>,
    /// The number of the probe at the front.
    first: u64,
    /// Probes below it have been reported overdue, if they were.
    overdue_from: u64,
    recent: RecentlyResolved,
    /// The client's socket.
    socket: SocketMark,
    surroundings: Surroundings,
    clocks: ClockRelation,
    /// The last probe has been sent: soon no reply will confirm another.
    sending_is_over: bool,
}

impl InFlight {
    /// A datagram does not stay in this host for longer.
    const MAX_IN_HOST: Duration = Duration::from_secs(1);
    /// With more in flight the oldest are given up.
    const MAX_ENTRIES: usize = 1 << 22;
    /// Memory for this many entries is written to before the first probe is due, since page faults take time.
    const PREFAULTED: usize = 1 << 16;
    /// A queue of up to this many grows as needed, which delays no probe; a monitor has thousands of them.
    const FEW: usize = 64;

    /// With room for the expected number: growing in the middle of a run would delay probes.
    pub(super) fn new(size: u32, timeouts: Timeouts, tells_injection: bool, expected: usize) -> Self {
        let reserved = if expected <= Self::FEW { 0 } else { expected.min(Self::MAX_ENTRIES) };
        let mut entries = VecDeque::with_capacity(reserved);
        entries.resize(reserved.min(Self::PREFAULTED), Entry::due_at(Instant::ZERO, Duration::ZERO));
        entries.clear();
        Self {
            zero: Instant::ZERO,
            size,
            timeouts,
            tells_injection,
            entries,
            first: 0,
            overdue_from: 0,
            recent: RecentlyResolved::new(expected),
            socket: SocketMark::default(),
            surroundings: Surroundings::default(),
            clocks: ClockRelation::default(),
            sending_is_over: false,
        }
    }

    pub(super) fn end_sending(&mut self) {
        self.sending_is_over = true;
    }

    pub(super) fn start(&mut self, zero: Instant) {
        self.zero = zero;
    }

    pub(super) fn timeouts_mut(&mut self) -> &mut Timeouts {
        &mut self.timeouts
    }

    /// The client no longer waits for holds that end after this.
    pub(super) fn expect_holds_until(&mut self, end: Instant) {
        for entry in &mut self.entries {
            entry.give_up_at = entry.give_up_at.min(entry.deadline.max(end) + self.timeouts.grace);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The numbers of the probes in it.
    pub(super) fn range(&self) -> std::ops::Range<u64> {
        self.first..self.first + self.entries.len() as u64
    }

    /// A probe is about to be sent.
    pub(super) fn register(&mut self, planned: &Planned, now: Instant) {
        let mut entry = Entry::due_at(planned.due, planned.interval);
        entry.finalize(now, &self.timeouts);
        entry.own = self.socket;
        self.entries.push_back(entry);
    }

    /// The client's socket when the next datagram was queued there.
    pub(super) fn note_socket(&mut self, socket: SocketMark) {
        self.socket = socket;
    }

    pub(super) fn socket(&self) -> SocketMark {
        self.socket
    }

    /// The probe left with others in one GSO batch.
    pub(super) fn sent_offloaded(&mut self, seq: u64) {
        if let Some(entry) = self.entry_mut(seq) {
            entry.sent_offloaded = true;
        }
    }

    /// The probe is sent now.
    pub(super) fn finalize(&mut self, seq: u64, now: Instant) {
        let timeouts = self.timeouts;
        if let Some(entry) = self.entry_mut(seq) {
            entry.finalize(now, &timeouts);
        }
    }

    /// The probe was not sent.
    pub(super) fn fail(&mut self, seq: u64) {
        if let Some(entry) = self.entry_mut(seq) {
            entry.state = State::Failed;
        }
    }

    /// The probe was not sent: this host was suspended or stalled when it was due.
    pub(super) fn skip(&mut self, seq: u64) {
        if let Some(entry) = self.entry_mut(seq) {
            entry.state = State::Skipped;
        }
    }

    /// The kernel's transmit timestamp. One before the send call or long after it means that the wall clock was set.
    pub(super) fn set_tx_timestamp(&mut self, seq: u64, at: Instant) -> bool {
        let entry = self.entry_mut(seq);
        let entry = entry.filter(|entry| (Duration::ZERO..Self::MAX_IN_HOST).contains(&(at - entry.sent)));
        entry.map(|entry| entry.tx_timestamp = Some(at)).is_some()
    }

    /// The send time in the datagram of a probe in flight.
    pub(super) fn sent_at(&self, seq: u64) -> Option<Instant> {
        self.entry(seq).map(|entry| entry.sent)
    }

    /// A reply to the probe was received.
    pub(super) fn arrive(&mut self, seq: u64, received: Instant, mut reply: ReplyFacts) -> Arrival {
        if seq < self.first {
            return self.recent.arrive(seq);
        }
        let marks = Marks { server: reply.socket, own: self.socket };
        let clocks = self.clocks;
        let Some(entry) = self.entry_mut(seq) else { return Arrival::Forged };
        let rtt = received - entry.sent();
        let told = reply.times.is_some();
        reply.times = reply.times.filter(|times| times.are_possible(rtt, entry.sent_by()));
        let hold = reply.times.and_then(|times| times.hold);
        entry.injected_copies += u32::from(reply.injected_copy);
        if let Some(times) = reply.times
            && clocks.allows(&times.clock_bounds(received))
        {
            entry.count_probe_copy(times);
        } else if told {
            entry.probe_copies = entry.probe_copies.max(1);
        }
        match entry.state {
            State::Failed | State::Skipped => Arrival::Forged,
            State::Answered { .. } => {
                entry.copies += 1;
                Arrival::Copy { rtt, hold, copy: entry.copies }
            }
            State::Waiting => {
                let late = received > entry.deadline;
                let late_by = late.then(|| received - entry.deadline);
                entry.copies = 1;
                let trust = if told && reply.times.is_none() { Trust::Refuted } else { Trust::Agreed };
                entry.state = State::Answered { received, late, reply, trust, marks };
                if let Some(times) = reply.times {
                    let judged = self.clocks.judge(seq, times.clock_bounds(received));
                    judged.into_iter().flatten().for_each(|(seq, trust)| self.trust(seq, trust));
                }
                Arrival::First { rtt, hold, late_by }
            }
        }
    }

    fn trust(&mut self, seq: u64, now: Trust) {
        if let Some(Entry { state: State::Answered { trust, .. }, .. }) = self.entry_mut(seq) {
            *trust = now;
        }
    }

    /// The server's word on the probe, when asked at `asked`. A final status stays: a restarted server knows less.
    pub(super) fn set_status(&mut self, seq: u64, status: ProbeStatus, asked: Instant) {
        if let Some(entry) = self.entry_mut(seq)
            && !entry.status_is_final
            && entry.status.is_none_or(is_open)
        {
            entry.status = Some(status);
            entry.status_is_final = asked >= entry.give_up_at;
        }
    }

    /// The server said that more than one copy of the probe came.
    pub(super) fn seen_twice(&mut self, seq: u64) {
        if let Some(entry) = self.entry_mut(seq) {
            entry.seen_twice = true;
        }
    }

    /// A reply's window shows that this probe arrived at the server.
    pub(super) fn seen_in_window(&mut self, seq: u64) {
        if let Some(entry) = self.entry_mut(seq) {
            entry.seen_in_window = true;
        }
    }

    /// The next probe whose deadline has passed without a reply.
    pub(super) fn next_overdue(&mut self, now: Instant) -> Option<u64> {
        self.overdue_from = self.overdue_from.max(self.first);
        while let Some(entry) = self.entry(self.overdue_from) {
            if matches!(entry.state, State::Waiting) {
                if now < entry.deadline {
                    return None;
                }
                self.overdue_from += 1;
                return Some(self.overdue_from - 1);
            }
            self.overdue_from += 1;
        }
        None
    }

    /// The probe waits past its deadline, and its status may still change.
    pub(super) fn needs_query(&self, seq: u64, now: Instant) -> bool {
        self.entry(seq).is_some_and(|entry| entry.needs_query(now))
    }

    /// The reply was given up, and the server was not asked since.
    pub(super) fn needs_final_query(&self, seq: u64, now: Instant) -> bool {
        self.entry(seq).is_some_and(|entry| entry.needs_final_query(now))
    }

    pub(super) fn deadline_of(&self, seq: u64) -> Option<Instant> {
        self.entry(seq).map(|entry| entry.deadline)
    }

    pub(super) fn give_up_at(&self, seq: u64) -> Option<Instant> {
        self.entry(seq).map(|entry| entry.give_up_at)
    }

    /// That of the last probe.
    pub(super) fn last_deadline(&self) -> Instant {
        self.entries.back().map_or(Instant::ZERO, |entry| entry.deadline)
    }

    /// No reply to any probe is expected after this.
    pub(super) fn last_give_up_at(&self) -> Instant {
        self.entries.back().map_or(Instant::ZERO, |entry| entry.give_up_at)
    }

    /// Takes the first probe if nothing about it can change any more. `find_cause` is called if it was lost.
    pub(super) fn take_resolved(
        &mut self,
        now: Instant,
        find_cause: impl FnOnce(&Loss) -> Cause,
    ) -> Option<Resolved> {
        let entry = *self.entries.front()?;
        let too_many = self.entries.len() > Self::MAX_ENTRIES;
        if !too_many && now < entry.ready_at(&self.timeouts, self.sending_is_over) {
            return None;
        }
        let seq = self.first;
        let cause = matches!(entry.state, State::Waiting).then(|| find_cause(&self.loss(seq, &entry)));
        if let State::Answered { marks, .. } = entry.state {
            self.surroundings.pass(seq, marks);
        }
        self.entries.pop_front();
        self.first += 1;
        self.recent.add(seq, matches!(entry.state, State::Answered { .. }));
        Some(self.resolve(seq, &entry, cause))
    }

    /// When the first probe may be taken, as far as that depends on time alone.
    pub(super) fn next_resolved_at(&self) -> Option<Instant> {
        self.entries.front().map(|entry| entry.ready_at(&self.timeouts, self.sending_is_over))
    }

    /// All probes have been sent.
    pub(super) fn is_sending_over(&self) -> bool {
        self.sending_is_over
    }

    /// When the next overdue probe is to be reported.
    pub(super) fn next_overdue_at(&self) -> Option<Instant> {
        self.entry(self.overdue_from.max(self.first)).map(|entry| entry.deadline)
    }

    fn loss(&mut self, seq: u64, entry: &Entry) -> Loss {
        Loss {
            seq,
            status: entry.final_status(),
            seen_in_window: entry.seen_in_window,
            own_at_departure: entry.own,
            around: self.around(),
        }
    }

    fn resolve(&self, seq: u64, entry: &Entry, cause: Option<Cause>) -> Resolved {
        let mut resolved = Resolved {
            due: entry.due - self.zero,
            sent: Some(entry.sent() - self.zero),
            interval: entry.interval,
            size: self.size,
            cause,
            copies: entry.copies,
            injected_copies: self.tells_injection.then_some(entry.injected_copies),
            probe_copies: entry.known_probe_copies(),
            skipped: matches!(entry.state, State::Skipped),
            ..Resolved::unanswered(seq)
        };
        match entry.state {
            State::Failed | State::Skipped => {
                resolved.sent = None;
                resolved.outcome = Outcome::SendError;
            }
            State::Waiting => {}
            State::Answered { received, late, reply, trust, .. } => {
                resolved.outcome = if late { Outcome::Late } else { Outcome::Ok };
                resolved.rtt = Some(received - entry.sent());
                resolved.corrupted = reply.corrupted;
                resolved.reply_number = reply.number;
                resolved.impossible_times = match trust {
                    Trust::Agreed => false,
                    Trust::Pending => self.clocks.is_contradicted(),
                    Trust::Refuted => true,
                };
                let times = reply.times.filter(|_| !resolved.impossible_times);
                resolved.hold = times.and_then(|times| times.hold);
                resolved.server = times.and_then(|times| times.residence());
                resolved.owd_up = times.map(|times| times.owd_up - (entry.sent() - entry.sent));
                resolved.owd_down = times.map(|times| times.owd_down);
            }
        }
        resolved
    }

    fn entry(&self, seq: u64) -> Option<&Entry> {
        self.entries.get(usize::try_from(seq.checked_sub(self.first)?).ok()?)
    }

    fn entry_mut(&mut self, seq: u64) -> Option<&mut Entry> {
        self.entries.get_mut(usize::try_from(seq.checked_sub(self.first)?).ok()?)
    }
}

#[cfg(test)]
mod tests;
