//! The variation of delay above the least delay of the run (RFC 5481): D(i) - Dmin.
//!
//! A view of the run's percentiles: it needs no memory of its own.

use super::quantiles::Quantiles;
use crate::time::Duration;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Pdv<'a>(&'a Quantiles);

impl<'a> Pdv<'a> {
    pub(crate) fn of(delays: &'a Quantiles) -> Self {
        Self(delays)
    }

    /// The one number to quote: the 99.9th percentile above the minimum.
    pub(crate) fn headline(self) -> Option<Duration> {
        self.at(0.999)
    }

    pub(crate) fn at(self, p: f64) -> Option<Duration> {
        Some(self.0.at(p)? - self.0.min()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The variations in ascending order, each as often as it occurs.
    fn variations(delays: &[i64]) -> Vec<i64> {
        let mut quantiles = Quantiles::new();
        delays.iter().for_each(|delay| quantiles.record(Duration::from_millis(*delay)));
        let count = delays.len();
        let at = |index: usize| Pdv::of(&quantiles).at((index as f64 + 0.5) / count as f64).unwrap();
        (0..count).map(|index| at(index).as_nanos() / 1_000_000).collect()
    }

    #[test]
    fn rfc_5481_figure_1_and_its_losses() {
        // In the order of sequence 10, 0, 10, 15, 10 and 0, 2, 1, 0, 1.
        assert_eq!(variations(&[20, 10, 20, 25, 20]), [0, 10, 10, 10, 15]);
        assert_eq!(variations(&[3, 5, 4, 3, 4]), [0, 0, 1, 1, 2]);
    }

    #[test]
    fn the_headline_is_the_p999_above_the_minimum() {
        let mut quantiles = Quantiles::new();
        assert_eq!(Pdv::of(&quantiles).headline(), None);
        (1..=1000).for_each(|k| quantiles.record(Duration::from_millis(100 + k)));
        assert_eq!(Pdv::of(&quantiles).headline(), Some(Duration::from_millis(998)));
        assert_eq!(Pdv::of(&quantiles).at(1.0), Some(Duration::from_millis(999)));
    }
}
