//! The expectations of a test: `up.lost>=2 down.queue==0`. It fails when the impairment never happened.

use std::fmt;
use std::str::FromStr;

use super::counters::{Counters, DropCause, Tally};
use crate::impair::Direction;
use crate::units::UnitError;

const EXAMPLE: &str = "'up.lost>=1 down.queue==0'";

/// All of them must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectations(Vec<Expectation>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Expectation {
    direction: Direction,
    name: Name,
    compare: Compare,
    value: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Arrived,
    Passed,
    SendError,
    /// Of all causes.
    Dropped,
    Cause(DropCause),
    Copies,
    Marked,
    Rebound,
    Refused,
    Overflows,
    Flows,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compare {
    Equal,
    NotEqual,
    AtLeast,
    AtMost,
    More,
    Less,
}

/// One that does not hold, and what was counted instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unmet {
    expectation: Expectation,
    counted: u64,
}

impl Expectations {
    /// The expectations that do not hold.
    pub fn unmet(&self, counters: &Counters) -> Vec<Unmet> {
        let counted = self
            .0
            .iter()
            .map(|expectation| (*expectation, expectation.name.count(expectation.direction, counters)));
        counted
            .filter(|(expectation, counted)| !expectation.compare.holds(*counted, expectation.value))
            .map(|(expectation, counted)| Unmet { expectation, counted })
            .collect()
    }
}

impl Name {
    fn count(self, direction: Direction, counters: &Counters) -> u64 {
        let tally: &Tally = match direction {
            Direction::Up => &counters.up,
            Direction::Down => &counters.down,
        };
        match self {
            Self::Arrived => tally.arrived,
            Self::Passed => tally.passed,
            Self::SendError => tally.send_errors,
            Self::Dropped => tally.dropped_in_all(),
            Self::Cause(cause) => tally.dropped(cause),
            Self::Copies => tally.copies,
            Self::Marked => tally.marked,
            Self::Rebound => tally.rebound,
            Self::Refused => tally.refused,
            Self::Overflows => tally.overflows,
            Self::Flows => counters.flows_opened,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "arrived" => Self::Arrived,
            "passed" => Self::Passed,
            "send_error" => Self::SendError,
            "dropped" => Self::Dropped,
            "copies" => Self::Copies,
            "marked" => Self::Marked,
            "rebound" => Self::Rebound,
            "refused" => Self::Refused,
            "overflows" => Self::Overflows,
            "flows" => Self::Flows,
            _ => Self::Cause(DropCause::ALL.into_iter().find(|cause| cause.label() == text)?),
        })
    }

    const fn label(self) -> &'static str {
        match self {
            Self::Arrived => "arrived",
            Self::Passed => "passed",
            Self::SendError => "send_error",
            Self::Dropped => "dropped",
            Self::Cause(cause) => cause.label(),
            Self::Copies => "copies",
            Self::Marked => "marked",
            Self::Rebound => "rebound",
            Self::Refused => "refused",
            Self::Overflows => "overflows",
            Self::Flows => "flows",
        }
    }
}

impl Compare {
    /// Longer signs first: `>=` begins with `>`.
    const ALL: [(&'static str, Self); 6] = [
        ("==", Self::Equal),
        ("!=", Self::NotEqual),
        (">=", Self::AtLeast),
        ("<=", Self::AtMost),
        (">", Self::More),
        ("<", Self::Less),
    ];

    const fn holds(self, counted: u64, value: u64) -> bool {
        match self {
            Self::Equal => counted == value,
            Self::NotEqual => counted != value,
            Self::AtLeast => counted >= value,
            Self::AtMost => counted <= value,
            Self::More => counted > value,
            Self::Less => counted < value,
        }
    }

    fn sign(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, compare)| *compare == self).map_or("", |(sign, _)| sign)
    }
}

impl FromStr for Expectations {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let expectations = text.split_whitespace().map(str::parse).collect::<Result<Vec<_>, _>>()?;
        if expectations.is_empty() {
            return Err(UnitError::new("nothing is expected", EXAMPLE));
        }
        Ok(Self(expectations))
    }
}

impl FromStr for Expectation {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let bad = |why: String| UnitError::new(why, EXAMPLE);
        let (what, rest) =
            text.split_once('.').ok_or_else(|| bad(format!("'{text}' names no direction: up. or down.")))?;
        let direction = [Direction::Up, Direction::Down]
            .into_iter()
            .find(|direction| direction.name() == what)
            .ok_or_else(|| bad(format!("'{what}' is no direction: up or down")))?;
        let (compare, (name, value)) = Compare::ALL
            .into_iter()
            .find_map(|(sign, compare)| Some((compare, rest.split_once(sign)?)))
            .ok_or_else(|| bad(format!("'{text}' compares nothing: == != >= <= > <")))?;
        let name = Name::parse(name).ok_or_else(|| {
            let causes = DropCause::ALL.map(DropCause::label).join(", ");
            bad(format!(
                "'{name}' is not counted: arrived, passed, dropped, send_error, copies, marked, rebound, refused, overflows, flows, {causes}"
            ))
        })?;
        let value = value.parse().map_err(|_| bad(format!("'{value}' must be a whole number")))?;
        Ok(Self { direction, name, compare, value })
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}{}{}", self.direction.name(), self.name.label(), self.compare.sign(), self.value)
    }
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Expectation { direction, name, .. } = self.expectation;
        write!(
            f,
            "expected {}, but {}.{} is {}",
            self.expectation,
            direction.name(),
            name.label(),
            self.counted
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_comparison_holds_where_it_should() {
        let mut counters = Counters { flows_opened: 2, ..Counters::default() };
        counters.up.arrived = 10;
        counters.down.overflows = 3;
        counters.up.count_drop(DropCause::Lost);
        counters.up.count_drop(DropCause::Lost);
        let unmet = |text: &str| {
            let expectations: Expectations = text.parse().unwrap();
            expectations.unmet(&counters).iter().map(Unmet::to_string).collect::<Vec<_>>()
        };
        for text in [
            "up.lost==2",
            "up.lost>=2 up.lost<=2",
            "up.lost!=3",
            "up.lost>1",
            "up.lost<3",
            "up.dropped==2",
            "up.flows==2",
            "down.arrived==0",
            "down.overflows==3",
        ] {
            assert_eq!(unmet(text), Vec::<String>::new(), "{text}");
        }
        assert_eq!(
            unmet("up.arrived>10 up.lost<3 down.queue>=1"),
            ["expected up.arrived>10, but up.arrived is 10", "expected down.queue>=1, but down.queue is 0"]
        );
    }

    #[test]
    fn a_mistake_is_named_with_an_example() {
        for (text, why) in [
            ("", "nothing is expected"),
            ("lost==2", "'lost==2' names no direction"),
            ("left.lost==2", "'left' is no direction"),
            ("up.lost=2", "'up.lost=2' compares nothing"),
            ("up.stolen==2", "'stolen' is not counted: arrived, passed"),
            ("up.lost==few", "'few' must be a whole number"),
        ] {
            let error = text.parse::<Expectations>().unwrap_err().to_string();
            assert!(error.contains(why) && error.contains(EXAMPLE), "{error}");
        }
    }
}
