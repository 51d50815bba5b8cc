//! Bisection between a length that passes and one that does not.
//!
//! A length that passed does pass; one that did not may have been lost. So the search tries the shortest failed
//! length once more at the end, and continues above it if it passes.

#[derive(Clone, Copy, Debug)]
pub(super) struct Bisection {
    passes: u32,
    /// Above every length of interest, until one has failed.
    fails: u32,
    most: u32,
    /// The length to try now.
    candidate: Option<u32>,
    confirmed: bool,
}

impl Bisection {
    /// Between a length that is known to pass and the longest of interest, with a first guess.
    pub(super) fn new(passes: u32, most: u32, first: u32) -> Self {
        let candidate = (first > passes && first <= most).then_some(first);
        Self { passes, fails: most + 1, most, candidate, confirmed: false }
    }

    /// The length to try; none at the end.
    pub(super) fn next(&self) -> Option<u32> {
        self.candidate
    }

    /// The longest that has passed.
    pub(super) fn passes(&self) -> u32 {
        self.passes
    }

    /// The result of the candidate.
    pub(super) fn tell(&mut self, passed: bool) {
        let Some(tried) = self.candidate else { return };
        match (passed, tried == self.fails) {
            (true, false) => self.passes = tried,
            (true, true) => (self.passes, self.fails) = (tried, self.most + 1),
            (false, false) => self.fails = tried,
            (false, true) => self.confirmed = true,
        }
        self.candidate = match self.fails - self.passes {
            1 if self.fails > self.most || self.confirmed => None,
            1 => Some(self.fails),
            gap => Some(self.passes + gap / 2),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many trials it took.
    fn run(search: &mut Bisection, mut passes: impl FnMut(u32) -> bool) -> u32 {
        let mut trials = 0;
        while let Some(size) = search.next() {
            trials += 1;
            assert!(trials < 100);
            search.tell(passes(size));
        }
        trials
    }

    #[test]
    fn finds_every_limit() {
        for limit in 56..=300 {
            for first in [57, 150, 300] {
                let mut search = Bisection::new(56, 300, first);
                run(&mut search, |size| size <= limit);
                assert_eq!(search.passes(), limit, "from {first} on");
            }
        }
    }

    #[test]
    fn the_first_guess_saves_trials() {
        assert_eq!(run(&mut Bisection::new(56, 65_507, 65_507), |_| true), 1);
        assert_eq!(run(&mut Bisection::new(1472, 65_507, 1473), |size| size <= 1472), 2);
        assert_eq!(run(&mut Bisection::new(56, 56, 56), |_| panic!("nothing to try")), 0);
        assert!(run(&mut Bisection::new(56, 65_507, 65_507), |size| size <= 1472) <= 18);
    }

    #[test]
    fn a_length_that_was_lost_once_is_found_all_the_same() {
        for unlucky in 0..17 {
            let mut search = Bisection::new(56, 65_507, 65_507);
            let mut trial = 0;
            run(&mut search, |size| {
                trial += 1;
                size <= 1472 && trial != unlucky
            });
            assert_eq!(search.passes(), 1472, "trial {unlucky} was lost");
        }
    }
}
