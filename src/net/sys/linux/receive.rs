//! A batch received by one call, and the stamps of what was sent.

use std::io;
use std::mem::size_of;
use std::os::fd::AsRawFd;
use std::ptr;

use libc::c_int;

use super::Socket;
use super::address::read_address;
use super::control::{CONTROL, read_control};
use super::headers::Headers;
use crate::net::sys::batch::{Arrival, Batch};
use crate::reflect::Path;
use crate::time::Instant;

impl Socket {
    pub(super) const OFFER_LEAST: usize = 8;

    pub fn receive(&mut self, batch: &mut Batch) -> io::Result<()> {
        self.take(batch, 0)
    }

    /// The frames are left in the batch by way of the queue of errors, where the kernel puts them.
    pub fn sent_stamps(&mut self, batch: &mut Batch, mut tell: impl FnMut(Instant, &[u8])) {
        while self.options.sent_stamps && self.take(batch, libc::MSG_ERRQUEUE).is_ok() {
            for index in 0..batch.arrived() {
                let place = batch.datagrams(index).next().expect("every arrival is one datagram at least");
                if let Some(stamp) = batch.arrival(index).stamp {
                    tell(stamp, batch.bytes(place));
                }
            }
            if !batch.was_filled() {
                return;
            }
        }
    }

    fn take(&mut self, batch: &mut Batch, from: c_int) -> io::Result<()> {
        let offer = self.offer.min(batch.capacity());
        self.headers.resize(offer, offer);
        let Headers { messages, vectors, names, controls, .. } = &mut self.headers;
        for (index, buffer) in batch.buffers().take(offer).enumerate() {
            vectors[index] = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
            let header = &mut messages[index].msg_hdr;
            header.msg_name = ptr::from_mut(&mut names[index]).cast();
            header.msg_namelen = size_of::<libc::sockaddr_storage>() as u32;
            header.msg_iov = &raw mut vectors[index];
            header.msg_iovlen = 1;
            header.msg_control = ptr::from_mut(&mut controls[index]).cast();
            header.msg_controllen = CONTROL as _;
            header.msg_flags = 0;
        }
        // SAFETY: each of the `offer` headers was just pointed at live buffers of the lengths given,
        // which nothing else touches during the call.
        let received = unsafe {
            libc::recvmmsg(
                self.socket.as_raw_fd(),
                messages.as_mut_ptr(),
                offer as u32,
                libc::MSG_DONTWAIT | from,
                ptr::null_mut(),
            )
        };
        if received < 0 {
            self.offer = Self::OFFER_LEAST;
            return Err(io::Error::last_os_error());
        }
        let received = received as usize;
        for index in 0..received {
            let message = &self.headers.messages[index];
            let ancillary = read_control(&message.msg_hdr);
            let length = message.msg_len as usize;
            batch.arrivals[index] = Arrival {
                path: Path { remote: read_address(&self.headers.names[index]), local: ancillary.local },
                length,
                segment: ancillary.segment.unwrap_or(length),
                stamp: ancillary.stamp,
                ttl: ancillary.ttl,
            };
            if let Some(count) = ancillary.overflow {
                self.overflows += u64::from(count.wrapping_sub(self.last_overflow));
                self.last_overflow = count;
            }
        }
        batch.arrived = received;
        batch.filled = received == offer;
        self.offer = if received == offer { offer * 2 } else { received.max(Self::OFFER_LEAST) };
        self.offer = self.offer.min(batch.capacity());
        Ok(())
    }
}
