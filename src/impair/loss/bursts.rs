//! Scheduled losses: bursts of a given length from a given packet on, once or periodically.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::super::spec::{Fields, SpecError, WholeNumber};
use crate::units::UnitError;

const EXAMPLE: &str = "bursts:5@100,20@500,every=1000";

/// Bounds the length of a specification's line.
const MAX_TEXT: usize = 48;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Burst {
    /// The number of the first lost packet, from zero.
    pub first: u64,
    pub(crate) length: u64,
}

/// Bursts in order, without overlaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bursts {
    bursts: Arc<[Burst]>,
    /// The period of the schedule in packets.
    every: Option<u64>,
}

impl Bursts {
    pub(crate) fn new(mut bursts: Vec<Burst>, every: Option<u64>) -> Result<Self, UnitError> {
        let bad = |why: String| Err(UnitError::new(why, EXAMPLE));
        bursts.sort_by_key(|burst| burst.first);
        let Some(last) = bursts.last() else { return bad("no bursts".into()) };
        if bursts.iter().any(|burst| burst.length == 0) {
            return bad("a burst must lose at least one probe".into());
        }
        if bursts.windows(2).any(|pair| pair[0].end() > pair[1].first) {
            return bad("two bursts overlap".into());
        }
        if let Some(every) = every.filter(|&every| last.end() > every) {
            return bad(format!("a burst ends after every={every}"));
        }
        let model = Self { bursts: bursts.into(), every };
        if model.to_string().len() > MAX_TEXT {
            return bad(format!("the schedule takes more than {MAX_TEXT} characters; a trace may be longer"));
        }
        Ok(model)
    }

    pub(super) fn loses(&self, seq: u64) -> bool {
        let seq = self.every.map_or(seq, |every| seq % every);
        let begun = self.bursts.partition_point(|burst| burst.first <= seq);
        self.bursts[..begun].last().is_some_and(|burst| seq < burst.end())
    }
}

impl Burst {
    const fn end(self) -> u64 {
        self.first.saturating_add(self.length)
    }
}

impl FromStr for Bursts {
    type Err = SpecError;
    fn from_str(text: &str) -> Result<Self, SpecError> {
        let (schedule, every) = match text.split_once(",every=") {
            Some((schedule, _)) => {
                let mut fields = Fields::read(&text[schedule.len()..], EXAMPLE)?;
                let WholeNumber(every) = fields.need("every")?;
                fields.finish()?;
                (schedule, Some(every))
            }
            None => (text, None),
        };
        let words = schedule.split(',').filter(|word| !word.is_empty());
        Ok(Self::new(words.map(burst).collect::<Result<_, _>>()?, every)?)
    }
}

fn burst(word: &str) -> Result<Burst, SpecError> {
    let Some((length, first)) = word.split_once('@') else {
        return Err(SpecError::new(format!("'{word}' is not length@first"), EXAMPLE));
    };
    let (WholeNumber(length), WholeNumber(first)) = (length.trim().parse()?, first.trim().parse()?);
    Ok(Burst { first, length })
}

impl fmt::Display for Bursts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, burst) in self.bursts.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            write!(f, "{comma}{}@{}", burst.length, burst.first)?;
        }
        self.every.map_or(Ok(()), |every| write!(f, ",every={every}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(text: &str) -> Vec<u64> {
        let model: Bursts = text.parse().unwrap();
        (0..25).filter(|&seq| model.loses(seq)).collect()
    }

    #[test]
    fn exactly_the_scheduled_packets_are_lost() {
        assert_eq!(lost("2@3,3@8"), [3, 4, 8, 9, 10]);
        assert_eq!(lost("2@3,every=10"), [3, 4, 13, 14, 23, 24]);
        assert_eq!(lost("2@0,1@2,every=20"), [0, 1, 2, 20, 21, 22]);
        assert_eq!(lost("18446744073709551615@24"), [24]);
    }

    #[test]
    fn a_long_schedule_is_refused() {
        let long = "1@1000001,2@2000002,3@3000003,4@4000004,5@5000005,6@6";
        let error = long.parse::<Bursts>().unwrap_err().to_string();
        assert!(error.contains("more than 48 characters"), "{error}");
    }
}
