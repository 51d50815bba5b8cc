//! One quantity over the whole run: count, moments, extremes, quantiles to a hundredth of a per cent.

use hdrhistogram::Histogram;

use crate::record::Distribution;

#[derive(Clone, Debug)]
pub struct Tally {
    histogram: Histogram<u64>,
    mean: f64,
    /// The sum of squared distances from the mean (Welford 1962).
    squares: f64,
    /// The greatest value, with the number of its probe and its place.
    max: Option<(u64, u64, u64)>,
    min: u64,
}

impl Tally {
    pub fn new() -> Self {
        let histogram = Histogram::new(4).expect("4 digits are allowed");
        Self { histogram, mean: 0.0, squares: 0.0, max: None, min: u64::MAX }
    }

    pub fn push(&mut self, nanos: u64, seq: u64, x: u64) {
        self.histogram.record(nanos).expect("the histogram grows with its values");
        let distance = nanos as f64 - self.mean;
        self.mean += distance / self.count() as f64;
        self.squares += distance * (nanos as f64 - self.mean);
        self.min = self.min.min(nanos);
        if self.max.is_none_or(|(max, ..)| max < nanos) {
            self.max = Some((nanos, seq, x));
        }
    }

    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        self.histogram.distinct_values() * size_of::<u64>()
    }

    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// The number of the probe with the greatest value, the first of equals.
    pub fn max_seq(&self) -> Option<u64> {
        self.max.map(|(_, seq, _)| seq)
    }

    /// In microseconds, as the record has it.
    pub fn distribution(&self) -> Option<Distribution> {
        let (max, ..) = self.max?;
        let n = self.count();
        let micros = |nanos: u64| nanos.clamp(self.min, max) as f64 / 1e3;
        let quantile = |share| micros(self.histogram.value_at_quantile(share));
        Some(Distribution {
            min: self.min as f64 / 1e3,
            mean: self.mean / 1e3,
            p50: quantile(0.5),
            p90: quantile(0.9),
            p99: quantile(0.99),
            p999: quantile(0.999),
            max: max as f64 / 1e3,
            stddev: (n > 1).then(|| (self.squares / (n - 1) as f64).sqrt() / 1e3),
            n,
        })
    }

    /// Values in nanoseconds in rising order with their counts.
    pub fn values(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let max = self.max.map_or(u64::MAX, |(max, ..)| max);
        self.histogram.iter_recorded().map(move |value| {
            // A bucket is named by its end; its last value is never beyond the greatest recorded.
            let middle = self.histogram.median_equivalent(value.value_iterated_to());
            (middle.clamp(self.min, max), value.count_at_value())
        })
    }
}
