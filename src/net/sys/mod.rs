//! Sockets, in batches and with kernel timestamps where the system has them. The only room with unsafe code.
//!
//! Two backends do the same: `linux` with recvmmsg, sendmmsg and control messages, and `portable` with the standard
//! library alone, for other systems; `--io portable` selects it on Linux too, and the tests run against it.

mod batch;
mod drop_count;
#[cfg(target_os = "linux")]
mod linux;
mod portable;
mod turns;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZero;

pub(super) use batch::Arrival;
pub use batch::Batch;

use super::stop_signal::Control;
use crate::endpoints::Endpoints;
use crate::reflect::SocketMark;
use crate::time::{Duration, Instant};

/// How datagrams are moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backend {
    /// The best that the system offers.
    #[default]
    Native,
    /// The standard library only.
    Portable,
}

impl Backend {
    /// Whether a second socket on a connected one's port receives other senders' datagrams.
    pub fn has_foreign_listeners(self) -> bool {
        cfg!(target_os = "linux") && self == Self::Native
    }

    /// Whether its sockets can send datagrams that must not be fragmented.
    pub fn forbids_fragments(self) -> bool {
        cfg!(target_os = "linux") && self == Self::Native
    }
}

/// The options of a socket.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// The system calls to use.
    pub backend: Backend,
    /// Both IPv4 and IPv6 on an IPv6 wildcard.
    pub dual_stack: bool,
    /// TTL or hop limit; `None` is the system's default.
    pub ttl: Option<u32>,
    /// The whole byte: the DSCP is its upper six bits.
    pub traffic_class: Option<u32>,
    /// Whether datagrams may not be fragmented.
    pub dont_fragment: bool,
    /// Over IPv4, set don't-fragment until a datagram is too long for that: the kernel makes an identification for
    /// each datagram that may be fragmented, which costs as much as a route lookup.
    pub dont_fragment_first: bool,
    /// Report the address that a datagram came to (PKTINFO), and reply from it.
    pub local_address: bool,
    /// Bytes of receive buffer; the kernel may grant less.
    pub receive_buffer: Option<usize>,
    /// Send by GSO and receive by GRO: datagrams of one peer and one length as one train.
    pub offload: bool,
    /// Skip the GRO size of each datagram, which costs a cache miss: GRO is enabled once trains have come.
    pub lean: bool,
    /// Share the port with other sockets (SO_REUSEPORT): the kernel steers by the sender's address, unless
    /// `place_messages` says otherwise.
    pub share_port: bool,
    /// Others may be bound to its port later, none before; if it is connected, it keeps what its peer sends.
    pub allow_second_socket: bool,
    /// Have the kernel poll the network device before it sleeps (SO_BUSY_POLL).
    pub busy_poll: bool,
    /// Have the kernel stamp what is received.
    pub stamps: bool,
    /// Have the kernel stamp what is sent, where it can.
    pub tx_stamps: bool,
    /// Report the TTL of what is received.
    pub report_ttl: bool,
    /// Report the traffic class (TOS) of what is received.
    pub report_tos: bool,
    /// Queue the ICMP errors of all peers of an unconnected socket, with the address that each is about (IP_RECVERR).
    pub icmp_errors: bool,
}

/// An entry of a socket's error queue.
pub enum Queued<'a> {
    /// The beginning of a frame that left, and when.
    Sent(Instant, &'a [u8]),
    /// An ICMP error about a datagram to this address.
    IcmpError(SocketAddr, io::Error),
}

/// A UDP socket that never blocks. What a backend cannot do has a default.
pub trait DatagramSocket: Send {
    /// From now on it sends to this address only, and reports the ICMP errors of that peer.
    fn connect(&mut self, remote: SocketAddr) -> io::Result<()>;

    /// The address and port that it is bound to.
    fn local_addr(&self) -> io::Result<SocketAddr>;

    /// Fills the batch with what has arrived; `WouldBlock` if nothing has.
    fn receive(&mut self, batch: &mut Batch) -> io::Result<()>;

    /// Sends the datagrams of a batch whose path is taken, to addresses of the socket's family. `failed` gets each
    /// that failed, counted as they were queued; true repeats it.
    fn send_those(
        &mut self,
        batch: &Batch,
        take: &dyn Fn(Endpoints) -> bool,
        failed: &mut dyn FnMut(usize, &io::Error) -> bool,
    );

    /// Sends one datagram to the connected address.
    fn send_one(&self, datagram: &[u8]) -> io::Result<()>;

    /// Waits until a datagram is there or the time is over.
    fn wait_readable(&self, timeout: Duration) -> io::Result<()>;

    /// The descriptor for `ppoll`; None where the wait is another one.
    fn descriptor(&self) -> Option<i32> {
        None
    }

    /// Another socket on its port and this address of the host, which receives from one peer only, `most` datagrams
    /// per call.
    fn connect_to_peer(&self, _address: IpAddr, _remote: SocketAddr, _most: usize) -> io::Result<Socket> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// A peer's socket receives nothing new; what waits in it stays.
    fn stop_receiving(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Whether other sockets may be bound to its port now.
    fn share_port(&self, _shared: bool) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Steers native messages by their `Place`, from any sender, to this many sockets of its port, which are numbered in
    /// the order in which they were bound.
    fn place_messages(&self, _servers: NonZero<u32>) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Bytes of receive buffer that the kernel granted.
    fn receive_buffer(&self) -> Option<usize> {
        None
    }

    /// Whether the kernel stamps what it receives.
    fn has_stamps(&self) -> bool {
        false
    }

    /// Whether the kernel stamps what it sends.
    fn has_tx_stamps(&self) -> bool {
        false
    }

    /// Passes on the transmit timestamps and ICMP errors that the kernel has queued.
    fn read_error_queue(&mut self, _batch: &mut Batch, _each: &mut dyn FnMut(Queued<'_>)) {}

    /// Whether what it sends may be fragmented from now on. A backend that cannot forbid it allows it.
    fn set_dont_fragment(&mut self, _forbidden: bool) -> io::Result<()> {
        Ok(())
    }

    /// Datagrams dropped because the receive buffer was full, as far as the kernel has said.
    fn overflows(&self) -> u64 {
        0
    }

    /// Its drops and its senders' turns by now.
    fn mark(&self) -> SocketMark {
        SocketMark::default()
    }

    /// Asks the kernel for the number of drops. Otherwise it is known only from the datagrams that came after them.
    fn count_drops(&mut self) {}

    /// Datagrams whose control messages were truncated (MSG_CTRUNC).
    fn truncated(&self) -> u64 {
        0
    }
}

/// A UDP socket of either backend.
pub type Socket = Box<dyn DatagramSocket>;

/// Binds a UDP socket; port 0 takes a free one.
pub fn bind_socket(address: SocketAddr, options: &Options) -> io::Result<Socket> {
    let socket = generic_socket(address, options)?;
    Ok(match options.backend {
        #[cfg(target_os = "linux")]
        Backend::Native => Box::new(linux::Socket::new(socket, address, options)?),
        #[cfg(not(target_os = "linux"))]
        Backend::Native => Box::new(portable::Socket::new(socket)),
        Backend::Portable => Box::new(portable::Socket::new(socket)),
    })
}

/// A socket that never gives a datagram: a stream that is not connected.
#[cfg(all(test, unix))]
pub(super) fn unusable_socket() -> Socket {
    let stream = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
    stream.set_nonblocking(true).unwrap();
    Box::new(portable::Socket::new(stream))
}

/// Why a wait ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Woken {
    /// A request, which stays until `Control::clear`.
    pub stop_requested: bool,
    /// A bit for each socket at which a datagram, or an error, may be; of the first 64.
    pub readable: u64,
}

impl Woken {
    /// Nothing is known: each socket has to be read.
    pub(super) const ALL: Self = Self { stop_requested: false, readable: u64::MAX };
}

/// Waits until a datagram is at one of these sockets, a request comes, or the time is over; it may end earlier.
pub(super) fn wait<'a>(
    sockets: impl Iterator<Item = &'a Socket> + Clone,
    control: &Control,
    timeout: Option<Duration>,
) -> io::Result<Woken> {
    #[cfg(target_os = "linux")]
    if sockets.clone().all(|socket| socket.descriptor().is_some()) {
        return linux::wait(sockets.filter_map(|socket| socket.descriptor()), control, timeout);
    }
    portable::wait(sockets, timeout).map(|()| Woken::ALL)
}

#[cfg(target_os = "linux")]
pub(super) use linux::ReadySet;

/// Only Linux has one.
#[cfg(not(target_os = "linux"))]
pub enum ReadySet {}

#[cfg(not(target_os = "linux"))]
impl ReadySet {
    pub const AT_ONCE: usize = 0;

    pub fn new() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub fn add(&self, _socket: &Socket, _number: u64, _once: bool) -> io::Result<()> {
        match *self {}
    }

    pub fn renumber(&self, _socket: &Socket, _number: u64) -> io::Result<()> {
        match *self {}
    }

    pub fn listen_again(&self, _socket: &Socket, _number: u64) -> io::Result<()> {
        match *self {}
    }

    pub fn wait(
        &mut self,
        _listen: bool,
        _control: &Control,
        _timeout: Option<Duration>,
        _ready: &mut Vec<u64>,
    ) -> io::Result<bool> {
        match *self {}
    }

    pub fn look(&mut self, _ready: &mut Vec<u64>) -> io::Result<()> {
        match *self {}
    }
}

/// Whether something keeps the wall clock in step with UTC, and how far it may be off, where the system tells.
pub fn wall_clock_error() -> Option<(bool, Duration)> {
    #[cfg(target_os = "linux")]
    return linux::wall_clock_error();
    #[cfg(not(target_os = "linux"))]
    None
}

/// Timers of this thread fire when they are due, not up to 50 us later (timer slack).
pub(super) fn set_min_timer_slack() {
    #[cfg(target_os = "linux")]
    linux::set_min_timer_slack();
}

/// As many open files as the administrator allows.
pub(super) fn raise_open_files() {
    #[cfg(target_os = "linux")]
    linux::raise_open_files();
}

/// This thread runs at once when it wakes, before threads with longer time slices.
pub(super) fn request_short_timeslice() {
    #[cfg(target_os = "linux")]
    linux::request_short_timeslice();
}

/// Whether this thread has a real-time priority, as `chrt -f` gives it.
pub(super) fn is_realtime() -> bool {
    #[cfg(target_os = "linux")]
    return linux::is_realtime();
    #[cfg(not(target_os = "linux"))]
    false
}

/// This thread, and those that it starts, never interrupt another because they wake (SCHED_BATCH): they record what
/// others measure.
pub fn use_batch_class() {
    #[cfg(target_os = "linux")]
    linux::use_batch_class();
}

/// The same with a lower priority (nice 10): they show what others measure, and may be late with it.
pub fn lower_priority() {
    #[cfg(target_os = "linux")]
    linux::lower_priority();
}

/// Asks a child process to end (TERM).
pub fn terminate(process: u32) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    return linux::terminate(process);
    #[cfg(not(target_os = "linux"))]
    Err(io::Error::new(io::ErrorKind::Unsupported, format!("no signal for process {process}")))
}

/// The version of the operating system's kernel.
pub fn kernel_release() -> Option<String> {
    std::fs::read_to_string("/proc/sys/kernel/osrelease").ok().map(|text| text.trim().to_owned())
}

/// The name that the host has for itself, where the system tells.
pub fn host_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?.trim().to_owned();
    (!name.is_empty() && name != "(none)").then_some(name)
}

fn generic_socket(address: SocketAddr, options: &Options) -> io::Result<socket2::Socket> {
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::DGRAM, Some(socket2::Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!options.dual_stack)?;
    }
    if let Some(bytes) = options.receive_buffer {
        // The kernel may grant less.
        let _ = socket.set_recv_buffer_size(bytes);
        let _ = socket.set_send_buffer_size(bytes);
    }
    if let Some(ttl) = options.ttl {
        if address.is_ipv4() {
            socket.set_ttl_v4(ttl)?
        } else {
            socket.set_unicast_hops_v6(ttl)?
        }
        if options.dual_stack {
            // Some systems have no such option on these sockets.
            let _ = socket.set_ttl_v4(ttl);
        }
    }
    if let Some(class) = options.traffic_class {
        if address.is_ipv4() { socket.set_tos_v4(class)? } else { set_traffic_class_v6(&socket, class)? }
    }
    #[cfg(unix)]
    socket.set_reuse_port(options.share_port)?;
    socket.bind(&address.into())?;
    #[cfg(unix)]
    if options.allow_second_socket {
        // Only now: two that both share before they are bound may be given the same free port.
        socket.set_reuse_port(true)?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn set_traffic_class_v6(socket: &socket2::Socket, class: u32) -> io::Result<()> {
    #[cfg(unix)]
    return socket.set_tclass_v6(class);
    #[cfg(not(unix))]
    {
        let _ = (socket, class);
        Err(io::Error::new(io::ErrorKind::Unsupported, "no traffic class for IPv6 on this system"))
    }
}
