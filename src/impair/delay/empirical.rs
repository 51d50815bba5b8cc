//! Measured delays: each draw is one of the samples, all equally likely.
//!
//! The samples are the lines of a file of delays, or the RTTs of an earlier run's `probes.csv`. They
//! are too many for the wire, which carries their number, their fingerprint and the longest, so that
//! a client knows how long to wait.

use std::fmt;
use std::sync::Arc;

use super::super::rounding::{Length, MAX_DELAY};
use super::super::spec::{Fields, Fingerprint, ReadFile, SpecError, WholeNumber, read_named};
use crate::time::Duration;
use crate::units::{UnitError, parse_duration};

const EXAMPLE: &str = "empirical:probes.csv";

const MAX_SAMPLES: usize = 999_999;

/// Delays drawn from measured ones, each as likely as it occurs in the file.
#[derive(Clone, Debug)]
pub struct Empirical {
    count: u64,
    fingerprint: Fingerprint,
    longest: Duration,
    /// Empty if they are only described.
    samples: Arc<[Duration]>,
}

impl Empirical {
    /// Clamps the samples to between zero and an hour.
    pub fn new(samples: impl IntoIterator<Item = Duration>) -> Result<Self, UnitError> {
        let samples: Arc<[Duration]> =
            samples.into_iter().map(|sample| sample.clamp(Duration::ZERO, MAX_DELAY)).collect();
        if samples.is_empty() {
            return Err(UnitError::new("no samples", EXAMPLE));
        }
        if samples.len() > MAX_SAMPLES {
            return Err(UnitError::new(format!("more than {MAX_SAMPLES} samples"), EXAMPLE));
        }
        let longest = samples.iter().copied().max().unwrap_or_default();
        Ok(Self {
            count: samples.len() as u64,
            fingerprint: Fingerprint::of(samples.iter().flat_map(|sample| sample.as_nanos().to_le_bytes())),
            longest: round_up(longest)?,
            samples,
        })
    }

    /// Reads one delay a line, or a table with a column `rtt_us`.
    pub fn from_text(text: &str) -> Result<Self, SpecError> {
        let header = text.lines().next().unwrap_or_default();
        let samples = if header.split(',').any(|column| column.trim() == "rtt_us") {
            round_trips(text)?
        } else {
            listed(text)?
        };
        Ok(Self::new(samples)?)
    }

    pub(super) fn from_file(file: &str, files: ReadFile<'_>) -> Result<Self, SpecError> {
        Self::from_text(&read_named(file, files, EXAMPLE)?).map_err(|error| error.within(file))
    }

    pub(super) fn from_description(text: &str) -> Result<Self, SpecError> {
        let mut fields = Fields::read(text, EXAMPLE)?;
        let WholeNumber(count) = fields.need("n")?;
        let fingerprint = fields.need("id")?;
        let longest = fields.need::<Length>("max")?.get();
        fields.finish()?;
        Ok(Self { count, fingerprint, longest, samples: Arc::new([]) })
    }

    pub(crate) fn is_described_only(&self) -> bool {
        self.samples.is_empty()
    }

    pub(crate) const fn longest(&self) -> Duration {
        self.longest
    }

    /// The sample at this share of them; zero if they are only described.
    pub fn draw(&self, unit: f64) -> Duration {
        let at = (unit * self.samples.len() as f64) as usize;
        self.samples.get(at).copied().unwrap_or_default()
    }
}

/// Compares number, fingerprint and longest sample, since one of them may be only described.
impl PartialEq for Empirical {
    fn eq(&self, other: &Self) -> bool {
        (self.count, self.fingerprint, self.longest) == (other.count, other.fingerprint, other.longest)
    }
}

impl fmt::Display for Empirical {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n={},id={},max={}", self.count, self.fingerprint, self.longest)
    }
}

/// Rounded to six digits it must still bound every sample.
fn round_up(longest: Duration) -> Result<Duration, UnitError> {
    let kept = Length::new(longest)?.get();
    let step = 10_i64.pow(longest.as_nanos().max(1).ilog10().saturating_sub(5));
    if kept >= longest { Ok(kept) } else { Ok(kept + Duration::from_nanos(step)) }
}

/// The net RTT if the run has it, so that an injected delay is not injected again; else the RTT.
fn round_trips(text: &str) -> Result<Vec<Duration>, SpecError> {
    let bad = |why: String| SpecError::new(why, EXAMPLE);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let headers = reader.headers().map_err(|error| bad(error.to_string()))?.clone();
    let column = |name: &str| headers.iter().position(|header| header.trim() == name);
    let columns = [column("net_rtt_us"), column("rtt_us")];
    let mut samples = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|error| bad(error.to_string()))?;
        let cell = columns.iter().flatten().filter_map(|&at| row.get(at)).find(|cell| !cell.is_empty());
        let Some(cell) = cell else { continue };
        match cell.parse::<f64>() {
            Ok(micros) if micros.is_finite() => samples.push(Duration::from_secs_f64(micros / 1e6)),
            _ => return Err(bad(format!("'{cell}' is not a number of microseconds"))),
        }
    }
    Ok(samples)
}

/// One delay a line, a bare number in seconds; blank lines and lines that begin with # are skipped.
fn listed(text: &str) -> Result<Vec<Duration>, SpecError> {
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
    lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(number, line)| {
            parse_duration(line).map_err(|problem| SpecError::from(problem).within(&format!("line {number}")))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::goodness_of_fit;
    use super::*;

    #[test]
    fn every_sample_is_as_likely_as_any_other() {
        let law = Empirical::from_text("# three\n1ms\n\n0.002\n 3 ms\n").unwrap();
        let draws = goodness_of_fit::draws(90_000, |stream, seq| law.draw(stream.unit(seq)).as_millis_f64());
        goodness_of_fit::mean(&draws, 2.0, (2.0_f64 / 3.0).sqrt());
        // The fourth central moment is 2/3 as well, so the kurtosis is 1.5.
        goodness_of_fit::variance(&draws, 2.0 / 3.0, 1.5);
        let counts =
            [1.0, 2.0, 3.0].map(|sample| draws.iter().filter(|&&draw| draw == sample).count() as f64);
        // Two degrees of freedom: 13.816 is the 99.9 % point.
        goodness_of_fit::chi_square(&counts, &[30_000.0; 3], 13.816);
    }

    #[test]
    fn an_earlier_run_gives_the_network_s_round_trips() {
        let law = Empirical::from_text(
            "seq,outcome,rtt_us,net_rtt_us\n0,ok,900.5,100.25\n1,lost,,\n2,late,800,\n3,ok,700,-0.001\n",
        )
        .unwrap();
        let samples = [100_250, 800_000, 0].map(Duration::from_nanos);
        assert_eq!(*law.samples, samples);
        assert_eq!(law.longest(), Duration::from_micros(800));
    }

    #[test]
    fn a_description_equals_its_samples() {
        let law = Empirical::new([Duration::from_nanos(1_234_561), Duration::ZERO]).unwrap();
        let described = Empirical::from_description(&law.to_string()).unwrap();
        assert_eq!(described, law);
        assert!(described.is_described_only() && !law.is_described_only());
        assert_eq!(law.longest(), Duration::from_nanos(1_234_570));
        assert_ne!(Empirical::new([Duration::from_nanos(1_234_561), Duration::from_nanos(1)]).unwrap(), law);
    }

    #[test]
    fn an_error_in_a_file_names_the_line() {
        for (text, why) in [
            ("", "no samples; for example empirical:probes.csv"),
            ("1ms\nsoon\n", "line 2: not a number; for example 0.5 or 500ms"),
            ("rtt_us\nsoon\n", "'soon' is not a number of microseconds; for example empirical:probes.csv"),
        ] {
            assert_eq!(Empirical::from_text(text).unwrap_err().to_string(), why);
        }
    }
}
