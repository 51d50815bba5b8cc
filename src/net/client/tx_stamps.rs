//! The kernel's transmit stamps, matched with the probes that they are of.

use super::ClientEngine;
use super::events::Observer;
use crate::net::sys::Batch;

/// The probes that left, and those whose transmit stamp has been read.
pub struct Unstamped {
    pub sent: u64,
    pub stamped: u64,
    /// Beginnings of frames.
    frames: Batch,
}

impl Default for Unstamped {
    fn default() -> Self {
        Self { sent: 0, stamped: 0, frames: Batch::new(Self::AT_ONCE, Self::FRAME) }
    }
}

impl Unstamped {
    const AT_ONCE: usize = 16;
    /// Holds the headers of the lower layers and that of a probe; the kernel cuts off the rest.
    const FRAME: usize = 256;

    fn awaited(&self) -> bool {
        self.stamped < self.sent
    }
}

impl ClientEngine {
    pub(super) fn note_sent(&mut self, probes: usize) {
        if let Some(unstamped) = &mut self.unstamped {
            unstamped.sent += probes as u64;
        }
    }

    /// Reads them while a reply waits to be handled: the stamp of its probe was made before it came.
    pub(super) fn read_awaited_tx_stamps(&mut self) {
        if self.unstamped.as_ref().is_some_and(Unstamped::awaited) {
            self.read_tx_stamps();
        }
    }

    /// A queued stamp wakes every wait, so they are read before each.
    pub(super) fn begin_with_tx_stamps(&mut self, observer: &mut impl Observer) {
        if self.unstamped.is_some() {
            self.update_offset(observer);
            self.read_tx_stamps();
        }
    }

    fn read_tx_stamps(&mut self) {
        let Self { sockets, unstamped: Some(unstamped), client, stamps, clock, .. } = self else { return };
        let Unstamped { stamped, frames, .. } = unstamped;
        for socket in sockets {
            socket.read_tx_stamps(frames, &mut |stamp, frame| {
                if let Some(moment) = stamps.to_monotonic(stamp, clock.now()) {
                    *stamped += u64::from(client.on_tx_timestamp(moment, frame));
                }
            });
        }
    }
}
