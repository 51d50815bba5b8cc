//! The losses of a run as bursts, and whether two runs lose different shares.
//!
//! A burst is a run of consecutive losses. Probes of one burst share a cause, so the burst is the event
//! that is counted, not the probe.

use super::blocks::{Blocks, Spread, design_beyond};
use super::confidence::{Confidence, Level};
use super::proportion::Proportion;
use super::timeline::Join;
use crate::wilson::Bounds;

/// Hits among trials in sequence, and their bursts.
#[derive(Clone, Debug, Default)]
pub struct Runs {
    bursts: Bursts,
    /// (hits, trials) and (bursts, trials).
    hits_in: Blocks<(u64, u64)>,
    bursts_in: Blocks<(u64, u64)>,
}

/// Sums over the bursts of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Bursts {
    trials: u64,
    hits: u64,
    count: u64,
    /// The squared lengths, added up.
    squares: u64,
    /// The length so far of the unfinished burst.
    open: u64,
}

/// How the shares of two runs differ: the second minus the first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contrast {
    pub(crate) bounds: Bounds,
    /// Whether the shares differ significantly at this level.
    pub differs: bool,
}

impl Runs {
    pub(crate) fn record(&mut self, hit: bool) {
        let starts = hit && self.bursts.open == 0;
        self.bursts.record(hit);
        self.hits_in.next_item().join(&(u64::from(hit), 1));
        self.bursts_in.next_item().join(&(u64::from(starts), 1));
    }

    pub(crate) fn proportion(&self) -> Proportion {
        Proportion::new(self.bursts.hits, self.bursts.trials)
    }

    pub(crate) fn hits(&self) -> u64 {
        self.bursts.hits
    }

    pub(crate) fn trials(&self) -> u64 {
        self.bursts.trials
    }

    pub(crate) fn bursts(&self) -> u64 {
        self.bursts.count
    }

    /// None where a run has no trials.
    pub fn contrast(before: &Self, after: &Self, level: Level) -> Option<Contrast> {
        let design = design(before, after, level);
        let bounds = after.proportion().minus_within(before.proportion(), Confidence { level, design })?;
        let (low, high) = (bounds.low, bounds.high);
        Some(match (before.hits(), after.hits()) {
            (0, more) if more > 0 && !after.always() => {
                let differs = all_in_one(after, before, level);
                let low = if differs { low.max(0.0) } else { low.min(0.0) };
                Contrast { bounds: Bounds { low, high }, differs }
            }
            (more, 0) if more > 0 && !before.always() => {
                let differs = all_in_one(before, after, level);
                let high = if differs { high.min(0.0) } else { high.max(0.0) };
                Contrast { bounds: Bounds { low, high }, differs }
            }
            _ => Contrast { bounds, differs: low > 0.0 || high < 0.0 },
        })
    }

    /// Whether every trial was a hit: a dead path, which has no bursts to count.
    fn always(&self) -> bool {
        self.hits() == self.trials()
    }
}

impl Bursts {
    fn record(&mut self, hit: bool) {
        self.trials += 1;
        if !hit {
            self.open = 0;
            return;
        }
        self.hits += 1;
        self.count += u64::from(self.open == 0);
        // (n + 1)^2 - n^2.
        self.squares += 2 * self.open + 1;
        self.open += 1;
    }

    fn plus(self, other: Self) -> Self {
        Self {
            trials: self.trials + other.trials,
            hits: self.hits + other.hits,
            count: self.count + other.count,
            squares: self.squares + other.squares,
            open: 0,
        }
    }

    /// The variance of the number of hits, as a multiple of that of independent ones: bursts of any
    /// lengths, after gaps of geometric ones (Cox, "Renewal Theory", 1962, section 8.4: the variance
    /// of the time spent in one of two alternating states).
    fn design(self) -> f64 {
        let (n, hits, bursts) = (self.trials as f64, self.hits as f64, self.count as f64);
        let share = hits / n;
        let independent = n * share * (1.0 - share);
        if independent <= 0.0 {
            return 1.0;
        }
        let (burst, gap) = (hits / bursts, (n - hits) / bursts);
        let of_burst = self.squares as f64 / bursts - burst.powi(2);
        let of_gap = gap * (gap - 1.0).max(0.0);
        bursts * ((1.0 - share).powi(2) * of_burst + share.powi(2) * of_gap) / independent
    }
}

/// The design effect: by the lengths of the bursts or by their clustering in blocks, whichever is larger.
fn design(a: &Runs, b: &Runs, level: Level) -> f64 {
    if a.always() != b.always() {
        return 1.0;
    }
    let spread = |runs: &Runs| Spread::of_share(runs.hits_in.all());
    let by_length = a.bursts.plus(b.bursts).design().max(1.0);
    design_beyond(by_length, [&spread(a), &spread(b)], level)
}

/// Whether all bursts lie in one run by more than chance: given their number, each falls into this
/// run with the chance of its share of the trials (Przyborowski and Wilenski, "Homogeneity of results
/// in testing samples from Poisson series", 1940). Clustered bursts count as fewer.
fn all_in_one(with: &Runs, without: &Runs, level: Level) -> bool {
    let spread = |runs: &Runs| Spread::of_share(runs.bursts_in.all());
    let gathered = design_beyond(1.0, [&spread(with), &spread(without)], level);
    let chance = with.trials() as f64 / (with.trials() + without.trials()) as f64;
    chance.powf(with.bursts() as f64 / gathered) < level.tail()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    fn runs(hits: impl IntoIterator<Item = bool>) -> Runs {
        let mut runs = Runs::default();
        hits.into_iter().for_each(|hit| runs.record(hit));
        runs
    }

    /// `count` bursts of these lengths in turn, evenly over the trials.
    fn bursts(trials: u64, count: u64, lengths: &[u64]) -> Runs {
        let every = trials / count.max(1);
        let hit = |k: u64| k % every < lengths[(k / every) as usize % lengths.len()] && k / every < count;
        runs((0..trials).map(|k| count > 0 && hit(k)))
    }

    fn differs(a: &Runs, b: &Runs) -> bool {
        Runs::contrast(a, b, Level::P95).unwrap().differs
    }

    /// Bursts of 1, 3 and 2 in 12: 6 hits, 1 + 9 + 4 = 14.
    #[test]
    fn bursts_are_counted_with_their_squared_lengths() {
        let bits = [1, 0, 1, 1, 1, 0, 0, 1, 1, 0, 0, 0].map(|bit| bit == 1);
        let bursts = runs(bits).bursts;
        assert_eq!((bursts.trials, bursts.hits, bursts.count, bursts.squares), (12, 6, 3, 14));
        // Bursts vary by 14 / 3 - 4, gaps of 2 by 2: 3 (0.25 x 2 / 3 + 0.25 x 2) / (12 x 0.25).
        assert!((bursts.design() - 2.0 / 3.0).abs() < 1e-12, "{}", bursts.design());
    }

    /// The naive oracle: the variance of the number of hits over many made runs.
    #[test]
    fn the_design_is_the_variance_of_the_hits_against_independent_ones() {
        for (fall, recover) in [(0.05, 0.95), (0.02, 0.25), (0.3, 0.7), (0.01, 0.1)] {
            let made = |seed: u64| {
                let stream = Stream::new(seed, "bursts");
                let mut lost = false;
                runs((0..2000).map(move |k| {
                    lost = stream.unit(k) < if lost { 1.0 - recover } else { fall };
                    lost
                }))
            };
            let all: Vec<Bursts> = (0..200).map(|seed| made(seed).bursts).collect();
            let pooled = all.iter().fold(Bursts::default(), |sum, bursts| sum.plus(*bursts));
            let mean = pooled.hits as f64 / 200.0;
            let variance = all.iter().map(|b| (b.hits as f64 - mean).powi(2)).sum::<f64>() / 199.0;
            let independent = mean * (1.0 - mean / 2000.0);
            // The standard error of a variance of 200 is a tenth.
            let ratio = pooled.design() / (variance / independent);
            assert!((0.75..1.33).contains(&ratio), "{fall} {recover}: {ratio}");
        }
    }

    /// Of k bursts, all fall into one of two equal runs with a chance of 2 / 2^k: 0.0625 of 5,
    /// 0.03125 of 6. A level of 0.95 allows 0.05.
    #[test]
    fn six_bursts_against_none_are_a_difference_and_five_are_not() {
        let none = bursts(600, 0, &[1]);
        for lengths in [&[1][..], &[4, 2, 9]] {
            assert!(!differs(&none, &bursts(600, 5, lengths)) && !differs(&bursts(600, 5, lengths), &none));
            assert!(differs(&none, &bursts(600, 6, lengths)) && differs(&bursts(600, 6, lengths), &none));
        }
    }

    /// Three times the trials without a burst: (1 / 4)^3 = 0.0156 is below 0.025, (1 / 4)^2 is not.
    #[test]
    fn a_longer_run_without_bursts_tells_more() {
        let none = bursts(1800, 0, &[1]);
        assert!(!differs(&none, &bursts(600, 2, &[3])) && differs(&none, &bursts(600, 3, &[3])));
    }

    #[test]
    fn none_of_1500_against_144_in_40_bursts_is_a_difference() {
        let lossy = bursts(1500, 40, &[3, 4, 2, 5, 4]);
        assert_eq!((lossy.hits(), lossy.bursts()), (144, 40));
        let contrast = Runs::contrast(&bursts(1500, 0, &[1]), &lossy, Level::P95).unwrap();
        assert!(contrast.differs && contrast.bounds.low > 0.03, "{contrast:?}");
    }

    /// One outage of 20 probes with a reply in between now and then is one event.
    #[test]
    fn bursts_within_one_outage_are_no_difference() {
        let outage = runs((0..600).map(|k| (300..340).contains(&k) && k % 3 != 0));
        assert_eq!(outage.bursts(), 13);
        assert!(!differs(&bursts(600, 0, &[1]), &outage));
    }

    /// Losses at these shares in good times and in bad ones, which begin and end with these chances.
    fn made(seed: u64, n: u64, (begin, end): (f64, f64), (good, bad): (f64, f64)) -> Runs {
        let stream = Stream::new(seed, "good and bad times");
        let mut is_bad = stream.unit(u64::MAX) < begin / (begin + end);
        runs((0..n).map(move |k| {
            is_bad = stream.unit(2 * k) < if is_bad { 1.0 - end } else { begin };
            stream.unit(2 * k + 1) < if is_bad { bad } else { good }
        }))
    }

    /// The naive oracle: pairs of runs over one path, of which 0.05 may differ. Independent losses, few
    /// and many; long bursts; outages that lose every other probe; times of 3 % and of 12 %.
    #[test]
    fn equal_paths_differ_as_seldom_as_the_level_says() {
        for (n, times, shares) in [
            (300, (0.0, 1.0), (0.09, 0.0)),
            (600, (0.0, 1.0), (0.01, 0.0)),
            (600, (0.01, 0.1), (0.0, 1.0)),
            (600, (0.005, 0.05), (0.0, 0.5)),
            (1500, (0.002, 0.05), (0.0, 0.5)),
            (600, (0.02, 0.02), (0.03, 0.12)),
        ] {
            let run = |seed| made(seed, n, times, shares);
            let found = (0..300).filter(|k| differs(&run(2 * k), &run(2 * k + 1))).count();
            // 15 are expected, give or take 4.
            assert!(found <= 22, "{n} {times:?} {shares:?}: {found}");
        }
    }

    #[test]
    fn a_dead_path_differs_from_a_live_one() {
        let dead = runs([true; 300]);
        assert!(differs(&bursts(300, 3, &[1]), &dead) && differs(&bursts(300, 0, &[1]), &dead));
        assert!(differs(&dead, &bursts(300, 3, &[1])) && !differs(&dead, &runs([true; 300])));
        assert_eq!(Runs::contrast(&dead, &Runs::default(), Level::P95), None);
    }
}
