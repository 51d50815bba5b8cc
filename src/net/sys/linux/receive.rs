//! A batch received by one call, and the transmit timestamps.

use std::io;
use std::mem::size_of;
use std::os::fd::AsRawFd;
use std::ptr;

use libc::c_int;

use super::Socket;
use super::address::read_address;
use super::control::{CONTROL, read_control};
use super::headers::Headers;
use super::options;
use crate::endpoints::Endpoints;
use crate::net::sys::batch::{Arrival, Batch};
use crate::net::sys::{DatagramSocket, Queued};

impl Socket {
    pub(super) const OFFER_LEAST: usize = 8;
    pub(super) const BATCHES_OF_TRAINS: u8 = 16;

    /// The kernel queues each transmit timestamp with the socket's errors, together with the frame that it is of.
    pub(super) fn take_queued(&mut self, batch: &mut Batch, each: &mut dyn FnMut(Queued<'_>)) {
        let is_used = self.options.tx_stamps || self.options.icmp_errors;
        while is_used && self.take(batch, libc::MSG_ERRQUEUE).is_ok() {
            for index in 0..batch.arrived() {
                let place = batch.datagrams(index).next().expect("every arrival is one datagram at least");
                let Arrival { path, stamp, icmp_error, .. } = *batch.arrival(index);
                match (icmp_error, stamp) {
                    (Some(code), _) => {
                        each(Queued::IcmpError(path.remote, io::Error::from_raw_os_error(code)))
                    }
                    (None, Some(stamp)) => each(Queued::Sent(stamp, batch.bytes(place))),
                    (None, None) => {}
                }
            }
            if !batch.was_filled() {
                return;
            }
        }
    }

    pub(super) fn take(&mut self, batch: &mut Batch, from: c_int) -> io::Result<()> {
        batch.arrived = 0;
        // The error queue has buffers of its own, and says nothing about the next data.
        let offer = if from == 0 { self.offer.min(batch.capacity()) } else { batch.capacity() };
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
            if from == 0 {
                self.offer = Self::OFFER_LEAST;
            }
            return Err(io::Error::last_os_error());
        }
        let received = received as usize;
        for index in 0..received {
            let message = &self.headers.messages[index];
            let ancillary = read_control(&message.msg_hdr);
            let length = message.msg_len as usize;
            let remote = read_address(&self.headers.names[index]);
            let segment = ancillary.segment.unwrap_or(length);
            // No count is told before something is dropped.
            let drops = ancillary.overflow.unwrap_or(0);
            let socket =
                if from == 0 { self.turns.note(remote, length > segment, drops) } else { self.mark() };
            batch.arrivals[index] = Arrival {
                path: Endpoints { remote, local: ancillary.local },
                length,
                segment,
                stamp: ancillary.stamp,
                ttl: ancillary.ttl,
                tos: ancillary.tos,
                icmp_error: ancillary.icmp_error,
                socket,
            };
            self.truncated += u64::from(ancillary.cut);
            if let Some(count) = ancillary.overflow {
                self.overflows.note(count);
            }
        }
        batch.arrived = received;
        batch.filled = received == offer;
        if from == 0 {
            let next = if received == offer { offer * 2 } else { received.max(Self::OFFER_LEAST) };
            self.offer = next.min(batch.capacity()).min(self.most);
        }
        if self.until_trains > 0 && batch.filled {
            self.look_for_trains(&batch.arrivals[..received]);
        }
        Ok(())
    }

    /// Never switched back: without UDP_GRO the kernel would deliver a queued train as one datagram.
    fn look_for_trains(&mut self, arrivals: &[Arrival]) {
        if !may_be_trains(arrivals) {
            self.until_trains = Self::BATCHES_OF_TRAINS;
            return;
        }
        self.until_trains -= 1;
        if self.until_trains == 0 {
            options::enable_gro(self.socket.as_raw_fd());
        }
    }
}

/// Whether runs of one sender and one length are so long that they may have been sent by GSO. A single sender's flood
/// looks the same.
fn may_be_trains(arrivals: &[Arrival]) -> bool {
    const SHORT: usize = 8;
    let changes = |pair: &&[Arrival]| pair[0].path != pair[1].path || pair[0].length != pair[1].length;
    let trains = 1 + arrivals.windows(2).filter(changes).count();
    trains * SHORT <= arrivals.len()
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::net::sys::{self, Options};

    const TRAIN: usize = 4;

    fn bind(address: &str, options: &Options) -> sys::Socket {
        sys::bind_socket(address.parse().expect("an address"), options).expect("a socket on loopback")
    }

    fn send_train(socket: &mut sys::Socket, remote: SocketAddr) {
        let mut batch = Batch::new(TRAIN, 512);
        (0..TRAIN).for_each(|_| batch.queue_written(Endpoints { remote, local: None }, 512));
        socket.send_those(&batch, &|_| true, &mut |_, error| panic!("{error}"));
    }

    #[test]
    fn drops_are_known_when_asked_for_though_no_datagram_comes_after() {
        let mut socket = bind("127.0.0.1:0", &Options { receive_buffer: Some(4096), ..Options::default() });
        let mut sender = bind("127.0.0.1:0", &Options::default());
        let remote = socket.local_addr().expect("an address");
        (0..64).for_each(|_| send_train(&mut sender, remote));
        let mut inbox = Batch::new(64, 512);
        let mut received = 0;
        while socket.receive(&mut inbox).is_ok() {
            received += inbox.arrived() as u64;
        }
        assert_eq!(socket.overflows(), 0, "no datagram came after the drops");
        for _ in 0..2 {
            socket.count_drops();
            assert_eq!(socket.overflows() + received, 64 * TRAIN as u64);
        }
    }

    fn receive_all(socket: &mut sys::Socket, inbox: &mut Batch, mut tell: impl FnMut(&Arrival)) {
        while socket.receive(inbox).is_ok() {
            (0..inbox.arrived()).for_each(|index| tell(inbox.arrival(index)));
        }
    }

    #[test]
    fn a_lean_socket_enables_gro_once_batches_look_like_trains() {
        let options = Options { lean: true, offload: true, ..Options::default() };
        let mut socket = bind("127.0.0.1:0", &options);
        let remote = socket.local_addr().expect("an address");
        let mut senders: Vec<_> = (0..16).map(|_| bind("127.0.0.1:0", &options)).collect();
        let mut inbox = Batch::new(16, 65_536);
        for _ in 0..2 {
            senders.iter_mut().for_each(|sender| send_train(sender, remote));
        }
        receive_all(&mut socket, &mut inbox, |arrival| assert_eq!(arrival.length, arrival.segment));
        let mut trains = Vec::new();
        // Two batches each time.
        for _ in 0..10 {
            let (mut datagrams, mut whole) = (0, 0);
            (0..8).for_each(|_| send_train(&mut senders[0], remote));
            receive_all(&mut socket, &mut inbox, |arrival| {
                datagrams += arrival.datagrams();
                whole += u64::from(arrival.length > arrival.segment);
            });
            assert_eq!(datagrams, 8 * TRAIN as u64);
            trains.push(whole);
        }
        assert_eq!(trains, [0, 0, 0, 0, 0, 0, 0, 0, 8, 8]);
    }

    #[test]
    fn the_marks_of_what_comes_tell_how_many_were_dropped_before_it() {
        let mut socket =
            bind("127.0.0.1:0", &Options { lean: true, receive_buffer: Some(4096), ..Options::default() });
        let mut sender = bind("127.0.0.1:0", &Options::default());
        let remote = socket.local_addr().expect("an address");
        let (mut inbox, mut marks) = (Batch::new(64, 512), Vec::new());
        for _ in 0..2 {
            (0..64).for_each(|_| send_train(&mut sender, remote));
            receive_all(&mut socket, &mut inbox, |arrival| marks.push(arrival.socket));
        }
        let gaps: Vec<u64> = marks.windows(2).map(|pair| pair[0].drops_between(pair[1])).collect();
        let dropped_at_first = 64 * TRAIN as u64 - marks.len() as u64 / 2;
        assert!(dropped_at_first > 0, "the buffer holds less than was sent");
        assert_eq!(gaps.iter().filter(|gap| **gap > 0).collect::<Vec<_>>(), [&dropped_at_first]);
        socket.count_drops();
        assert_eq!(marks[marks.len() - 1].drops_between(socket.mark()), dropped_at_first);
        assert!(marks.iter().all(|mark| mark.turns == marks[0].turns), "one sender");
    }

    /// Each kind of control message at once, the drop counter's among them: it comes after a drop only.
    #[test]
    fn there_is_room_for_every_control_message_at_once() {
        let all = Options {
            local_address: true,
            receive_buffer: Some(4096),
            offload: true,
            stamps: true,
            tx_stamps: true,
            report_ttl: true,
            report_tos: true,
            ..Options::default()
        };
        for (ip, dual_stack, from) in [
            ("127.0.0.1:0", false, "127.0.0.1:0"),
            ("[::1]:0", false, "[::1]:0"),
            ("[::]:0", true, "127.0.0.1:0"),
        ] {
            let mut socket = bind(ip, &Options { dual_stack, ..all });
            let port = socket.local_addr().expect("an address").port();
            let mut sender = bind(from, &Options { receive_buffer: None, ..all });
            let remote = SocketAddr::new(sender.local_addr().expect("an address").ip(), port);
            sender.connect(remote).expect("loopback is there");
            (0..64).for_each(|_| send_train(&mut sender, remote));
            let mut inbox = Batch::new(64, 65_536);
            while socket.receive(&mut inbox).is_ok() {}
            send_train(&mut sender, remote);
            socket.receive(&mut inbox).expect("it was sent");
            assert!(socket.overflows() > 0, "the buffer of {ip} holds less than was sent");
            let arrival = inbox.arrival(0);
            assert!(arrival.length > arrival.segment, "a train to {ip}");
            assert!(
                arrival.stamp.is_some()
                    && arrival.ttl.is_some()
                    && arrival.tos == Some(0)
                    && arrival.path.local.is_some()
            );
            let mut left = 0;
            sender.read_error_queue(&mut inbox, &mut |_| left += 1);
            assert!(left > 0, "stamps of what was sent to {ip}");
            assert_eq!((socket.truncated(), sender.truncated()), (0, 0), "{ip}");
        }
    }
}
