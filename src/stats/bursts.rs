//! Bursts of loss and the gaps between them (RFC 3611 section 4.7.2).
//!
//! Fed in the order of sequence. A burst begins and ends with a loss and holds no `GMIN` answered
//! probes in a row; an isolated loss belongs to the gap. The time before and after the run counts as
//! answered.

/// The value that RFC 3611 recommends: 16 answered probes in a row end a burst.
pub const GMIN: u64 = 16;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bursts {
    probes: u64,
    losses: u64,
    closed: Totals,
    open: Option<Cluster>,
}

/// Sums over the bursts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Totals {
    bursts: u64,
    probes: u64,
    losses: u64,
}

/// Losses that may still become a burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cluster {
    first: u64,
    last: u64,
    losses: u64,
}

impl Bursts {
    pub(crate) fn record(&mut self, lost: bool) {
        let index = self.probes;
        self.probes += 1;
        if !lost {
            return;
        }
        self.losses += 1;
        match &mut self.open {
            Some(open) if index - open.last <= GMIN => {
                open.last = index;
                open.losses += 1;
            }
            _ => {
                self.closed = self.totals();
                self.open = Some(Cluster { first: index, last: index, losses: 1 });
            }
        }
    }

    pub(crate) fn bursts(&self) -> u64 {
        self.totals().bursts
    }

    /// The share of the probes within bursts that were lost.
    pub(crate) fn burst_density(&self) -> Option<f64> {
        let bursts = self.totals();
        share(bursts.losses, bursts.probes)
    }

    /// The share of the probes outside of bursts that were lost.
    pub(crate) fn gap_density(&self) -> Option<f64> {
        let bursts = self.totals();
        share(self.losses - bursts.losses, self.probes - bursts.probes)
    }

    /// The mean length of a burst, in probes.
    pub(crate) fn mean_burst(&self) -> Option<f64> {
        let bursts = self.totals();
        share(bursts.probes, bursts.bursts)
    }

    fn totals(&self) -> Totals {
        match self.open {
            Some(open) if open.losses > 1 => Totals {
                bursts: self.closed.bursts + 1,
                probes: self.closed.probes + (open.last - open.first + 1),
                losses: self.closed.losses + open.losses,
            },
            _ => self.closed,
        }
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn of(lost: &[bool]) -> Bursts {
        let mut bursts = Bursts::default();
        lost.iter().for_each(|lost| bursts.record(*lost));
        bursts
    }

    /// `X` is a loss, a number counts answered probes.
    fn pattern(text: &str) -> Bursts {
        let piece = |piece: &str| match piece.parse() {
            Ok(answered) => vec![false; answered],
            Err(_) => vec![true; piece.len()],
        };
        of(&text.split(' ').flat_map(piece).collect::<Vec<_>>())
    }

    #[test]
    fn sixteen_answered_end_a_burst_and_fifteen_do_not() {
        let one = pattern("20 X 15 XX 20");
        assert_eq!((one.bursts(), one.mean_burst()), (1, Some(18.0)));
        assert_eq!((one.burst_density(), one.gap_density()), (Some(3.0 / 18.0), Some(0.0)));
        let apart = pattern("20 X 16 XX 20");
        assert_eq!((apart.bursts(), apart.mean_burst()), (1, Some(2.0)));
        assert_eq!((apart.burst_density(), apart.gap_density()), (Some(1.0), Some(1.0 / 57.0)));
    }

    #[test]
    fn losses_alone_are_no_bursts() {
        let alone = pattern("X 16 X 16 X");
        assert_eq!((alone.bursts(), alone.burst_density(), alone.mean_burst()), (0, None, None));
        assert_eq!(alone.gap_density(), Some(3.0 / 35.0));
        assert_eq!(Bursts::default().gap_density(), None);
        assert_eq!(pattern("X XX").gap_density(), None);
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(lost in vec(prop::bool::weighted(0.07), 0..400)) {
            // Every stretch from loss to loss that holds two losses or more, no 16 answered in a
            // row, and cannot be made longer.
            let answered_row = |from: usize, to: usize| {
                lost[from..=to].chunk_by(|a, b| a == b).filter(|run| !run[0]).map(<[bool]>::len).max()
            };
            let places: Vec<usize> = (0..lost.len()).filter(|k| lost[*k]).collect();
            let holds = |from: usize, to: usize| answered_row(from, to).unwrap_or(0) < 16;
            let mut expected = Totals::default();
            for (i, from) in places.iter().enumerate() {
                for (j, to) in places.iter().enumerate().skip(i + 1) {
                    let longer = (i > 0 && holds(places[i - 1], *to))
                        || places.get(j + 1).is_some_and(|next| holds(*from, *next));
                    if holds(*from, *to) && !longer {
                        expected.bursts += 1;
                        expected.probes += (to - from + 1) as u64;
                        expected.losses += (j - i + 1) as u64;
                    }
                }
            }
            prop_assert_eq!(of(&lost).totals(), expected);
        }
    }
}
