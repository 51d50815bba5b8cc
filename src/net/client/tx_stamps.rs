//! The kernel's transmit timestamps, matched with the probes that they are of.

use super::events::Observer;
use super::shared::Shared;
use super::target::Target;
use crate::net::sys::Queued;
use crate::time::Instant;

impl Target {
    pub(super) fn note_sent(&mut self, probes: usize) {
        if let Some(count) = &mut self.tx_stamps {
            count.sent += probes as u64;
        }
    }

    /// The kernel stamped this frame of a shared socket.
    pub(super) fn on_tx_timestamp(&mut self, moment: Instant, frame: &[u8]) {
        let stamped = self.client.on_tx_timestamp(moment, frame);
        if let Some(count) = &mut self.tx_stamps {
            count.stamped += u64::from(stamped);
        }
    }

    /// Reads them while a reply waits to be handled: the timestamp of its probe was made before it came.
    pub(super) fn read_awaited_tx_stamps(&mut self, shared: &mut Shared) {
        if self.tx_stamps.is_some_and(|count| count.stamped < count.sent) {
            self.read_tx_stamps(shared);
        }
    }

    /// A queued timestamp ends every wait, so they are read before each.
    pub(super) fn read_tx_stamps_before_a_wait(&mut self, shared: &mut Shared, observer: &mut impl Observer) {
        if self.tx_stamps.is_some() {
            self.update_offset(shared, observer);
            self.read_tx_stamps(shared);
        }
    }

    fn read_tx_stamps(&mut self, shared: &mut Shared) {
        let Self { sockets, tx_stamps: Some(count), client, stamps, .. } = self else { return };
        let Shared { frames, clock, .. } = shared;
        for socket in sockets {
            socket.read_error_queue(frames, &mut |queued| {
                if let Queued::Sent(stamp, frame) = queued
                    && let Some(moment) = stamps.to_monotonic(stamp, clock.now())
                {
                    count.stamped += u64::from(client.on_tx_timestamp(moment, frame));
                }
            });
        }
    }
}
