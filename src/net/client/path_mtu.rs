//! The I/O loop of the path MTU search: one socket, one datagram at a time.

use std::io;
use std::net::SocketAddr;

use super::sockets::{Endpoint, Outgoing};
use crate::net::clock::Clock;
use crate::net::socket_errors::{is_too_long, socket_error};
use crate::net::stop_signal::Control;
use crate::net::sys::{self, Batch, Socket};
use crate::probe::{Failure, PathSize, SizeFinder, SocketOperation};

/// No datagram is longer.
const LONGEST: usize = 65_536;

/// Searches until the result is known; None if it is stopped before.
pub fn find_size(
    finder: SizeFinder,
    remote: SocketAddr,
    outgoing: &Outgoing,
    control: &Control,
) -> io::Result<Option<Result<PathSize, Failure>>> {
    let clock = Clock::start();
    let socket = Endpoint::new(remote, &Outgoing { dont_fragment: true, ..*outgoing }).open()?;
    let mut search = Search { clock, socket, finder, inbox: Batch::new(1, LONGEST) };
    while !control.stop_asked() {
        if let Some(outcome) = search.finder.outcome() {
            return Ok(Some(outcome.clone()));
        }
        search.step(control)?;
    }
    Ok(None)
}

struct Search {
    clock: Clock,
    socket: Socket,
    finder: SizeFinder,
    inbox: Batch,
}

impl Search {
    fn step(&mut self, control: &Control) -> io::Result<()> {
        self.receive();
        self.finder.handle_timeout(self.clock.now());
        self.send()?;
        match self.finder.poll_timeout() {
            Some(at) => {
                let timeout = Some(at - self.clock.now());
                sys::wait(std::iter::once(&self.socket), control, timeout).map(drop)
            }
            None => Ok(()),
        }
    }

    fn receive(&mut self) {
        loop {
            match self.socket.receive(&mut self.inbox) {
                Ok(()) => {
                    for place in self.inbox.datagrams(0) {
                        self.finder.handle(self.clock.now(), self.inbox.bytes(place));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => self.finder.unreachable(),
                // A router reported the path MTU: the kernel refuses the next long datagram at once.
                Err(error) if error.raw_os_error().is_some_and(is_too_long) => {}
                Err(error) => {
                    let error = socket_error(SocketOperation::Receive, &error);
                    if !error.is_of_path() {
                        return;
                    }
                    self.finder.obstructed(error);
                }
            }
        }
    }

    fn send(&mut self) -> io::Result<()> {
        let mut buffer = vec![0; LONGEST];
        while let Some(sizing) = self.finder.poll_transmit(self.clock.now(), &mut buffer) {
            let socket = &mut self.socket;
            socket.set_dont_fragment(sizing.whole)?;
            let datagram = &buffer[..sizing.length];
            // The kernel reports a pending ICMP error instead of sending, once.
            match socket.send_one(datagram).or_else(|_| socket.send_one(datagram)) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => self.finder.unreachable(),
                Err(error) if error.raw_os_error().is_some_and(is_too_long) => {
                    self.finder.too_long(self.clock.now());
                }
                Err(error) => self.finder.send_failed(socket_error(SocketOperation::Send, &error)),
            }
        }
        Ok(())
    }
}
