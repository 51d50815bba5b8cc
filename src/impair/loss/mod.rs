//! Loss: a function of the stream and the packet's number, whatever the order of arrival.

mod bursts;
mod gilbert;
mod nth;
mod trace;

use std::fmt;
use std::str::FromStr;

#[cfg(test)]
pub(crate) use bursts::Burst;
pub use bursts::Bursts;
use gilbert::Chain;
pub use gilbert::GilbertElliott;
pub use nth::Nth;
pub use trace::Trace;

use super::rounding::Share;
use super::spec::{ReadFile, SpecError};
use crate::rng::{Seed, Stream};

const EXAMPLE: &str = "10% or gilbert:p=1%,r=25%";

/// A loss model as specified.
#[derive(Clone, Debug, PartialEq)]
pub enum Loss {
    /// Independent losses with this probability.
    Bernoulli(Share),
    /// `gilbert:p=1%,r=25%`: losses in bursts.
    GilbertElliott(GilbertElliott),
    /// `nth:10`: every tenth datagram.
    Nth(Nth),
    /// `bursts:`: runs of losses at given places.
    Bursts(Bursts),
    /// `trace:FILE`: as the file says, datagram by datagram.
    Trace(Trace),
}

impl Loss {
    pub(crate) const NONE: Self = Self::Bernoulli(Share::ZERO);

    pub(crate) fn is_none(&self) -> bool {
        *self == Self::NONE
    }

    /// Whether it counts packets instead of drawing for each.
    pub fn is_scheduled(&self) -> bool {
        matches!(self, Self::Nth(_) | Self::Bursts(_) | Self::Trace(_))
    }

    /// Whether it lacks the marks of its trace.
    pub fn is_described_only(&self) -> bool {
        matches!(self, Self::Trace(trace) if trace.is_described_only())
    }

    /// Reads a typed specification; `trace:FILE` reads the file.
    pub fn from_spec(text: &str, files: ReadFile<'_>) -> Result<Self, SpecError> {
        Self::read(text, |trace| Trace::from_spec(trace, files)).map_err(|error| error.within("loss"))
    }

    fn read(text: &str, trace: impl Fn(&str) -> Result<Trace, SpecError>) -> Result<Self, SpecError> {
        let text = text.trim();
        if text == "none" {
            return Ok(Self::NONE);
        }
        match text.split_once(':') {
            None => Ok(Self::Bernoulli(text.parse()?)),
            Some(("gilbert", rest)) => Ok(Self::GilbertElliott(rest.parse()?)),
            Some(("nth", rest)) => Ok(Self::Nth(rest.parse()?)),
            Some(("bursts", rest)) => Ok(Self::Bursts(rest.parse()?)),
            Some(("trace", rest)) => Ok(Self::Trace(trace(rest)?)),
            Some((name, _)) => Err(SpecError::new(
                format!("unknown loss model '{name}' (a share, gilbert, nth, bursts, trace, none)"),
                EXAMPLE,
            )),
        }
    }
}

/// Reads the wire's form: a long trace is only described.
impl FromStr for Loss {
    type Err = SpecError;
    fn from_str(text: &str) -> Result<Self, SpecError> {
        Self::read(text, str::parse).map_err(|error| error.within("loss"))
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bernoulli(Share::ZERO) => write!(f, "none"),
            Self::Bernoulli(share) => share.fmt(f),
            Self::GilbertElliott(model) => write!(f, "gilbert:{model}"),
            Self::Nth(model) => write!(f, "nth:{model}"),
            Self::Bursts(model) => write!(f, "bursts:{model}"),
            Self::Trace(model) => write!(f, "trace:{model}"),
        }
    }
}

/// The random streams of one link's losses.
#[derive(Clone, Debug)]
pub(super) struct LossDraws {
    losses: Stream,
    chain: Chain,
}

impl LossDraws {
    pub(super) fn new(seed: Seed, way: &str) -> Self {
        Self {
            losses: Stream::new(seed, &format!("loss {way}")),
            chain: Chain::new(Stream::new(seed, &format!("loss state {way}"))),
        }
    }

    /// Whether this packet is lost. Call `forget` after a change of the model.
    pub(super) fn lost(&mut self, loss: &Loss, seq: u64) -> bool {
        match loss {
            Loss::Bernoulli(share) => self.takes(*share, seq),
            Loss::GilbertElliott(model) => {
                let bad = self.chain.is_bad(model, seq);
                self.takes(model.loss_share(bad), seq)
            }
            Loss::Nth(model) => model.loses(seq),
            Loss::Bursts(model) => model.loses(seq),
            Loss::Trace(model) => model.loses(seq),
        }
    }

    /// Draws only if the draw decides.
    fn takes(&self, share: Share, seq: u64) -> bool {
        match share {
            Share::ZERO => false,
            Share::ONE => true,
            share => share.takes(self.losses.unit(seq)),
        }
    }

    /// The known state of one model is not that of another.
    pub(super) fn forget(&mut self) {
        self.chain.forget();
    }
}

#[cfg(test)]
mod tests {
    use super::super::goodness_of_fit;
    use super::*;

    fn no_files(_: &str) -> std::io::Result<String> {
        Err(std::io::ErrorKind::NotFound.into())
    }

    fn lost(text: &str, n: u64) -> Vec<bool> {
        let (loss, mut draws) = (text.parse().unwrap(), LossDraws::new(7, "down"));
        (0..n).map(|seq| draws.lost(&loss, seq)).collect()
    }

    #[test]
    fn a_typed_loss_prints_in_its_shortest_form() {
        for (typed, printed) in [
            ("none", "none"),
            ("0", "none"),
            ("0.1", "10%"),
            ("100%", "100%"),
            ("gilbert:p=1%,r=25%", "gilbert:p=1%,r=25%"),
            ("gilbert:r=25%,p=0.01,k=100%,h=0", "gilbert:p=1%,r=25%"),
            ("gilbert:p=1%,r=25%,h=50%,k=99.9%", "gilbert:p=1%,r=25%,h=50%,k=99.9%"),
            ("nth:10", "nth:10"),
            ("bursts:5@100", "bursts:5@100"),
            ("bursts:20@500,5@100,every=1000", "bursts:5@100,20@500,every=1000"),
            ("trace:..x.x", "trace:..x.x"),
            ("trace:n=100,lost=7,id=0000002a", "trace:n=100,lost=7,id=0000002a"),
        ] {
            let loss: Loss = typed.parse().unwrap();
            assert_eq!(loss.to_string(), printed);
            assert_eq!(printed.parse::<Loss>().unwrap(), loss);
            if !loss.is_described_only() {
                assert_eq!(Loss::from_spec(typed, &no_files).unwrap(), loss);
            }
        }
    }

    #[test]
    fn an_error_names_the_part_and_shows_a_good_one() {
        for (text, error) in [
            (
                "random:3",
                "loss: unknown loss model 'random' (a share, gilbert, nth, bursts, trace, \
                 none); for example 10% or gilbert:p=1%,r=25%",
            ),
            ("ten", "loss: not a number; for example 10% or 0.1"),
            ("gilbert:p=1%", "loss: r= is missing; for example gilbert:p=1%,r=25%"),
            ("gilbert:p=1%,r=2", "loss: r: must be between 0 and 1 (0% and 100%); for example 10% or 0.1"),
            (
                "gilbert:p=0,r=0",
                "loss: p and r must add up to between 0.1% and 199.9%; for example gilbert:p=1%,r=25%",
            ),
            ("nth:0", "loss: must be at least 1; for example nth:10"),
            ("nth:x", "loss: 'x' is not a whole number; for example 10"),
            ("bursts:5", "loss: '5' is not length@first; for example bursts:5@100,20@500,every=1000"),
            ("bursts:", "loss: no bursts; for example bursts:5@100,20@500,every=1000"),
            (
                "bursts:0@5",
                "loss: a burst must lose at least one probe; for example bursts:5@100,20@500,every=1000",
            ),
            ("bursts:5@10,1@14", "loss: two bursts overlap; for example bursts:5@100,20@500,every=1000"),
            (
                "bursts:5@10,every=14",
                "loss: a burst ends after every=14; for example bursts:5@100,20@500,every=1000",
            ),
            ("trace:..y", "loss: '..y' is not key=value; for example trace:..x...xx."),
            ("trace:", "loss: the trace is empty; for example trace:..x...xx."),
        ] {
            assert_eq!(text.parse::<Loss>().unwrap_err().to_string(), error);
        }
        let error = Loss::from_spec("trace:gone", &no_files).unwrap_err().to_string();
        assert!(error.starts_with("loss: cannot read gone: "), "{error}");
    }

    /// Gaps between independent losses are geometric; a chi-square test over the first ten and
    /// the rest has ten degrees of freedom, whose 99.9 % point is 29.588.
    #[test]
    fn bernoulli_losses_have_the_configured_share_and_are_independent() {
        let lost = lost("10%", 200_000);
        let total = lost.iter().filter(|&&lost| lost).count() as f64;
        goodness_of_fit::share(total, 200_000.0, 0.1);

        let at: Vec<usize> = (0..lost.len()).filter(|&seq| lost[seq]).collect();
        let mut counts = [0.0; 11];
        at.windows(2).for_each(|pair| counts[(pair[1] - pair[0]).min(11) - 1] += 1.0);
        let gaps = at.len() as f64 - 1.0;
        let expected: Vec<f64> = (0..11)
            .map(|gap| gaps * if gap < 10 { 0.1 * 0.9_f64.powi(gap) } else { 0.9_f64.powi(10) })
            .collect();
        goodness_of_fit::chi_square(&counts, &expected, 29.588);
    }

    #[test]
    fn none_loses_nothing_and_100_percent_everything() {
        assert!(lost("none", 1000).iter().all(|lost| !lost));
        assert!(lost("100%", 1000).iter().all(|&lost| lost));
    }
}
