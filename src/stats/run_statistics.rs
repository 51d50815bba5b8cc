//! Every statistic of a run: fed each probe once, in the order of sequence, in memory that does not
//! grow with the run. The summary, the report, a comparison and the live views read from here.

use super::{
    ArrivalOrder, Bursts, ClockOffset, Duplication, Exchange, Gilbert, Ipdv, KneeFinder, LossPattern, Offset,
    OutcomeCounts, Quantiles, Reordering, ReplyNumbers, RtpJitter, ScheduleError, Second, Seconds,
};
use crate::probe::{Cause, Corruption, NotOnTime, Resolved};
use crate::time::Duration;

/// Delays are of replies on time, unless a field says otherwise.
#[derive(Debug, Default)]
pub struct RunStatistics {
    /// All probes by outcome.
    pub outcomes: OutcomeCounts,
    /// Where losses were whose probes have an unknown cause.
    reply_numbers: ReplyNumbers,
    /// From time zero to the last reply, or to the end of the last interval.
    pub duration: Duration,
    /// Of payload, of the last probe.
    pub size: u32,
    /// The last interval, and whether any was shorter or longer than the one before.
    interval: Option<Duration>,
    shrinks: bool,
    grows: bool,
    pub(crate) rtt: Quantiles,
    /// The number of the probe with the longest RTT, the first of equals.
    pub slowest: Option<u64>,
    /// Late replies too.
    pub rtt_all: Quantiles,
    pub(crate) net_rtt: Quantiles,
    pub(crate) hold: Quantiles,
    /// The server's time besides the hold.
    pub server_own: Quantiles,
    /// Differences of the two clocks, since the last clock step.
    pub owd_up: Option<Quantiles>,
    pub(crate) owd_down: Option<Quantiles>,
    pub(crate) due_rtt: Quantiles,
    pub(crate) ipdv: Ipdv,
    arrivals: ArrivalOrder<Arrived>,
    jitter: RtpJitter,
    reordering: Reordering,
    pub(crate) duplication: Duplication,
    pub(crate) duplication_up: Duplication,
    pub(crate) duplication_down: Duplication,
    pub(crate) injected_duplicates: u64,
    pub(crate) corrupted: u64,
    pub(crate) injected_corrupted: u64,
    pub(crate) impossible_times: u64,
    pub(crate) skipped: u64,
    /// Lost or late probes, as are those of `bursts` and `gilbert`.
    pub losses: LossPattern,
    pub(crate) bursts: Bursts,
    pub(crate) gilbert: Gilbert,
    pub(crate) schedule: ScheduleError,
    pub(crate) clock: ClockOffset,
    pub(crate) knee: KneeFinder,
    seconds: Seconds,
}

#[derive(Clone, Copy, Debug)]
struct Arrived {
    seq: u64,
    /// None of a late reply, which has no part in the jitter.
    on_time: Option<Duration>,
}

impl Arrived {
    fn count(self, reordering: &mut Reordering, jitter: &mut RtpJitter) {
        reordering.record(self.seq);
        if let Some(rtt) = self.on_time {
            jitter.record(rtt);
        }
    }
}

impl RunStatistics {
    /// Of a run without probes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next probe; passes on each second that it completes.
    pub fn push(&mut self, probe: &Resolved, mut second: impl FnMut(&Second)) {
        self.size = probe.size;
        let before = self.interval.replace(probe.interval).unwrap_or(probe.interval);
        self.shrinks |= probe.interval < before;
        self.grows |= probe.interval > before;
        self.outcomes.record(probe);
        self.reply_numbers.push(probe);
        self.push_copies(probe);
        if let (Some(sent), Some(rtt)) = (probe.sent, probe.rtt) {
            self.rtt_all.record(rtt);
            self.push_arrival(probe, sent, rtt);
        }
        let on_time = probe.on_time();
        if let Some(rtt) = on_time {
            if self.rtt.max().is_none_or(|max| rtt > max) {
                self.slowest = Some(probe.seq);
            }
            self.rtt.record(rtt);
            probe.net_rtt().into_iter().for_each(|net| self.net_rtt.record(net));
            probe.due_rtt().into_iter().for_each(|due| self.due_rtt.record(due));
            self.push_server(probe);
        }
        self.ipdv.record(on_time);
        if let Some(sent) = probe.sent {
            let lost = on_time.is_none();
            self.losses.record(lost, sent, probe.due + probe.interval);
            self.bursts.record(lost);
            self.gilbert.record(lost);
            self.schedule.record(sent - probe.due, probe.interval);
            self.knee.record(probe.interval, on_time);
        }
        self.seconds.record(probe).for_each(|done| second(&done));
    }

    /// The last second, which no later probe completes; none if there was no probe.
    pub fn last_second(&self) -> Option<Second> {
        (self.outcomes.probes() > 0).then(|| self.seconds.open())
    }

    /// Of the arrivals so far. Replies that an earlier one may still precede count in the order they
    /// have now.
    pub fn arrivals(&self) -> (RtpJitter, Reordering) {
        let (mut jitter, mut reordering) = (self.jitter, self.reordering.clone());
        for arrived in self.arrivals.clone().finish() {
            arrived.count(&mut reordering, &mut jitter);
        }
        (jitter, reordering)
    }

    /// The server's clock minus the client's.
    pub fn offset(&self) -> Option<Offset> {
        self.clock.constant().or_else(|| self.clock.halfway())
    }

    /// How many probes each cause took. The server's numbers may tell how many of the unknown ones went which way.
    pub fn losses_to(&self, cause: Cause) -> u64 {
        let (told, of_rows) = (self.reply_numbers.told(), self.outcomes.of(NotOnTime::Lost(cause)));
        match cause {
            Cause::Up => of_rows + told.up,
            Cause::Down => of_rows + told.down,
            Cause::Unknown => of_rows.saturating_sub(told.up + told.down),
            _ => of_rows,
        }
    }

    /// Whether intervals became shorter and never longer.
    pub fn decays(&self) -> bool {
        self.shrinks && !self.grows
    }

    fn push_copies(&mut self, probe: &Resolved) {
        self.duplication.record(probe.copies);
        self.duplication_up.record(probe.probe_copies.unwrap_or(0));
        if let Some((packets, copies)) = probe.replies() {
            self.duplication_down.record_packets(packets, copies);
        }
        self.injected_duplicates += u64::from(probe.injected_copies.unwrap_or(0));
        self.impossible_times += u64::from(probe.impossible_times);
        self.skipped += u64::from(probe.skipped);
        match probe.corrupted {
            Some(Corruption::Network) => self.corrupted += 1,
            Some(Corruption::Injected) => self.injected_corrupted += 1,
            None => {}
        }
        let end = probe.sent.unwrap_or(probe.due) + probe.rtt.unwrap_or(probe.interval);
        self.duration = self.duration.max(end);
    }

    /// Splits the RTT, as far as the server tells its times.
    fn push_server(&mut self, probe: &Resolved) {
        if let Some(server) = probe.server {
            probe.hold.into_iter().for_each(|hold| self.hold.record(hold));
            self.server_own.record(server - probe.hold.unwrap_or(Duration::ZERO));
        }
        if let (Some(up), Some(down)) = (probe.owd_up, probe.owd_down) {
            self.owd_up.get_or_insert_with(|| Quantiles::around(up)).record(up);
            self.owd_down.get_or_insert_with(|| Quantiles::around(down)).record(down);
        }
    }

    /// A reply counts for the order of arrival even when it was late.
    fn push_arrival(&mut self, probe: &Resolved, sent: Duration, rtt: Duration) {
        self.arrivals.record(sent, sent + rtt, Arrived { seq: probe.seq, on_time: probe.on_time() });
        while let Some(arrived) = self.arrivals.settled() {
            arrived.count(&mut self.reordering, &mut self.jitter);
        }
        if let (Some(up), Some(down)) = (probe.owd_up, probe.owd_down) {
            let step = self.clock.record(Exchange { sent, received: sent + rtt, up, down });
            if step.is_some() {
                (self.owd_up, self.owd_down) = (None, None);
            }
        }
    }
}
