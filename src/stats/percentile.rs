//! The one definition of a percentile: the smallest x with at least p of the sample <= x.
//!
//! That is RFC 2330 section 11.3, the nearest rank. `p` is a share: the 99th percentile is 0.99.
//! The median differs (same section): of an even number of values it is the mean of the middle two.

use crate::time::Duration;

/// The rank of the percentile among n ascending values, from 1; none of no values.
pub fn rank(p: f64, n: u64) -> Option<u64> {
    let exact = p * n as f64;
    // 0.07 x 100 is 7.000000000000001 in binary, and its ceiling would be one rank too far.
    let exact = exact - exact * (4.0 * f64::EPSILON);
    (n > 0).then(|| (exact.ceil() as u64).clamp(1, n))
}

/// The highest percentile that n values tell from their maximum: 1 - 1/n.
pub fn finest(n: u64) -> Option<f64> {
    (n > 1).then(|| 1.0 - 1.0 / n as f64)
}

/// Whether n values tell this percentile from their maximum (`n=20: p99 is the maximum`).
pub fn supports(p: f64, n: u64) -> bool {
    rank(p, n).is_some_and(|rank| rank < n)
}

/// The percentile of ascending values and `undefined` infinite ones (RFC 7679 section 5.1). None if it is
/// infinite, or of no values.
pub fn percentile(sorted: &[Duration], undefined: u64, p: f64) -> Option<Duration> {
    let rank = rank(p, sorted.len() as u64 + undefined)?;
    value_at(sorted, rank)
}

/// The median under the same rule (RFC 7679 section 5.2).
pub fn median(sorted: &[Duration], undefined: u64) -> Option<Duration> {
    let (low, high) = middle(sorted.len() as u64 + undefined)?;
    Some(mean_of(value_at(sorted, low)?, value_at(sorted, high)?))
}

/// The two ranks whose mean is the median; equal for an odd number of values.
pub(super) fn middle(n: u64) -> Option<(u64, u64)> {
    (n > 0).then_some((n.div_ceil(2), n / 2 + 1))
}

pub(super) fn mean_of(a: Duration, b: Duration) -> Duration {
    Duration::from_nanos(a.as_nanos().midpoint(b.as_nanos()))
}

fn value_at(sorted: &[Duration], rank: u64) -> Option<Duration> {
    sorted.get(usize::try_from(rank).ok()?.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn sorted(values: &[i64]) -> Vec<Duration> {
        let mut values: Vec<_> = values.iter().map(|v| Duration::from_nanos(*v)).collect();
        values.sort();
        values
    }

    /// The definition word by word, p in hundredths of a percent so that no binary fraction errs.
    fn naive(values: &[i64], p_in_10_000: u64) -> i64 {
        let enough = |x: i64| {
            let at_most = values.iter().filter(|v| **v <= x).count() as u64;
            at_most * 10_000 >= p_in_10_000 * values.len() as u64
        };
        values.iter().copied().filter(|x| enough(*x)).min().unwrap()
    }

    #[test]
    fn rfc_2330_section_11_3() {
        let values = sorted(&[-2, 7, 7, 4, 18, -5]);
        for (p, expected) in [(0.5, 4), (0.25, -2), (1.0, 18)] {
            assert_eq!(percentile(&values, 0, p), Some(Duration::from_nanos(expected)), "{p}");
        }
        // 5.5: the mean of the middle two is not the 50th percentile.
        assert_eq!(median(&sorted(&[-20, 70, 70, 40, 180, -50]), 0), Some(Duration::from_nanos(55)));
    }

    #[test]
    fn rfc_7679_takes_the_undefined_as_infinite() {
        assert_eq!(median(&sorted(&[100, 110, 90, 500]), 1), Some(Duration::from_nanos(110)));
        assert_eq!(median(&sorted(&[100, 110, 90]), 1), Some(Duration::from_nanos(105)));
        assert_eq!(percentile(&sorted(&[100, 110, 90, 500]), 1, 0.0), Some(Duration::from_nanos(90)));
        assert_eq!(percentile(&sorted(&[100, 110, 90, 500]), 1, 0.99), None);
        assert_eq!(median(&sorted(&[100]), 1), None);
        assert_eq!(median(&[], 0), None);
    }

    #[test]
    fn binary_fractions_do_not_shift_a_rank() {
        assert_eq!(rank(0.07, 100), Some(7));
        assert_eq!(rank(99.9 / 100.0, 1000), Some(999));
        assert_eq!(rank(0.999, 1001), Some(1000));
        assert_eq!(rank(0.0, 5), Some(1));
        assert_eq!(rank(f64::NAN, 5), Some(1));
        assert_eq!(rank(0.5, 0), None);
    }

    #[test]
    fn a_sample_has_a_finest_percentile() {
        assert_eq!(finest(20), Some(0.95));
        assert!(supports(0.95, 20) && !supports(0.99, 20) && !supports(0.96, 20));
        assert!(supports(0.99, 100) && !supports(0.99, 99) && !supports(0.5, 1) && !supports(0.5, 0));
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(values in vec(-50_i64..50, 1..120), p in 1_u64..=10_000) {
            let got = percentile(&sorted(&values), 0, p as f64 / 10_000.0).unwrap();
            prop_assert_eq!(got.as_nanos(), naive(&values, p));
        }
    }
}
