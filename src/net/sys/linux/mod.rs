//! Linux: batches by recvmmsg and sendmmsg; stamps, time to live, local address and, where one is not
//! sparing, the drop counter by control messages; waits in nanoseconds by ppoll.
#![allow(unsafe_code)]

mod address;
mod control;
mod fragments;
mod headers;
mod options;
mod receive;
mod scheduling;
mod send;
mod wait;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;

use super::Options;
use super::drop_count::DropCount;
use super::turns::Turns;
use crate::reflect::SocketMark;
use fragments::Fragments;
use headers::Headers;

pub use scheduling::{ask_for_short_slices, give_way, runs_ahead_of_all, sharpen_timers, stay_behind};
pub use wait::wait;

pub struct Socket {
    socket: socket2::Socket,
    options: Options,
    connected: bool,
    ipv6: bool,
    overflows: DropCount,
    turns: Turns,
    truncated: u64,
    fragments: Fragments,
    /// How many headers the next call offers: to fill them in takes time.
    offer: usize,
    /// How many it offers at most.
    most: usize,
    /// So many more full batches that may be of trains, and they come whole, not one datagram by one.
    until_trains: u8,
    /// Trains of longer datagrams have been refused: they do not fit the path.
    longest_in_train: usize,
    /// How often a full send buffer will still be waited for, until something leaves.
    waits: u8,
    headers: Headers,
}

impl Socket {
    pub fn new(socket: socket2::Socket, address: SocketAddr, options: &Options) -> io::Result<Self> {
        let fd = socket.as_raw_fd();
        let ipv6 = address.is_ipv6();
        options::set_all(fd, ipv6, options)?;
        // Whoever gets none has their own clock.
        let stamps = options.stamps && options::receive_stamps(fd);
        let tx_stamps = options.tx_stamps && options::send_stamps(fd);
        Ok(Self {
            socket,
            options: Options { stamps, tx_stamps, ..*options },
            connected: false,
            ipv6,
            overflows: DropCount::default(),
            turns: Turns::new(fd as u32),
            truncated: 0,
            fragments: Fragments::new(fd, ipv6, options)?,
            offer: Self::OFFER_LEAST,
            most: usize::MAX,
            until_trains: if options.trains && options.sparing { Self::BATCHES_OF_TRAINS } else { 0 },
            longest_in_train: if options.trains { usize::MAX } else { 0 },
            waits: Self::WAITS,
            headers: Headers::default(),
        })
    }

    pub fn door(&self, address: IpAddr) -> io::Result<Self> {
        let address = SocketAddr::new(address, self.local_addr()?.port());
        let options = Options { local_address: false, dual_stack: false, ..self.options };
        // For this moment only: nobody else is to be let in.
        let door = super::generic_socket(address, &Options { share_port: true, ..options })?;
        door.set_reuse_port(false)?;
        Self::new(door, address, &options)
    }

    pub fn gate(&self, address: IpAddr, remote: SocketAddr, most: usize) -> io::Result<Self> {
        let gate = self.door(address)?;
        // It is told where to send all the same: it may have been given others' datagrams before this.
        gate.socket.connect(&remote.into())?;
        Ok(Self { most, ..gate })
    }

    pub fn shut(&self) -> io::Result<()> {
        // Nothing comes from itself.
        self.socket.connect(&self.socket.local_addr()?)
    }

    pub fn share_port(&self, shared: bool) -> io::Result<()> {
        self.socket.set_reuse_port(shared)
    }

    pub fn connect(&mut self, remote: SocketAddr) -> io::Result<()> {
        self.socket.connect(&remote.into())?;
        self.connected = true;
        Ok(())
    }

    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()?.as_socket().ok_or_else(|| io::Error::other("not an internet socket"))
    }

    /// The kernel reserves twice what was asked for, for its own bookkeeping.
    pub fn receive_buffer(&self) -> Option<usize> {
        self.socket.recv_buffer_size().ok().map(|bytes| bytes / 2)
    }

    pub fn has_stamps(&self) -> bool {
        self.options.stamps
    }

    pub fn has_tx_stamps(&self) -> bool {
        self.options.tx_stamps
    }

    pub fn overflows(&self) -> u64 {
        self.overflows.total()
    }

    pub fn mark(&self) -> SocketMark {
        self.turns.mark(self.overflows.total() as u32)
    }

    /// A kernel older than 4.12 cannot tell.
    pub fn count_drops(&mut self) {
        if let Some(count) = options::drops(self.socket.as_raw_fd()) {
            self.overflows.note(count);
        }
    }

    pub fn truncated(&self) -> u64 {
        self.truncated
    }
}
