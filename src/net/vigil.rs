//! Whether it pays to stay awake for the next datagram. It does while they come so soon that going
//! to sleep and being woken would take longer than the wait, which costs the server as much as
//! waiting, and its client the waking.

use crate::time::{Duration, Instant};

#[derive(Clone, Copy, Debug)]
pub struct Vigil {
    heard: Instant,
    keen: bool,
}

impl Vigil {
    const LONGEST: Duration = Duration::from_micros(5);
    /// A sleep that was too short to be worth it; most of it is falling asleep and waking up.
    const NAP: Duration = Duration::from_micros(10);

    pub fn begin(now: Instant) -> Self {
        Self { heard: now, keen: false }
    }

    /// Something came.
    pub fn heard(&mut self, now: Instant) {
        self.heard = now;
    }

    /// Whether to look again instead of sleeping.
    pub fn lasts(&mut self, now: Instant) -> bool {
        self.keen &= now - self.heard < Self::LONGEST;
        self.keen
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
        assert!(!vigil.lasts(at(1)), "nothing says that datagrams come soon");
        vigil.slept(Duration::from_micros(6));
        vigil.heard(at(10));
        assert!(vigil.lasts(at(14)));
        vigil.heard(at(14));
        assert!(vigil.lasts(at(18)));
        assert!(!vigil.lasts(at(19)));
        vigil.heard(at(20));
        assert!(!vigil.lasts(at(20)), "one that ended begins only after another short sleep");
    }

    #[test]
    fn a_long_sleep_was_worth_it() {
        let mut vigil = Vigil::begin(at(0));
        vigil.slept(Duration::from_micros(10));
        vigil.heard(at(10));
        assert!(!vigil.lasts(at(10)));
    }
}
