//! Ends a datagram that circles between this server and another program that answers whatever it is
//! sent: an echo server behind a proxy, or one that knows nothing of `ANSWER_HOPS`.
//!
//! A lap is a datagram that repeats our last answer to its address (exactly, ignoring ASCII case, or
//! reversed), with the answers and the datagrams strictly in turn. After 256 laps in a row one answer is
//! suspended. If another datagram of that address comes meanwhile, two were on the way, so this was
//! no loop, and the answer leaves. If none comes, the answer is withheld, and a loop ends with it.

use std::net::SocketAddr;

use ahash::RandomState;

use super::held_replies::Held;
use crate::time::{Duration, Instant};

/// What is known of the exchange with one address.
#[derive(Clone, Copy, Default)]
pub struct Laps {
    /// Of our last answer; `None` once a datagram has come since.
    answer: Option<Fingerprint>,
    answered: Instant,
    received: Instant,
    /// The longest of the laps.
    longest: Duration,
    count: u16,
    /// An answer to this address is suspended.
    suspended: bool,
}

impl Laps {
    const MOST: u16 = 256;
    /// An answer is suspended for twice the longest lap, within these bounds: a client with several
    /// datagrams on the way sends the next one within a lap.
    const LEAST_SUSPENSION: Duration = Duration::from_millis(20);
    const LONGEST_SUSPENSION: Duration = Duration::from_secs(1);

    /// Counts a datagram; true if its answer is to be suspended.
    pub fn datagram(&mut self, received: Instant, datagram: &[u8], prints: &mut Fingerprints) -> bool {
        // One that came before the answer left was on the way at the same time as another.
        let in_turn = self.answer.take().filter(|_| received > self.answered && !self.suspended);
        let lap = received - self.received;
        self.received = received;
        if in_turn.is_some_and(|answer| prints.repeats(datagram, answer)) {
            self.count += 1;
            self.longest = self.longest.max(lap);
        } else {
            (self.count, self.longest) = (0, Duration::ZERO);
        }
        self.count == Self::MOST
    }

    /// Takes note of an answer that leaves.
    pub fn answer(&mut self, now: Instant, answer: &[u8], prints: &mut Fingerprints) {
        if self.answer.is_some() {
            self.count = 0;
        }
        self.answered = now;
        self.answer = Some(prints.of(answer));
    }

    /// The suspension is over.
    pub fn resume(&mut self) {
        self.suspended = false;
    }

    /// Begins to count anew; how long an answer is suspended.
    fn suspend(&mut self) -> Duration {
        let twice = self.longest * 2;
        (self.count, self.longest) = (0, Duration::ZERO);
        twice.clamp(Self::LEAST_SUSPENSION, Self::LONGEST_SUSPENSION)
    }
}

/// Of the letters of a datagram, all taken as small ones.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Fingerprint {
    hash: u64,
    length: u32,
}

/// Makes fingerprints; keyed, so that nobody can make two datagrams of one fingerprint.
pub struct Fingerprints {
    hasher: RandomState,
    letters: Vec<u8>,
}

impl Fingerprints {
    pub fn new(hasher: RandomState) -> Self {
        Self { hasher, letters: Vec::new() }
    }

    fn of(&mut self, datagram: &[u8]) -> Fingerprint {
        self.letters.clear();
        self.letters.extend(datagram.iter().map(u8::to_ascii_lowercase));
        self.hash()
    }

    fn hash(&self) -> Fingerprint {
        Fingerprint { hash: self.hasher.hash_one(&self.letters), length: self.letters.len() as u32 }
    }

    fn repeats(&mut self, datagram: &[u8], answer: Fingerprint) -> bool {
        datagram.len() == answer.length as usize
            && (self.of(datagram) == answer || {
                self.letters.reverse();
                self.hash() == answer
            })
    }
}

/// An answer that may be a loop's.
struct Suspect {
    until: Instant,
    held: Held,
    answer: Vec<u8>,
}

/// The suspended answers, at most so many at once; what is suspended beyond is withheld at once.
#[derive(Default)]
pub struct Suspects(Vec<Suspect>);

impl Suspects {
    const MOST: usize = 64;

    /// Suspends an answer; false if there is no room.
    pub fn suspend(&mut self, laps: &mut Laps, now: Instant, held: Held, answer: &[u8]) -> bool {
        let room = self.0.len() < Self::MOST;
        let until = now + laps.suspend();
        laps.suspended = room;
        if room {
            self.0.push(Suspect { until, held, answer: answer.to_vec() });
        }
        room
    }

    /// The answer suspended for this address, if there is one.
    pub fn release(&mut self, remote: SocketAddr) -> Option<(Held, Vec<u8>)> {
        let at = self.0.iter().position(|suspect| suspect.held.path.remote == remote)?;
        let Suspect { held, answer, .. } = self.0.swap_remove(at);
        Some((held, answer))
    }

    /// Forgets an answer whose time is over, and names its address.
    pub fn withhold(&mut self, now: Instant) -> Option<SocketAddr> {
        let at = self.0.iter().position(|suspect| suspect.until <= now)?;
        Some(self.0.swap_remove(at).held.path.remote)
    }

    pub fn next_timeout(&self) -> Option<Instant> {
        self.0.iter().map(|suspect| suspect.until).min()
    }
}
