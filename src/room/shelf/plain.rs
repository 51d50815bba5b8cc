//! A file offered in the clear to a client of ten lines: it sends a word, and gets a verdict and the bytes.

use std::collections::HashMap;
use std::net::IpAddr;

use super::ShelfFile;
use crate::time::{Duration, Instant};

/// What is sent before the bytes of the file.
pub const AUTH_SUCCESS: &str = "AUTH_SUCCESS";
/// What a wrong word is answered.
pub const AUTH_ERROR: &str = "AUTH_ERROR";

/// One file, for ten minutes or three fetches.
#[derive(Debug)]
pub struct PlainOffer {
    file: ShelfFile,
    word: String,
    until: Instant,
    fetches: u32,
    /// Wrong words of each source, and since when they count.
    wrong: HashMap<IpAddr, (Instant, u32)>,
}

/// What a word is answered.
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
    const STANDS: Duration = Duration::from_secs(600);
    const FETCHES: u32 = 3;
    const WRONG_A_MINUTE: u32 = 3;
    const MINUTE: Duration = Duration::from_secs(60);
    const SOURCES: usize = 1_024;

    /// From now on, for those who send this word.
    pub fn new(now: Instant, file: ShelfFile, word: String) -> Self {
        Self { file, word, until: now + Self::STANDS, fetches: Self::FETCHES, wrong: HashMap::new() }
    }

    /// Whether it still stands.
    pub fn is_open(&self, now: Instant) -> bool {
        now < self.until && self.fetches > 0
    }

    /// A client sent this instead of a name.
    pub fn hear(&mut self, now: Instant, source: IpAddr, word: &[u8]) -> PlainAnswer {
        self.wrong.retain(|_, (since, _)| now < *since + Self::MINUTE);
        let wrong = self.wrong.get(&source).map_or(0, |(_, wrong)| *wrong);
        if !self.is_open(now) || wrong >= Self::WRONG_A_MINUTE || self.wrong.len() >= Self::SOURCES {
            return PlainAnswer::Silent;
        }
        if word.trim_ascii() == self.word.as_bytes() {
            self.fetches -= 1;
            return PlainAnswer::Fetch(self.file.clone());
        }
        self.wrong.entry(source).or_insert((now, 0)).1 += 1;
        PlainAnswer::Wrong
    }
}
