//! Sends the load down of one session, within the budget of its last request.

use crate::endpoints::Endpoints;
use crate::schedule::Pacer;
use crate::time::{Duration, Instant};
use crate::units::BitRate;
use crate::wire::native::{Pull, Push, Token};

pub(super) struct Sender {
    token: Token,
    path: Endpoints,
    phase: u32,
    /// Bits a second.
    rate: f64,
    grant: Option<BitRate>,
    size: u32,
    /// Bytes that may still be sent, until then.
    budget: u64,
    until: Instant,
    pacer: Pacer,
    seq: u64,
}

/// A packet of the load down, whose bytes need not be kept.
#[derive(Clone, Copy)]
pub(super) struct Packet {
    pub path: Endpoints,
    /// With the tag.
    pub size: u32,
    pub push: Push,
}

impl Packet {
    /// Writes the message; `tag` bytes of its size are left for the seal.
    pub(super) fn emit(&self, buffer: &mut [u8], tag: usize) -> usize {
        self.push.emit(buffer, (self.size as usize - tag).max(Push::MIN))
    }
}

impl Sender {
    /// A message and a tag.
    const SHORTEST: u32 = 64;

    pub(super) fn new(token: Token, path: Endpoints, phase: u32, now: Instant) -> Self {
        Self {
            token,
            path,
            phase,
            rate: 0.0,
            grant: None,
            size: Self::SHORTEST,
            budget: 0,
            until: now,
            pacer: Pacer::new(now),
            seq: 0,
        }
    }

    /// The budget of this request, which came at `at`, replaces what was left of the last one's.
    pub(super) fn renew(&mut self, at: Instant, pull: &Pull, grant: BitRate, largest: u32) {
        if at >= self.until || !self.may_send() {
            // Nothing is due for the time without a budget.
            self.pacer.resume(at);
        }
        self.rate = pull.rate.min(grant.get()) as f64;
        self.grant = Some(grant);
        self.size = pull.size.clamp(Self::SHORTEST, largest.max(Self::SHORTEST));
        let most = (self.rate / 8.0 * Pull::LASTS.as_secs_f64()) as u64;
        // One packet at least, so that a slow load begins.
        self.budget = u64::from(pull.budget).min(most.max(u64::from(self.size)));
        self.until = at + Pull::LASTS;
        if self.rate > 0.0 {
            self.pacer.hurry(at, self.gap());
        }
    }

    /// The most that the client's address may have.
    pub(super) fn grant(&self) -> BitRate {
        self.grant.expect("packets follow a request")
    }

    /// Seconds from packet to packet.
    fn gap(&self) -> f64 {
        f64::from(self.size) * 8.0 / self.rate
    }

    fn may_send(&self) -> bool {
        self.rate > 0.0 && self.budget >= u64::from(self.size)
    }

    /// Whether the last request is not too long ago for what was sent on its account.
    pub(super) fn is_wanted(&self, now: Instant) -> bool {
        now < self.until + Duration::from_millis(50)
    }

    /// When the next packet may leave.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let due = self.pacer.next_due();
        (self.may_send() && due < self.until).then_some(due)
    }

    pub(super) fn next_packet(&mut self, now: Instant) -> Option<Packet> {
        if now >= self.until || !self.may_send() || !self.pacer.take(now, self.gap(), self.size) {
            return None;
        }
        self.budget -= u64::from(self.size);
        let push = Push {
            token: self.token,
            phase: self.phase,
            seq: self.seq,
            sent: now,
            missed: self.pacer.missed() as u32,
        };
        self.seq += 1;
        Some(Packet { path: self.path, size: self.size, push })
    }
}
