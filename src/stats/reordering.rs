//! Packets that came after one sent later (RFC 4737): how many, by how much, how badly.
//!
//! Fed the sequence numbers of first copies in the order of arrival. Two windows bound the memory:
//! an extent is exact while the packet that overtook is among the last `LEADERS` packets that
//! arrived in order, and a lower bound beyond; n-reordering is told up to n = `DEPTH`.

use std::collections::VecDeque;

use super::runs::Runs;

/// A packet that arrives in order is a leader; the newest of them are remembered.
pub const LEADERS: usize = 8192;
/// The greatest n for which n-reordering is told.
pub const DEPTH: usize = 64;

/// Reordering as RFC 4737 defines it, in the order of arrival.
#[derive(Clone, Debug)]
pub struct Reordering {
    arrivals: u64,
    next_expected: u64,
    reordered: u64,
    extents: u64,
    max_extent: u64,
    /// Place and sequence number of recent packets in order; both ascend.
    leaders: VecDeque<(u64, u64)>,
    recent: VecDeque<u64>,
    /// How many packets were n-reordered for this n and none greater.
    by_depth: [u64; DEPTH + 1],
    runs: Runs,
}

/// How far a packet is out of order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reordered {
    /// How many arrivals ago the first packet came that was sent later.
    pub extent: u64,
    /// How many packets came just before it that were all sent later: it is n-reordered for each n
    /// up to this, and a sender that waits for n duplicate acknowledgements sends it again.
    pub n: u64,
}

impl Default for Reordering {
    fn default() -> Self {
        Self {
            arrivals: 0,
            next_expected: 0,
            reordered: 0,
            extents: 0,
            max_extent: 0,
            leaders: VecDeque::new(),
            recent: VecDeque::new(),
            by_depth: [0; DEPTH + 1],
            runs: Runs::default(),
        }
    }
}

impl Reordering {
    /// Before the first arrival.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next arrival; returns how far it is out of order, if it is.
    pub fn record(&mut self, seq: u64) -> Option<Reordered> {
        let place = self.arrivals;
        self.arrivals += 1;
        let reordered = if seq >= self.next_expected {
            self.next_expected = seq.saturating_add(1);
            push(&mut self.leaders, (place, seq), LEADERS);
            None
        } else {
            Some(self.overtaken(place, seq))
        };
        push(&mut self.recent, seq, DEPTH);
        self.runs.record(reordered.is_some());
        reordered
    }

    fn overtaken(&mut self, place: u64, seq: u64) -> Reordered {
        // The first packet with a greater number arrived in order itself, so it is a leader.
        let first = self.leaders.partition_point(|(_, leader)| *leader <= seq);
        let extent = self.leaders.get(first).map_or(0, |(leader, _)| place - leader);
        let n = self.recent.iter().rev().take_while(|earlier| **earlier > seq).count();
        self.reordered += 1;
        self.extents = self.extents.saturating_add(extent);
        self.max_extent = self.max_extent.max(extent);
        self.by_depth[n] += 1;
        Reordered { extent, n: n as u64 }
    }

    pub(crate) fn reordered(&self) -> u64 {
        self.reordered
    }

    /// Of the packets received.
    pub fn ratio(&self) -> Option<f64> {
        self.share(self.reordered)
    }

    /// The reordered packets among the arrivals.
    pub fn runs(&self) -> &Runs {
        &self.runs
    }

    pub(crate) fn max_extent(&self) -> Option<u64> {
        (self.reordered > 0).then_some(self.max_extent)
    }

    pub(crate) fn mean_extent(&self) -> Option<f64> {
        (self.reordered > 0).then(|| self.extents as f64 / self.reordered as f64)
    }

    /// The share of the packets received that were n-reordered; n is from 1 to `DEPTH`.
    pub fn n_reordering(&self, n: usize) -> Option<f64> {
        let counts = (1..=DEPTH).contains(&n).then(|| &self.by_depth[n..])?;
        self.share(counts.iter().sum())
    }

    fn share(&self, part: u64) -> Option<f64> {
        (self.arrivals > 0).then(|| part as f64 / self.arrivals as f64)
    }
}

fn push<T>(window: &mut VecDeque<T>, value: T, bound: usize) {
    if window.len() == bound {
        window.pop_front();
    }
    window.push_back(value);
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn of(arrivals: &[u64]) -> (Vec<(u64, Reordered)>, Reordering) {
        let mut reordering = Reordering::new();
        let each = |seq: &u64| reordering.record(*seq).map(|reordered| (*seq, reordered));
        let all = arrivals.iter().filter_map(each).collect();
        (all, reordering)
    }

    fn late(seq: u64, extent: u64, n: u64) -> (u64, Reordered) {
        (seq, Reordered { extent, n })
    }

    #[test]
    fn rfc_4737_section_7() {
        assert_eq!(of(&[1, 2, 3, 5, 6, 7, 8, 4, 9, 10]).0, [late(4, 4, 4)]);
        assert_eq!(of(&[1, 2, 3, 4, 7, 5, 6, 8]).0, [late(5, 1, 1), late(6, 2, 0)]);
        assert_eq!(of(&[1, 2, 3, 7, 8, 9, 10, 4, 5, 6, 11]).0, [late(4, 4, 4), late(5, 5, 0), late(6, 6, 0)]);
    }

    #[test]
    fn the_figures_of_a_run() {
        let (_, reordering) = of(&[1, 2, 3, 7, 8, 9, 10, 4, 5, 6, 11]);
        assert_eq!((reordering.reordered(), reordering.ratio()), (3, Some(3.0 / 11.0)));
        assert_eq!((reordering.max_extent(), reordering.mean_extent()), (Some(6), Some(5.0)));
        assert_eq!(reordering.n_reordering(1), Some(1.0 / 11.0));
        assert_eq!(reordering.n_reordering(3), Some(1.0 / 11.0));
        assert_eq!(reordering.n_reordering(5), Some(0.0));
        assert_eq!(reordering.n_reordering(DEPTH + 1), None);
        assert_eq!(Reordering::new().ratio(), None);
        assert_eq!(of(&[4]).1.max_extent(), None);
    }

    #[test]
    fn loss_is_no_reordering() {
        assert_eq!(of(&[1, 5, 9, 700, 701]).0, []);
    }

    #[test]
    fn beyond_the_windows_the_figures_are_lower_bounds() {
        let mut arrivals: Vec<u64> = (1..=20_000).collect();
        arrivals.push(0);
        let (late_ones, reordering) = of(&arrivals);
        assert_eq!(late_ones, [late(0, LEADERS as u64, DEPTH as u64)]);
        assert_eq!((reordering.leaders.len(), reordering.recent.len()), (LEADERS, DEPTH));
    }

    /// RFC 4737 sections 4.2 and 5.3 as they are written, over all that came before.
    fn naive(arrivals: &[u64]) -> Vec<(u64, Reordered)> {
        let mut all = Vec::new();
        for (i, seq) in arrivals.iter().enumerate() {
            if let Some(first) = arrivals[..i].iter().position(|earlier| earlier > seq) {
                let n = (1..=i.min(DEPTH)).take_while(|n| arrivals[i - n] > *seq).count();
                all.push(late(*seq, (i - first) as u64, n as u64));
            }
        }
        all
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(delays in vec(0_u64..40, 1..300)) {
            let mut arrivals: Vec<u64> = (0..delays.len() as u64).collect();
            arrivals.sort_by_key(|seq| seq + delays[*seq as usize]);
            let expected = naive(&arrivals);
            let (got, reordering) = of(&arrivals);
            for n in [1, 3] {
                let count = expected.iter().filter(|(_, reordered)| reordered.n >= n as u64).count();
                prop_assert_eq!(reordering.n_reordering(n), Some(count as f64 / arrivals.len() as f64));
            }
            prop_assert_eq!(got, expected);
        }
    }
}
