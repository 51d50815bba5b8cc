//! The figures that a dialect cannot measure, in words.

use crate::probe::{Dialect, Knows};

/// One line for the header of a run.
pub fn unknown(dialect: Dialect, knows: Knows) -> String {
    format!("{} dialect; unknown: {}", dialect.name(), knows.unknown())
}
