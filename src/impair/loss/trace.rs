//! Recorded losses: one mark a packet, repeated at the end.
//!
//! `.` or `0` passes, `x` or `1` is lost. A file holds marks, or is an earlier run's `probes.csv`, of
//! which only losses by the network count: neither injected ones nor receive-buffer overflows. The
//! wire only describes a long trace.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::super::spec::{Fields, Fingerprint, ReadFile, SpecError, WholeNumber, read_named};
use crate::units::UnitError;

const EXAMPLE: &str = "trace:..x...xx.";

const MAX_MARKS: usize = 999_999;

/// The longest trace that a line spells out.
const MAX_TEXT: usize = 48;

/// A recorded sequence of losses, which repeats.
#[derive(Clone, Debug)]
pub struct Trace {
    count: u64,
    lost: u64,
    fingerprint: Fingerprint,
    /// Empty if it is only described.
    marks: Arc<[bool]>,
}

impl Trace {
    /// True is lost.
    pub fn new(marks: impl IntoIterator<Item = bool>) -> Result<Self, UnitError> {
        let marks: Arc<[bool]> = marks.into_iter().collect();
        if marks.is_empty() {
            return Err(UnitError::new("the trace is empty", EXAMPLE));
        }
        if marks.len() > MAX_MARKS {
            return Err(UnitError::new(format!("more than {MAX_MARKS} marks"), EXAMPLE));
        }
        Ok(Self {
            count: marks.len() as u64,
            lost: marks.iter().filter(|&&lost| lost).count() as u64,
            fingerprint: Fingerprint::of(marks.iter().map(|&lost| u8::from(lost))),
            marks,
        })
    }

    /// The marks in a text, or in a table with the columns `outcome` and `cause`.
    pub fn from_text(text: &str) -> Result<Self, SpecError> {
        let header = text.lines().next().unwrap_or_default();
        let marks = if header.split(',').any(|column| column.trim() == "outcome") {
            network_losses(text)?
        } else {
            let lines = text.lines().filter(|line| !line.starts_with('#'));
            let marks = lines.flat_map(str::chars).filter(|mark| !mark.is_whitespace());
            marks.map(mark).collect::<Result<_, _>>()?
        };
        Ok(Self::new(marks)?)
    }

    /// Typed marks, or the name of a file.
    pub(super) fn from_spec(text: &str, files: ReadFile<'_>) -> Result<Self, SpecError> {
        if is_typed(text) {
            return Self::from_text(text);
        }
        let file = read_named(text, files, EXAMPLE)?;
        Self::from_text(&file).map_err(|error| error.within(text))
    }

    pub(super) fn is_described_only(&self) -> bool {
        self.marks.is_empty()
    }

    pub(super) fn loses(&self, seq: u64) -> bool {
        self.marks.get((seq % self.count) as usize).copied().unwrap_or(false)
    }
}

/// Reads the wire's form: marks or a description.
impl FromStr for Trace {
    type Err = SpecError;
    fn from_str(text: &str) -> Result<Self, SpecError> {
        if is_typed(text) {
            return Self::from_text(text);
        }
        let mut fields = Fields::read(text, EXAMPLE)?;
        let (WholeNumber(count), WholeNumber(lost)) = (fields.need("n")?, fields.need("lost")?);
        let fingerprint = fields.need("id")?;
        fields.finish()?;
        if count == 0 {
            return Err(SpecError::new("the trace is empty", EXAMPLE));
        }
        Ok(Self { count, lost, fingerprint, marks: Arc::new([]) })
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_described_only() || self.marks.len() > MAX_TEXT {
            return write!(f, "n={},lost={},id={}", self.count, self.lost, self.fingerprint);
        }
        self.marks.iter().try_for_each(|&lost| write!(f, "{}", if lost { 'x' } else { '.' }))
    }
}

/// Compares counts and fingerprint, since one of them may be only described.
impl PartialEq for Trace {
    fn eq(&self, other: &Self) -> bool {
        (self.count, self.lost, self.fingerprint) == (other.count, other.lost, other.fingerprint)
    }
}

fn is_typed(text: &str) -> bool {
    text.chars().all(|mark| matches!(mark, '.' | 'x'))
}

fn mark(mark: char) -> Result<bool, SpecError> {
    match mark {
        '.' | '0' => Ok(false),
        'x' | '1' => Ok(true),
        mark => {
            Err(SpecError::new(format!("'{mark}' is not a mark (. or 0 passes, x or 1 is lost)"), EXAMPLE))
        }
    }
}

fn network_losses(text: &str) -> Result<Vec<bool>, SpecError> {
    let bad = |error: csv::Error| SpecError::new(error.to_string(), EXAMPLE);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let headers = reader.headers().map_err(bad)?.clone();
    let column = |name: &str| headers.iter().position(|header| header.trim() == name);
    let (outcome, cause) = (column("outcome"), column("cause"));
    let mut marks = Vec::new();
    for row in reader.records() {
        let row = row.map_err(bad)?;
        let cell = |at: Option<usize>| at.and_then(|at| row.get(at)).unwrap_or_default();
        match cell(outcome) {
            "send_error" => {}
            "lost" => marks.push(matches!(cell(cause), "" | "up" | "down" | "unknown")),
            _ => marks.push(false),
        }
    }
    Ok(marks)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(trace: &Trace, n: u64) -> String {
        (0..n).map(|seq| if trace.loses(seq) { 'x' } else { '.' }).collect()
    }

    #[test]
    fn a_trace_repeats_at_its_end() {
        let trace = Trace::from_text("# a comment\n.x 0\n1\n").unwrap();
        assert_eq!(lost(&trace, 10), ".x.x.x.x.x");
        assert_eq!(lost(&Trace::from_text("..x").unwrap(), 7), "..x..x.");
    }

    #[test]
    fn only_network_losses_of_an_earlier_run_count() {
        let trace = Trace::from_text(
            "seq,outcome,cause\n0,ok,\n1,lost,up\n2,lost,injected_up\n3,send_error,\n4,lost,down\n\
             5,lost,unknown\n6,late,\n7,lost,client_overflow\n",
        )
        .unwrap();
        assert_eq!(lost(&trace, 7), ".x.xx..");
    }

    #[test]
    fn a_long_trace_is_described() {
        let trace = Trace::new((0..1_000).map(|k| k % 10 == 0)).unwrap();
        let text = trace.to_string();
        assert!(text.starts_with("n=1000,lost=100,id="), "{text}");
        let described: Trace = text.parse().unwrap();
        assert_eq!(described, trace);
        assert!(described.is_described_only());
        assert!(!described.loses(0));
        assert_eq!(Trace::from_spec("f", &|_| Ok("x".repeat(49))).unwrap().lost, 49);
    }

    #[test]
    fn a_bad_mark_is_named() {
        let error = Trace::from_spec("f", &|_| Ok("..y".into())).unwrap_err().to_string();
        assert_eq!(
            error,
            "f: 'y' is not a mark (. or 0 passes, x or 1 is lost); for example trace:..x...xx."
        );
    }
}
