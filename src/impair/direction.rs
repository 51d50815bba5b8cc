//! The directions between client and server, and those in which a session is impaired.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::spec::SpecError;

/// Up is client to server, down is server to client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Client to server.
    Up,
    /// Server to client.
    Down,
}

impl Direction {
    /// Its place in a pair: up, then down.
    pub(crate) const fn index(self) -> usize {
        self as usize
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// The directions in which an impairment applies. Each has its own draws, bottleneck and order; the
/// holds add up, and a probe lost up never reaches the down link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ways {
    /// Client to server only.
    Up,
    /// Server to client only.
    #[default]
    Down,
    /// Both, each with its own draws.
    Both,
}

impl Ways {
    pub(crate) const fn has(self, direction: Direction) -> bool {
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
                Err(SpecError::new(format!("'{text}' is not up, down or both"), "up").within("direction"))
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
