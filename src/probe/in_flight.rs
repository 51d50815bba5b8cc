//! The probes whose story is not over, in the order of their numbers.
//!
//! A probe waits until its reply comes or until there is nothing to wait for. It leaves at the
//! front, resolved, when nothing about it can change any more; so rows come out in order, and what
//! is kept is bounded by the time a reply may take.

mod closed;
mod server_times;
mod surroundings;

use std::collections::VecDeque;

use super::cause::Cause;
use super::loss_attribution::Loss;
use super::outcome::{Corruption, Outcome, Resolved};
use super::overflow::Marks;
use super::send_plan::Planned;
use crate::time::{Duration, Instant};
use crate::wire::native::{ProbeStatus, SocketMark};
use closed::Closed;
use server_times::ClockRelation;
pub use server_times::{ServerTimes, Trust};
use surroundings::Surroundings;

/// What a reply tells besides that it came; what its dialect does not tell is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplyFacts {
    pub times: Option<ServerTimes>,
    /// A further reply, sent on purpose.
    pub injected_copy: bool,
    pub corrupted: Option<Corruption>,
    /// The server's socket, when the probe came.
    pub socket: SocketMark,
}

/// What an arriving reply was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// The first reply; `late_by` if it came after the deadline.
    First { rtt: Duration, late_by: Option<Duration> },
    /// A further reply, the `copy`-th.
    Copy { rtt: Duration, copy: u32 },
    /// A further reply to a probe whose story was over.
    CopyAfterClose,
    /// The only reply, but too late even to be called late: its probe was given up.
    Straggler,
    /// Of a probe that was never sent.
    Forged,
}

impl Arrival {
    /// Of a reply that counts.
    pub fn rtt(&self) -> Option<Duration> {
        match self {
            Self::First { rtt, .. } | Self::Copy { rtt, .. } => Some(*rtt),
            Self::CopyAfterClose | Self::Straggler | Self::Forged => None,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    due: Instant,
    interval: Duration,
    sent: Instant,
    /// When the kernel says that it left, where it was asked.
    left: Option<Instant>,
    /// A reply after it is late.
    deadline: Instant,
    /// After it no reply is expected any more.
    settles: Instant,
    state: State,
    copies: u32,
    injected_copies: u32,
    /// Copies of the probe that the server answered, and the first and last of these by its stamp.
    probe_copies: u32,
    earliest: Duration,
    latest: Duration,
    /// The server said that more than one copy came.
    seen_twice: bool,
    /// What the server said became of it, and whether it said so after the probe had settled.
    fate: Option<ProbeStatus>,
    fate_is_final: bool,
    /// A later reply's window showed that it had arrived.
    seen_in_window: bool,
    /// It left with others as one train.
    sent_offloaded: bool,
    /// The client's socket when it left.
    own: SocketMark,
}

impl Slot {
    fn due_at(due: Instant, interval: Duration) -> Self {
        Self {
            due,
            interval,
            sent: due,
            left: None,
            deadline: due,
            settles: due,
            state: State::Waiting,
            copies: 0,
            injected_copies: 0,
            probe_copies: 0,
            earliest: Duration::MAX,
            latest: -Duration::MAX,
            seen_twice: false,
            fate: None,
            fate_is_final: false,
            seen_in_window: false,
            sent_offloaded: false,
            own: SocketMark::default(),
        }
    }

    /// What the probe is given in time begins now.
    fn finalize(&mut self, now: Instant, patience: &Patience) {
        self.sent = now;
        self.deadline = now + patience.deadline.unwrap_or(self.interval);
        self.settles = self.deadline.max(now + patience.longest_hold) + patience.grace;
    }

    /// A copy made by the network on the way down bears the server's receive stamp of its reply; a reply to
    /// a copy of the probe has one of its own. Of more than two, those between may be missed.
    fn count_probe_copy(&mut self, times: ServerTimes) {
        let is_new = times.owd_up < self.earliest || times.owd_up > self.latest;
        self.probe_copies += u32::from(is_new);
        self.earliest = self.earliest.min(times.owd_up);
        self.latest = self.latest.max(times.owd_up);
    }

    fn known_probe_copies(&self) -> Option<u32> {
        let copies = self.probe_copies.max(if self.seen_twice { 2 } else { 0 });
        let arrived = matches!(
            self.fate,
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

    fn departure(&self) -> Instant {
        self.left.unwrap_or(self.sent)
    }
}

#[derive(Clone, Copy, Debug)]
enum State {
    Failed,
    Waiting,
    Answered { received: Instant, late: bool, reply: ReplyFacts, trust: Trust, marks: Marks },
}

/// How long to wait for what.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// A probe's deadline after it was sent; none: its interval.
    pub deadline: Option<Duration>,
    /// The longest that the server holds a reply on purpose.
    pub longest_hold: Duration,
    /// How long a reply may take beyond that before it is given up.
    pub grace: Duration,
    /// How long a settled probe waits for the server's word on it.
    pub truth: Duration,
}

#[derive(Debug)]
pub struct Flight {
    zero: Instant,
    size: u32,
    patience: Patience,
    slots: VecDeque<Slot>,
    /// The number of the probe at the front.
    first: u64,
    /// Probes below it have been reported overdue, if they were.
    overdue_from: u64,
    closed: Closed,
    /// The client's socket.
    socket: SocketMark,
    surroundings: Surroundings,
    clocks: ClockRelation,
    /// The last probe has been sent: soon no reply will confirm another.
    sending_is_over: bool,
}

impl Flight {
    /// An answered probe stays for at most so long, to count its duplicates.
    const COPIES: Duration = Duration::from_millis(200);
    /// It stays for at most so long until another reply confirms its receive time.
    const CONFIRMED: Duration = Duration::from_secs(2);
    /// A datagram does not stay in this host for longer.
    const LEAVES_WITHIN: Duration = Duration::from_secs(1);
    /// A safety net: with more in flight the oldest are given up.
    const MOST: usize = 1 << 22;
    /// The kernel gives memory when it is first written to. For so many that is done before any is due.
    const WRITTEN: usize = 1 << 16;

    /// With room for so many in flight: to grow while they are takes longer than they may wait.
    pub fn new(size: u32, patience: Patience, expected: usize) -> Self {
        let mut slots = VecDeque::with_capacity(expected.min(Self::MOST));
        slots.resize(expected.min(Self::WRITTEN), Slot::due_at(Instant::ZERO, Duration::ZERO));
        slots.clear();
        Self {
            zero: Instant::ZERO,
            size,
            patience,
            slots,
            first: 0,
            overdue_from: 0,
            closed: Closed::default(),
            socket: SocketMark::default(),
            surroundings: Surroundings::default(),
            clocks: ClockRelation::default(),
            sending_is_over: false,
        }
    }

    pub fn end_sending(&mut self) {
        self.sending_is_over = true;
    }

    pub fn start(&mut self, zero: Instant) {
        self.zero = zero;
    }

    pub fn patience_mut(&mut self) -> &mut Patience {
        &mut self.patience
    }

    /// No reply is expected later than this only because the server may hold it.
    pub fn expect_holds_until(&mut self, end: Instant) {
        for slot in &mut self.slots {
            slot.settles = slot.settles.min(slot.deadline.max(end) + self.patience.grace);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The numbers of the probes in it.
    pub fn range(&self) -> std::ops::Range<u64> {
        self.first..self.first + self.slots.len() as u64
    }

    /// A probe is to leave now.
    pub fn register(&mut self, planned: &Planned, now: Instant) {
        let mut slot = Slot::due_at(planned.due, planned.interval);
        slot.finalize(now, &self.patience);
        slot.own = self.socket;
        self.slots.push_back(slot);
    }

    /// The client's socket, as what arrives next was queued there.
    pub fn note_socket(&mut self, socket: SocketMark) {
        self.socket = socket;
    }

    pub fn socket(&self) -> SocketMark {
        self.socket
    }

    /// The probe left with others as one train.
    pub fn sent_offloaded(&mut self, seq: u64) {
        if let Some(slot) = self.slot_mut(seq) {
            slot.sent_offloaded = true;
        }
    }

    /// The probe leaves only now.
    pub fn finalize(&mut self, seq: u64, now: Instant) {
        let patience = self.patience;
        if let Some(slot) = self.slot_mut(seq) {
            slot.finalize(now, &patience);
        }
    }

    /// The probe did not leave after all.
    pub fn fail(&mut self, seq: u64) {
        if let Some(slot) = self.slot_mut(seq) {
            slot.state = State::Failed;
        }
    }

    /// The kernel says when the probe left. A stamp that cannot be so, for the time of day was set in
    /// between, is none.
    pub fn leave(&mut self, seq: u64, at: Instant) -> bool {
        let slot = self.slot_mut(seq);
        let slot = slot.filter(|slot| (Duration::ZERO..Self::LEAVES_WITHIN).contains(&(at - slot.sent)));
        slot.map(|slot| slot.left = Some(at)).is_some()
    }

    /// What the datagram says of when the probe left, if it is still of interest.
    pub fn sent_at(&self, seq: u64) -> Option<Instant> {
        self.slot(seq).map(|slot| slot.sent)
    }

    /// A reply to the probe was received.
    pub fn arrive(&mut self, seq: u64, received: Instant, mut reply: ReplyFacts) -> Arrival {
        if seq < self.first {
            return self.closed.arrive(seq);
        }
        let marks = Marks { server: reply.socket, own: self.socket };
        let clocks = self.clocks;
        let Some(slot) = self.slot_mut(seq) else { return Arrival::Forged };
        let rtt = received - slot.departure();
        let told = reply.times.is_some();
        reply.times = reply.times.filter(|times| times.are_possible(rtt));
        slot.injected_copies += u32::from(reply.injected_copy);
        if let Some(times) = reply.times
            && clocks.allows(&times.clock_bounds(received))
        {
            slot.count_probe_copy(times);
        } else if told {
            slot.probe_copies = slot.probe_copies.max(1);
        }
        match slot.state {
            State::Failed => Arrival::Forged,
            State::Answered { .. } => {
                slot.copies += 1;
                Arrival::Copy { rtt, copy: slot.copies }
            }
            State::Waiting => {
                let late = received > slot.deadline;
                let late_by = late.then(|| received - slot.deadline);
                slot.copies = 1;
                let trust = if told && reply.times.is_none() { Trust::Refuted } else { Trust::Agreed };
                slot.state = State::Answered { received, late, reply, trust, marks };
                if let Some(times) = reply.times {
                    let judged = self.clocks.judge(seq, times.clock_bounds(received));
                    judged.into_iter().flatten().for_each(|(seq, trust)| self.trust(seq, trust));
                }
                Arrival::First { rtt, late_by }
            }
        }
    }

    fn trust(&mut self, seq: u64, now: Trust) {
        if let Some(Slot { state: State::Answered { trust, .. }, .. }) = self.slot_mut(seq) {
            *trust = now;
        }
    }

    /// The server said what became of the probe, when asked at `asked`. What is settled stays so: a
    /// server that was restarted since knows less.
    pub fn tell(&mut self, seq: u64, fate: ProbeStatus, asked: Instant) {
        if let Some(slot) = self.slot_mut(seq)
            && !slot.fate_is_final
            && slot.fate.is_none_or(is_open)
        {
            slot.fate = Some(fate);
            slot.fate_is_final = asked >= slot.settles;
        }
    }

    /// The server said that more than one copy of the probe came.
    pub fn seen_twice(&mut self, seq: u64) {
        if let Some(slot) = self.slot_mut(seq) {
            slot.seen_twice = true;
        }
    }

    /// A reply showed that this probe had arrived at the server.
    pub fn seen_in_window(&mut self, seq: u64) {
        if let Some(slot) = self.slot_mut(seq) {
            slot.seen_in_window = true;
        }
    }

    /// The next probe whose deadline has passed without a reply.
    pub fn next_overdue(&mut self, now: Instant) -> Option<u64> {
        self.overdue_from = self.overdue_from.max(self.first);
        while let Some(slot) = self.slot(self.overdue_from) {
            if matches!(slot.state, State::Waiting) {
                if now < slot.deadline {
                    return None;
                }
                self.overdue_from += 1;
                return Some(self.overdue_from - 1);
            }
            self.overdue_from += 1;
        }
        None
    }

    /// Whether the probe waits, past its deadline, and the server has not settled its fate yet.
    pub fn wants_fate(&self, seq: u64, now: Instant) -> bool {
        self.slot(seq).is_some_and(|slot| {
            matches!(slot.state, State::Waiting) && now >= slot.deadline && slot.fate.is_none_or(is_open)
        })
    }

    /// Whether the probe waits in vain, and the server has not been asked since that was clear.
    pub fn wants_last_word(&self, seq: u64, now: Instant) -> bool {
        self.slot(seq).is_some_and(|slot| {
            matches!(slot.state, State::Waiting)
                && now >= slot.settles
                && !slot.fate_is_final
                && slot.fate.is_none_or(|fate| is_open(fate) && fate != ProbeStatus::Answered)
        })
    }

    pub fn deadline_of(&self, seq: u64) -> Option<Instant> {
        self.slot(seq).map(|slot| slot.deadline)
    }

    pub fn settles_at(&self, seq: u64) -> Option<Instant> {
        self.slot(seq).map(|slot| slot.settles)
    }

    /// When no reply is expected any more to any of the probes sent.
    pub fn last_settles(&self) -> Instant {
        self.slots.back().map_or(Instant::ZERO, |slot| slot.settles)
    }

    /// Takes the probe at the front if its story is over. `blame` finds the cause of a network loss
    /// or of an unknown one, given what the server last said.
    pub fn pop(&mut self, now: Instant, blame: impl FnOnce(&Loss) -> Cause) -> Option<Resolved> {
        let slot = *self.slots.front()?;
        let crowded = self.slots.len() > Self::MOST;
        if !crowded && now < self.ready_at(&slot) {
            return None;
        }
        let seq = self.first;
        let cause = matches!(slot.state, State::Waiting).then(|| blame(&self.loss(seq, &slot)));
        if let State::Answered { marks, .. } = slot.state {
            self.surroundings.pass(seq, marks);
        }
        self.slots.pop_front();
        self.first += 1;
        self.closed.close(seq, matches!(slot.state, State::Answered { .. }));
        Some(self.resolve(seq, &slot, cause))
    }

    /// When the probe at the front may be taken, as far as it depends on time alone.
    pub fn next_pop(&self) -> Option<Instant> {
        self.slots.front().map(|slot| self.ready_at(slot))
    }

    /// When the next overdue probe is to be reported.
    pub fn next_overdue_at(&self) -> Option<Instant> {
        self.slot(self.overdue_from.max(self.first)).map(|slot| slot.deadline)
    }

    fn ready_at(&self, slot: &Slot) -> Instant {
        match slot.state {
            State::Failed => slot.sent,
            State::Answered { received, trust: Trust::Pending, .. } if !self.sending_is_over => {
                slot.settles.min(received + Self::CONFIRMED)
            }
            State::Answered { received, .. } => slot.deadline.min(received + Self::COPIES),
            State::Waiting => match slot.fate {
                Some(fate) if !is_open(fate) => slot.deadline,
                Some(ProbeStatus::Answered) => slot.settles,
                Some(_) if slot.fate_is_final => slot.settles,
                _ => slot.settles + self.patience.truth,
            },
        }
    }

    fn loss(&mut self, seq: u64, slot: &Slot) -> Loss {
        let is_final =
            |fate: &ProbeStatus| !is_open(*fate) || slot.fate_is_final || *fate == ProbeStatus::Answered;
        Loss {
            seq,
            fate: slot.fate.filter(is_final),
            seen_in_window: slot.seen_in_window,
            own_at_departure: slot.own,
            around: self.around(),
        }
    }

    fn resolve(&self, seq: u64, slot: &Slot, cause: Option<Cause>) -> Resolved {
        let mut resolved = Resolved {
            seq,
            due: slot.due - self.zero,
            sent: Some(slot.departure() - self.zero),
            interval: slot.interval,
            size: self.size,
            outcome: Outcome::Lost,
            cause,
            rtt: None,
            hold: None,
            server: None,
            owd_up: None,
            owd_down: None,
            copies: slot.copies,
            injected_copies: slot.injected_copies,
            probe_copies: slot.known_probe_copies(),
            corrupted: None,
            impossible_times: false,
        };
        match slot.state {
            State::Failed => {
                resolved.sent = None;
                resolved.outcome = Outcome::SendError;
            }
            State::Waiting => {}
            State::Answered { received, late, reply, trust, .. } => {
                resolved.outcome = if late { Outcome::Late } else { Outcome::Ok };
                resolved.rtt = Some(received - slot.departure());
                resolved.corrupted = reply.corrupted;
                resolved.impossible_times = match trust {
                    Trust::Agreed => false,
                    Trust::Pending => self.clocks.is_contradicted(),
                    Trust::Refuted => true,
                };
                let times = reply.times.filter(|_| !resolved.impossible_times);
                resolved.hold = times.map(|times| times.hold);
                resolved.server = times.and_then(|times| times.residence());
                resolved.owd_up = times.map(|times| times.owd_up - (slot.departure() - slot.sent));
                resolved.owd_down = times.map(|times| times.owd_down);
            }
        }
        resolved
    }

    fn slot(&self, seq: u64) -> Option<&Slot> {
        self.slots.get(usize::try_from(seq.checked_sub(self.first)?).ok()?)
    }

    fn slot_mut(&mut self, seq: u64) -> Option<&mut Slot> {
        self.slots.get_mut(usize::try_from(seq.checked_sub(self.first)?).ok()?)
    }
}

/// Whether a fate can still change: the probe or its reply may be on its way.
fn is_open(fate: ProbeStatus) -> bool {
    matches!(fate, ProbeStatus::NotSeen | ProbeStatus::Answered | ProbeStatus::Held)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Instant {
        Instant::ZERO + Duration::from_micros(micros)
    }

    const PATIENCE: Patience = Patience {
        deadline: Some(Duration::from_millis(1)),
        longest_hold: Duration::ZERO,
        grace: Duration::ZERO,
        truth: Duration::ZERO,
    };
    const PLANNED: Planned = Planned {
        seq: 0,
        due: Instant::ZERO,
        interval: Duration::from_millis(1),
        at_floor: false,
        overslept: false,
    };

    /// One probe, due at 0, sent at 10 us and answered at 100 us.
    fn answered(left: Option<Instant>) -> Resolved {
        let mut flight = Flight::new(64, PATIENCE, 1);
        flight.start(at(0));
        flight.register(&PLANNED, at(10));
        left.into_iter().for_each(|left| _ = flight.leave(0, left));
        let times = ServerTimes { owd_up: Duration::from_micros(40), ..ServerTimes::default() };
        flight.arrive(0, at(100), ReplyFacts { times: Some(times), ..ReplyFacts::default() });
        flight.end_sending();
        flight.pop(at(2_000), |_| Cause::Unknown).expect("its deadline has passed")
    }

    #[test]
    fn what_the_kernel_says_of_a_departure_counts() {
        let resolved = answered(Some(at(13)));
        let micros = |time: Option<Duration>| time.unwrap().as_micros_f64();
        assert_eq!(micros(resolved.rtt), 87.0);
        assert_eq!(micros(resolved.sent), 13.0);
        assert_eq!(micros(resolved.owd_up), 37.0);
        assert_eq!(micros(resolved.due_rtt()), 100.0);
    }

    #[test]
    fn who_leaves_later_than_it_was_made_has_its_time_from_then_on() {
        let patience = Patience { deadline: None, ..PATIENCE };
        let mut flight = Flight::new(64, patience, 1);
        flight.start(at(0));
        flight.register(&PLANNED, at(10));
        flight.finalize(0, at(30));
        assert_eq!(
            flight.arrive(0, at(1_030), ReplyFacts::default()),
            Arrival::First { rtt: Duration::from_millis(1), late_by: None }
        );
        let resolved = flight.pop(at(2_000), |_| Cause::Unknown).expect("its deadline has passed");
        assert_eq!(
            (resolved.sent, resolved.due_rtt()),
            (Some(Duration::from_micros(30)), Some(Duration::from_micros(1_030)))
        );
    }

    #[test]
    fn a_departure_before_it_was_sent_or_long_after_is_a_clock_that_was_set() {
        for left in [at(9), at(10 + 1_000_000)] {
            assert_eq!(answered(Some(left)), answered(None));
        }
    }
}
