//! Load for clients that measure what a path carries: what arrives up is counted, and down leaves what the
//! client's last request pays for. One client at a time has the load.

mod messages;
mod receiver;
mod sender;

use crate::impair::HoldQueue;
use crate::meter::Meter;
use crate::time::{Duration, Instant};
use crate::wire::native::Token;
use receiver::Receiver;
use sender::{Packet, Sender};

/// The load of a server.
pub(super) struct Loads {
    holder: Option<Holder>,
    /// Packets down that the injection holds.
    held: HoldQueue<Packet>,
    /// Bounds what leaves, whatever the client asks for and however often.
    meter: Meter,
}

/// The session that has the load.
struct Holder {
    token: Token,
    phase: u32,
    heard: Instant,
    receiver: Receiver,
    sender: Option<Sender>,
}

/// Why a session does not have the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NotNow {
    /// Another session has it.
    Busy,
    /// The message is of a phase that is over.
    Old,
}

impl Loads {
    /// A silent session loses the load after this time.
    const KEPT: Duration = Duration::from_secs(2);
    /// The load is ahead of the granted rate by so much at most, and by two packets.
    const BURST: Duration = Duration::from_millis(20);
    /// Without a key load down needs a handshake that is no older: another host may have the client's address by now,
    /// and requests for load can be forged.
    const PROVEN_FOR: Duration = Duration::from_secs(300);
    /// Packets that the injection holds at once.
    const MAX_HELD: usize = 100_000;

    pub(super) fn new() -> Self {
        Self { holder: None, held: HoldQueue::new(), meter: Meter::default() }
    }

    /// The session that has the load is this one from now on, unless another has it.
    fn claim(&mut self, now: Instant, token: Token, phase: u32) -> Result<&mut Holder, NotNow> {
        match &self.holder {
            Some(holder) if holder.token != token && now - holder.heard < Self::KEPT => {
                return Err(NotNow::Busy);
            }
            Some(holder) if holder.token == token && phase < holder.phase => return Err(NotNow::Old),
            _ => {}
        }
        let known = self.holder.take().filter(|holder| holder.token == token && holder.phase == phase);
        let holder = known.unwrap_or_else(|| {
            self.held = HoldQueue::new();
            Holder { token, phase, heard: now, receiver: Receiver::new(now), sender: None }
        });
        Ok(self.holder.insert(Holder { heard: now, ..holder }))
    }

    /// When the next packet is due.
    pub(super) fn next_send(&self) -> Option<Instant> {
        let sender = self.holder.as_ref().and_then(|holder| holder.sender.as_ref());
        [sender.and_then(Sender::next_due), self.held.next_due()].into_iter().flatten().min()
    }

    /// The next packet that the pacing lets go; the injection treats it next.
    fn next_packet(&mut self, now: Instant) -> Option<Packet> {
        let sender = self.holder.as_mut()?.sender.as_mut()?;
        let packet = sender.next_packet(now)?;
        let cost = sender.grant().time_for(u64::from(packet.size));
        self.meter.admits(now, cost, Self::BURST + cost * 2).then_some(packet)
    }

    /// Holds a packet; it is lost if too many are held.
    fn hold(&mut self, until: Instant, packet: Packet) {
        if self.held.len() < Self::MAX_HELD {
            self.held.push(until, packet);
        }
    }

    /// The next held packet that is due. What is held when the budget has been over for as long as it lasted is
    /// not sent any more: the client may have vanished.
    fn next_held(&mut self, now: Instant) -> Option<Packet> {
        if self.held.is_empty() {
            return None;
        }
        let sender = self.holder.as_ref().and_then(|holder| holder.sender.as_ref());
        if !sender.is_some_and(|sender| sender.is_wanted(now)) {
            self.held = HoldQueue::new();
            return None;
        }
        self.held.pop_due(now).map(|(_, packet)| packet)
    }

    /// The session is over.
    pub(super) fn end(&mut self, token: Token) {
        if self.holder.as_ref().is_some_and(|holder| holder.token == token) {
            self.holder = None;
            self.held = HoldQueue::new();
        }
    }
}
