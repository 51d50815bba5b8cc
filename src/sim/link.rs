//! One direction of a simulated path: an impairment, limits of size, outages.

use std::sync::Arc;

use crate::impair::{Bottleneck, Direction, Impairment, Link, Packet};
use crate::rng::{Seed, Stream};
use crate::time::{Duration, Instant};

/// When a simulation starts: away from zero, so that nothing relies on it.
pub(super) const START: Instant = Instant::from_nanos(1_000_000_000_000);

/// The conditions of one direction of a path.
#[derive(Clone, Debug)]
pub struct Conditions {
    /// The propagation delay.
    pub delay: Duration,
    /// Applied whatever its `direction`; its delay comes on top.
    pub impairment: Arc<Impairment>,
    /// Nothing passes in these spans, counted from the start.
    pub outages: Vec<(Duration, Duration)>,
    /// The sender's system refuses a longer datagram.
    pub send_limit: usize,
    /// The path drops a longer datagram silently.
    pub path_limit: usize,
}

impl Conditions {
    /// A path with this delay and no other effect.
    pub fn ideal(delay: Duration) -> Self {
        Self { delay, ..Self::impaired("clean") }
    }

    /// A path with the impairment of this line, such as `delay=uniform:5ms..9ms loss=10%`.
    pub fn impaired(line: &str) -> Self {
        let impairment: Impairment = line.parse().expect("the line of an impairment");
        Self {
            delay: Duration::ZERO,
            impairment: Arc::new(impairment),
            outages: Vec::new(),
            send_limit: usize::MAX,
            path_limit: usize::MAX,
        }
    }
}

/// One direction of one client's path.
#[derive(Clone, Debug)]
pub struct SimulatedLink {
    conditions: Conditions,
    link: Link,
    bottleneck: Bottleneck,
    copy_delays: Stream,
    passed: u64,
}

impl SimulatedLink {
    /// One direction of a path; links with the same seed and direction treat datagrams alike.
    pub fn new(conditions: Conditions, direction: Direction, seed: Seed) -> Self {
        let link = Link::new(Arc::clone(&conditions.impairment), direction, seed);
        let copy_delays = Stream::new(seed, &format!("copy delay {}", direction.name()));
        Self { conditions, link, bottleneck: Bottleneck::default(), copy_delays, passed: 0 }
    }

    /// The conditions that it was made with.
    pub fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    /// The copies that arrive of a datagram sent now, each with its delay. A duplicate has its own
    /// delay and does not queue, so it may overtake the first.
    pub fn pass(
        &mut self,
        now: Instant,
        datagram: &[u8],
    ) -> impl Iterator<Item = (Duration, Vec<u8>)> + use<> {
        let seq = self.passed;
        self.passed += 1;
        let conditions = &self.conditions;
        let since_start = now - START;
        let in_outage = conditions.outages.iter().any(|(from, to)| (*from..*to).contains(&since_start));
        let packet = Packet { payload: datagram, ..Packet::new(now, seq, datagram.len()) };
        let treatment = self.link.admit_packet(&mut self.bottleneck, &packet);
        let arrives = treatment.dropped.is_none() && !in_outage && datagram.len() <= conditions.path_limit;
        let mut datagram = datagram.to_vec();
        treatment.corrupt(&mut datagram);
        let copy_delay = conditions.delay + conditions.impairment.delay.draw(&self.copy_delays, seq);
        let copy_delay = copy_delay + treatment.copy_after;
        let copy = (arrives && treatment.extra_copies > 0).then(|| (copy_delay, datagram.clone()));
        let first = arrives.then_some((conditions.delay + treatment.hold, datagram));
        first.into_iter().chain(copy)
    }
}
