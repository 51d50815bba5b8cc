//! A batch sent by as few calls as it takes; trains as one message each, while the path takes them.

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
use crate::net::sys::batch::{Batch, Letter};

impl Socket {
    /// A full send buffer is waited for so many times without anything leaving, a millisecond each: an
    /// interface that stands still must not keep its socket's other peers waiting.
    pub(super) const WAITS: u8 = 20;

    pub fn send_one(&self, datagram: &[u8]) -> io::Result<()> {
        // SAFETY: the pointer and the length are those of one slice.
        let sent = unsafe {
            libc::send(self.socket.as_raw_fd(), datagram.as_ptr().cast(), datagram.len(), libc::MSG_DONTWAIT)
        };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    pub fn send(
        &mut self,
        batch: &Batch,
        take: impl Fn(Endpoints) -> bool,
        mut failed: impl FnMut(usize, &io::Error) -> bool,
    ) {
        let mut next = 0;
        let longest_in_train = self.longest_in_train;
        let mut trial = None;
        while next < batch.letters.len() {
            next = self.send_from(next, batch, &take, &mut trial, &mut failed);
        }
        // A way that takes none of the datagrams one by one either says nothing about trains.
        if trial.is_some() {
            self.longest_in_train = longest_in_train;
        }
    }

    /// Sends the letters from this one on, until a train is refused; returns which are left. The trial
    /// is of a refused train's letter, until one of its datagrams has left by itself.
    fn send_from(
        &mut self,
        first: usize,
        batch: &Batch,
        take: &impl Fn(Endpoints) -> bool,
        trial: &mut Option<usize>,
        failed: &mut impl FnMut(usize, &io::Error) -> bool,
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
                trial.take_if(|letter| self.headers.letters[left.clone()].contains(letter));
                self.waits = Self::WAITS;
                start = left.end;
                continue;
            }
            let error = io::Error::last_os_error();
            let index = self.headers.letters[start];
            let letter = &batch.letters[index];
            match error.kind() {
                io::ErrorKind::Interrupted => {}
                io::ErrorKind::WouldBlock if self.waits > 0 => {
                    self.waits -= 1;
                    wait_writable(self.socket.as_raw_fd());
                }
                _ if letter.segments > 1
                    && letter.segment <= self.longest_in_train
                    && is_about_length(&error) =>
                {
                    // Too long for the path, or the device cannot: its datagrams leave one by one.
                    self.longest_in_train = letter.segment - 1;
                    *trial = Some(index);
                    return index;
                }
                _ if error.raw_os_error() == Some(libc::EMSGSIZE) && self.begin_to_fragment() => {}
                _ => {
                    let before: usize = batch.letters[..index].iter().map(|letter| letter.segments).sum();
                    let sibling = |at: usize| self.headers.letters.get(at) == Some(&index);
                    let first = (0..=start).rev().take_while(|at| sibling(*at)).last().unwrap_or(start);
                    let alone = letter.segments == 1 || letter.segment > self.longest_in_train;
                    let ordinals = if alone { start - first..start - first + 1 } else { 0..letter.segments };
                    // Every datagram of a train is told of.
                    if !ordinals.fold(false, |again, ordinal| failed(before + ordinal, &error) | again) {
                        start += 1;
                    }
                }
            }
        }
        batch.letters.len()
    }

    /// Points headers at the letters from this one on; returns how many messages they are.
    fn prepare(&mut self, first: usize, batch: &Batch, take: &impl Fn(Endpoints) -> bool) -> usize {
        let letters = &batch.letters[first..];
        let most = letters.iter().map(|letter| letter.segments).sum::<usize>();
        self.headers.resize(most, most);
        self.headers.letters.clear();
        let mut vector = 0;
        for (index, letter) in (first..).zip(letters) {
            let of_family = letter.path.remote.is_ipv6() == self.ipv6 || self.options.dual_stack;
            if !of_family || !take(letter.path) {
                continue;
            }
            let segments = letter.segments;
            if segments > 1 && letter.segment <= self.longest_in_train {
                let start = vector;
                for place in batch.pieces_of(index) {
                    self.point(vector, batch.bytes(place.clone()));
                    vector += 1;
                }
                self.address(index, letter, start..vector, Some(letter.segment as u16));
            } else {
                for place in batch.segments_of(index) {
                    self.point(vector, batch.bytes(place));
                    vector += 1;
                    self.address(index, letter, vector - 1..vector, None);
                }
            }
        }
        self.headers.letters.len()
    }

    fn point(&mut self, vector: usize, bytes: &[u8]) {
        self.headers.vectors[vector] =
            libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    }

    /// Adds a message made of these vectors.
    fn address(&mut self, index: usize, letter: &Letter, vectors: Range<usize>, segment: Option<u16>) {
        let Headers { messages, vectors: all, names, controls, letters } = &mut self.headers;
        let at = letters.len();
        letters.push(index);
        let header = &mut messages[at].msg_hdr;
        if self.connected {
            (header.msg_name, header.msg_namelen) = (ptr::null_mut(), 0);
        } else {
            header.msg_namelen = write_address(letter.path.remote, &mut names[at]);
            header.msg_name = ptr::from_mut(&mut names[at]).cast();
        }
        header.msg_iov = &raw mut all[vectors.start];
        header.msg_iovlen = vectors.len() as _;
        header.msg_flags = 0;
        let local = letter.path.local.filter(|_| self.options.local_address);
        write_control(local, self.ipv6, segment, header, &mut controls[at]);
    }
}

/// What a kernel says of a train that it, or a device, cannot take; no route's or filter's error.
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
    use crate::net::sys::{self, Options};

    #[test]
    fn a_way_that_takes_nothing_says_nothing_about_trains() {
        let options = Options { trains: true, local_address: true, ..Options::default() };
        let open = || sys::Socket::bind(SocketAddr::from(([127, 0, 0, 1], 0)), &options).unwrap();
        let (receiver, sender) = (open(), open());
        let sys::Socket::Linux(mut sender) = sender else { return };
        // Nothing leaves from the address of all hosts: the call is wrong, as it is for a train too long.
        let nowhere =
            Endpoints { remote: receiver.local_addr().unwrap(), local: Some(IpAddr::from([255; 4])) };
        let mut batch = Batch::new(4, 100);
        for _ in 0..3 {
            batch.commit(nowhere, 10);
        }
        let mut failures = 0;
        sender.send(
            &batch,
            |_| true,
            |_, _| {
                failures += 1;
                false
            },
        );
        assert_eq!((failures, sender.longest_in_train), (3, usize::MAX));
    }
}
