//! How long an agent waits before it joins again: 1 s, doubled with each failure up to 30 s.

use crate::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Backoff(Duration);

impl Backoff {
    const FIRST: Duration = Duration::from_secs(1);
    const LONGEST: Duration = Duration::from_secs(30);

    pub(super) fn new() -> Self {
        Self(Self::FIRST)
    }

    /// The wait before the next attempt.
    pub(super) fn failed(&mut self) -> Duration {
        let wait = self.0;
        self.0 = (wait * 2).min(Self::LONGEST);
        wait
    }

    pub(super) fn joined(&mut self) {
        *self = Self::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_from_one_second_to_thirty_and_begin_anew_after_a_success() {
        let mut backoff = Backoff::new();
        let waits: Vec<f64> = (0..7).map(|_| backoff.failed().as_secs_f64()).collect();
        assert_eq!(waits, [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]);
        backoff.joined();
        assert_eq!(backoff.failed(), Duration::from_secs(1));
    }
}
