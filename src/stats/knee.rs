//! Where a run with a shrinking interval leaves its plateau of loss or delay.
//!
//! The rule. Probes are taken in bins of `LEAST` or a sixteenth of all so far, up to `MOST`. The
//! first bin is the plateau. A bin leaves it if the 95 % interval of its loss lies above that of the
//! plateau's, or if its median RTT lies above the plateau's 90th percentile and is a quarter above
//! the plateau's median. Two such bins in a row are the knee, at the interval with which the first
//! of them began; any other bin becomes part of the plateau.

use super::percentile;
use super::proportion::Proportion;
use super::quantiles::Quantiles;
use crate::time::Duration;

/// Fewer probes cannot tell two loss rates apart.
const LEAST: u64 = 10;
const MOST: u64 = 1000;

/// A smaller rise of the median RTT does not count as congestion.
const NOTABLE: f64 = 1.25;

#[derive(Clone, Debug, Default)]
pub(crate) struct KneeFinder {
    plateau: Plateau,
    bin: Bin,
    /// The bin before, if it left the plateau.
    suspect: Option<(Bin, Signs)>,
    knee: Option<Knee>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Knee {
    /// The longest interval that is too short, to within a bin.
    pub interval: Duration,
    /// Whether the loss left its plateau.
    pub loss: bool,
    /// Whether the median RTT left its plateau.
    pub rtt: bool,
}

#[derive(Clone, Debug, Default)]
struct Plateau {
    probes: u64,
    rtts: Quantiles,
}

#[derive(Clone, Debug, Default)]
struct Bin {
    interval: Duration,
    probes: u64,
    rtts: Vec<Duration>,
}

#[derive(Clone, Copy, Debug)]
struct Signs {
    loss: bool,
    rtt: bool,
}

impl KneeFinder {
    /// The next probe in the order of sequence: its interval, and its RTT unless it was lost.
    pub(crate) fn record(&mut self, interval: Duration, rtt: Option<Duration>) {
        if self.knee.is_some() {
            return;
        }
        if self.bin.probes == 0 {
            self.bin.interval = interval;
        }
        self.bin.probes += 1;
        self.bin.rtts.extend(rtt);
        if self.bin.probes >= (self.plateau.probes / 16).clamp(LEAST, MOST) {
            let bin = std::mem::take(&mut self.bin);
            self.judge(bin);
        }
    }

    /// None if the run never left its plateau, or has not for long enough to be sure.
    pub(crate) fn knee(&self) -> Option<Knee> {
        self.knee
    }

    fn judge(&mut self, mut bin: Bin) {
        bin.rtts.sort();
        let signs = self.plateau.left_by(&bin);
        match (self.suspect.take(), signs) {
            (Some((first, before)), Some(signs)) => {
                self.knee = Some(Knee {
                    interval: first.interval,
                    loss: before.loss || signs.loss,
                    rtt: before.rtt || signs.rtt,
                });
            }
            (None, Some(signs)) => self.suspect = Some((bin, signs)),
            (suspect, None) => {
                if let Some((first, _)) = suspect {
                    self.plateau.add(&first);
                }
                self.plateau.add(&bin);
            }
        }
    }
}

impl Plateau {
    fn left_by(&self, bin: &Bin) -> Option<Signs> {
        let loss = bin.loss().wilson()?.low > self.loss().wilson()?.high;
        let rtt = self.median_left_by(bin).unwrap_or(false);
        (loss || rtt).then_some(Signs { loss, rtt })
    }

    fn median_left_by(&self, bin: &Bin) -> Option<bool> {
        let median = percentile::median(&bin.rtts, 0)?;
        Some(median > self.rtts.at(0.9)? && median >= self.rtts.median()?.mul_f64(NOTABLE))
    }

    fn loss(&self) -> Proportion {
        Proportion::new(self.probes - self.rtts.n(), self.probes)
    }

    fn add(&mut self, bin: &Bin) {
        self.probes += bin.probes;
        bin.rtts.iter().for_each(|rtt| self.rtts.record(*rtt));
    }
}

impl Bin {
    fn loss(&self) -> Proportion {
        Proportion::new(self.probes - self.rtts.len() as u64, self.probes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    /// A decay by 5 % from 1 s to 100 us, 180 probes, then some at the floor.
    fn decay() -> impl Iterator<Item = Duration> {
        (0..220).map(|k| Duration::from_secs(1).mul_f64(0.95_f64.powi(k)).max(Duration::from_micros(100)))
    }

    fn knee_of(rtt: impl Fn(u64, Duration) -> Option<Duration>) -> Option<Knee> {
        let mut finder = KneeFinder::default();
        (0..).zip(decay()).for_each(|(k, interval)| finder.record(interval, rtt(k, interval)));
        finder.knee()
    }

    fn near(interval: Duration, expected: Duration) -> bool {
        // A bin of ten probes spans a factor of 0.6; the knee lies within a bin of the truth.
        interval < expected.mul_f64(1.0 / 0.59) && interval > expected.mul_f64(0.59)
    }

    #[test]
    fn a_path_that_drops_what_is_too_fast() {
        let fate = Stream::new(3, "test");
        let limit = Duration::from_millis(2);
        let knee = knee_of(|k, interval| {
            let carried = interval >= limit || fate.unit(k) < interval.as_secs_f64() / limit.as_secs_f64();
            carried.then(|| Duration::from_micros(500 + (fate.unit(k + 1000) * 50.0) as i64))
        });
        let knee = knee.unwrap();
        assert!(knee.loss && !knee.rtt && near(knee.interval, limit.mul_f64(0.7)), "{knee:?}");
    }

    #[test]
    fn a_path_that_queues_what_is_too_fast() {
        let fate = Stream::new(4, "test");
        let limit = Duration::from_millis(5);
        let knee = knee_of(|k, interval| {
            let queued = (limit - interval).max(Duration::ZERO) * 3;
            Some(Duration::from_millis(10) + Duration::from_micros((fate.unit(k) * 2000.0) as i64) + queued)
        });
        let knee = knee.unwrap();
        assert!(knee.rtt && !knee.loss && near(knee.interval, limit.mul_f64(0.8)), "{knee:?}");
    }

    #[test]
    fn losses_on_the_way_are_part_of_the_plateau() {
        // The classic injection: 10 % lost, the rest held up to half a second.
        for seed in 0..200 {
            let fate = Stream::new(seed, "test");
            let rtt = |k| Some(Duration::from_secs(1).mul_f64(fate.unit(k + 1000) / 2.0));
            assert_eq!(knee_of(|k, _| if fate.unit(k) < 0.1 { None } else { rtt(k) }), None, "seed {seed}");
        }
    }

    #[test]
    fn a_single_bad_bin_is_no_knee() {
        let mut finder = KneeFinder::default();
        for (k, interval) in decay().enumerate() {
            finder.record(interval, (!(100..110).contains(&k)).then_some(Duration::from_millis(1)));
        }
        assert_eq!(finder.knee(), None);
        assert_eq!(finder.plateau.probes + finder.bin.probes, 220);
        assert_eq!(knee_of(|_, _| None), None);
    }

    #[test]
    fn a_slightly_longer_rtt_on_a_steady_path_is_no_knee() {
        assert_eq!(knee_of(|k, _| Some(Duration::from_micros(if k < 100 { 1000 } else { 1240 }))), None);
        let knee = knee_of(|k, _| Some(Duration::from_micros(if k < 100 { 1000 } else { 1260 })));
        assert_eq!(knee, Some(Knee { interval: decay().nth(100).unwrap(), loss: false, rtt: true }));
    }

    #[test]
    fn two_bad_bins_are_a_knee_where_the_first_began() {
        let knee = knee_of(|k, _| (!(100..120).contains(&k)).then_some(Duration::from_millis(1)));
        let interval = decay().nth(100).unwrap();
        assert_eq!(knee, Some(Knee { interval, loss: true, rtt: false }));
    }

    #[test]
    fn a_day_at_the_floor_keeps_no_probes() {
        let mut finder = KneeFinder::default();
        for k in 0..100_000 {
            finder.record(
                Duration::from_micros(100),
                (k % 10 > 0).then_some(Duration::from_micros(k * 7919 % 97)),
            );
            assert!(finder.bin.rtts.len() <= MOST as usize);
        }
        assert_eq!(finder.knee(), None);
    }
}
