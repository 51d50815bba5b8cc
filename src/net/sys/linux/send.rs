//! A batch sent by as few calls as possible; a train is one GSO message while the path takes it.

use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::ptr;

use super::Socket;
use super::address::write_address;
use super::control::write_control;
use super::headers::Headers;
use super::wait::wait_writable;
use crate::endpoints::Endpoints;
use crate::net::sys::batch::{Batch, Outgoing};

impl Socket {
    /// How often to wait for a full send buffer without anything leaving, a millisecond each: a stalled interface
    /// must not keep the socket's other peers waiting.
    pub(super) const WAITS: u8 = 20;

    pub(super) fn send_batch(
        &mut self,
        batch: &Batch,
        take: &dyn Fn(Endpoints) -> bool,
        failed: &mut dyn FnMut(usize, &io::Error) -> bool,
    ) {
        let mut next = 0;
        let longest_in_train = self.longest_in_train;
        let mut trial = None;
        while next < batch.outgoing.len() {
            next = self.send_from(next, batch, take, &mut trial, failed);
        }
        // If the single datagrams are refused too, the error is not about GSO.
        if trial.is_some() {
            self.longest_in_train = longest_in_train;
        }
    }

    /// Sends from this one on, until a train is refused; returns where to go on. `trial` is the train that was refused;
    /// cleared when one of its datagrams leaves singly.
    fn send_from(
        &mut self,
        first: usize,
        batch: &Batch,
        take: &dyn Fn(Endpoints) -> bool,
        trial: &mut Option<usize>,
        failed: &mut dyn FnMut(usize, &io::Error) -> bool,
    ) -> usize {
        let count = self.prepare(first, batch, take);
        let mut start = 0;
        while start < count {
            let messages = &mut self.headers.messages[start..count];
            // SAFETY: `prepare` pointed these headers at the batch's buffers, which live and do not
            // change while `batch` is borrowed.
            let sent = unsafe {
                libc::sendmmsg(
                    self.socket.as_raw_fd(),
                    messages.as_mut_ptr(),
                    messages.len() as u32,
                    libc::MSG_DONTWAIT,
                )
            };
            if sent >= 0 {
                let left = start..start + (sent as usize).max(1);
                trial.take_if(|train| self.headers.outgoing[left.clone()].contains(train));
                self.waits = Self::WAITS;
                start = left.end;
                continue;
            }
            let error = io::Error::last_os_error();
            let index = self.headers.outgoing[start];
            let item = &batch.outgoing[index];
            match error.kind() {
                io::ErrorKind::Interrupted => {}
                io::ErrorKind::WouldBlock if self.waits > 0 => {
                    self.waits -= 1;
                    wait_writable(self.socket.as_raw_fd());
                }
                _ if item.segments > 1
                    && item.segment <= self.longest_in_train
                    && is_about_length(&error) =>
                {
                    // Too long for the path, or the device has no GSO: its datagrams leave one by one.
                    self.longest_in_train = item.segment - 1;
                    *trial = Some(index);
                    return index;
                }
                _ if error.raw_os_error() == Some(libc::EMSGSIZE)
                    && self.pmtu_mode.begin_to_fragment(self.socket.as_raw_fd()) => {}
                _ => {
                    let before: usize = batch.outgoing[..index].iter().map(|item| item.segments).sum();
                    let sibling = |at: usize| self.headers.outgoing.get(at) == Some(&index);
                    let first = (0..=start).rev().take_while(|at| sibling(*at)).last().unwrap_or(start);
                    let alone = item.segments == 1 || item.segment > self.longest_in_train;
                    let ordinals = if alone { start - first..start - first + 1 } else { 0..item.segments };
                    // Each datagram of a train has failed.
                    if !ordinals.fold(false, |again, ordinal| failed(before + ordinal, &error) | again) {
                        start += 1;
                    }
                }
            }
        }
        batch.outgoing.len()
    }

    /// Points headers at what leaves from this one on; returns how many messages that is.
    fn prepare(&mut self, first: usize, batch: &Batch, take: &dyn Fn(Endpoints) -> bool) -> usize {
        let outgoing = &batch.outgoing[first..];
        let most = outgoing.iter().map(|item| item.segments).sum::<usize>();
        self.headers.resize(most, most);
        self.headers.outgoing.clear();
        let mut vector = 0;
        for (index, item) in (first..).zip(outgoing) {
            let of_family = item.path.remote.is_ipv6() == self.ipv6 || self.options.dual_stack;
            if !of_family || !take(item.path) {
                continue;
            }
            let segments = item.segments;
            if segments > 1 && item.segment <= self.longest_in_train {
                let start = vector;
                for place in batch.pieces_of(index) {
                    self.point(vector, batch.bytes(place.clone()));
                    vector += 1;
                }
                self.address(index, item, start..vector, Some(item.segment as u16));
            } else {
                for place in batch.segments_of(index) {
                    self.point(vector, batch.bytes(place));
                    vector += 1;
                    self.address(index, item, vector - 1..vector, None);
                }
            }
        }
        self.headers.outgoing.len()
    }

    fn point(&mut self, vector: usize, bytes: &[u8]) {
        self.headers.vectors[vector] =
            libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    }

    /// Adds a message made of these vectors.
    fn address(&mut self, index: usize, item: &Outgoing, vectors: Range<usize>, segment: Option<u16>) {
        let Headers { messages, vectors: all, names, controls, outgoing } = &mut self.headers;
        let at = outgoing.len();
        outgoing.push(index);
        let header = &mut messages[at].msg_hdr;
        if self.connected {
            (header.msg_name, header.msg_namelen) = (ptr::null_mut(), 0);
        } else {
            header.msg_namelen = write_address(item.path.remote, &mut names[at]);
            header.msg_name = ptr::from_mut(&mut names[at]).cast();
        }
        header.msg_iov = &raw mut all[vectors.start];
        header.msg_iovlen = vectors.len() as _;
        header.msg_flags = 0;
        let local = item.path.local.filter(|_| self.options.local_address);
        write_control(local, self.ipv6, item.header, segment, header, &mut controls[at]);
    }
}

/// The errors of a GSO train that the kernel or a device cannot take; errors of a route or a filter are others.
fn is_about_length(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EMSGSIZE | libc::EINVAL | libc::EIO | libc::EOPNOTSUPP | libc::ENOPROTOOPT)
    )
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, SocketAddr};

    use super::*;
    use crate::net::sys::{self, DatagramSocket, Options};

    #[test]
    fn a_path_that_takes_nothing_says_nothing_about_gso() {
        let options = Options { offload: true, local_address: true, ..Options::default() };
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let open =
            || Socket::new(sys::generic_socket(address, &options).unwrap(), address, &options).unwrap();
        let (receiver, mut sender) = (open(), open());
        // Nothing leaves from the broadcast address: EINVAL, as for a train that is too long.
        let nowhere =
            Endpoints { remote: receiver.local_addr().unwrap(), local: Some(IpAddr::from([255; 4])) };
        let mut batch = Batch::new(4, 100);
        for _ in 0..3 {
            batch.queue_written(nowhere, 10);
        }
        let mut failures = 0;
        sender.send_batch(&batch, &|_| true, &mut |_, _| {
            failures += 1;
            false
        });
        assert_eq!((failures, sender.longest_in_train), (3, usize::MAX));
    }
}
