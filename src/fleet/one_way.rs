//! One-way delays of one target, where its dialect tells the server's times: both clocks are related by bounds that
//! hold, and a delay counts only while the bound is below it.

use crate::probe::Resolved;
use crate::stats::{ClockOffset, Exchange, Offset, RttBuckets};
use crate::time::Duration;

/// The delays by direction, and the clocks.
#[derive(Clone, Debug, Default)]
pub struct OneWay {
    /// From this host to the target.
    pub up: RttBuckets,
    /// From the target to this host.
    pub down: RttBuckets,
    clock: ClockOffset,
    /// The last offset, with its bound.
    offset: Option<Offset>,
    /// When the clocks were last related anew, from time zero of the session.
    since: Duration,
}

impl OneWay {
    /// Drifts are no straight line for longer.
    const RESTART: Duration = Duration::from_secs(3_600);

    /// Takes a probe with a reply.
    pub(super) fn record(&mut self, probe: &Resolved) {
        let (Some(sent), Some(rtt), Some(up), Some(down)) =
            (probe.sent, probe.rtt, probe.owd_up, probe.owd_down)
        else {
            return;
        };
        let received = sent + rtt;
        if sent - self.since >= Self::RESTART {
            (self.clock, self.since) = (ClockOffset::default(), sent);
        }
        self.clock.record(Exchange { sent, received, up, down });
        self.offset = self.clock.at(received);
        if let Some(Offset { estimate, bound }) = self.offset {
            let (up, down) = (up - estimate, down + estimate);
            [(&mut self.up, up), (&mut self.down, down)]
                .into_iter()
                .filter(|(_, delay)| *delay > bound)
                .for_each(|(buckets, delay)| buckets.record(delay));
        }
    }

    /// Another session has another time zero.
    pub(super) fn restart(&mut self) {
        (self.clock, self.offset, self.since) = (ClockOffset::default(), None, Duration::ZERO);
    }

    /// The target's clock minus this host's, and how far it may be off.
    pub fn clock_offset(&self) -> Option<(Duration, Duration)> {
        self.offset.map(|offset| (offset.estimate, offset.bound))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::Outcome;

    /// A probe a second, of 3 ms up and 5 ms down, to a server whose clock is ahead by 2 s.
    fn probe(seq: i64, up_micros: i64) -> Resolved {
        let [up, down, ahead] = [up_micros, 5_000, 2_000_000].map(Duration::from_micros);
        Resolved {
            outcome: Outcome::Ok,
            sent: Some(Duration::from_secs(seq)),
            rtt: Some(up + down),
            owd_up: Some(up + ahead),
            owd_down: Some(down - ahead),
            ..Resolved::unanswered(seq as u64)
        }
    }

    #[test]
    fn a_delay_counts_by_direction_once_the_clocks_are_known_well_enough() {
        let mut one_way = OneWay::default();
        // The bound is about half of the smallest RTT, 4 ms: more than the way up takes.
        (0..10).for_each(|seq| one_way.record(&probe(seq, 3_000)));
        let (offset, bound) = one_way.clock_offset().unwrap();
        assert!((offset - Duration::from_secs(2)).abs() <= bound, "{offset} {bound}");
        assert!((4.0..8.0).contains(&bound.as_millis_f64()), "{bound}");
        assert_eq!((one_way.up.count(), one_way.down.count()), (0, 0), "{bound}");
        // A queue of 50 ms on the way up is well above it.
        one_way.record(&probe(10, 53_000));
        let most = one_way.up.cumulative().find(|(_, count)| *count == 1).unwrap().0;
        assert_eq!((one_way.up.count(), one_way.down.count()), (1, 0));
        assert!((Duration::from_millis(50)..=Duration::from_millis(103)).contains(&most), "{most}");
    }

    #[test]
    fn a_probe_without_the_server_s_times_counts_for_nothing() {
        let mut one_way = OneWay::default();
        one_way.record(&Resolved { owd_up: None, ..probe(0, 3_000) });
        assert_eq!((one_way.clock_offset(), one_way.up.count()), (None, 0));
    }
}
