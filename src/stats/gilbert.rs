//! The simple Gilbert model of a loss process: two chances, from the transitions that occurred.
//!
//! Fed in the order of sequence. Most runs have few losses, so their number is shown beside the chances.

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gilbert {
    previous: Option<bool>,
    losses: u64,
    /// After an answered probe: how many there were, and how many of them were lost.
    after_answer: (u64, u64),
    /// After a loss: how many there were, and how many of them were answered.
    after_loss: (u64, u64),
}

impl Gilbert {
    pub(crate) fn record(&mut self, lost: bool) {
        self.losses += u64::from(lost);
        match self.previous.replace(lost) {
            None => {}
            Some(false) => {
                self.after_answer.0 += 1;
                self.after_answer.1 += u64::from(lost);
            }
            Some(true) => {
                self.after_loss.0 += 1;
                self.after_loss.1 += u64::from(!lost);
            }
        }
    }

    /// The chance that a probe is lost if the one before it was not.
    pub(crate) fn p(&self) -> Option<f64> {
        chance(self.after_answer)
    }

    /// The chance that a probe is answered if the one before it was lost.
    pub(crate) fn r(&self) -> Option<f64> {
        chance(self.after_loss)
    }

    /// The losses from which both are estimated.
    pub(crate) fn losses(&self) -> u64 {
        self.losses
    }
}

fn chance((all, of_them): (u64, u64)) -> Option<f64> {
    (all > 0).then(|| of_them as f64 / all as f64)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn of(lost: &[bool]) -> Gilbert {
        let mut gilbert = Gilbert::default();
        lost.iter().for_each(|lost| gilbert.record(*lost));
        gilbert
    }

    #[test]
    fn by_hand() {
        // Answered, lost, lost, answered, answered, lost.
        let gilbert = of(&[false, true, true, false, false, true]);
        assert_eq!((gilbert.p(), gilbert.r(), gilbert.losses()), (Some(2.0 / 3.0), Some(0.5), 3));
    }

    #[test]
    fn without_a_transition_there_is_no_chance() {
        assert_eq!((of(&[true]).p(), of(&[true]).r()), (None, None));
        assert_eq!((of(&[false; 5]).p(), of(&[false; 5]).r()), (Some(0.0), None));
    }

    proptest! {
        #[test]
        fn agrees_with_the_pairs(lost in vec(any::<bool>(), 0..100)) {
            let after = |before: bool| lost.windows(2).filter(|pair| pair[0] == before).collect::<Vec<_>>();
            let share = |before: bool| {
                let pairs = after(before);
                let changed = pairs.iter().filter(|pair| pair[1] != before).count();
                (!pairs.is_empty()).then(|| changed as f64 / pairs.len() as f64)
            };
            prop_assert_eq!((of(&lost).p(), of(&lost).r()), (share(false), share(true)));
        }
    }
}
