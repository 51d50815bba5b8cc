//! Fair queueing: a queue for each flow, all served alike, bit by bit.
//!
//! A packet's departure is fixed on arrival, as if no flow began afterwards: it leaves when its flow's
//! queue and as much of each other queue have been served. Later arrivals of other flows delay the
//! packets behind it, so each flow's rate is exact and only single departures are early.

use super::codel::Codel;
use super::{FlowKey, RateLimit};
use crate::time::{Duration, Instant};

#[derive(Clone, Debug, Default)]
pub(super) struct Fair {
    /// The flows with packets in their queue.
    flows: Vec<Flow>,
    as_of: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Flow {
    key: FlowKey,
    /// The time that the link needs for what is in the queue.
    queue: Duration,
    codel: Codel,
}

impl Fair {
    /// How long until all queues are empty.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        let queued: Duration = self.flows.iter().map(|flow| flow.queue).sum();
        (queued - (now - self.as_of.unwrap_or(now))).max(Duration::ZERO)
    }

    pub(super) fn pass(
        &mut self,
        limit: RateLimit,
        key: FlowKey,
        now: Instant,
        bytes: usize,
    ) -> Option<Duration> {
        self.serve(now);
        let service = limit.rate.time_for(bytes as u64);
        let room = limit.rate.time_for(limit.queue.get());
        let index = self.flow(key);
        let own = self.flows[index].queue;
        let total: Duration = self.flows.iter().map(|flow| flow.queue).sum();
        // A full buffer refuses the flows that have their share of it.
        let share = room / self.flows.len() as i64;
        if total > Duration::ZERO && total + service > room && own + service > share {
            return None;
        }
        let queued = self.served_after(own);
        if limit.codel && self.flows[index].codel.drops(limit.rate, now + queued, queued) {
            return None;
        }
        self.flows[index].queue += service;
        Some(self.served_after(own + service))
    }

    /// The service of the link until a queue of this length is empty.
    fn served_after(&self, own: Duration) -> Duration {
        self.flows.iter().map(|flow| flow.queue.min(own)).sum()
    }

    fn flow(&mut self, key: FlowKey) -> usize {
        self.flows.iter().position(|flow| flow.key == key).unwrap_or_else(|| {
            self.flows.push(Flow { key, queue: Duration::ZERO, codel: Codel::default() });
            self.flows.len() - 1
        })
    }

    /// Serves all queues alike until now; flows with empty queues are forgotten.
    fn serve(&mut self, now: Instant) {
        let mut left = now - self.as_of.replace(now).unwrap_or(now);
        while left > Duration::ZERO && !self.flows.is_empty() {
            let count = self.flows.len() as i64;
            let shortest = self.flows.iter().map(|flow| flow.queue).min().unwrap_or_default();
            let each = shortest.min(left / count);
            self.flows.iter_mut().for_each(|flow| flow.queue -= each);
            left -= each * count;
            self.flows.retain(|flow| flow.queue > Duration::ZERO);
            if each < shortest {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Instant {
        Instant::ZERO + Duration::from_micros(micros)
    }

    fn limit(text: &str) -> RateLimit {
        text.parse().unwrap()
    }

    /// At 8 Mbit 1000 bytes take 1 ms.
    #[test]
    fn a_flow_alone_is_served_as_by_one_queue() {
        let (limit, mut link) = (limit("8Mbit,queue=4k,fq"), Fair::default());
        let waits: Vec<Option<f64>> =
            (0..6).map(|_| link.pass(limit, 1, at(0), 1_000).map(Duration::as_millis_f64)).collect();
        assert_eq!(waits, [Some(1.0), Some(2.0), Some(3.0), Some(4.0), None, None]);
        assert_eq!(link.pass(limit, 1, at(50_000), 9_000), Some(Duration::from_millis(9)));
    }

    #[test]
    fn a_flow_with_few_packets_passes_the_queue_of_a_greedy_one() {
        let (limit, mut link) = (limit("8Mbit,queue=100k,fq"), Fair::default());
        for _ in 0..100 {
            link.pass(limit, 1, at(0), 1_000);
        }
        assert_eq!(link.pass(limit, 2, at(0), 1_000), Some(Duration::from_millis(2)));
    }

    /// Three flows at twice, a third and a tenth of the rate: the fair share is what the small ones leave.
    #[test]
    fn what_small_flows_leave_is_the_share_of_the_large_one() {
        let (limit, mut link) = (limit("8Mbit,queue=50k,fq"), Fair::default());
        let mut passed = [0_u32; 3];
        for micros in 0..10_000_000_i64 {
            for (flow, period) in [(0, 500), (1, 3_000), (2, 10_000)] {
                if micros % period == 0 && link.pass(limit, flow, at(micros), 1_000).is_some() {
                    passed[flow as usize] += 1;
                }
            }
        }
        assert_eq!(passed[1..], [3_334, 1_000]);
        let greedy = i64::from(passed[0]) - (10_000 - 3_334 - 1_000);
        assert!((0..=50).contains(&greedy), "its share and what waits at the end: {greedy} more");
    }

    #[test]
    fn no_packet_of_a_flow_leaves_before_one_that_came_earlier() {
        let (limit, mut link) = (limit("8Mbit,queue=20k,fq"), Fair::default());
        let mut last = [Instant::ZERO; 3];
        for k in 0..30_000_i64 {
            let (flow, now) = ((k * k % 7 % 3) as usize, at(k * 400));
            if let Some(wait) = link.pass(limit, flow as u64, now, 300 + (k * 31 % 900) as usize) {
                // A division by the number of flows is rounded down by a few nanoseconds.
                assert!(now + wait + Duration::from_nanos(50) >= last[flow], "at {now:?}");
                last[flow] = now + wait;
            }
        }
    }
}
