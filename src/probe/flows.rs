//! Source ports of one session. Probes take turns by them, so that a bad path of several shows; and a port that has
//! been silent for long is compared with a fresh one.
//!
//! A flow whose fresh port is answered while the old one is not moves to the fresh port, and the old one rests. A
//! stale entry of a NAT or a firewall is forgotten meanwhile, so that the old port is answered again; behind a dead
//! path of several it stays silent.

use std::collections::VecDeque;

use crate::time::{Duration, Instant};

/// The result of comparing a silent port with a fresh one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reroll {
    /// The fresh port is answered and the old one is not: the flow has moved to it.
    Moved,
    /// A NAT or a firewall kept a stale entry for the old port: after a rest it is answered again, or a fresh port is
    /// where all ports were silent.
    StaleNat,
    /// After a rest the old port is still silent: one path of several is dead.
    DeadPath,
    /// The fresh port is silent, too.
    Silent,
    /// The old port was answered meanwhile.
    Recovered,
}

impl Reroll {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 5] = [Self::Moved, Self::StaleNat, Self::DeadPath, Self::Silent, Self::Recovered];

    /// As in metrics and JSON.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Moved => "moved",
            Self::StaleNat => "stale_nat",
            Self::DeadPath => "dead_path",
            Self::Silent => "silent",
            Self::Recovered => "recovered",
        }
    }

    /// In a line of its own.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Moved => {
                "its port was silent and a fresh one is answered: a stale NAT entry or one dead path of several"
            }
            Self::StaleNat => "its port was silent because of a stale NAT or firewall entry",
            Self::DeadPath => "its port stays silent after a rest: one path of several is dead",
            Self::Silent => "its port and a fresh one are silent",
            Self::Recovered => "its port is answered again",
        }
    }
}

/// A change that the client reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowChange {
    /// The flows of whose last probes half or more have no reply in time: bit k is flow k.
    Lossy(u64),
    /// A comparison of this flow's port with a fresh one is over.
    Rerolled(usize, Reroll),
}

#[derive(Debug)]
pub(super) struct Flows {
    flows: Vec<Flow>,
    /// The channel that is no flow's.
    spare: usize,
    /// Channels that get another socket with their next probe.
    renew: Vec<bool>,
    /// Probes by the spare channel of which nothing is known yet.
    by_spare: VecDeque<u64>,
    trial: Option<Trial>,
    /// No trial begins before this, and the next pause.
    rests_until: Instant,
    pause: Duration,
    lossy: u64,
    /// The channel of the newest probe.
    last: usize,
    setups: usize,
}

#[derive(Debug)]
struct Flow {
    channel: usize,
    /// One bit for each of the last 8 probes: it had no reply in time.
    lost: u8,
    silent: u32,
    /// The flow has moved, and its first port is silent.
    has_dead_port: bool,
}

/// One flow's probes alternate between its channel and the spare one.
#[derive(Debug)]
struct Trial {
    flow: usize,
    stage: Stage,
    turn: u64,
    spare: Tally,
    own: Tally,
    is_told: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The spare channel is the fresh port.
    Compare,
    /// The spare channel is the old port, which sends nothing.
    Rest(Instant),
    /// The old port is tried again.
    Retest,
}

#[derive(Debug, Default)]
struct Tally {
    answered: u32,
    lost: u32,
}

impl Flows {
    /// As many as a set of 64 bits names.
    pub(super) const MOST: u8 = 64;
    /// A port is compared with a fresh one after so many losses in a row.
    const SILENT: u32 = 8;
    /// Losses among the last 8 probes that make a flow lossy.
    const LOSSY: u32 = 4;
    const ENOUGH: u32 = 3;
    /// Longer than NATs and firewalls keep an entry for UDP: 120 s in Linux.
    const REST: Duration = Duration::from_secs(180);
    const FIRST_PAUSE: Duration = Duration::from_secs(60);
    const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);
    /// Handshakes sent by one channel before the next has its turn.
    const SETUPS: usize = 5;

    pub(super) fn new(count: u8) -> Self {
        let count = usize::from(count.clamp(1, Self::MOST));
        Self {
            flows: (0..count).map(Flow::new).collect(),
            spare: count,
            renew: vec![false; count + 1],
            by_spare: VecDeque::new(),
            trial: None,
            rests_until: Instant::ZERO,
            pause: Self::FIRST_PAUSE,
            lossy: 0,
            last: 0,
            setups: 0,
        }
    }

    /// The channel of a probe, and whether it gets another socket first.
    pub(super) fn assign(&mut self, seq: u64, now: Instant) -> (usize, bool) {
        let flow = self.of(seq);
        self.last = self.flows[flow].channel;
        if let Some(trial) = self.trial.as_mut().filter(|trial| trial.flow == flow) {
            if matches!(trial.stage, Stage::Rest(until) if now >= until) {
                trial.begin(Stage::Retest);
            }
            if !matches!(trial.stage, Stage::Rest(_)) {
                trial.turn += 1;
                if trial.turn % 2 == 1 {
                    self.by_spare.push_back(seq);
                    self.last = self.spare;
                }
            }
        }
        (self.last, std::mem::take(&mut self.renew[self.last]))
    }

    /// Of each flow.
    pub(super) fn channels(&self) -> impl Iterator<Item = usize> {
        self.flows.iter().map(|flow| flow.channel)
    }

    /// Each flow's port is tried for a few handshakes: the first may be the one whose path is dead. During a comparison
    /// it is the fresh port, behind which another server may be.
    pub(super) fn of_setup(&mut self) -> usize {
        if self.trial.as_ref().is_some_and(|trial| trial.stage == Stage::Compare) {
            return self.spare;
        }
        self.setups += 1;
        self.flows[(self.setups - 1) / Self::SETUPS % self.flows.len()].channel
    }

    /// A query leaves by the port of the newest probe: with a key, a server answers no other.
    pub(super) fn of_query(&self) -> usize {
        self.last
    }

    /// A probe has a reply in time, or none by its deadline.
    pub(super) fn note(&mut self, seq: u64, is_lost: bool, now: Instant) -> Vec<FlowChange> {
        let mut changes = Vec::new();
        let flow = self.of(seq);
        if !self.note_in_trial(flow, seq, is_lost) {
            self.flows[flow].note(is_lost);
        }
        changes.extend(self.judge(now));
        let lossy = self.lossy_flows();
        if std::mem::replace(&mut self.lossy, lossy) != lossy {
            changes.push(FlowChange::Lossy(lossy));
        }
        if self.trial.is_none() && self.flows[flow].silent >= Self::SILENT && now >= self.rests_until {
            self.renew[self.spare] = true;
            self.trial = Some(Trial::new(flow));
        }
        changes
    }

    /// A reply came after its deadline: its port is not silent.
    pub(super) fn note_late(&mut self, seq: u64) {
        let flow = self.of(seq);
        self.flows[flow].silent = 0;
    }

    fn of(&self, seq: u64) -> usize {
        (seq % self.flows.len() as u64) as usize
    }

    /// Whether the probe left by the spare channel, and so says nothing of its flow.
    fn note_in_trial(&mut self, flow: usize, seq: u64, is_lost: bool) -> bool {
        let place = self.by_spare.iter().position(|spare| *spare == seq);
        let by_spare = place.and_then(|place| self.by_spare.remove(place)).is_some();
        let Some(trial) = self.trial.as_mut().filter(|trial| trial.flow == flow) else { return by_spare };
        let tally = if by_spare { &mut trial.spare } else { &mut trial.own };
        if is_lost {
            tally.lost += 1
        } else {
            tally.answered += 1
        }
        by_spare
    }

    /// The result of the trial, once it has one.
    fn judge(&mut self, now: Instant) -> Option<FlowChange> {
        let trial = self.trial.as_ref()?;
        let flow = trial.flow;
        let result = match trial.stage {
            Stage::Rest(_) => return None,
            Stage::Compare if trial.own.answered > 0 => Reroll::Recovered,
            Stage::Compare if trial.spare.answered >= Self::ENOUGH => {
                if self.all_are_silent() && self.flows.len() > 1 { Reroll::StaleNat } else { Reroll::Moved }
            }
            Stage::Compare if trial.spare.lost >= Self::ENOUGH => Reroll::Silent,
            Stage::Retest if trial.spare.answered >= Self::ENOUGH => Reroll::StaleNat,
            Stage::Retest if trial.spare.lost >= Self::ENOUGH => Reroll::DeadPath,
            Stage::Compare | Stage::Retest => return None,
        };
        let is_retest = trial.stage == Stage::Retest;
        let was_told = trial.is_told;
        match result {
            Reroll::Moved => self.move_to_spare(now),
            Reroll::StaleNat if !is_retest => self.renew_all(),
            Reroll::DeadPath => self.rest(now),
            Reroll::Silent => self.pause(now),
            Reroll::StaleNat | Reroll::Recovered => self.end_trial(),
        }
        (!(was_told && result == Reroll::DeadPath)).then_some(FlowChange::Rerolled(flow, result))
    }

    fn all_are_silent(&self) -> bool {
        self.flows.iter().all(|flow| flow.silent >= Self::SILENT / 2)
    }

    fn move_to_spare(&mut self, now: Instant) {
        let Some(trial) = &mut self.trial else { return };
        let flow = &mut self.flows[trial.flow];
        std::mem::swap(&mut flow.channel, &mut self.spare);
        *flow = Flow { has_dead_port: true, ..Flow::new(flow.channel) };
        trial.begin(Stage::Rest(now + Self::REST));
    }

    fn rest(&mut self, now: Instant) {
        if let Some(trial) = &mut self.trial {
            trial.is_told = true;
            trial.begin(Stage::Rest(now + Self::REST));
        }
    }

    /// Every port was silent but the fresh one: the others become fresh, too.
    fn renew_all(&mut self) {
        let Some(trial) = self.trial.take() else { return };
        std::mem::swap(&mut self.flows[trial.flow].channel, &mut self.spare);
        for flow in &mut self.flows {
            *flow = Flow::new(flow.channel);
        }
        let fresh = self.flows[trial.flow].channel;
        (0..self.renew.len()).for_each(|channel| self.renew[channel] = channel != fresh);
        self.pause = Self::FIRST_PAUSE;
    }

    fn pause(&mut self, now: Instant) {
        self.rests_until = now + self.pause;
        self.pause = (self.pause * 2).min(Self::LONGEST_PAUSE);
        self.trial = None;
    }

    fn end_trial(&mut self) {
        if let Some(trial) = self.trial.take() {
            self.flows[trial.flow].has_dead_port = false;
        }
        self.pause = Self::FIRST_PAUSE;
    }

    fn lossy_flows(&self) -> u64 {
        let lossy = self.flows.iter().enumerate().filter(|(_, flow)| flow.is_lossy());
        lossy.map(|(number, _)| 1 << number).sum()
    }
}

impl Flow {
    fn new(channel: usize) -> Self {
        Self { channel, lost: 0, silent: 0, has_dead_port: false }
    }

    fn note(&mut self, is_lost: bool) {
        self.lost = self.lost << 1 | u8::from(is_lost);
        self.silent = if is_lost { self.silent + 1 } else { 0 };
    }

    fn is_lossy(&self) -> bool {
        self.has_dead_port || self.lost.count_ones() >= Flows::LOSSY
    }
}

impl Trial {
    fn new(flow: usize) -> Self {
        Self {
            flow,
            stage: Stage::Compare,
            turn: 0,
            spare: Tally::default(),
            own: Tally::default(),
            is_told: false,
        }
    }

    fn begin(&mut self, stage: Stage) {
        (self.stage, self.turn) = (stage, 0);
        (self.spare, self.own) = (Tally::default(), Tally::default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Probes a second apart, each resolved before the next; `is_dead` says which sockets lose them, by their number:
    /// a channel's first socket has the channel's, further ones count on.
    struct Path<F> {
        flows: Flows,
        sockets: Vec<usize>,
        next_socket: usize,
        seq: u64,
        is_dead: F,
        changes: Vec<(u64, FlowChange)>,
    }

    impl<F: FnMut(usize, u64) -> bool> Path<F> {
        fn new(count: u8, is_dead: F) -> Self {
            let sockets: Vec<usize> = (0..=usize::from(count)).collect();
            let next_socket = sockets.len();
            Self { flows: Flows::new(count), sockets, next_socket, seq: 0, is_dead, changes: Vec::new() }
        }

        fn run_until(&mut self, end: u64) {
            while self.seq < end {
                let now = Instant::ZERO + Duration::from_secs(self.seq as i64);
                let (channel, renew) = self.flows.assign(self.seq, now);
                if renew {
                    self.sockets[channel] = self.next_socket;
                    self.next_socket += 1;
                }
                let is_lost = (self.is_dead)(self.sockets[channel], self.seq);
                let changes = self.flows.note(self.seq, is_lost, now);
                self.changes.extend(changes.into_iter().map(|change| (self.seq, change)));
                self.seq += 1;
            }
        }

        fn rerolls(&self) -> Vec<(usize, Reroll)> {
            let rerolls = self.changes.iter().filter_map(|(_, change)| match change {
                FlowChange::Rerolled(flow, result) => Some((*flow, *result)),
                FlowChange::Lossy(_) => None,
            });
            rerolls.collect()
        }
    }

    #[test]
    fn one_dead_path_of_sixteen_is_named_and_stays_named_though_its_flow_moves() {
        let mut path = Path::new(16, |socket, _| socket == 5);
        path.run_until(4_000);
        assert_eq!(path.rerolls(), [(5, Reroll::Moved), (5, Reroll::DeadPath)]);
        assert_eq!(path.flows.lossy, 1 << 5);
        let first = path.changes[0];
        assert!(first.1 == FlowChange::Lossy(1 << 5) && first.0 < 16 * 5, "{first:?}");
        // After the move none of its probes but those of the next tests is lost.
        assert_ne!(path.sockets[path.flows.flows[5].channel], 5);
    }

    /// A NAT forgets a port that has been silent for 120 s, and then lets it pass again.
    #[test]
    fn a_stale_entry_for_one_port_is_told_from_a_dead_path_by_a_rest() {
        let (mut last_use, mut is_stale) = (0, true);
        let mut path = Path::new(4, move |socket, second| {
            if socket != 2 {
                return false;
            }
            is_stale &= second - last_use < 120;
            last_use = second;
            is_stale
        });
        path.run_until(2_000);
        assert_eq!(path.rerolls(), [(2, Reroll::Moved), (2, Reroll::StaleNat)]);
        assert_eq!((path.flows.lossy, path.flows.trial.is_none()), (0, true));
    }

    #[test]
    fn where_all_ports_are_silent_and_a_fresh_one_is_not_all_become_fresh() {
        for count in [2, 8] {
            let last = usize::from(count);
            let mut path = Path::new(count, |socket, second| socket <= last && second >= 100);
            path.run_until(600);
            assert_eq!(path.rerolls(), [(100 % last, Reroll::StaleNat)], "{count} flows");
            assert_eq!(path.flows.lossy, 0);
            let mut used = path.flows.flows.iter().map(|flow| path.sockets[flow.channel]);
            assert!(used.all(|socket| socket > last), "{count} flows");
        }
    }

    #[test]
    fn a_single_port_that_became_stale_is_replaced() {
        let mut path = Path::new(1, |socket, second| socket == 0 && second >= 50);
        path.run_until(80);
        assert_eq!(path.rerolls(), [(0, Reroll::Moved)]);
        let before = path.seq;
        path.run_until(before + 100);
        assert_eq!(path.flows.flows[0].silent, 0);
    }

    /// The pauses between comparisons double, so a target that is down is not asked from ever new ports.
    #[test]
    fn a_target_that_is_down_costs_few_fresh_ports() {
        let mut path = Path::new(4, |_, _| true);
        path.run_until(86_400);
        assert!(path.rerolls().iter().all(|(_, result)| *result == Reroll::Silent));
        assert!((20..40).contains(&path.next_socket), "{}", path.next_socket);
        assert_eq!(path.flows.lossy, 15);
    }

    #[test]
    fn random_loss_makes_no_flow_lossy_and_begins_no_comparison() {
        let stream = crate::rng::Stream::new(3, "loss");
        let mut path = Path::new(16, |_, second| stream.unit(second) < 0.05);
        path.run_until(50_000);
        assert_eq!(path.rerolls(), []);
        let flagged = path.changes.len();
        assert!(flagged < 100, "{flagged} changes in 50,000 probes");
    }

    #[test]
    fn handshakes_take_turns_and_a_query_follows_the_newest_probe() {
        let mut flows = Flows::new(3);
        let channels: Vec<usize> = (0..20).map(|_| flows.of_setup()).collect();
        assert_eq!(channels, [[0; 5], [1; 5], [2; 5], [0; 5]].concat());
        assert_eq!(flows.assign(7, Instant::ZERO), (1, false));
        assert_eq!(flows.of_query(), 1);
    }
}
