//! One direction of a simulated path: how long a datagram takes, and how many copies arrive.

use crate::rng::Stream;
use crate::time::{Duration, Instant};
use crate::units::Probability;

/// What a path does to datagrams. Delays that vary reorder them.
#[derive(Clone, Debug)]
pub struct Conditions {
    pub shortest_delay: Duration,
    pub longest_delay: Duration,
    pub loss: Probability,
    pub duplicates: Probability,
    /// Nothing passes in these spans, counted from the start.
    pub outages: Vec<(Duration, Duration)>,
    /// A longer datagram cannot be sent.
    pub longest: usize,
    /// A longer datagram is lost without a word.
    pub longest_passed: usize,
}

impl Conditions {
    /// A path that takes so long, and nothing else.
    pub fn ideal(delay: Duration) -> Self {
        Self {
            shortest_delay: delay,
            longest_delay: delay,
            loss: Probability::ZERO,
            duplicates: Probability::ZERO,
            outages: Vec::new(),
            longest: usize::MAX,
            longest_passed: usize::MAX,
        }
    }
}

/// One direction of one client's path.
#[derive(Clone, Debug)]
pub struct Link {
    conditions: Conditions,
    stream: Stream,
    passed: u64,
}

impl Link {
    pub fn new(conditions: Conditions, stream: Stream) -> Self {
        Self { conditions, stream, passed: 0 }
    }

    pub fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    /// The delays of the copies that arrive: none, one, or two.
    pub fn pass(&mut self, now: Instant, datagram: &[u8]) -> impl Iterator<Item = Duration> + use<> {
        let mut draws = self.stream.at(self.passed);
        self.passed += 1;
        let conditions = &self.conditions;
        let since_start = now - super::Simulation::START;
        let out = conditions.outages.iter().any(|(from, to)| (*from..*to).contains(&since_start));
        let lost = draws.unit() < conditions.loss.get() || out || datagram.len() > conditions.longest_passed;
        let doubled = draws.unit() < conditions.duplicates.get();
        let spread = conditions.longest_delay - conditions.shortest_delay;
        let mut delay = || conditions.shortest_delay + spread.mul_f64(draws.unit());
        let delays = [(!lost).then(&mut delay), (!lost && doubled).then(&mut delay)];
        delays.into_iter().flatten()
    }
}
