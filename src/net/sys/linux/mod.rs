//! Linux: batches by recvmmsg and sendmmsg; timestamps, TTL, local address and, unless `lean`, the drop counter by
//! control messages; waits in nanoseconds by ppoll.
#![allow(unsafe_code)]

mod address;
mod control;
mod headers;
mod options;
mod placing;
mod pmtu_mode;
mod ready_set;
mod receive;
mod scheduling;
mod send;
mod signal;
mod wait;
mod wall_clock;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZero;
use std::os::fd::AsRawFd;

use super::drop_count::DropCount;
use super::turns::Turns;
use super::{Batch, DatagramSocket, Options, Queued};
use crate::endpoints::Endpoints;
use crate::reflect::SocketMark;
use crate::time::Duration;
use headers::Headers;
use pmtu_mode::PmtuMode;

pub(crate) use ready_set::ReadySet;
pub(super) use scheduling::{
    is_realtime, lower_priority, raise_open_files, request_short_timeslice, set_min_timer_slack,
    use_batch_class,
};
pub(super) use signal::terminate;
pub(super) use wait::wait;
pub(super) use wall_clock::wall_clock_error;

pub(super) struct Socket {
    socket: socket2::Socket,
    options: Options,
    connected: bool,
    ipv6: bool,
    overflows: DropCount,
    turns: Turns,
    truncated: u64,
    pmtu_mode: PmtuMode,
    /// How many headers the next call offers: filling them in takes time.
    offer: usize,
    /// How many it offers at most.
    most: usize,
    /// Full batches that look like trains to see before GRO is enabled: 6-10 % at 350,000 datagrams a second
    /// (see results/server-profile.md), while GRO costs every single datagram a cache miss.
    until_trains: u8,
    /// GSO of longer datagrams has been refused: they do not fit the path.
    longest_in_train: usize,
    /// How often to wait for a full send buffer until something leaves.
    waits: u8,
    headers: Headers,
}

impl Socket {
    pub(super) fn new(socket: socket2::Socket, address: SocketAddr, options: &Options) -> io::Result<Self> {
        let fd = socket.as_raw_fd();
        let ipv6 = address.is_ipv6();
        options::set_all(fd, ipv6, options)?;
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
            pmtu_mode: PmtuMode::new(fd, ipv6, options)?,
            offer: Self::OFFER_LEAST,
            most: usize::MAX,
            until_trains: if options.offload && options.lean { Self::BATCHES_OF_TRAINS } else { 0 },
            longest_in_train: if options.offload { usize::MAX } else { 0 },
            waits: Self::WAITS,
            headers: Headers::default(),
        })
    }

    /// Exclusive on its address and port, but for this moment: no other program is to bind to it.
    fn on_same_port(&self, address: IpAddr) -> io::Result<Self> {
        let address = SocketAddr::new(address, self.local_addr()?.port());
        let options = Options { local_address: false, dual_stack: false, ..self.options };
        let socket = super::generic_socket(address, &Options { share_port: true, ..options })?;
        socket.set_reuse_port(false)?;
        Self::new(socket, address, &options)
    }
}

impl DatagramSocket for Socket {
    fn connect(&mut self, remote: SocketAddr) -> io::Result<()> {
        self.socket.connect(&remote.into())?;
        self.connected = true;
        Ok(())
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()?.as_socket().ok_or_else(|| io::Error::other("not an internet socket"))
    }

    fn receive(&mut self, batch: &mut Batch) -> io::Result<()> {
        self.take(batch, 0)
    }

    fn send_those(
        &mut self,
        batch: &Batch,
        take: &dyn Fn(Endpoints) -> bool,
        failed: &mut dyn FnMut(usize, &io::Error) -> bool,
    ) {
        self.send_batch(batch, take, failed);
    }

    fn send_one(&self, datagram: &[u8]) -> io::Result<()> {
        self.socket.send_with_flags(datagram, libc::MSG_DONTWAIT).map(drop)
    }

    fn wait_readable(&self, timeout: Duration) -> io::Result<()> {
        wait::wait_readable(self.socket.as_raw_fd(), timeout)
    }

    fn descriptor(&self) -> Option<i32> {
        Some(self.socket.as_raw_fd())
    }

    /// It is told where to send all the same: it may have been given others' datagrams before it was connected.
    fn connect_to_peer(&self, address: IpAddr, remote: SocketAddr, most: usize) -> io::Result<super::Socket> {
        let socket = self.on_same_port(address)?;
        socket.socket.connect(&remote.into())?;
        Ok(Box::new(Self { most, ..socket }))
    }

    fn stop_receiving(&self) -> io::Result<()> {
        // No datagram comes from itself.
        self.socket.connect(&self.socket.local_addr()?)
    }

    fn share_port(&self, shared: bool) -> io::Result<()> {
        self.socket.set_reuse_port(shared)
    }

    fn place_messages(&self, servers: NonZero<u32>) -> io::Result<()> {
        placing::place_messages(self.socket.as_raw_fd(), servers)
    }

    /// The kernel reserves twice what was asked for, for its own bookkeeping.
    fn receive_buffer(&self) -> Option<usize> {
        self.socket.recv_buffer_size().ok().map(|bytes| bytes / 2)
    }

    fn has_stamps(&self) -> bool {
        self.options.stamps
    }

    fn has_tx_stamps(&self) -> bool {
        self.options.tx_stamps
    }

    fn read_error_queue(&mut self, batch: &mut Batch, each: &mut dyn FnMut(Queued<'_>)) {
        self.take_queued(batch, each);
    }

    fn set_dont_fragment(&mut self, forbidden: bool) -> io::Result<()> {
        self.pmtu_mode.forbid_fragments(self.socket.as_raw_fd(), forbidden)
    }

    fn overflows(&self) -> u64 {
        self.overflows.total()
    }

    fn mark(&self) -> SocketMark {
        self.turns.mark(self.overflows.total() as u32)
    }

    /// A kernel older than 4.12 cannot say.
    fn count_drops(&mut self) {
        if let Some(count) = options::drops(self.socket.as_raw_fd()) {
            self.overflows.note(count);
        }
    }

    fn truncated(&self) -> u64 {
        self.truncated
    }
}
