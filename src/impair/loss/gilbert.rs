//! Loss in bursts: a path that is good or bad, with its own loss rate in each state.
//!
//! Gilbert: "Capacity of a burst-noise channel", Bell System Technical Journal 39, 1960, and
//! Elliott: "Estimates of error rates for codes on burst-noise channels", 42, 1963. A good path
//! turns bad before the next probe with probability p, a bad one good with r; k is the share that
//! passes while it is good, h while it is bad. With p and r alone, k is 100 % and h is 0 %: all is
//! lost in bursts whose mean length is 1/r, and p/(p+r) of all.
//!
//! The state at a packet is a function of the seed and the packet's number although each state
//! follows from the one before: some draws force the same next state from both (Propp, Wilson:
//! "Exact sampling with coupled Markov chains", Random Structures and Algorithms 9, 1996). The search
//! walks back to such a draw, or to the first packet, whose state comes from the stationary
//! distribution.

use std::fmt;
use std::str::FromStr;

use super::super::rounding::Share;
use super::super::spec::{Fields, SpecError};
use crate::rng::Stream;
use crate::units::UnitError;

const EXAMPLE: &str = "gilbert:p=1%,r=25%";

/// A Markov chain of a good and a bad state, each with a loss rate of its own: losses in bursts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GilbertElliott {
    p: Share,
    r: Share,
    h: Share,
    k: Share,
    lost_when_bad: Share,
    lost_when_good: Share,
}

impl GilbertElliott {
    /// The two-parameter form: nothing is lost while the path is good, everything while it is bad.
    pub fn simple(p: Share, r: Share) -> Result<Self, UnitError> {
        Self::new(p, r, Share::ZERO, Share::ONE)
    }

    pub(crate) fn new(p: Share, r: Share, h: Share, k: Share) -> Result<Self, UnitError> {
        // The search for a state takes 1/(1-|1-p-r|) draws on average, for each probe of a client that
        // jumps in its sequence numbers: at most 1,000. Shares have steps of 1e-7.
        if (1.0 - p.get() - r.get()).abs() > 0.999 + 1e-9 {
            return Err(UnitError::new("p and r must add up to between 0.1% and 199.9%", EXAMPLE));
        }
        Ok(Self { p, r, h, k, lost_when_bad: complement(h)?, lost_when_good: complement(k)? })
    }

    pub(super) const fn loss_share(&self, bad: bool) -> Share {
        if bad { self.lost_when_bad } else { self.lost_when_good }
    }

    /// The share of packets in the bad state.
    fn stationary(&self) -> f64 {
        self.p.get() / (self.p.get() + self.r.get())
    }

    /// The state after this draw, if it is the same from both states.
    fn forced(&self, draw: f64) -> Option<bool> {
        let (from_good, from_bad) = (self.step(false, draw), self.step(true, draw));
        (from_good == from_bad).then_some(from_good)
    }

    fn step(&self, bad: bool, draw: f64) -> bool {
        draw < if bad { 1.0 - self.r.get() } else { self.p.get() }
    }

    /// Whether a draw that forces no state switches it; else it keeps it.
    fn alternates(&self) -> bool {
        self.p.get() > 1.0 - self.r.get()
    }
}

impl FromStr for GilbertElliott {
    type Err = SpecError;
    fn from_str(text: &str) -> Result<Self, SpecError> {
        let mut fields = Fields::read(text, EXAMPLE)?;
        let (p, r) = (fields.need("p")?, fields.need("r")?);
        let h = fields.take("h")?.unwrap_or(Share::ZERO);
        let k = fields.take("k")?.unwrap_or(Share::ONE);
        fields.finish()?;
        Ok(Self::new(p, r, h, k)?)
    }
}

impl fmt::Display for GilbertElliott {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p={},r={}", self.p, self.r)?;
        if (self.h, self.k) == (Share::ZERO, Share::ONE) {
            return Ok(());
        }
        write!(f, ",h={},k={}", self.h, self.k)
    }
}

fn complement(share: Share) -> Result<Share, UnitError> {
    Share::new((1.0 - share.get()).try_into()?)
}

/// The states of one chain, in any order.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    draws: Stream,
    /// The last state found: packets in order take one step each.
    known: Option<(u64, bool)>,
}

impl Chain {
    pub(super) fn new(draws: Stream) -> Self {
        Self { draws, known: None }
    }

    pub(super) fn forget(&mut self) {
        self.known = None;
    }

    pub(super) fn is_bad(&mut self, model: &GilbertElliott, seq: u64) -> bool {
        let (at, found) = self.last_fixed(model, seq);
        // None of the draws in between forced a state: each kept it, or each turned it.
        let bad = found ^ (model.alternates() && (seq - at) % 2 == 1);
        self.known = Some((seq, bad));
        bad
    }

    /// The last probe up to this one whose state does not depend on the one before, and that state.
    fn last_fixed(&self, model: &GilbertElliott, seq: u64) -> (u64, bool) {
        let mut at = seq;
        loop {
            if let Some(bad) = self.fixed(model, at) {
                return (at, bad);
            }
            at -= 1;
        }
    }

    /// The state at this packet, if it does not depend on the one before.
    fn fixed(&self, model: &GilbertElliott, at: u64) -> Option<bool> {
        match self.known {
            Some((known, bad)) if known == at => Some(bad),
            _ if at == 0 => Some(self.draws.unit(0) < model.stationary()),
            _ => model.forced(self.draws.unit(at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::goodness_of_fit;
    use super::*;

    fn chain() -> Chain {
        Chain::new(Stream::new(7, "states"))
    }

    /// The definition: step by step from the first probe.
    fn oracle(model: &GilbertElliott, n: u64) -> Vec<bool> {
        let draws = Stream::new(7, "states");
        let mut bad = draws.unit(0) < model.stationary();
        let mut states = vec![bad];
        for seq in 1..n {
            bad = model.step(bad, draws.unit(seq));
            states.push(bad);
        }
        states
    }

    /// Bursts are geometric with mean 1/r, gaps with 1/p, and p/(p+r) of all is lost.
    #[test]
    fn bursts_and_gaps_have_the_configured_mean_length() {
        let model: GilbertElliott = "p=1%,r=25%".parse().unwrap();
        let mut chain = chain();
        let n = 1_000_000;
        let states: Vec<bool> = (0..n).map(|seq| chain.is_bad(&model, seq)).collect();
        let runs = |bad: bool| -> Vec<f64> {
            states.chunk_by(|a, b| a == b).filter(|run| run[0] == bad).map(|run| run.len() as f64).collect()
        };
        // A geometric variable has the variance (1-q)/q².
        goodness_of_fit::mean(&runs(true), 4.0, 0.75_f64.sqrt() / 0.25);
        goodness_of_fit::mean(&runs(false), 100.0, 0.99_f64.sqrt() / 0.01);
        // The count's variance is that of independent draws times (1+c)/(1-c) with the
        // correlation c = 1-p-r of neighbours, here 6.69.
        let bad = states.iter().filter(|&&bad| bad).count() as f64;
        goodness_of_fit::share(bad, n as f64 / 6.69, 0.01 / 0.26 * 6.69);
    }

    #[test]
    fn burst_lengths_are_geometric() {
        let model: GilbertElliott = "p=10%,r=40%".parse().unwrap();
        let states = oracle(&model, 200_000);
        let mut counts = [0.0; 8];
        let bursts: Vec<usize> =
            states.chunk_by(|a, b| a == b).filter(|run| run[0]).map(<[_]>::len).collect();
        bursts.iter().for_each(|&length| counts[length.min(8) - 1] += 1.0);
        let expected: Vec<f64> = (0..8)
            .map(|k| bursts.len() as f64 * if k < 7 { 0.4 * 0.6_f64.powi(k) } else { 0.6_f64.powi(7) })
            .collect();
        // Seven degrees of freedom: 24.322 is the 99.9 % point.
        goodness_of_fit::chi_square(&counts, &expected, 24.322);
    }

    #[test]
    fn four_parameters_lose_a_share_in_each_state() {
        let model: GilbertElliott = "p=5%,r=20%,h=40%,k=99%".parse().unwrap();
        assert!((model.loss_share(true).get() - 0.6).abs() < 1e-12);
        assert!((model.loss_share(false).get() - 0.01).abs() < 1e-12);
        assert!((model.stationary() - 0.2).abs() < 1e-12);
    }

    /// A client may choose its sequence numbers, so that none is near one that is known.
    #[test]
    fn a_far_sequence_number_costs_a_thousand_draws_on_average_at_most() {
        let model: GilbertElliott = "p=0.05%,r=0.05%".parse().unwrap();
        let chain = chain();
        let draws = |seq| (seq - chain.last_fixed(&model, seq).0) as f64;
        let walks: Vec<f64> = (1..1_000).map(|k| draws(k << 40)).collect();
        goodness_of_fit::mean(&walks, 999.0, 1_000.0);
        for text in ["p=0.05%,r=0.04%", "p=0,r=0", "p=100%,r=100%"] {
            let error = text.parse::<GilbertElliott>().unwrap_err().to_string();
            assert!(error.starts_with("p and r must add up to between 0.1% and 199.9%;"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn a_state_does_not_depend_on_the_order_of_questions(
            p in 0.0_f64..=1.0,
            r in 0.0_f64..=1.0,
            asked in prop::collection::vec(0_u64..2_000, 1..50),
        ) {
            let share = |x: f64| Share::new(((x * 100.0).round() / 100.0).try_into().unwrap()).unwrap();
            let Ok(model) = GilbertElliott::simple(share(p), share(r)) else { return Ok(()) };
            let states = oracle(&model, 2_000);
            let mut chain = chain();
            for seq in asked {
                prop_assert_eq!(chain.is_bad(&model, seq), states[seq as usize]);
            }
        }
    }
}
