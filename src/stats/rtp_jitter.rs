//! The smoothed jitter of RTP receivers (RFC 3550 section 6.4.1 and appendix A.8).
//!
//! Fed in the order of arrival. Before the second packet the jitter is unknown, not zero.

use crate::time::Duration;

/// The smoothed jitter of RFC 3550, section 6.4.1.
#[derive(Clone, Copy, Debug, Default)]
pub struct RtpJitter {
    previous: Option<Duration>,
    /// In nanoseconds.
    smoothed: Option<f64>,
}

impl RtpJitter {
    /// Zero, before the first RTT.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the transit time of the next arrival.
    pub fn record(&mut self, transit: Duration) {
        if let Some(previous) = self.previous.replace(transit) {
            let variation = (transit - previous).abs().as_nanos() as f64;
            let jitter = self.smoothed.unwrap_or(0.0);
            self.smoothed = Some(jitter + (variation - jitter) / 16.0);
        }
    }

    pub(crate) fn value(&self) -> Option<Duration> {
        self.smoothed.map(|nanos| Duration::from_nanos(nanos.round() as i64))
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn of(transits: &[i64]) -> RtpJitter {
        let mut jitter = RtpJitter::new();
        transits.iter().for_each(|nanos| jitter.record(Duration::from_nanos(*nanos)));
        jitter
    }

    #[test]
    fn rfc_3550_appendix_a_8() {
        let transits = [20, 10, 20, 25, 20].map(|millis| millis * 1_000_000);
        assert_eq!(of(&transits).value(), Some(Duration::from_nanos(1_669_769)));
    }

    #[test]
    fn the_first_packet_has_none() {
        assert_eq!(of(&[]).value(), None);
        assert_eq!(of(&[500]).value(), None);
        assert_eq!(of(&[500, 500]).value(), Some(Duration::ZERO));
    }

    proptest! {
        /// Unrolled, the recursion is a sum: each variation weighs (15/16)^age / 16.
        #[test]
        fn agrees_with_the_weighted_sum(transits in vec(-1_000_000_i64..1_000_000, 2..200)) {
            let variations = transits.windows(2).map(|pair| (pair[1] - pair[0]).abs() as f64);
            let ages = (0..transits.len() as i32 - 1).rev();
            let sum: f64 = variations.zip(ages).map(|(v, age)| v * (15.0_f64 / 16.0).powi(age) / 16.0).sum();
            prop_assert!((of(&transits).value().unwrap().as_nanos() as f64 - sum).abs() <= 0.51);
        }
    }
}
