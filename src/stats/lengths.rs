//! How often each length of a run of something occurred: short ones one by one, longer ones by
//! doublings, so that any length has its place in a fixed number of bins.

use std::ops::RangeInclusive;

/// Lengths up to this one have a bin of their own.
const SINGLE: u64 = 16;
/// 17 to 32, 33 to 64 and so on to 2^64.
const BINS: usize = SINGLE as usize + 60;

/// How often each length of a run occurred.
#[derive(Clone, Debug)]
pub struct Lengths {
    counts: [u64; BINS],
}

impl Default for Lengths {
    fn default() -> Self {
        Self { counts: [0; BINS] }
    }
}

impl Lengths {
    /// The lengths that occurred, from the shortest, and how often.
    pub fn iter(&self) -> impl Iterator<Item = (RangeInclusive<u64>, u64)> + '_ {
        self.counts
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0)
            .map(|(bin, count)| (range(bin as u64), *count))
    }

    pub(super) fn add(&mut self, length: u64) {
        self.counts[bin(length)] += 1;
    }

    /// A run that was counted has grown by one.
    pub(super) fn grow(&mut self, to: u64) {
        self.counts[bin(to - 1)] -= 1;
        self.counts[bin(to)] += 1;
    }
}

fn bin(length: u64) -> usize {
    let bin = if length <= SINGLE {
        length.max(1) - 1
    } else {
        // The power of two at or above it; 17 to 32 is the bin after the single ones.
        SINGLE + u64::from((length - 1).ilog2() - SINGLE.ilog2())
    };
    bin as usize
}

fn range(bin: u64) -> RangeInclusive<u64> {
    match bin.checked_sub(SINGLE) {
        None => bin + 1..=bin + 1,
        Some(doubling) => {
            let below = SINGLE << doubling;
            below + 1..=below.saturating_mul(2)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_lies_in_the_range_of_its_bin() {
        for length in (1..2000).chain([1 << 32, (1 << 32) + 1, u64::MAX - 1, u64::MAX]) {
            assert!(range(bin(length) as u64).contains(&length), "{length}");
        }
        assert_eq!(range(bin(16) as u64), 16..=16);
        assert_eq!(range(bin(17) as u64), 17..=32);
        assert_eq!(bin(u64::MAX), BINS - 1);
    }

    #[test]
    fn a_run_that_grows_is_counted_once() {
        let mut lengths = Lengths::default();
        lengths.add(3);
        lengths.add(1);
        (2..=40).for_each(|to| lengths.grow(to));
        assert_eq!(lengths.iter().collect::<Vec<_>>(), [(3..=3, 1), (33..=64, 1)]);
    }
}
