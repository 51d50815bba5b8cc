//! A file offered in the clear to a client of ten lines: it sends a word, and gets a verdict and the bytes.

use std::net::IpAddr;

use super::ShelfFile;
use crate::room::wrong_words::WrongWords;
use crate::time::{Duration, Instant};

/// Sent before the bytes of the file.
pub const AUTH_SUCCESS: &str = "AUTH_SUCCESS";
/// The answer to a wrong word.
pub const AUTH_ERROR: &str = "AUTH_ERROR";

/// One file, for ten minutes or three fetches.
#[derive(Debug)]
pub struct PlainOffer {
    file: ShelfFile,
    word: String,
    until: Instant,
    fetches: u32,
    wrong: WrongWords,
}

/// The answer to a word.
#[derive(Clone, Debug, PartialEq)]
pub enum PlainAnswer {
    /// The right word: this file is sent.
    Fetch(ShelfFile),
    /// Another word.
    Wrong,
    /// Too many wrong words: no answer.
    Silent,
}

impl PlainOffer {
    /// Bytes of a word: the room reads no more of one.
    pub const LONGEST_WORD: usize = 64;
    const STANDS: Duration = Duration::from_secs(600);
    const FETCHES: u32 = 3;

    /// From now on, for those who send this word.
    pub fn new(now: Instant, file: ShelfFile, word: String) -> Self {
        Self { file, word, until: now + Self::STANDS, fetches: Self::FETCHES, wrong: WrongWords::default() }
    }

    /// Whether it still stands.
    pub fn is_open(&self, now: Instant) -> bool {
        now < self.until && self.fetches > 0
    }

    /// A client sent this instead of a name.
    pub fn hear(&mut self, now: Instant, source: IpAddr, word: &[u8]) -> PlainAnswer {
        if !self.is_open(now) || !self.wrong.may_try(now, source) {
            return PlainAnswer::Silent;
        }
        if word.trim_ascii() == self.word.as_bytes() {
            self.fetches -= 1;
            return PlainAnswer::Fetch(self.file.clone());
        }
        self.wrong.note(now, source);
        PlainAnswer::Wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::shelf::{FileKind, FileName};
    use crate::room::{ContentHash, Name};

    fn at(seconds: i64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    fn offer() -> PlainOffer {
        let file = ShelfFile {
            number: 1,
            name: FileName::nearest("a.txt"),
            bytes: 1,
            from: Name::nearest("anna").unwrap(),
            to: None,
            kind: FileKind::File,
            order: None,
            hash: Some(ContentHash::of(b"x")),
        };
        PlainOffer::new(at(0), file, "tulip".to_owned())
    }

    #[test]
    fn a_source_has_three_wrong_words_a_minute() {
        let mut offer = offer();
        let [one, other] = [1, 2].map(|last| IpAddr::from([10, 0, 0, last]));
        for _ in 0..3 {
            assert_eq!(offer.hear(at(0), one, b"rose"), PlainAnswer::Wrong);
        }
        // The right one is not answered either, so no word can be found by trying.
        assert_eq!(offer.hear(at(59), one, b"tulip"), PlainAnswer::Silent);
        assert!(matches!(offer.hear(at(59), other, b"tulip\r\n"), PlainAnswer::Fetch(_)));
        assert!(matches!(offer.hear(at(60), one, b"tulip"), PlainAnswer::Fetch(_)));
    }

    #[test]
    fn an_offer_stands_for_three_fetches_or_ten_minutes() {
        let source = IpAddr::from([10, 0, 0, 1]);
        let mut fetched = offer();
        assert_eq!(
            (0..5).filter(|_| matches!(fetched.hear(at(1), source, b"tulip"), PlainAnswer::Fetch(_))).count(),
            3
        );
        assert!(!fetched.is_open(at(1)));
        let mut old = offer();
        assert!(old.is_open(at(599)) && !old.is_open(at(600)));
        assert_eq!(old.hear(at(600), source, b"tulip"), PlainAnswer::Silent);
    }
}
