//! The server's engine: feeds the machine what its socket receives, sends what it returns.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::clock::Clock;
use super::control::Control;
use super::sys::{self, Backend, Batch, Options, Socket};
use crate::reflect::{ANSWER_HOPS, Counters, Server};
use crate::time::Duration;

/// Where to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bind {
    /// Every address of the host, IPv4 and IPv6 alike where there is IPv6.
    Any(u16),
    AnyV4(u16),
    AnyV6(u16),
    At(SocketAddr),
}

/// A server on a socket.
pub struct ServerEngine {
    clock: Clock,
    socket: [Socket; 1],
    server: Server,
    inbox: Batch,
    outbox: Batch,
}

impl ServerEngine {
    const BATCH: usize = 64;
    const LONGEST: usize = 65_536;
    const RECEIVE_BUFFER: usize = 4 << 20;

    pub fn bind(bind: Bind, backend: Backend, mut server: Server, clock: Clock) -> io::Result<Self> {
        let open = |address: SocketAddr, dual_stack| {
            let options = Options {
                backend,
                dual_stack,
                ttl: Some(u32::from(ANSWER_HOPS)),
                local_address: address.ip().is_unspecified(),
                receive_buffer: Some(Self::RECEIVE_BUFFER),
                ..Options::default()
            };
            Socket::bind(address, &options)
        };
        let any_v4 = |port| open((Ipv4Addr::UNSPECIFIED, port).into(), false);
        let socket = match bind {
            Bind::At(address) => open(address, false)?,
            Bind::AnyV4(port) => any_v4(port)?,
            Bind::AnyV6(port) => open((Ipv6Addr::UNSPECIFIED, port).into(), false)?,
            Bind::Any(port) => match open((Ipv6Addr::UNSPECIFIED, port).into(), true) {
                // A host without IPv6.
                Err(error) if error.kind() != io::ErrorKind::AddrInUse => any_v4(port)?,
                socket => socket?,
            },
        };
        server.set_own_port(socket.local_addr()?.port());
        Ok(Self {
            clock,
            socket: [socket],
            server,
            inbox: Batch::new(Self::BATCH, Self::LONGEST),
            outbox: Batch::new(Self::BATCH, Self::LONGEST),
        })
    }

    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket[0].local_addr()
    }

    /// Runs until it is told to stop, by its controller or by a client that may. `watch` sees the
    /// counters as often as something happens, at most once a `WATCH`.
    pub fn run(&mut self, control: &Control, mut watch: impl FnMut(&Counters)) -> io::Result<Counters> {
        const WATCH: Duration = Duration::from_millis(200);
        sys::sharpen_timers();
        let mut next_watch = self.clock.now();
        while !control.stop_asked() && !self.server.stop_asked() {
            let received = self.receive()?;
            self.release();
            let now = self.clock.now();
            self.server.handle_timeout(now);
            if now >= next_watch {
                watch(&self.server.counters());
                next_watch = now + WATCH;
            }
            if !received {
                let timeout = self.server.poll_timeout().map(|at| at - self.clock.now());
                sys::wait(&self.socket, control, timeout)?;
            }
        }
        Ok(self.server.counters())
    }

    /// Sends what is held when its time comes, for so long at most; nothing new is answered. What is
    /// then left is in the counters.
    pub fn drain(&mut self, control: &Control, longest: Duration) -> Counters {
        const SLICE: Duration = Duration::from_millis(50);
        let end = self.clock.now() + longest;
        loop {
            self.release();
            let next = self.server.next_release().filter(|at| *at <= end);
            let Some(next) = next.filter(|_| !control.abort_asked()) else { return self.server.counters() };
            std::thread::sleep((next - self.clock.now()).min(SLICE).to_std());
        }
    }

    /// Handles one batch of what has arrived; false if nothing has.
    fn receive(&mut self) -> io::Result<bool> {
        let socket = &mut self.socket[0];
        match socket.receive(&mut self.inbox) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            // An ICMP error of some client, or a passing shortage: the next datagram is another matter.
            Err(_) => return Ok(true),
        }
        let now = self.clock.now();
        for index in 0..self.inbox.len() {
            let slot = *self.inbox.slot(index);
            let answer =
                self.server.handle(now, slot.path, slot.ttl, self.inbox.buffer_mut(index), slot.length);
            self.inbox.set_answer(index, answer);
        }
        self.server.set_overflows(socket.overflows());
        socket.send(&self.inbox, |path, _| self.server.send_failed(path));
        Ok(true)
    }

    /// Sends what was held and is due.
    fn release(&mut self) {
        loop {
            self.outbox.clear();
            let now = self.clock.now();
            while !self.outbox.is_full()
                && let Some((path, length)) = self.server.poll_transmit(now, self.outbox.spare())
            {
                self.outbox.commit(path, length);
            }
            if self.outbox.len() == 0 {
                return;
            }
            self.socket[0].send(&self.outbox, |path, _| self.server.send_failed(path));
        }
    }
}
