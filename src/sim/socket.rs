//! A simulated socket: what it drops where its buffer is full, and what it counts.

use std::net::SocketAddr;

use crate::time::Duration;
use crate::wire::native::SocketMark;

/// A span, from the start, in which the buffer is full when every second datagram comes.
#[derive(Clone, Copy, Debug)]
pub struct Overrun {
    pub from: Duration,
    pub to: Duration,
    /// Another sender's flood fills it, and most of that is dropped; else there is no other sender.
    pub flooded: bool,
}

#[derive(Debug, Default)]
pub struct SimSocket {
    overruns: Vec<Overrun>,
    mark: SocketMark,
    last: Option<SocketAddr>,
    came: u64,
}

impl SimSocket {
    /// What a flood drops of its own between two datagrams.
    const FLOOD_DROPS: u16 = 17;

    pub fn overrun(&mut self, overrun: Overrun) {
        self.overruns.push(overrun);
    }

    pub fn mark(&self) -> SocketMark {
        self.mark
    }

    /// A datagram comes, at so long after the start: whether there is room for it.
    pub fn takes(&mut self, at: Duration, from: SocketAddr) -> bool {
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
        self.came += 1;
        let full = self.came.is_multiple_of(2);
        *drops = drops.wrapping_add(u16::from(full));
        !full
    }
}
