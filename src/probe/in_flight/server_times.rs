//! Whether the times in a reply are possible. A bit that changed on the way must not become a figure.

use crate::time::{Duration, Instant};

/// Where the send time of a probe was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SendClock {
    Kernel,
    Program,
}

/// The times of a reply as the server wrote them, and what they give with the client's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ServerTimes {
    /// How long the server held the reply on purpose, where the dialect tells.
    pub hold: Option<Duration>,
    /// From the server's receiving to its sending, the hold included.
    pub residence: Duration,
    /// The kernel stamps what the server receives. Otherwise a residence of zero means unknown.
    pub stamped: bool,
    /// The server's receive time minus the client's send time, as the probe carried it.
    pub owd_up: Duration,
    /// The client's receive time minus the server's send time.
    pub owd_down: Duration,
}

impl ServerTimes {
    /// Timestamps of one clock may contradict each other by this: kernel stamps and program stamps differ.
    const GRANULARITY: Duration = Duration::from_micros(1);
    /// A difference of two kernel stamps of one host is off by less: both are converted in the same way.
    const KERNEL_STAMP_ERROR: Duration = Duration::from_micros(5);

    pub(crate) fn residence(&self) -> Option<Duration> {
        (self.stamped || self.residence > Duration::ZERO).then_some(self.residence)
    }

    /// A hold is part of the residence, and the residence part of the RTT.
    pub(crate) fn are_possible(&self, rtt: Duration, sent_by: SendClock) -> bool {
        let error = match sent_by {
            SendClock::Kernel if self.stamped => Self::KERNEL_STAMP_ERROR,
            _ => ClockBounds::STAMP_ERROR,
        };
        let drift = self.residence.mul_f64(ClockBounds::MAX_DRIFT);
        self.hold.is_none_or(|hold| hold <= self.residence + Self::GRANULARITY)
            && self.residence <= rtt + error + drift
    }

    /// No delay is negative, which bounds the offset of the two clocks from both sides.
    pub(crate) fn clock_bounds(&self, received: Instant) -> ClockBounds {
        ClockBounds { low: -self.owd_down, high: self.owd_up, at: received }
    }
}

/// The server's clock minus the client's lay between these at one time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClockBounds {
    low: Duration,
    high: Duration,
    at: Instant,
}

impl ClockBounds {
    /// Kernel stamps are of the wall clock, and converting them to the monotonic clock costs some accuracy.
    const STAMP_ERROR: Duration = Duration::from_micros(100);
    /// Each host's clock is slewed by 500 ppm at most.
    const MAX_DRIFT: f64 = 1e-3;

    /// Whether one offset, drifting, explains both.
    fn agree(&self, other: &Self) -> bool {
        let slack = Self::STAMP_ERROR + (other.at - self.at).abs().mul_f64(Self::MAX_DRIFT);
        self.low <= other.high + slack && other.low <= self.high + slack
    }

    /// The offsets that both allow, at the time of `newer`; those of `newer` if they allow none.
    fn narrowed(&self, newer: &Self) -> Self {
        let drift = (newer.at - self.at).abs().mul_f64(Self::MAX_DRIFT);
        let (low, high) = ((self.low - drift).max(newer.low), (self.high + drift).min(newer.high));
        if low <= high { Self { low, high, at: newer.at } } else { *newer }
    }
}

/// Whether a reply's receive time fits those of the replies around it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Trust {
    #[default]
    Agreed,
    /// No later reply has agreed or disagreed yet.
    Pending,
    Refuted,
}

/// How the server's clock relates to the client's. One reply that disagrees with those before and after
/// it has a changed receive time; when two in a row disagree with those before, a clock was set.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ClockRelation {
    agreed: Option<Agreed>,
    outlier: Option<(u64, ClockBounds)>,
}

#[derive(Clone, Copy, Debug)]
struct Agreed {
    bounds: ClockBounds,
    /// The only reply that says so.
    alone: Option<u64>,
}

impl ClockRelation {
    /// Takes the next reply; returns what is now known of it and of replies before it.
    pub(super) fn judge(&mut self, seq: u64, new: ClockBounds) -> [Option<(u64, Trust)>; 3] {
        let Some(agreed) = &mut self.agreed else {
            self.agreed = Some(Agreed { bounds: new, alone: Some(seq) });
            return [Some((seq, Trust::Pending)), None, None];
        };
        if agreed.bounds.agree(&new) {
            agreed.bounds = agreed.bounds.narrowed(&new);
            let confirmed = agreed.alone.take().map(|seq| (seq, Trust::Agreed));
            let refuted = self.outlier.take().map(|(seq, _)| (seq, Trust::Refuted));
            return [Some((seq, Trust::Agreed)), confirmed, refuted];
        }
        let Some((outlier, bounds)) = self.outlier.take() else {
            self.outlier = Some((seq, new));
            return [Some((seq, Trust::Pending)), None, None];
        };
        let before = agreed.alone.take();
        if bounds.agree(&new) {
            // Of three the first was wrong; after more a clock was set.
            *agreed = Agreed { bounds: bounds.narrowed(&new), alone: None };
            let refuted = before.map(|seq| (seq, Trust::Refuted));
            return [Some((seq, Trust::Agreed)), Some((outlier, Trust::Agreed)), refuted];
        }
        // The clocks run apart, and nothing can be said of single replies.
        *agreed = Agreed { bounds: new, alone: None };
        let before = before.map(|seq| (seq, Trust::Agreed));
        [Some((seq, Trust::Agreed)), Some((outlier, Trust::Agreed)), before]
    }

    /// Whether these bounds agree with what is known.
    pub(super) fn allows(&self, bounds: &ClockBounds) -> bool {
        self.agreed.is_none_or(|agreed| agreed.bounds.agree(bounds))
    }

    /// A reply that is still pending contradicts another one.
    pub(super) fn is_contradicted(&self) -> bool {
        self.outlier.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Replies every 10 ms, of a path of 1 ms each way, whose clock offsets are these in ms.
    fn judged(offsets: &[i64]) -> Vec<Trust> {
        let mut relation = ClockRelation::default();
        let mut trust = vec![Trust::Pending; offsets.len()];
        for (seq, offset) in offsets.iter().enumerate() {
            let [low, high] = [offset - 1, offset + 1].map(Duration::from_millis);
            let at = Instant::ZERO + Duration::from_millis(10) * seq as i64;
            for (seq, known) in
                relation.judge(seq as u64, ClockBounds { low, high, at }).into_iter().flatten()
            {
                trust[seq as usize] = known;
            }
        }
        trust
    }

    #[test]
    fn one_reply_that_contradicts_its_neighbours_is_refuted_and_a_clock_that_was_set_is_not() {
        use Trust::{Agreed, Pending, Refuted};
        assert_eq!(judged(&[0]), [Pending]);
        assert_eq!(judged(&[0, 1, 0]), [Agreed; 3]);
        assert_eq!(judged(&[0, 0, 900, 0]), [Agreed, Agreed, Refuted, Agreed]);
        assert_eq!(judged(&[900, 0, 0]), [Refuted, Agreed, Agreed]);
        assert_eq!(judged(&[0, 900, 0]), [Agreed, Refuted, Agreed]);
        assert_eq!(judged(&[0, 0, 900, 900, 900]), [Agreed; 5]);
        assert_eq!(judged(&[0, 0, 900]), [Agreed, Agreed, Pending]);
        assert_eq!(judged(&[0, 0, 90, 180, 270, 270]), [Agreed; 6]);
    }

    #[test]
    fn a_hold_is_part_of_the_residence_and_the_residence_of_the_rtt() {
        let millis = Duration::from_millis;
        let possible = |hold, residence, rtt| {
            let (hold, residence) = (millis(hold), millis(residence));
            let times = ServerTimes { hold: Some(hold), residence, ..ServerTimes::default() };
            times.are_possible(millis(rtt), SendClock::Program)
        };
        assert!(possible(0, 0, 1) && possible(5, 5, 6) && possible(5, 6, 6));
        assert!(!possible(6, 5, 10) && !possible(5, 7, 6) && !possible(0, 7_300_000, 6));
    }

    #[test]
    fn kernel_stamps_at_both_ends_leave_a_residence_little_room_beyond_the_rtt() {
        let possible = |beyond: i64, stamped, sent_by| {
            let residence = Duration::from_micros(60 + beyond);
            let times = ServerTimes { residence, stamped, ..ServerTimes::default() };
            times.are_possible(Duration::from_micros(60), sent_by)
        };
        assert!(possible(4, true, SendClock::Kernel) && !possible(6, true, SendClock::Kernel));
        for (stamped, sent_by) in [(true, SendClock::Program), (false, SendClock::Kernel)] {
            assert!(possible(90, stamped, sent_by) && !possible(110, stamped, sent_by));
        }
    }
}
