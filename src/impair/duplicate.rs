//! Duplication: a share of the packets leaves twice.

use super::rounding::Share;
use crate::rng::Stream;

/// Copies that leave beyond the first.
pub(super) fn extra_copies(share: Share, stream: &Stream, seq: u64) -> u8 {
    u8::from(share != Share::ZERO && share.takes(stream.unit(seq)))
}

#[cfg(test)]
mod tests {
    use super::super::goodness_of_fit;
    use super::*;

    #[test]
    fn the_configured_share_leaves_twice() {
        let share: Share = "3%".parse().unwrap();
        let copies =
            goodness_of_fit::draws(100_000, |stream, seq| f64::from(extra_copies(share, stream, seq)));
        goodness_of_fit::share(copies.iter().sum(), 100_000.0, 0.03);
        assert!(copies.iter().all(|&copies| copies <= 1.0));
    }
}
