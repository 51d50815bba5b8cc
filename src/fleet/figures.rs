//! The counts of one target. Probes count once they are resolved, so that at any moment losses are
//! `lost / (replies + lost)`.

use std::sync::Arc;

use super::counters::Counters;
use super::history::Sample;
use super::one_way::OneWay;
use crate::probe::{Cause, Event, Failure, FlowChange, HostNames, NotOnTime, Outcome, Reroll, Resolved};
use crate::stats::{OutcomeCounts, RttBuckets};
use crate::time::{Duration, Instant};

/// Whether a target answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum State {
    /// Its name has no address yet.
    Unresolved,
    /// No session yet.
    #[default]
    Opening,
    /// A reply came within the give-up time.
    Measuring,
    /// Probes leave, and no reply has come for the give-up time.
    Silent,
    /// Its host says by ICMP that nothing listens at the port.
    Closed,
    /// Its server said that it ends, and has no successor yet. No probe is sent for a minute.
    Ended,
    /// The server refuses a session.
    Denied,
}

impl State {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 7] = [
        Self::Opening,
        Self::Measuring,
        Self::Silent,
        Self::Closed,
        Self::Ended,
        Self::Denied,
        Self::Unresolved,
    ];

    /// As in metrics and JSON.
    pub fn label(self) -> &'static str {
        match self {
            Self::Unresolved => "unresolved",
            Self::Opening => "opening",
            Self::Measuring => "measuring",
            Self::Silent => "silent",
            Self::Closed => "closed",
            Self::Ended => "ended",
            Self::Denied => "denied",
        }
    }
}

/// The counts of one target since it was added.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    outcomes: OutcomeCounts,
    /// Replies beyond the first to a probe.
    pub duplicates: u64,
    /// Probes that were due while the host was suspended.
    pub skipped: u64,
    /// Probes that were due while the server was away, as it had said.
    pub withheld: u64,
    /// RTT of all replies, late ones included.
    pub rtt: RttBuckets,
    least: Option<Duration>,
    most: Option<Duration>,
    last: Option<Duration>,
    /// Flows that lose half of their probes or more, a bit each.
    lossy_flows: u64,
    rerolls: [u64; Reroll::ALL.len()],
    /// Source ports of the flows, as of the last event about one.
    flow_ports: Vec<u16>,
    one_way: Option<Box<OneWay>>,
    /// None while the server has named nothing.
    host: Option<Arc<HostNames>>,
    state: State,
    /// The number of the newest probe with a reply, plus 1.
    answered_until: u64,
    /// Probes before it went to a server that has ended: their fates say nothing about its successor.
    sent_anew_from: u64,
    /// Lost of the probes after the newest with a reply: those before it are resolved later, and say nothing about now.
    lost_since: u64,
    opened: Option<Instant>,
    /// The first probe of the run was due then.
    zero: Option<Instant>,
}

impl Figures {
    /// Of a target whose name has no address, or none any more. Its counters stay.
    #[must_use]
    pub fn without_address(self) -> Self {
        Self { state: State::Unresolved, ..self }
    }

    /// The state is that of a new target; the counters stay.
    pub fn reopen(&mut self) {
        self.state = State::default();
    }

    /// Of a target whose one-way delays count, too.
    pub fn with_one_way() -> Self {
        Self { one_way: Some(Box::default()), ..Self::default() }
    }

    /// Takes what the target's client reports.
    pub fn observe(&mut self, event: &Event) {
        match event {
            Event::Opened { at, server } => {
                self.opened = Some(*at);
                self.state = State::Measuring;
                self.name(&server.host);
            }
            Event::Renamed(host) => self.name(host),
            Event::Reply { seq, rtt, copy: 1, .. } => {
                self.last = Some(*rtt);
                if *seq >= self.sent_anew_from {
                    self.state = State::Measuring;
                }
                self.answered_until = self.answered_until.max(seq + 1);
                self.lost_since = 0;
            }
            Event::Reply { .. } => self.duplicates += 1,
            Event::Ending { next_seq, .. } => {
                (self.state, self.sent_anew_from, self.lost_since) = (State::Ended, *next_seq, 0);
            }
            Event::Withheld { probes } => self.withheld += probes,
            // Its next probe may be due in half a minute.
            Event::Reopened { .. } if self.state == State::Ended => self.state = State::Measuring,
            Event::Resolved(probe) => self.resolve(probe),
            Event::Started { zero } => {
                self.zero = Some(*zero);
                (self.answered_until, self.sent_anew_from) = (0, 0);
                self.one_way.iter_mut().for_each(|one_way| one_way.restart());
            }
            Event::Flow { change: FlowChange::Lossy(flows), .. } => self.lossy_flows = *flows,
            Event::Flow { change: FlowChange::Rerolled(_, result), .. } => {
                self.rerolls[*result as usize] += 1
            }
            Event::Failed(failure) | Event::Waiting(failure) => self.fail(failure),
            Event::Unreachable { .. } => self.state = State::Closed,
            _ => {}
        }
    }

    fn name(&mut self, host: &HostNames) {
        self.host = (*host != HostNames::default()).then(|| Arc::new(host.clone()));
    }

    /// A probe for the history of its target; none if it never left.
    pub fn sample(&self, probe: &Resolved) -> Option<Sample> {
        Sample::of(self.zero?, probe)
    }

    fn resolve(&mut self, probe: &Resolved) {
        if probe.skipped {
            self.skipped += 1;
            return;
        }
        self.outcomes.record(probe);
        let Some(rtt) = probe.rtt else {
            let is_newer = probe.seq >= self.answered_until.max(self.sent_anew_from);
            self.lost_since += u64::from(is_newer && probe.outcome == Outcome::Lost);
            if self.lost_since >= 3 && matches!(self.state, State::Measuring | State::Ended) {
                self.state = State::Silent;
            }
            return;
        };
        self.rtt.record(rtt);
        self.one_way.iter_mut().for_each(|one_way| one_way.record(probe));
        self.least = Some(self.least.map_or(rtt, |least| least.min(rtt)));
        self.most = Some(self.most.map_or(rtt, |most| most.max(rtt)));
    }

    fn fail(&mut self, failure: &Failure) {
        self.state = match failure {
            Failure::Unreachable => State::Closed,
            failure if failure.is_silence() => State::Silent,
            _ => State::Denied,
        };
    }

    /// The counters, as `/metrics` and a record have them.
    pub fn counters(&self) -> Counters {
        Counters {
            outcomes: self.outcomes,
            duplicates: self.duplicates,
            skipped: self.skipped,
            withheld: self.withheld,
            rtt: self.rtt.clone(),
        }
    }

    /// Replies, on time or late.
    pub fn replies(&self) -> u64 {
        self.outcomes.on_time + self.outcomes.late()
    }

    /// Replies after their deadline.
    pub fn late(&self) -> u64 {
        self.outcomes.late()
    }

    /// Probes without a reply.
    pub fn lost(&self) -> u64 {
        self.outcomes.lost()
    }

    /// Of these, those with this cause.
    pub fn lost_by(&self, cause: Cause) -> u64 {
        self.outcomes.of(NotOnTime::Lost(cause))
    }

    /// Probes that left and are resolved.
    pub fn resolved(&self) -> u64 {
        self.outcomes.sent()
    }

    /// Probes that the socket refused.
    pub fn send_errors(&self) -> u64 {
        self.outcomes.not_sent()
    }

    /// Lost of those resolved; none before the first.
    pub fn loss_share(&self) -> Option<f64> {
        (self.resolved() > 0).then(|| self.lost() as f64 / self.resolved() as f64)
    }

    /// The RTT of the newest reply.
    pub fn last_rtt(&self) -> Option<Duration> {
        self.last
    }

    /// The smallest, mean and largest RTT.
    pub fn rtt_range(&self) -> Option<[Duration; 3]> {
        let mean = self.rtt.total().as_nanos() / i64::try_from(self.rtt.count()).ok().filter(|n| *n > 0)?;
        Some([self.least?, Duration::from_nanos(mean), self.most?])
    }

    /// The numbers of the flows that lose half of their probes or more.
    pub fn lossy_flows(&self) -> impl Iterator<Item = u32> + use<> {
        let flows = self.lossy_flows;
        (0..u64::BITS).filter(move |flow| flows >> flow & 1 == 1)
    }

    /// Takes the source ports of the flows.
    pub fn note_flow_ports(&mut self, ports: Vec<u16>) {
        self.flow_ports = ports;
    }

    /// The source port of a flow that was lossy.
    pub fn flow_port(&self, flow: u32) -> Option<u16> {
        self.flow_ports.get(flow as usize).copied()
    }

    /// One-way delays and the clock offset, if they count.
    pub fn one_way(&self) -> Option<&OneWay> {
        self.one_way.as_deref()
    }

    /// Comparisons of a silent port with a fresh one that ended so.
    pub fn rerolls(&self, result: Reroll) -> u64 {
        self.rerolls[result as usize]
    }

    /// The names that the target's server tells of its host, if it does.
    pub fn host(&self) -> Option<&HostNames> {
        self.host.as_deref()
    }

    /// Whether the target answers.
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether replies come: 0 in `udpecho_target_up` otherwise.
    pub fn is_up(&self) -> bool {
        self.state == State::Measuring
    }

    /// The start of the first session.
    pub fn opened(&self) -> Option<Instant> {
        self.opened
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::{Dialect, Failure, ServerInfo};

    fn probe(seq: u64, rtt: Option<i64>, cause: Option<Cause>) -> Event {
        let rtt = rtt.map(Duration::from_micros);
        Event::Resolved(Resolved {
            interval: Duration::from_secs(1),
            outcome: if rtt.is_some() { Outcome::Ok } else { Outcome::Lost },
            cause,
            rtt,
            copies: 1,
            ..Resolved::unanswered(seq)
        })
    }

    #[test]
    fn losses_are_a_share_of_what_is_resolved_and_keep_their_cause() {
        let mut figures = Figures::default();
        assert_eq!((figures.loss_share(), figures.rtt_range()), (None, None));
        figures.observe(&probe(0, Some(100), None));
        figures.observe(&probe(1, None, Some(Cause::Up)));
        figures.observe(&probe(2, Some(300), None));
        figures.observe(&probe(3, None, Some(Cause::Unknown)));
        assert_eq!((figures.replies(), figures.lost(), figures.resolved()), (2, 2, 4));
        assert_eq!((figures.lost_by(Cause::Up), figures.lost_by(Cause::Down)), (1, 0));
        assert_eq!(figures.loss_share(), Some(0.5));
        assert_eq!(figures.rtt_range(), Some([100, 200, 300].map(Duration::from_micros)));
    }

    #[test]
    fn a_target_is_silent_after_three_losses_since_its_last_reply_and_up_with_the_next_one() {
        let mut figures = Figures::default();
        let reply =
            |seq| Event::Reply { seq, rtt: Duration::from_micros(5), hold: None, late_by: None, copy: 1 };
        figures.observe(&reply(0));
        (1..3).for_each(|seq| figures.observe(&probe(seq, None, Some(Cause::Up))));
        assert!(figures.is_up());
        figures.observe(&probe(3, None, Some(Cause::Up)));
        assert_eq!(figures.state(), State::Silent);
        figures.observe(&reply(9));
        assert!(figures.is_up());
        // Probes of the outage are given up one by one while replies come again.
        (4..9).for_each(|seq| figures.observe(&probe(seq, None, Some(Cause::Up))));
        assert!(figures.is_up());
        // A target that was changed counts its probes from 0 again.
        figures.observe(&Event::Started { zero: Instant::ZERO });
        (0..3).for_each(|seq| figures.observe(&probe(seq, None, Some(Cause::Up))));
        assert_eq!(figures.state(), State::Silent);
    }

    #[test]
    fn a_target_has_ended_from_the_word_of_its_server_to_the_session_with_the_next_one() {
        let reply =
            |seq| Event::Reply { seq, rtt: Duration::from_micros(5), hold: None, late_by: None, copy: 1 };
        let ending = Event::Ending { at: Instant::ZERO, next_seq: 3 };
        let mut figures = Figures::default();
        figures.observe(&reply(0));
        figures.observe(&ending);
        figures.observe(&reply(1));
        figures.observe(&Event::Withheld { probes: 4 });
        assert_eq!((figures.state(), figures.withheld), (State::Ended, 4), "the reply was on its way");
        figures.observe(&Event::Reopened { at: Instant::ZERO, first_seq: 3 });
        assert_eq!(figures.state(), State::Measuring);
        figures.observe(&reply(3));
        assert_eq!(figures.state(), State::Measuring);
        // Two losses, and a third that is resolved later: they are of the server that ended.
        (4..6).for_each(|seq| figures.observe(&probe(seq, None, Some(Cause::Up))));
        figures.observe(&Event::Ending { at: Instant::ZERO, next_seq: 7 });
        figures.observe(&probe(6, None, Some(Cause::Up)));
        figures.observe(&probe(7, None, Some(Cause::Unknown)));
        assert_eq!(figures.state(), State::Ended);
        (8..10).for_each(|seq| figures.observe(&probe(seq, None, Some(Cause::Unknown))));
        assert_eq!(figures.state(), State::Silent, "it did not come back");
    }

    #[test]
    fn a_skipped_probe_is_no_send_error() {
        let mut figures = Figures::default();
        let not_sent = Resolved { outcome: Outcome::SendError, ..Resolved::unanswered(0) };
        figures.observe(&Event::Resolved(not_sent));
        figures.observe(&Event::Resolved(Resolved { skipped: true, ..not_sent }));
        assert_eq!((figures.send_errors(), figures.skipped), (1, 1));
    }

    #[test]
    fn a_host_has_the_names_of_the_newest_session() {
        let named = |name: &str| HostNames { name: name.into(), ..HostNames::default() };
        let opened = |host| Event::Opened {
            at: Instant::ZERO,
            server: ServerInfo { host, ..ServerInfo::silent(Dialect::Native) },
        };
        let mut figures = Figures::default();
        figures.observe(&opened(named("n7")));
        assert_eq!(figures.host(), Some(&named("n7")));
        figures.observe(&Event::Renamed(named("n8")));
        assert_eq!(figures.host(), Some(&named("n8")));
        figures.observe(&opened(HostNames::default()));
        assert_eq!(figures.host(), None);
    }

    #[test]
    fn a_server_that_refuses_is_denied_one_that_does_not_answer_silent_and_one_that_is_not_there_closed() {
        let mut figures = Figures::default();
        figures.observe(&Event::Failed(Failure::Full { sessions: 1 }));
        assert_eq!(figures.state(), State::Denied);
        figures.observe(&Event::Waiting(Failure::Silent { tries: 3, after: Duration::from_secs(3) }));
        assert_eq!(figures.state(), State::Silent);
        figures.observe(&Event::Waiting(Failure::Unreachable));
        assert_eq!(figures.state(), State::Closed);
        let reply = Event::Reply { seq: 0, rtt: Duration::ZERO, hold: None, late_by: None, copy: 1 };
        figures.observe(&reply);
        figures.observe(&Event::Unreachable { at: Instant::ZERO });
        assert_eq!(figures.state(), State::Closed);
        figures.observe(&reply);
        assert_eq!(figures.state(), State::Measuring);
        let unresolved = figures.clone().without_address();
        assert_eq!((unresolved.state(), unresolved.is_up()), (State::Unresolved, false));
        figures.reopen();
        assert_eq!(figures.state(), State::Opening);
    }
}
