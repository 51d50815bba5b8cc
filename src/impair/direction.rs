//! The two ways between client and server, and which of them an impairment is on.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::spec::SpecError;

/// One of the two ways between client and server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    Up,
    Down,
}

impl Direction {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// Where an impairment is at work. On both ways each has draws, a bottleneck and an order of its
/// own: the holds add up, and what is lost on the way up meets nothing on the way down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ways {
    Up,
    #[default]
    Down,
    Both,
}

impl Ways {
    pub const fn has(self, direction: Direction) -> bool {
        matches!(
            (self, direction),
            (Self::Both, _) | (Self::Up, Direction::Up) | (Self::Down, Direction::Down)
        )
    }

    pub(super) const fn count(self) -> i64 {
        if matches!(self, Self::Both) { 2 } else { 1 }
    }
}

impl FromStr for Ways {
    type Err = SpecError;
    fn from_str(text: &str) -> Result<Self, SpecError> {
        match text.trim() {
            "up" => Ok(Self::Up),
            "down" => Ok(Self::Down),
            "both" => Ok(Self::Both),
            text => {
                Err(SpecError::new(format!("'{text}' is none of up, down, both"), "up").within("direction"))
            }
        }
    }
}

impl fmt::Display for Ways {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Both => "both",
        })
    }
}
