//! Whether it pays to stay awake for the next datagrams. It does while they come so soon that going
//! to sleep and being woken would take longer than the wait, which costs the server as much as
//! waiting, and its client the waking.

use crate::time::{Duration, Instant};

#[derive(Clone, Copy, Debug)]
pub struct Vigil {
    heard: Instant,
    many: bool,
    keen: bool,
}

impl Vigil {
    const LONGEST: Duration = Duration::from_micros(5);
    /// A sleep that was too short to be worth it; most of it is falling asleep and waking up.
    const NAP: Duration = Duration::from_micros(10);
    /// Whoever sends without waiting for answers is slowed by each look at the socket that it fills: what
    /// it sends is left to gather.
    const GATHER: Duration = Duration::from_micros(6);

    pub fn begin(now: Instant) -> Self {
        Self { heard: now, many: false, keen: false }
    }

    /// Something came; with many at once, more is worth waiting for.
    pub fn heard(&mut self, now: Instant, many: bool) {
        self.heard = now;
        self.many = many;
    }

    /// When to look again, if not to sleep.
    pub fn next_look(&mut self, now: Instant) -> Option<Instant> {
        self.keen &= now - self.heard < Self::LONGEST;
        let pause = if self.many { Self::GATHER } else { Duration::ZERO };
        self.keen.then_some(now + pause)
    }

    /// A sleep is over.
    pub fn slept(&mut self, length: Duration) {
        self.keen = length < Self::NAP;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Instant {
        Instant::ZERO + Duration::from_micros(micros)
    }

    #[test]
    fn a_short_sleep_is_followed_by_a_vigil_until_nothing_comes_for_long() {
        let mut vigil = Vigil::begin(at(0));
        assert_eq!(vigil.next_look(at(1)), None, "nothing says that datagrams come soon");
        vigil.slept(Duration::from_micros(6));
        vigil.heard(at(10), false);
        assert_eq!(vigil.next_look(at(14)), Some(at(14)));
        vigil.heard(at(14), false);
        assert_eq!(vigil.next_look(at(18)), Some(at(18)));
        assert_eq!(vigil.next_look(at(19)), None);
        vigil.heard(at(20), false);
        assert_eq!(vigil.next_look(at(20)), None, "one that ended begins only after another short sleep");
    }

    #[test]
    fn many_are_left_to_gather_and_looked_for_once() {
        let mut vigil = Vigil::begin(at(0));
        vigil.slept(Duration::from_micros(6));
        vigil.heard(at(10), true);
        let next = vigil.next_look(at(10)).unwrap();
        assert!((at(15)..at(20)).contains(&next), "{next:?}");
        assert_eq!(vigil.next_look(next), None);
    }

    #[test]
    fn a_long_sleep_was_worth_it() {
        let mut vigil = Vigil::begin(at(0));
        vigil.slept(Duration::from_micros(10));
        vigil.heard(at(10), false);
        assert_eq!(vigil.next_look(at(10)), None);
    }
}
