//! Scales and their ticks: from values to the pixels of a frame, linear or logarithmic.

use crate::report::format::{self, Unit, plain};

#[derive(Clone, Debug)]
pub(crate) struct Axis {
    low: f64,
    high: f64,
    log: bool,
    pub ticks: Vec<(f64, String)>,
    pub title: String,
}

impl Axis {
    /// A value's place between 0 and 1; what lies outside the axis is put on its edge.
    pub(crate) fn place(&self, value: f64) -> f64 {
        let (low, high, value) = if self.log {
            (self.low.ln(), self.high.ln(), value.max(self.low).ln())
        } else {
            (self.low, self.high, value)
        };
        ((value - low) / (high - low)).clamp(0.0, 1.0)
    }

    /// For a panel without values.
    pub(crate) fn blank(title: &str) -> Self {
        Self { low: 0.0, high: 1.0, log: false, ticks: Vec::new(), title: title.to_owned() }
    }

    /// Linear, with its ticks.
    pub(crate) fn between(low: f64, high: f64, ticks: Vec<(f64, String)>) -> Self {
        Self { low, high, log: false, ticks, title: String::new() }
    }

    pub(crate) fn low(&self) -> f64 {
        self.low
    }

    pub(crate) fn high(&self) -> f64 {
        self.high
    }

    pub(crate) fn is_log(&self) -> bool {
        self.log
    }

    /// The same axis with another end; its ticks stay.
    pub(crate) fn reaching(self, high: f64) -> Self {
        Self { high, ..self }
    }

    /// The part between, and the ticks within it.
    pub(crate) fn cut(mut self, low: f64, high: f64) -> Self {
        let slack = (high - low) * 1e-9;
        self.ticks.retain(|(value, _)| *value >= low - slack && *value <= high + slack);
        Self { low, high, ..self }
    }

    /// For a panel in which all values are zero.
    pub(crate) fn only_zero() -> Self {
        Self { ticks: vec![(0.0, "0".to_owned())], ..Self::blank("") }
    }

    pub(crate) fn titled(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// From `low` up to the first round number at or above `high`, in about `steps` steps.
    pub(crate) fn linear(low: f64, high: f64, steps: f64, unit: Unit) -> Self {
        let step = nice((high - low) / unit.size / steps) * unit.size;
        let (first, last) = ((low / step + 1e-9).floor(), (high / step - 1e-9).ceil());
        let last = last.max(first + 1.0);
        let ticks = (first as i64..=last as i64)
            .map(|k| (k as f64 * step, plain(k as f64 * step / unit.size)))
            .collect();
        Self { low: first * step, high: last * step, log: false, ticks, title: String::new() }
    }

    /// Times in the unit of the greatest; an axis that does not begin at zero says so.
    pub(crate) fn times(name: &str, low: f64, high: f64, steps: f64) -> Self {
        // Below ten nanoseconds steps would be fractions of what a clock counts.
        let high = high.max(low + 10.0);
        let unit = format::time_unit(high);
        let from = if low > 0.0 { ", not from 0" } else { "" };
        Self::linear(low, high, steps, unit).titled(format!("{name} ({}{from})", unit.name))
    }

    /// The time of the run, with at most `steps` of the round steps of a clock.
    pub(crate) fn elapsed(end: f64, steps: f64) -> Self {
        let unit = format::span_unit(end);
        let step = CLOCK_STEPS.into_iter().find(|step| *step >= end / steps).unwrap_or(end / steps);
        let ticks = (0..=(end / step + 1e-9) as u64)
            .map(|k| (k as f64 * step, plain(k as f64 * step / unit.size)))
            .collect();
        let title = format!("Elapsed time ({})", unit.name);
        Self { low: 0.0, high: end, log: false, ticks, title }
    }

    /// The numbers of the probes.
    pub(crate) fn numbers(end: u64) -> Self {
        let step = nice(end as f64 / 11.0).max(1.0);
        let ticks = (0..=(end as f64 / step) as u64)
            .map(|k| (k as f64 * step, format::count((k as f64 * step) as u64)))
            .collect();
        Self {
            low: 0.0,
            high: end.max(1) as f64,
            log: false,
            ticks,
            title: "Probe number (the interval shrinks to the right)".to_owned(),
        }
    }

    /// From a round number at or below `low` to one at or above `high`, both above zero, with about
    /// `most` ticks.
    pub(crate) fn logarithmic(low: f64, high: f64, unit: Unit, most: usize) -> Self {
        // One value alone is put in the middle.
        let (low, high) = if high < low * 1.01 { (low * 0.95, high * 1.05) } else { (low, high) };
        let marks = [1.0, 2.0, 5.0];
        let steps = |from: f64, to: f64| {
            let decades =
                (from / unit.size).log10().floor() as i32 - 1..=(to / unit.size).log10().ceil() as i32 + 1;
            decades.flat_map(move |d| marks.map(|m| m * 10_f64.powi(d) * unit.size)).collect::<Vec<_>>()
        };
        let all = steps(low, high);
        let bottom = all.iter().copied().rfind(|v| *v <= low * (1.0 + 1e-9)).unwrap_or(low);
        let top = all.iter().copied().find(|v| *v >= high * (1.0 - 1e-9) && *v > bottom).unwrap_or(high);
        if top / bottom < 5.0 {
            // Within less than a decade round steps of one size tell more than 1, 2, 5.
            let even = Self::linear(low, high, 6.0, unit);
            if even.low > 0.0 {
                return Self { log: true, ..even };
            }
        }
        let shown = |v: &f64| (bottom..=top).contains(v);
        // Where 1, 2, 5 are too many there are powers of ten, or every second or third of them.
        let decades = ((top / bottom).log10() / most as f64).ceil() as i32;
        let sparse = all.iter().filter(|v| shown(v)).count() > most;
        let kept = |v: &f64| !sparse || power(v / unit.size).is_some_and(|power| power % decades == 0);
        let ticks = all.iter().filter(|v| shown(v) && kept(v));
        let ticks = ticks.map(|v| (*v, plain(*v / unit.size))).collect();
        Self { low: bottom, high: top, log: true, ticks, title: String::new() }
    }

    /// Counts from one up, the first with room below it.
    pub(crate) fn log_counts(most: u64) -> Self {
        let decades = most.max(1).ilog10();
        let marks: &[u64] = match decades {
            0 if most <= 5 => &[1, 2, 3, 4, 5],
            0 | 1 => &[1, 2, 5],
            _ => &[1],
        };
        let all = (0..=decades).flat_map(|d| marks.iter().map(move |mark| mark * 10_u64.pow(d)));
        let ticks = all.filter(|n| *n <= most.max(1)).map(|n| (n as f64, format::count(n))).collect();
        Self { low: 0.5, high: most.max(1) as f64 * 1.6, log: true, ticks, title: String::new() }
    }

    /// From 0 to 100 %.
    pub(crate) fn shares() -> Self {
        let ticks = [0, 25, 50, 75, 100].map(|p| (f64::from(p) / 100.0, format!("{p} %"))).to_vec();
        Self { low: 0.0, high: 1.0, log: false, ticks, title: String::new() }
    }
}

/// The least of 1, 2, 5 times a power of ten that is at least `step`.
pub(super) fn nice(step: f64) -> f64 {
    let power = 10_f64.powi(step.max(f64::MIN_POSITIVE).log10().floor() as i32);
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= step * (1.0 - 1e-9));
    factor.unwrap_or(10.0) * power
}

/// Of ten, if it is one.
fn power(value: f64) -> Option<i32> {
    let power = value.log10();
    ((power - power.round()).abs() < 1e-9).then(|| power.round() as i32)
}

const S: f64 = 1e9;

/// Nanoseconds that are round on a clock.
pub(super) const CLOCK_STEPS: [f64; 55] = [
    1.0,
    2.0,
    5.0,
    10.0,
    20.0,
    50.0,
    100.0,
    200.0,
    500.0,
    1e3,
    2e3,
    5e3,
    1e4,
    2e4,
    5e4,
    1e5,
    2e5,
    5e5,
    1e6,
    2e6,
    5e6,
    1e7,
    2e7,
    5e7,
    1e8,
    2e8,
    5e8,
    S,
    2.0 * S,
    5.0 * S,
    10.0 * S,
    15.0 * S,
    30.0 * S,
    60.0 * S,
    120.0 * S,
    300.0 * S,
    600.0 * S,
    900.0 * S,
    1_800.0 * S,
    3_600.0 * S,
    7_200.0 * S,
    10_800.0 * S,
    21_600.0 * S,
    43_200.0 * S,
    86_400.0 * S,
    172_800.0 * S,
    432_000.0 * S,
    864_000.0 * S,
    1_728_000.0 * S,
    4_320_000.0 * S,
    8_640_000.0 * S,
    17_280_000.0 * S,
    43_200_000.0 * S,
    86_400_000.0 * S,
    864_000_000.0 * S,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_cover_the_values() {
        let axis = Axis::times("RTT", 0.0, 68.5e6, 7.0);
        assert_eq!(axis.title, "RTT (ms)");
        assert_eq!(axis.high(), 70e6);
        assert_eq!(axis.ticks.last().unwrap().1, "70");
        assert_eq!(axis.place(35e6), 0.5);
        let axis = Axis::logarithmic(0.31e6, 412e6, format::time_unit(412e6), 14);
        assert_eq!((axis.low, axis.high), (0.2e6, 500e6));
        assert_eq!(axis.ticks[0].1, "0.2");
    }

    #[test]
    fn nice_steps() {
        for (step, expected) in [(0.9, 1.0), (1.0, 1.0), (1.1, 2.0), (2.1, 5.0), (6.0, 10.0), (0.03, 0.05)] {
            assert!((nice(step) - expected).abs() < 1e-12, "{step}");
        }
    }
}
