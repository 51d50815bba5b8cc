//! The variation of delay from one probe to the next (RFC 3393): D(i) - D(i-1), signed.
//!
//! Fed in the order of sequence, not of arrival. Undefined where either probe was lost: a loss is not
//! skipped.

use super::blocks::Average;
use super::quantiles::Quantiles;
use crate::time::Duration;

#[derive(Clone, Debug, Default)]
pub(crate) struct Ipdv {
    previous: Option<Duration>,
    values: Quantiles,
    absolute: Average,
}

impl Ipdv {
    /// Takes the next probe's delay, `None` if it was lost; returns its variation if there is one.
    pub(crate) fn record(&mut self, delay: Option<Duration>) -> Option<Duration> {
        let previous = std::mem::replace(&mut self.previous, delay);
        let variation = delay? - previous?;
        self.values.record(variation);
        self.absolute.record(variation.abs());
        Some(variation)
    }

    /// The variations that are defined.
    pub(crate) fn values(&self) -> &Quantiles {
        &self.values
    }

    /// Their absolute values, whose mean is the mean absolute IPDV.
    pub(crate) fn absolute(&self) -> &Average {
        &self.absolute
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;

    use super::*;

    fn variations(delays: &[Option<i64>]) -> (Vec<Option<i64>>, Ipdv) {
        let mut ipdv = Ipdv::default();
        let each = |delay: &Option<i64>| ipdv.record(delay.map(Duration::from_nanos));
        let all = delays.iter().map(each).map(|v| v.map(Duration::as_nanos)).collect();
        (all, ipdv)
    }

    #[test]
    fn rfc_5481_figure_1() {
        let (got, ipdv) = variations(&[20, 10, 20, 25, 20].map(Some));
        assert_eq!(got, [None, Some(-10), Some(10), Some(5), Some(-5)]);
        assert_eq!(ipdv.values().min(), Some(Duration::from_nanos(-10)));
        assert_eq!(ipdv.values().moments().mean(), Some(Duration::ZERO));
    }

    #[test]
    fn every_other_one_lost_leaves_all_undefined() {
        let delays = [3, 5, 4, 3, 4].into_iter().flat_map(|delay| [Some(delay), None]);
        let (got, ipdv) = variations(&delays.collect::<Vec<_>>());
        assert_eq!(got, [None; 10]);
        assert_eq!((ipdv.values().n(), ipdv.values().min()), (0, None));
    }

    proptest! {
        #[test]
        fn agrees_with_the_pairs(delays in vec(option::weighted(0.8, -1000_i64..1000), 0..200)) {
            let expected: Vec<i64> = delays.windows(2).filter_map(|pair| Some(pair[1]? - pair[0]?)).collect();
            let (got, ipdv) = variations(&delays);
            prop_assert_eq!(got.into_iter().flatten().collect::<Vec<_>>(), expected.clone());
            prop_assert_eq!(ipdv.values().n(), expected.len() as u64);
            prop_assert_eq!(ipdv.values().max().map(Duration::as_nanos), expected.into_iter().max());
        }
    }
}
