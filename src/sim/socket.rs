//! A simulated socket: its receive-buffer overflows, and its drop count.

use std::net::SocketAddr;

use crate::time::Duration;
use crate::wire::native::SocketMark;

/// A span, from the start, in which the receive buffer is full for every second datagram.
#[derive(Clone, Copy, Debug)]
pub struct Overrun {
    /// From this time after the start.
    pub from: Duration,
    /// Until just before this time after the start.
    pub to: Duration,
    /// Another sender's flood fills the buffer and most of it is dropped; else there is no other
    /// sender.
    pub flooded: bool,
}

#[derive(Debug, Default)]
pub(super) struct SimSocket {
    overruns: Vec<Overrun>,
    mark: SocketMark,
    last: Option<SocketAddr>,
    arrived: u64,
}

impl SimSocket {
    /// A flood's own drops between two datagrams.
    const FLOOD_DROPS: u16 = 17;

    pub(super) fn overrun(&mut self, overrun: Overrun) {
        self.overruns.push(overrun);
    }

    pub(super) fn mark(&self) -> SocketMark {
        self.mark
    }

    /// Whether a datagram that arrives at this time after the start finds room.
    pub(super) fn has_room(&mut self, at: Duration, from: SocketAddr) -> bool {
        let SocketMark { drops, turns } = &mut self.mark;
        let turned = self.last.replace(from).is_some_and(|last| last != from);
        *turns = turns.wrapping_add(u16::from(turned));
        let Some(overrun) = self.overruns.iter().find(|overrun| (overrun.from..overrun.to).contains(&at))
        else {
            return true;
        };
        if overrun.flooded {
            *drops = drops.wrapping_add(Self::FLOOD_DROPS);
            *turns = turns.wrapping_add(2);
        }
        self.arrived += 1;
        let full = self.arrived.is_multiple_of(2);
        *drops = drops.wrapping_add(u16::from(full));
        !full
    }
}
