//! Delay: a distribution, and whether packets may overtake one another.
//!
//! A draw is a function of the stream and the packet's number, never negative and at most `longest`,
//! which tells a client how long to wait: an unbounded distribution is cut at the quantile that one
//! draw in 100,000 exceeds, and at an hour.

mod constant;
mod empirical;
mod exponential;
mod lognormal;
mod normal;
mod order;
mod pareto;
mod uniform;

use std::fmt;
use std::str::FromStr;

pub use constant::Constant;
pub use empirical::Empirical;
pub use exponential::Exponential;
pub use lognormal::LogNormal;
pub use normal::Normal;
pub(super) use order::Order;
pub use pareto::Pareto;
pub use uniform::Uniform;

use super::rounding::{Length, MAX_DELAY};
use super::spec::{ReadFile, SpecError};
use crate::rng::Stream;
use crate::time::Duration;
use crate::units::parse_duration;

/// The share of draws that lie beyond the cut of an unbounded distribution.
const TAIL: f64 = 1e-5;

/// The standard normal distribution exceeds this with probability `TAIL`.
const TAIL_DEVIATIONS: f64 = 4.264_890_793_922_825;

const EXAMPLE: &str = "uniform:0.1ms..500ms";

/// A delay as specified.
#[derive(Clone, Debug, PartialEq)]
pub struct Delay {
    law: Law,
    ordered: bool,
}

/// The distribution of a delay.
#[derive(Clone, Debug, PartialEq)]
pub enum Law {
    /// `constant:20ms`.
    Constant(Constant),
    /// `uniform:0.1ms..500ms`.
    Uniform(Uniform),
    /// `normal:50ms+-10ms`; what would be negative is zero.
    Normal(Normal),
    /// `lognormal:`, with a long tail.
    LogNormal(LogNormal),
    /// `pareto:`, with a heavy tail.
    Pareto(Pareto),
    /// `exponential:20ms`.
    Exponential(Exponential),
    /// `empirical:FILE`, drawn from measured delays.
    Empirical(Empirical),
}

impl Delay {
    pub(crate) const NONE: Self = Self { law: Law::Constant(Constant::ZERO), ordered: false };

    pub(crate) fn is_none(&self) -> bool {
        self.law == Self::NONE.law
    }

    /// The same delay, but no packet is released before an earlier one. What this adds to a hold
    /// depends on the traffic.
    pub fn in_order(mut self) -> Self {
        self.ordered = !self.is_none();
        self
    }

    /// Whether a datagram is held until those before it have left.
    pub const fn is_ordered(&self) -> bool {
        self.ordered
    }

    /// The draw for this packet.
    pub fn draw(&self, stream: &Stream, seq: u64) -> Duration {
        match &self.law {
            Law::Constant(law) => law.get(),
            Law::Uniform(law) => law.draw(stream.unit(seq)),
            Law::Normal(law) => law.draw(&mut stream.at(seq)),
            Law::LogNormal(law) => law.draw(&mut stream.at(seq)),
            Law::Pareto(law) => law.draw(&mut stream.at(seq)),
            Law::Exponential(law) => law.draw(&mut stream.at(seq)),
            Law::Empirical(law) => law.draw(stream.unit(seq)),
        }
    }

    /// No draw is longer.
    pub fn longest(&self) -> Duration {
        match &self.law {
            Law::Constant(law) => law.get(),
            Law::Uniform(law) => law.high(),
            Law::Normal(law) => law.longest(),
            Law::LogNormal(law) => law.longest(),
            Law::Pareto(law) => law.longest(),
            Law::Exponential(law) => law.longest(),
            Law::Empirical(law) => law.longest(),
        }
    }

    /// Whether it lacks its samples, so that nothing can be drawn.
    pub fn is_described_only(&self) -> bool {
        matches!(&self.law, Law::Empirical(law) if law.is_described_only())
    }

    /// Reads a typed specification; `empirical:FILE` reads the file.
    pub fn from_spec(text: &str, files: ReadFile<'_>) -> Result<Self, SpecError> {
        Self::read(text, |file| Empirical::from_file(file, files)).map_err(|error| error.within("delay"))
    }

    fn read(text: &str, empirical: impl Fn(&str) -> Result<Empirical, SpecError>) -> Result<Self, SpecError> {
        let text = text.trim();
        if let Some(free) = text.strip_suffix(",ordered") {
            return Ok(Self::read(free, empirical)?.in_order());
        }
        if text == "none" {
            return Ok(Self::NONE);
        }
        let (name, rest) = text.split_once(':').unwrap_or((text, ""));
        let law = match name {
            "constant" => Law::Constant(rest.parse()?),
            "uniform" => Law::Uniform(rest.parse()?),
            "normal" => Law::Normal(rest.parse()?),
            "lognormal" => Law::LogNormal(rest.parse()?),
            "pareto" => Law::Pareto(rest.parse()?),
            "exponential" => Law::Exponential(rest.parse()?),
            "empirical" => Law::Empirical(empirical(rest)?),
            _ if parse_duration(text).is_ok() => Law::Constant(text.parse()?),
            name => return Err(unknown(name)),
        };
        Ok(law.into())
    }
}

impl From<Law> for Delay {
    fn from(law: Law) -> Self {
        Self { law, ordered: false }
    }
}

/// Reads the wire's form: an empirical delay is only described.
impl FromStr for Delay {
    type Err = SpecError;
    fn from_str(text: &str) -> Result<Self, SpecError> {
        Self::read(text, Empirical::from_description).map_err(|error| error.within("delay"))
    }
}

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() {
            return write!(f, "none");
        }
        match &self.law {
            Law::Constant(law) => write!(f, "constant:{law}"),
            Law::Uniform(law) => write!(f, "uniform:{law}"),
            Law::Normal(law) => write!(f, "normal:{law}"),
            Law::LogNormal(law) => write!(f, "lognormal:{law}"),
            Law::Pareto(law) => write!(f, "pareto:{law}"),
            Law::Exponential(law) => write!(f, "exponential:{law}"),
            Law::Empirical(law) => write!(f, "empirical:{law}"),
        }?;
        if self.ordered { write!(f, ",ordered") } else { Ok(()) }
    }
}

fn unknown(name: &str) -> SpecError {
    const LAWS: &str = "constant, uniform, normal, lognormal, pareto, exponential, empirical, none";
    SpecError::new(format!("unknown delay distribution '{name}' ({LAWS})"), EXAMPLE)
}

/// A draw in nanoseconds as a delay, clamped to the distribution's end.
fn cut(nanos: f64, longest: Duration) -> Duration {
    Duration::from_nanos(nanos.clamp(0.0, longest.as_nanos() as f64).round() as i64)
}

/// The cut of a distribution whose tail begins at this quantile.
fn end_of_tail(nanos: f64) -> Duration {
    cut(nanos, MAX_DELAY)
}

/// Reads `50ms±10ms`, also `50ms+-10ms`: a mean and a standard deviation.
fn mean_and_deviation(text: &str, example: &'static str) -> Result<(Duration, Duration), SpecError> {
    let Some((mean, deviation)) = text.split_once('±').or_else(|| text.split_once("+-")) else {
        return Err(SpecError::new(format!("'{text}' is not mean±deviation"), example));
    };
    let length = |key: &str, text: &str| {
        text.parse::<Length>().map(Length::get).map_err(|problem| SpecError::from(problem).within(key))
    };
    Ok((length("mean", mean)?, length("deviation", deviation)?))
}

#[cfg(test)]
mod tests {
    use super::super::goodness_of_fit;
    use super::*;

    fn no_files(_: &str) -> std::io::Result<String> {
        Err(std::io::ErrorKind::NotFound.into())
    }

    #[test]
    fn a_typed_delay_prints_in_its_shortest_form() {
        for (typed, printed) in [
            ("none", "none"),
            ("constant:0", "none"),
            ("constant:0,ordered", "none"),
            ("constant:20ms", "constant:20ms"),
            ("20ms", "constant:20ms"),
            ("20ms,ordered", "constant:20ms,ordered"),
            ("uniform", "uniform:100us..500ms"),
            ("uniform:0.1ms..500ms", "uniform:100us..500ms"),
            ("normal:50ms±10ms", "normal:50ms±10ms"),
            ("normal:50ms+-10ms,ordered", "normal:50ms±10ms,ordered"),
            ("lognormal:9ms+-25ms", "lognormal:9ms±25ms"),
            ("pareto:10ms,shape=2.5", "pareto:10ms,shape=2.5"),
            ("exponential:0.02", "exponential:20ms"),
            ("empirical:n=5,id=0000002a,max=7ms", "empirical:n=5,id=0000002a,max=7ms"),
        ] {
            let delay: Delay = typed.parse().unwrap();
            assert_eq!(delay.to_string(), printed);
            assert_eq!(printed.parse::<Delay>().unwrap(), delay);
            if !delay.is_described_only() {
                assert_eq!(Delay::from_spec(typed, &no_files).unwrap(), delay);
            }
        }
    }

    #[test]
    fn an_error_names_the_part_and_shows_a_good_one() {
        for (text, error) in [
            (
                "poisson:3",
                "delay: unknown delay distribution 'poisson' (constant, uniform, normal, lognormal, pareto, \
                 exponential, empirical, none); for example uniform:0.1ms..500ms",
            ),
            ("constant:", "delay: not a number; for example 0.5 or 500ms"),
            ("constant:2h", "delay: must be at most an hour; for example 20ms or 0.5"),
            ("2h", "delay: must be at most an hour; for example 20ms or 0.5"),
            (
                "20ms..30ms",
                "delay: unknown delay distribution '20ms..30ms' (constant, uniform, normal, lognormal, pareto, \
                 exponential, empirical, none); for example uniform:0.1ms..500ms",
            ),
            ("uniform:20ms", "delay: '20ms' is not low..high; for example uniform:0.1ms..500ms"),
            (
                "uniform:2ms..1ms",
                "delay: the low end must not be above the high end; for example uniform:0.1ms..500ms",
            ),
            ("uniform:x..1ms", "delay: low: not a number; for example 0.5 or 500ms"),
            ("normal:50ms", "delay: '50ms' is not mean±deviation; for example normal:50ms±10ms"),
            ("normal:50ms±-1ms", "delay: deviation: must not be negative; for example 0.5 or 500ms"),
            ("lognormal:0±1ms", "delay: the mean must be more than zero; for example lognormal:9ms±25ms"),
            (
                "pareto:1ms,shape=1",
                "delay: the shape must be above 1 (below, the mean is infinite), at most \
                 at 100; for example pareto:10ms,shape=2.5",
            ),
            ("pareto:1ms", "delay: '1ms' is not minimum,shape=number; for example pareto:10ms,shape=2.5"),
            ("exponential:0", "delay: the mean must be more than zero; for example exponential:20ms"),
            ("empirical:run.csv", "delay: 'run.csv' is not key=value; for example empirical:probes.csv"),
        ] {
            assert_eq!(text.parse::<Delay>().unwrap_err().to_string(), error);
        }
        let error = Delay::from_spec("empirical:gone.csv", &no_files).unwrap_err().to_string();
        assert!(error.starts_with("delay: cannot read gone.csv: "), "{error}");
    }

    #[test]
    fn no_draw_exceeds_the_longest_and_none_is_negative() {
        for text in [
            "constant:3ms",
            "uniform:1ms..2ms",
            "normal:1ms±10ms",
            "lognormal:1s±100s",
            "pareto:1s,shape=1.001",
            "exponential:1h",
        ] {
            let delay: Delay = text.parse().unwrap();
            let draws =
                goodness_of_fit::draws(100_000, |stream, seq| delay.draw(stream, seq).as_nanos() as f64);
            assert!(
                draws.iter().all(|&draw| (0.0..=delay.longest().as_nanos() as f64).contains(&draw)),
                "{text}"
            );
            assert!(delay.longest() <= MAX_DELAY);
        }
    }
}
