//! The distribution of round-trip times in bars of equal width, as views draw it.

use crate::stats::Quantiles;
use crate::time::Duration;

/// One bar of the RTT histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    pub(crate) from: Duration,
    pub(crate) to: Duration,
    pub(crate) count: u64,
}

/// From the smallest value to the largest; none of nothing.
pub fn histogram(values: &Quantiles, bars: usize, log: bool) -> Vec<Bar> {
    let (Some(min), Some(max)) = (values.min(), values.max()) else { return Vec::new() };
    let place = |value: f64| if log { value.max(1.0).ln() } else { value };
    let value = |place: f64| Duration::from_nanos(if log { place.exp() } else { place }.round() as i64);
    let (mut low, mut high) = (min.as_nanos() as f64, max.as_nanos() as f64);
    if high <= low {
        (low, high) = (low * 0.95, low * 1.05 + 1.0);
    }
    let (low, high) = (place(low), place(high));
    let edge = |k: usize| value(low + (high - low) * k as f64 / bars as f64);
    let mut found: Vec<Bar> = (0..bars).map(|k| Bar { from: edge(k), to: edge(k + 1), count: 0 }).collect();
    let mut before = 0;
    for step in values.cumulative() {
        let share = (place(step.value.as_nanos() as f64) - low) / (high - low);
        let k = ((share * bars as f64) as usize).min(bars.saturating_sub(1));
        if let Some(bar) = found.get_mut(k) {
            bar.count += step.count - before;
        }
        before = step.count;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(micros: &[i64], bars: usize, log: bool) -> Vec<u64> {
        let mut values = Quantiles::new();
        micros.iter().for_each(|micros| values.record(Duration::from_micros(*micros)));
        histogram(&values, bars, log).into_iter().map(|bar| bar.count).collect()
    }

    #[test]
    fn every_value_is_in_one_bar() {
        assert_eq!(counts(&[100, 110, 149, 151, 200], 2, false), [3, 2]);
        assert_eq!(counts(&[1, 9, 11, 99, 100], 2, true), [2, 3]);
        assert_eq!(counts(&[7, 7, 7], 4, false).iter().sum::<u64>(), 3);
        assert_eq!(counts(&[0, 0], 3, true).iter().sum::<u64>(), 2);
        assert!(counts(&[], 4, false).is_empty() && counts(&[1], 0, false).is_empty());
    }

    #[test]
    fn bars_meet_and_reach_from_the_least_to_the_most() {
        let mut values = Quantiles::new();
        [100, 1000].into_iter().for_each(|micros| values.record(Duration::from_micros(micros)));
        for log in [false, true] {
            let bars = histogram(&values, 9, log);
            assert!(bars.windows(2).all(|pair| pair[0].to == pair[1].from), "{bars:?}");
            let ends = (bars[0].from, bars[8].to);
            assert_eq!(ends, (Duration::from_micros(100), Duration::from_micros(1000)), "{bars:?}");
        }
    }
}
