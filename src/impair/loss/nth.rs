//! Every n-th packet is lost: with 10, the tenth, the twentieth, and so on.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use super::super::spec::{SpecError, WholeNumber};

/// Every nth datagram is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nth(NonZeroU64);

impl Nth {
    /// 1 loses all of them.
    pub const fn new(every: NonZeroU64) -> Self {
        Self(every)
    }

    /// Numbers count from zero.
    pub(super) fn loses(self, seq: u64) -> bool {
        seq % self.0 == self.0.get() - 1
    }
}

impl FromStr for Nth {
    type Err = SpecError;
    fn from_str(text: &str) -> Result<Self, SpecError> {
        let WholeNumber(every) = text.trim().parse()?;
        NonZeroU64::new(every).map(Self).ok_or_else(|| SpecError::new("must be at least 1", "nth:10"))
    }
}

impl fmt::Display for Nth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_nth_packet_is_lost() {
        let lost = |n: &str| -> Vec<u64> {
            let model: Nth = n.parse().unwrap();
            (0..10).filter(|&seq| model.loses(seq)).collect()
        };
        assert_eq!(lost("4"), [3, 7]);
        assert_eq!(lost("1"), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert!(!Nth::new(NonZeroU64::MAX).loses(0));
    }
}
