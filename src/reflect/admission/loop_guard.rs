//! Ends an echo loop: a datagram that circles between this server and another program that echoes
//! everything, such as an echo server behind a proxy, or one without `REPLY_TTL`.
//!
//! A lap is a datagram that repeats the server's last reply to its address (exactly, ignoring ASCII case,
//! or reversed), where replies and datagrams strictly alternate. After 256 laps in a row one reply is
//! suspended. If another datagram of that address arrives meanwhile, two were in flight, so there is no
//! loop, and the reply leaves. If none arrives, the reply is withheld, and a loop ends with it.

use ahash::RandomState;

use crate::time::{Duration, Instant};

/// The exchange with one address.
#[derive(Clone, Copy, Default)]
pub(super) struct Laps {
    /// Of the last reply; `None` once a datagram has arrived since.
    reply: Option<Fingerprint>,
    replied: Instant,
    received: Instant,
    longest: Duration,
    count: u16,
    /// A reply to this address is suspended.
    suspended: bool,
}

impl Laps {
    const MAX: u16 = 256;
    /// Of these laps the ends of the datagrams are compared, of the rest all bytes: reading each datagram whole
    /// twice is 10 % of the work of an echo of 1400 bytes.
    const BY_ENDS: u16 = 240;
    /// A reply is suspended for twice the longest lap, within these bounds: a client with several
    /// datagrams in flight sends the next one within a lap.
    const SHORTEST_SUSPENSION: Duration = Duration::from_millis(20);
    const LONGEST_SUSPENSION: Duration = Duration::from_secs(1);

    /// Counts a datagram; true if its reply is to be suspended.
    pub(super) fn datagram(&mut self, received: Instant, datagram: &[u8], prints: &mut Fingerprints) -> bool {
        // A datagram that arrived before the reply left was in flight together with another one.
        let in_turn = self.reply.take().filter(|_| received > self.replied && !self.suspended);
        let lap = received - self.received;
        self.received = received;
        if in_turn.is_some_and(|reply| prints.repeats(datagram, reply)) {
            self.count += 1;
            self.longest = self.longest.max(lap);
        } else {
            (self.count, self.longest) = (0, Duration::ZERO);
        }
        self.count == Self::MAX
    }

    /// A reply leaves.
    pub(super) fn reply(&mut self, now: Instant, reply: &[u8], prints: &mut Fingerprints) {
        if self.reply.is_some() {
            self.count = 0;
        }
        self.replied = now;
        let part = if self.count < Self::BY_ENDS { Part::Ends } else { Part::Whole };
        self.reply = Some(prints.of(reply, part));
    }

    /// Starts to count anew; returns for how long to suspend a reply.
    pub(super) fn suspend(&mut self) -> Duration {
        let twice = self.longest * 2;
        (self.count, self.longest) = (0, Duration::ZERO);
        self.suspended = true;
        twice.clamp(Self::SHORTEST_SUSPENSION, Self::LONGEST_SUSPENSION)
    }

    /// The suspension is over.
    pub(super) fn resume(&mut self) {
        self.suspended = false;
    }
}

/// The hash of a datagram's bytes in lower case.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Fingerprint {
    hash: u64,
    length: u32,
    part: Part,
}

/// The part of a datagram that a fingerprint covers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// The first and the last `END`.
    Ends,
    Whole,
}

impl Part {
    const END: usize = 32;
}

/// Makes fingerprints. Keyed, so that no sender can make two datagrams with one fingerprint.
pub(super) struct Fingerprints {
    hasher: RandomState,
    lower_case: Vec<u8>,
}

impl Fingerprints {
    pub(super) fn new(hasher: RandomState) -> Self {
        Self { hasher, lower_case: Vec::new() }
    }

    fn of(&mut self, datagram: &[u8], part: Part) -> Fingerprint {
        let (first, last) = match part {
            Part::Ends if datagram.len() > 2 * Part::END => {
                (&datagram[..Part::END], &datagram[datagram.len() - Part::END..])
            }
            _ => (datagram, &[][..]),
        };
        self.lower_case.clear();
        self.lower_case.extend_from_slice(first);
        self.lower_case.extend_from_slice(last);
        self.lower_case.make_ascii_lowercase();
        self.hash(datagram.len(), part)
    }

    fn hash(&self, length: usize, part: Part) -> Fingerprint {
        Fingerprint { hash: self.hasher.hash_one(&self.lower_case), length: length as u32, part }
    }

    fn repeats(&mut self, datagram: &[u8], reply: Fingerprint) -> bool {
        datagram.len() == reply.length as usize
            && (self.of(datagram, reply.part) == reply || {
                self.lower_case.reverse();
                self.hash(datagram.len(), reply.part) == reply
            })
    }
}
