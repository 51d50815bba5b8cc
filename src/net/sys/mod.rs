//! Sockets, in batches and with stamps where the system has them. The only room with unsafe code.
//!
//! Two backends do the same: `linux` with recvmmsg, sendmmsg and control messages, and `portable`
//! with the standard library alone, for other systems; on Linux it can be asked for, and the tests
//! run against it too.

mod batch;
mod drop_count;
mod fetch;
#[cfg(target_os = "linux")]
mod linux;
mod portable;
mod turns;

use std::io;
use std::net::{IpAddr, SocketAddr};

pub use batch::{Arrival, Batch};
pub use fetch::fetch;

use super::control::Control;
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
    /// Whether a second socket at a connected one's port hears what is not for that one.
    pub fn has_bystanders(self) -> bool {
        cfg!(target_os = "linux") && self == Self::Native
    }

    /// Whether its sockets can send datagrams that nobody may fragment.
    pub fn forbids_fragments(self) -> bool {
        cfg!(target_os = "linux") && self == Self::Native
    }
}

/// What a socket is to be like.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    pub backend: Backend,
    /// Both IPv4 and IPv6 on an IPv6 wildcard.
    pub dual_stack: bool,
    pub ttl: Option<u32>,
    /// The whole byte: the code point is its upper six bits.
    pub traffic_class: Option<u32>,
    pub dont_fragment: bool,
    /// Over IPv4, fragment nothing until something is too long to leave whole: what may be costs more.
    pub whole_at_first: bool,
    /// Report the address that a datagram came to, and answer from it.
    pub local_address: bool,
    /// Bytes of receive buffer; the system may allow less.
    pub receive_buffer: Option<usize>,
    /// Send trains as one, and receive whole what came as such.
    pub trains: bool,
    /// Have nothing told with each datagram for which the kernel reads memory that it need not: trains are
    /// received whole from when some have come, and what is dropped is known when asked (`count_drops`).
    pub sparing: bool,
    /// Share the port with other sockets that do so: each sender always meets the same one.
    pub share_port: bool,
    /// Sockets with `share_port` may be bound to its port later; it keeps what its peer sends.
    pub lends_port: bool,
    /// Have the kernel look at the device before it sleeps, where it can.
    pub busy_poll: bool,
    /// Stamp in the kernel what is received.
    pub stamps: bool,
    /// Have the kernel stamp what is sent, where it can.
    pub tx_stamps: bool,
    /// Tell the time to live of what is received.
    pub hops: bool,
}

/// A UDP socket that never blocks.
pub enum Socket {
    #[cfg(target_os = "linux")]
    Linux(Box<linux::Socket>),
    Portable(portable::Socket),
}

impl Socket {
    pub fn bind(address: SocketAddr, options: &Options) -> io::Result<Self> {
        let socket = generic_socket(address, options)?;
        Ok(match options.backend {
            #[cfg(target_os = "linux")]
            Backend::Native => Self::Linux(Box::new(linux::Socket::new(socket, address, options)?)),
            #[cfg(not(target_os = "linux"))]
            Backend::Native => Self::Portable(portable::Socket::new(socket)?),
            Backend::Portable => Self::Portable(portable::Socket::new(socket)?),
        })
    }

    /// One that will never give a datagram: a stream that nobody is connected to.
    #[cfg(all(test, unix))]
    pub fn useless() -> Self {
        let stream = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
        stream.set_nonblocking(true).unwrap();
        Self::Portable(portable::Socket::new(stream).unwrap())
    }

    /// Another one at its port, but for one address of the host alone: what comes to that address comes
    /// there from now on. All that are bound to the port share it meanwhile.
    pub fn door(&self, address: IpAddr) -> io::Result<Self> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Linux(socket) => socket.door(address).map(|door| Self::Linux(Box::new(door))),
            Self::Portable(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Another one at its port and this address of the host, for one peer alone, which receives so many
    /// datagrams at once at most; what others are sent through it still reaches them.
    pub fn gate(&self, address: IpAddr, remote: SocketAddr, most: usize) -> io::Result<Self> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Linux(socket) => socket.gate(address, remote, most).map(|gate| Self::Linux(Box::new(gate))),
            Self::Portable(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// A gate lets nobody in any more; who is in it already stays.
    pub fn shut(&self) -> io::Result<()> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Linux(socket) => socket.shut(),
            Self::Portable(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Whether others may be bound to its port now.
    pub fn share_port(&self, shared: bool) -> io::Result<()> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Linux(socket) => socket.share_port(shared),
            Self::Portable(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// From now on it talks to this address only, and hears of its ICMP errors.
    pub fn connect(&mut self, remote: SocketAddr) -> io::Result<()> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Linux(socket) => socket.connect(remote),
            Self::Portable(socket) => socket.connect(remote),
        }
    }

    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Linux(socket) => socket.local_addr(),
            Self::Portable(socket) => socket.local_addr(),
        }
    }

    /// Bytes of receive buffer that the system gave, as it counts them, where it tells.
    pub fn receive_buffer(&self) -> Option<usize> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Linux(socket) => socket.receive_buffer(),
            Self::Portable(_) => None,
        }
    }

    /// Whether what it receives bears the kernel's stamp.
    pub fn has_stamps(&self) -> bool {
        match self {
            #[cfg(target_os = "linux")]
            Self::Linux(socket) => socket.has_stamps(),
            Self::Portable(_) => false,
        }
    }

    /// Whether the kernel stamps what it sends.
    pub fn has_tx_stamps(&self) -> bool {
        match self {
            #[cfg(target_os = "linux")]
            Self::Linux(socket) => socket.has_tx_stamps(),
            Self::Portable(_) => false,
        }
    }

    /// Passes on the transmit stamps that the kernel has queued, each with the frame that left then.
    pub fn read_tx_stamps(&mut self, batch: &mut Batch, each: impl FnMut(Instant, &[u8])) {
        match self {
            #[cfg(target_os = "linux")]
            Self::Linux(socket) => socket.read_tx_stamps(batch, each),
            Self::Portable(_) => {}
        }
    }

    /// Fills the batch with what has arrived; `WouldBlock` if nothing has.
    pub fn receive(&mut self, batch: &mut Batch) -> io::Result<()> {
        batch.arrived = 0;
        match self {
            #[cfg(target_os = "linux")]
            Self::Linux(socket) => socket.receive(batch),
            Self::Portable(socket) => socket.receive(batch),
        }
    }

    /// Sends the letters of a batch to addresses of its family, each along its path. Tells which of
    /// its datagrams failed, counted as they were posted; true has it tried again.
    pub fn send(&mut self, batch: &Batch, failed: impl FnMut(usize, &io::Error) -> bool) {
        self.send_those(batch, |_| true, failed);
    }

    /// The same of those letters only that take such a path.
    pub fn send_those(
        &mut self,
        batch: &Batch,
        take: impl Fn(Endpoints) -> bool,
        failed: impl FnMut(usize, &io::Error) -> bool,
    ) {
        match self {
            #[cfg(target_os = "linux")]
            Self::Linux(socket) => socket.send(batch, take, failed),
            Self::Portable(socket) => socket.send(batch, take, failed),
        }
    }

    /// Sends one datagram to the connected address.
    pub fn send_one(&self, datagram: &[u8]) -> io::Result<()> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Linux(socket) => socket.send_one(datagram),
            Self::Portable(socket) => socket.send_one(datagram),
        }
    }

    /// From now on what it sends may be fragmented, or not. A backend that cannot forbid it allows it.
    pub fn set_whole(&mut self, whole: bool) -> io::Result<()> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Linux(socket) => socket.set_whole(whole),
            Self::Portable(_) => Ok(()),
        }
    }

    /// Datagrams dropped because the receive buffer was full, as far as the system has told.
    pub fn overflows(&self) -> u64 {
        match self {
            #[cfg(target_os = "linux")]
            Self::Linux(socket) => socket.overflows(),
            Self::Portable(_) => 0,
        }
    }

    /// What it has been through by now.
    pub fn mark(&self) -> SocketMark {
        match self {
            #[cfg(target_os = "linux")]
            Self::Linux(socket) => socket.mark(),
            Self::Portable(_) => SocketMark::default(),
        }
    }

    /// Asks for the number of those dropped. Else it is known only from the datagrams that came after.
    pub fn count_drops(&mut self) {
        match self {
            #[cfg(target_os = "linux")]
            Self::Linux(socket) => socket.count_drops(),
            Self::Portable(_) => {}
        }
    }

    /// Datagrams of which the kernel told less than it was asked to, for want of room.
    pub fn truncated(&self) -> u64 {
        match self {
            #[cfg(target_os = "linux")]
            Self::Linux(socket) => socket.truncated(),
            Self::Portable(_) => 0,
        }
    }
}

/// Why a wait ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Woken {
    /// A request, which stays until `Control::clear`.
    pub asked: bool,
    /// A bit for each socket at which a datagram, or an error, may be; of the first 64.
    pub readable: u64,
    /// The same of the socket beside them.
    pub beside: bool,
}

impl Woken {
    /// Nothing is known: each socket has to be looked at.
    pub const LOOK: Self = Self { asked: false, readable: u64::MAX, beside: true };
}

/// Waits until a datagram is there, if that is to be listened for, one is at the socket beside, a
/// request comes, or the time is over; it may be for less.
pub fn wait(
    sockets: &[Socket],
    listen: bool,
    beside: Option<&Socket>,
    control: &Control,
    timeout: Option<Duration>,
) -> io::Result<Woken> {
    match sockets.first() {
        #[cfg(target_os = "linux")]
        Some(Socket::Linux(_)) => linux::wait(if listen { sockets } else { &[] }, beside, control, timeout),
        _ => portable::wait(sockets, timeout).map(|()| Woken::LOOK),
    }
}

/// Lets this thread's timers fire when they are due, not up to 50 us later.
pub fn sharpen_timers() {
    #[cfg(target_os = "linux")]
    linux::sharpen_timers();
}

/// Lets this thread run at once when it wakes, for a short time each: whoever computes beside it has
/// longer turns, and waits.
pub fn ask_for_short_slices() {
    #[cfg(target_os = "linux")]
    linux::ask_for_short_slices();
}

/// Whether nothing ordinary interrupts this thread.
pub fn runs_ahead_of_all() -> bool {
    #[cfg(target_os = "linux")]
    return linux::runs_ahead_of_all();
    #[cfg(not(target_os = "linux"))]
    false
}

/// This thread, and those that it starts, keep what others measure: those go first, whatever priority
/// the program was given.
pub fn give_way() {
    #[cfg(target_os = "linux")]
    linux::give_way();
}

/// This thread, and those that it starts, only show what others measure, and can be late with it.
pub fn stay_behind() {
    #[cfg(target_os = "linux")]
    linux::stay_behind();
}

/// The version of the operating system's kernel.
pub fn kernel_release() -> Option<String> {
    std::fs::read_to_string("/proc/sys/kernel/osrelease").ok().map(|text| text.trim().to_owned())
}

/// As the host calls itself, where the system tells.
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
        // A smaller buffer than asked for is still a buffer.
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
    if options.lends_port {
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
