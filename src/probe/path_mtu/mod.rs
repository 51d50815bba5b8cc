//! Finds the largest unfragmented payload of each direction. Deterministic; no clock, no socket, as `Client`.
//!
//! Up: a request of the length under test and a short reply. Down: a reply of that length. A reply is never
//! longer than its request, so for a reply that is longer than the way up carries, the request may be
//! fragmented, if the path lets fragments pass.

mod bisection;

use super::event::Failure;
use super::socket_error::SocketError;
use crate::rng::{Seed, Stream};
use crate::time::{Duration, Instant};
use crate::wire::auth::{Key, TAG};
use crate::wire::native::{MIN_SIZE, Message, Nonce, PathMtuProbe, decode};

use bisection::Bisection;

/// The largest unfragmented UDP payloads of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathSize {
    /// Client to server, in bytes.
    pub up: u32,
    /// Server to client.
    pub down: Down,
}

/// The way down can be tested only with requests that arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Down {
    /// This many bytes.
    Exactly(u32),
    /// No longer request reaches the server, even in fragments.
    AtLeast(u32),
    /// The server cannot set don't-fragment.
    Unknown,
}

impl PathSize {
    /// The largest that passes both ways.
    pub fn both_ways(&self) -> u32 {
        match self.down {
            Down::Exactly(down) | Down::AtLeast(down) => self.up.min(down),
            Down::Unknown => self.up,
        }
    }
}

/// A datagram to send, in the caller's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizing {
    /// Bytes of the datagram in the caller's buffer.
    pub length: usize,
    /// With don't-fragment.
    pub whole: bool,
}

/// Finds the largest datagram that passes without fragments, in each direction.
#[derive(Debug)]
pub struct SizeFinder {
    nonce: Nonce,
    /// Its tags are part of every length.
    key: Option<Key>,
    /// The smallest length tried: that of the smallest probe.
    least: u32,
    /// The largest length tried; the server may lower it.
    most: u32,
    step: Step,
    trial: Trial,
    trials: u32,
    /// A request without a reply after this time is lost.
    timeout: Duration,
    unfragmented_replies: bool,
    up: u32,
    outcome: Option<Result<PathSize, Failure>>,
}

#[derive(Debug)]
enum Step {
    /// Whether the server answers.
    Reach,
    Up(Bisection),
    /// Up to the largest that passes up.
    Down(Bisection),
    /// Whether a longer request arrives in fragments.
    Fragments,
    Beyond(Bisection),
}

/// One length, tried a few times.
#[derive(Clone, Copy, Debug)]
struct Trial {
    number: u32,
    request: u32,
    reply: u32,
    whole: bool,
    tries: u32,
    first_sent: Instant,
    next: Instant,
}

impl SizeFinder {
    const TRIES: u32 = 3;
    const TRIES_TO_REACH: u32 = 5;
    const SHORTEST_TIMEOUT: Duration = Duration::from_millis(200);
    const LONGEST_TIMEOUT: Duration = Duration::from_secs(1);

    /// Searches up to `most` bytes of UDP payload.
    pub fn new(most: u32, seed: Seed, key: Option<Key>) -> Self {
        let nonce = Nonce(rand::Rng::next_u64(&mut Stream::new(seed, "size nonce").at(0)));
        let least = MIN_SIZE + tag(key.as_ref());
        Self {
            nonce,
            key,
            least,
            most,
            step: Step::Reach,
            trial: Trial::new(0, least, least, true, Instant::ZERO),
            trials: 0,
            timeout: Self::LONGEST_TIMEOUT / 2,
            unfragmented_replies: false,
            up: 0,
            outcome: None,
        }
    }

    /// The result, at the end.
    pub fn outcome(&self) -> Option<&Result<PathSize, Failure>> {
        self.outcome.as_ref()
    }

    /// When to call `handle_timeout` and `poll_transmit` next, unless a datagram comes first.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.outcome.is_none().then_some(self.trial.next)
    }

    /// The next datagram to send, if one is due.
    pub fn poll_transmit(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Sizing> {
        if self.outcome.is_some() || now < self.trial.next || self.is_exhausted() {
            return None;
        }
        let trial = &mut self.trial;
        if trial.tries == 0 {
            trial.first_sent = now;
        }
        trial.tries += 1;
        trial.next = now + self.timeout;
        let tag = tag(self.key.as_ref());
        let fit = PathMtuProbe { nonce: self.nonce, number: trial.number, answer: trial.reply - tag };
        let length = fit.emit(buffer, (trial.request - tag) as usize);
        let length = self.key.as_ref().map_or(length, |key| key.seal(buffer, length));
        Some(Sizing { length, whole: trial.whole })
    }

    /// The kernel refused the datagram as too long.
    pub fn too_long(&mut self, now: Instant) {
        self.conclude(false, now);
    }

    /// The kernel refused it for another reason.
    pub fn send_failed(&mut self, why: SocketError) {
        self.outcome.get_or_insert(Err(Failure::Socket(why)));
    }

    /// ICMP, or a route of this host, says that the server cannot be reached. Once it has answered, one datagram
    /// is lost.
    pub fn obstructed(&mut self, why: SocketError) {
        if matches!(self.step, Step::Reach) {
            self.send_failed(why);
        }
    }

    /// ICMP: the server's port is unreachable.
    pub fn unreachable(&mut self) {
        self.outcome.get_or_insert(Err(Failure::Unreachable));
    }

    /// Takes a datagram from the server.
    pub fn handle(&mut self, now: Instant, datagram: &[u8]) {
        let message = match &self.key {
            Some(key) => key.open(datagram).map(|(length, _)| &datagram[..length]),
            None => Some(datagram),
        };
        let Some(Ok(Message::PathMtuReply(fits))) = message.map(decode) else { return };
        if fits.nonce != self.nonce || fits.number != self.trial.number || self.outcome.is_some() {
            return;
        }
        // A truncated datagram did not pass.
        let received = fits.received + tag(self.key.as_ref());
        if received != self.trial.request || datagram.len() != self.trial.reply as usize {
            return;
        }
        // Measured from the first of several tries: rather too long than too short.
        let waited = (now - self.trial.first_sent) * 3;
        self.timeout = waited.clamp(Self::SHORTEST_TIMEOUT, Self::LONGEST_TIMEOUT);
        if matches!(self.step, Step::Reach) {
            self.most = self.most.min(fits.max_size).max(self.least);
            self.unfragmented_replies = fits.whole;
        }
        self.conclude(true, now);
    }

    /// Counts what was not answered in time as too long.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.outcome.is_none() && self.is_exhausted() && now >= self.trial.next {
            self.conclude(false, now);
        }
    }

    fn is_exhausted(&self) -> bool {
        let tries = if matches!(self.step, Step::Reach) { Self::TRIES_TO_REACH } else { Self::TRIES };
        self.trial.tries >= tries
    }

    /// Ends the trial and begins the next.
    fn conclude(&mut self, passed: bool, now: Instant) {
        match &mut self.step {
            Step::Reach if !passed => {
                let after = now - self.trial.first_sent;
                self.outcome = Some(Err(Failure::Silent { tries: self.trial.tries, after }));
                return;
            }
            Step::Reach => self.step = Step::Up(Bisection::new(self.least, self.most, self.most)),
            Step::Fragments if !passed => return self.finish(Down::AtLeast(self.up)),
            Step::Fragments => self.step = Step::Beyond(Bisection::new(self.up, self.most, self.up + 1)),
            Step::Up(search) | Step::Down(search) | Step::Beyond(search) => search.tell(passed),
        }
        self.next_trial(now);
    }

    fn next_trial(&mut self, now: Instant) {
        let (request, reply, whole) = match &self.step {
            Step::Reach => return,
            Step::Up(search) => match search.next() {
                Some(size) => (size, self.least, true),
                None => return self.begin_down(search.passes(), now),
            },
            Step::Down(search) => match search.next() {
                Some(size) => (size, size, true),
                None => return self.end_down(search.passes(), now),
            },
            Step::Fragments => (self.up + 1, self.least, false),
            Step::Beyond(search) => match search.next() {
                Some(size) => (size, size, false),
                None => return self.finish(Down::Exactly(search.passes())),
            },
        };
        self.trials += 1;
        self.trial = Trial::new(self.trials, request, reply, whole, now);
    }

    fn begin_down(&mut self, up: u32, now: Instant) {
        self.up = up;
        if !self.unfragmented_replies {
            return self.finish(Down::Unknown);
        }
        self.step = Step::Down(Bisection::new(self.least, up, up));
        self.next_trial(now);
    }

    fn end_down(&mut self, down: u32, now: Instant) {
        if down < self.up || self.up == self.most {
            return self.finish(Down::Exactly(down));
        }
        self.step = Step::Fragments;
        self.next_trial(now);
    }

    fn finish(&mut self, down: Down) {
        self.outcome = Some(Ok(PathSize { up: self.up, down }));
    }
}

impl Trial {
    fn new(number: u32, request: u32, reply: u32, whole: bool, now: Instant) -> Self {
        Self { number, request, reply, whole, tries: 0, first_sent: now, next: now }
    }
}

fn tag(key: Option<&Key>) -> u32 {
    if key.is_some() { TAG as u32 } else { 0 }
}
