//! How often a source may try a word: three wrong ones a minute, so that none is found by trying.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::time::{Duration, Instant};

/// The wrong words of the last minute.
#[derive(Debug, Default)]
pub struct WrongWords {
    /// Since when, and how many.
    by_source: HashMap<IpAddr, (Instant, u32)>,
}

impl WrongWords {
    const A_MINUTE: u32 = 3;
    const MINUTE: Duration = Duration::from_secs(60);
    const SOURCES: usize = 1_024;

    /// Whether a word of this source is looked at.
    pub fn may_try(&mut self, now: Instant, source: IpAddr) -> bool {
        self.by_source.retain(|_, (since, _)| now < *since + Self::MINUTE);
        match self.by_source.get(&source) {
            Some((_, wrong)) => *wrong < Self::A_MINUTE,
            None => self.by_source.len() < Self::SOURCES,
        }
    }

    /// It was a wrong one.
    pub fn note(&mut self, now: Instant, source: IpAddr) {
        self.by_source.entry(source).or_insert((now, 0)).1 += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_tries_three_words_a_minute() {
        let at = |seconds| Instant::ZERO + Duration::from_secs(seconds);
        let [one, other] = [1, 2].map(|last| IpAddr::from([10, 0, 0, last]));
        let mut words = WrongWords::default();
        for second in 0..3 {
            assert!(words.may_try(at(second), one));
            words.note(at(second), one);
        }
        assert!(!words.may_try(at(59), one) && words.may_try(at(59), other) && words.may_try(at(60), one));
    }
}
