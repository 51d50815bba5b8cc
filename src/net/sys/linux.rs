//! Linux: batches by recvmmsg and sendmmsg; stamps, time to live, local address and drop counter by
//! control messages; waits in nanoseconds by ppoll.
#![allow(unsafe_code)]

use std::io;
use std::mem::{size_of, zeroed};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::Range;
use std::os::fd::{AsRawFd, RawFd};
use std::ptr;

use libc::{c_int, c_void};

use super::batch::{Arrival, Batch, Letter};
use super::{Control, Options, Woken};
use crate::reflect::Path;
use crate::time::{Duration, Instant};

/// The sum of all that can be enabled at once: a stamp (timespec), the drop counter (u32), the time
/// to live, the traffic class and the length of a train's datagrams (int each), an IPv6 packet info
/// (20 bytes), the stamps of one that was sent (three timespecs) with what else is told of it (16
/// bytes and an address).
const CONTROL: usize = space(16) + space(4) + 3 * space(4) + space(20) + space(48) + space(16 + 28);

const fn space(payload: usize) -> usize {
    // SAFETY: CMSG_SPACE only computes.
    unsafe { libc::CMSG_SPACE(payload as u32) as usize }
}

const BUSY_POLL_US: c_int = 50;

#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct ControlBuffer([u8; CONTROL]);

pub struct Socket {
    socket: socket2::Socket,
    options: Options,
    connected: bool,
    ipv6: bool,
    overflows: u64,
    /// The drop counter is 32 bits wide.
    last_overflow: u32,
    /// How many headers the next call offers: to fill them in takes time.
    offer: usize,
    /// Trains of longer datagrams have been refused: they do not fit the path.
    longest_in_train: usize,
    headers: Headers,
}

/// What the kernel reads and writes, kept from call to call. Every pointer in it is set anew before
/// each call.
#[derive(Default)]
struct Headers {
    messages: Vec<libc::mmsghdr>,
    vectors: Vec<libc::iovec>,
    names: Vec<libc::sockaddr_storage>,
    controls: Vec<ControlBuffer>,
    /// The letter that each message is of.
    letters: Vec<usize>,
}

// SAFETY: the pointers inside `Headers` are only followed during a call of its owner, which sets
// them first.
unsafe impl Send for Headers {}

impl Headers {
    fn resize(&mut self, messages: usize, vectors: usize) {
        // SAFETY: all-zero is a valid value of these plain C structures.
        unsafe {
            if self.messages.len() < messages {
                self.messages.resize(messages, zeroed());
                self.names.resize(messages, zeroed());
                self.controls.resize(messages, ControlBuffer([0; CONTROL]));
            }
            if self.vectors.len() < vectors {
                self.vectors.resize(vectors, zeroed());
            }
        }
    }
}

impl Socket {
    const OFFER_LEAST: usize = 8;
    /// A full send buffer is waited for so many times in one call, a millisecond each: an interface
    /// that stands still must not keep its socket's other peers waiting.
    const WAITS: u32 = 20;

    pub fn new(socket: socket2::Socket, address: SocketAddr, options: &Options) -> io::Result<Self> {
        let fd = socket.as_raw_fd();
        set_option(fd, libc::SOL_SOCKET, libc::SO_RXQ_OVFL, 1)?;
        if options.stamps {
            set_option(fd, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)?;
        }
        if options.sent_stamps {
            let flags = libc::SOF_TIMESTAMPING_TX_SOFTWARE | libc::SOF_TIMESTAMPING_SOFTWARE;
            set_option(fd, libc::SOL_SOCKET, libc::SO_TIMESTAMPING, flags as c_int)?;
        }
        let ipv6 = address.is_ipv6();
        if options.hops {
            if ipv6 {
                set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_RECVHOPLIMIT, 1)?;
            }
            if !ipv6 || options.dual_stack {
                set_option(fd, libc::IPPROTO_IP, libc::IP_RECVTTL, 1)?;
            }
        }
        if options.local_address {
            let (level, name) = if ipv6 {
                (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO)
            } else {
                (libc::IPPROTO_IP, libc::IP_PKTINFO)
            };
            set_option(fd, level, name, 1)?;
        }
        if options.trains {
            // A kernel older than 5.0 knows no trains; then they arrive as single datagrams.
            let _ = set_option(fd, libc::SOL_UDP, libc::UDP_GRO, 1);
        }
        if let Some(bytes) = options.receive_buffer {
            // Beyond the system's limit, for those who may.
            let bytes = c_int::try_from(bytes).unwrap_or(c_int::MAX);
            let _ = set_option(fd, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, bytes);
            let _ = set_option(fd, libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, bytes);
        }
        if options.busy_poll {
            // Needs a privilege on some kernels, and a device that can be polled.
            let _ = set_option(fd, libc::SOL_SOCKET, libc::SO_BUSY_POLL, BUSY_POLL_US);
        }
        let socket = Self {
            socket,
            options: *options,
            connected: false,
            ipv6,
            overflows: 0,
            last_overflow: 0,
            offer: Self::OFFER_LEAST,
            longest_in_train: if options.trains { usize::MAX } else { 0 },
            headers: Headers::default(),
        };
        if options.dont_fragment {
            socket.set_whole(true)?;
        }
        Ok(socket)
    }

    /// `false` is what the system does by default: it fragments what is longer than the path is known
    /// to carry.
    pub fn set_whole(&self, whole: bool) -> io::Result<()> {
        let fd = self.socket.as_raw_fd();
        if self.ipv6 {
            let value = if whole { libc::IPV6_PMTUDISC_DO } else { libc::IPV6_PMTUDISC_WANT };
            set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, value)?;
        }
        if !self.ipv6 || self.options.dual_stack {
            let value = if whole { libc::IP_PMTUDISC_DO } else { libc::IP_PMTUDISC_WANT };
            set_option(fd, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, value)?;
        }
        Ok(())
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

    pub fn overflows(&self) -> u64 {
        self.overflows
    }

    pub fn send_one(&self, datagram: &[u8]) -> io::Result<()> {
        // SAFETY: the pointer and the length are those of one slice.
        let sent = unsafe {
            libc::send(self.socket.as_raw_fd(), datagram.as_ptr().cast(), datagram.len(), libc::MSG_DONTWAIT)
        };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

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

    pub fn send(&mut self, batch: &Batch, mut failed: impl FnMut(usize, &io::Error) -> bool) {
        let mut next = 0;
        let mut waits = Self::WAITS;
        while next < batch.letters.len() {
            next = self.send_from(next, batch, &mut waits, &mut failed);
        }
    }

    /// Sends the letters from this one on, until a train is refused; returns which are left.
    fn send_from(
        &mut self,
        first: usize,
        batch: &Batch,
        waits: &mut u32,
        failed: &mut impl FnMut(usize, &io::Error) -> bool,
    ) -> usize {
        let count = self.prepare(first, batch);
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
                start += (sent as usize).max(1);
                continue;
            }
            let error = io::Error::last_os_error();
            let index = self.headers.letters[start];
            let letter = &batch.letters[index];
            match error.kind() {
                io::ErrorKind::Interrupted => {}
                io::ErrorKind::WouldBlock if *waits > 0 => {
                    *waits -= 1;
                    wait_writable(self.socket.as_raw_fd());
                }
                _ if letter.segments > 1
                    && letter.segment <= self.longest_in_train
                    && is_about_length(&error) =>
                {
                    // Too long for the path, or the device cannot: its datagrams leave one by one.
                    self.longest_in_train = letter.segment - 1;
                    return index;
                }
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
    fn prepare(&mut self, first: usize, batch: &Batch) -> usize {
        let letters = &batch.letters[first..];
        let most = letters.iter().map(|letter| letter.segments).sum::<usize>();
        self.headers.resize(most, most);
        self.headers.letters.clear();
        let mut vector = 0;
        for (index, letter) in (first..).zip(letters) {
            if letter.path.remote.is_ipv6() != self.ipv6 && !self.options.dual_stack {
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

/// What control messages told of a datagram.
#[derive(Default)]
struct Ancillary {
    stamp: Option<Instant>,
    ttl: Option<u8>,
    local: Option<IpAddr>,
    overflow: Option<u32>,
    segment: Option<usize>,
}

fn read_control(header: &libc::msghdr) -> Ancillary {
    let mut ancillary = Ancillary::default();
    // SAFETY: the kernel filled the control buffer that the header points at, and set its length.
    let mut message = unsafe { libc::CMSG_FIRSTHDR(header) };
    while !message.is_null() {
        // SAFETY: CMSG_FIRSTHDR and CMSG_NXTHDR return messages that lie within the buffer.
        let (level, kind) = unsafe { ((*message).cmsg_level, (*message).cmsg_type) };
        match (level, kind) {
            (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
                let time: libc::timespec = read_payload(message);
                ancillary.stamp = Some(Instant::from_nanos(time.tv_sec * 1_000_000_000 + time.tv_nsec));
            }
            // Of what is received it repeats the other stamp.
            (libc::SOL_SOCKET, libc::SCM_TIMESTAMPING) => {
                let [time, _, _]: [libc::timespec; 3] = read_payload(message);
                ancillary.stamp = Some(Instant::from_nanos(time.tv_sec * 1_000_000_000 + time.tv_nsec));
            }
            (libc::SOL_SOCKET, libc::SO_RXQ_OVFL) => ancillary.overflow = Some(read_payload(message)),
            (libc::IPPROTO_IP, libc::IP_TTL) | (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT) => {
                ancillary.ttl = u8::try_from(read_payload::<c_int>(message)).ok();
            }
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                let info: libc::in_pktinfo = read_payload(message);
                // The address that routing would answer from: the one it was sent to, but for broadcasts.
                ancillary.local = Some(Ipv4Addr::from_bits(u32::from_be(info.ipi_spec_dst.s_addr)).into());
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                let info: libc::in6_pktinfo = read_payload(message);
                ancillary.local = Some(Ipv6Addr::from(info.ipi6_addr.s6_addr).into());
            }
            (libc::SOL_UDP, libc::UDP_GRO) => {
                ancillary.segment = usize::try_from(read_payload::<c_int>(message)).ok();
            }
            _ => {}
        }
        // SAFETY: as above.
        message = unsafe { libc::CMSG_NXTHDR(header, message) };
    }
    ancillary
}

/// Reads a control message's payload, which is plain data of the type that its kind says.
fn read_payload<T: Copy>(message: *const libc::cmsghdr) -> T {
    // SAFETY: the kernel wrote a payload of this type; it may be unaligned.
    unsafe { libc::CMSG_DATA(message).cast::<T>().read_unaligned() }
}

/// Has the message leave from this address, and as a train of datagrams of this length.
fn write_control(
    local: Option<IpAddr>,
    ipv6: bool,
    segment: Option<u16>,
    header: &mut libc::msghdr,
    control: &mut ControlBuffer,
) {
    if local.is_none() && segment.is_none() {
        header.msg_control = ptr::null_mut();
        header.msg_controllen = 0;
        return;
    }
    header.msg_control = ptr::from_mut(control).cast();
    header.msg_controllen = CONTROL as _;
    *control = ControlBuffer([0; CONTROL]);
    let mut used = 0;
    // SAFETY: the control buffer is aligned, was zeroed, and has room for a packet info and a length;
    // the header's length is then cut to what was written.
    unsafe {
        let mut message = libc::CMSG_FIRSTHDR(header);
        match local {
            Some(local) if ipv6 => {
                let address = match local {
                    IpAddr::V4(ip) => ip.to_ipv6_mapped(),
                    IpAddr::V6(ip) => ip,
                };
                let info = libc::in6_pktinfo {
                    ipi6_addr: libc::in6_addr { s6_addr: address.octets() },
                    ipi6_ifindex: 0,
                };
                used += put_payload(message, libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &info);
                message = libc::CMSG_NXTHDR(header, message);
            }
            Some(IpAddr::V4(ip)) => {
                let source = libc::in_addr { s_addr: ip.to_bits().to_be() };
                let info = libc::in_pktinfo {
                    ipi_ifindex: 0,
                    ipi_spec_dst: source,
                    ipi_addr: libc::in_addr { s_addr: 0 },
                };
                used += put_payload(message, libc::IPPROTO_IP, libc::IP_PKTINFO, &info);
                message = libc::CMSG_NXTHDR(header, message);
            }
            _ => {}
        }
        if let Some(segment) = segment {
            used += put_payload(message, libc::SOL_UDP, libc::UDP_SEGMENT, &segment);
        }
    }
    header.msg_controllen = used as _;
}

/// # Safety
/// `message` points at a control message header with room for the payload. Returns the room taken.
unsafe fn put_payload<T>(message: *mut libc::cmsghdr, level: c_int, kind: c_int, payload: &T) -> usize {
    // SAFETY: by this function's contract.
    unsafe {
        (*message).cmsg_level = level;
        (*message).cmsg_type = kind;
        (*message).cmsg_len = libc::CMSG_LEN(size_of::<T>() as u32) as _;
        libc::CMSG_DATA(message).cast::<T>().write_unaligned(ptr::from_ref(payload).read());
    }
    space(size_of::<T>())
}

fn read_address(storage: &libc::sockaddr_storage) -> SocketAddr {
    match c_int::from(storage.ss_family) {
        libc::AF_INET6 => {
            // SAFETY: the family says that this is what the storage holds.
            let address = unsafe { &*ptr::from_ref(storage).cast::<libc::sockaddr_in6>() };
            let ip = Ipv6Addr::from(address.sin6_addr.s6_addr);
            std::net::SocketAddrV6::new(
                ip,
                u16::from_be(address.sin6_port),
                address.sin6_flowinfo,
                address.sin6_scope_id,
            )
            .into()
        }
        _ => {
            // SAFETY: only the two internet families occur on these sockets.
            let address = unsafe { &*ptr::from_ref(storage).cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from_bits(u32::from_be(address.sin_addr.s_addr));
            SocketAddr::new(ip.into(), u16::from_be(address.sin_port))
        }
    }
}

/// Returns the length of what was written.
fn write_address(address: SocketAddr, storage: &mut libc::sockaddr_storage) -> u32 {
    match address {
        SocketAddr::V4(v4) => {
            let raw = libc::sockaddr_in {
                sin_family: libc::AF_INET as u16,
                sin_port: v4.port().to_be(),
                sin_addr: libc::in_addr { s_addr: v4.ip().to_bits().to_be() },
                sin_zero: [0; 8],
            };
            // SAFETY: a sockaddr_storage has room and alignment for every address family.
            unsafe { ptr::from_mut(storage).cast::<libc::sockaddr_in>().write(raw) };
            size_of::<libc::sockaddr_in>() as u32
        }
        SocketAddr::V6(v6) => {
            let raw = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as u16,
                sin6_port: v6.port().to_be(),
                sin6_flowinfo: v6.flowinfo(),
                sin6_addr: libc::in6_addr { s6_addr: v6.ip().octets() },
                sin6_scope_id: v6.scope_id(),
            };
            // SAFETY: as above.
            unsafe { ptr::from_mut(storage).cast::<libc::sockaddr_in6>().write(raw) };
            size_of::<libc::sockaddr_in6>() as u32
        }
    }
}

pub fn wait(sockets: &[super::Socket], control: &Control, timeout: Option<Duration>) -> io::Result<Woken> {
    let watch = |fd: RawFd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    let mut watched: Vec<libc::pollfd> = Vec::with_capacity(sockets.len() + 1);
    watched.push(watch(control.pipe().as_raw_fd()));
    for socket in sockets {
        if let super::Socket::Linux(socket) = socket {
            watched.push(watch(socket.socket.as_raw_fd()));
        }
    }
    poll(&mut watched, timeout)?;
    let readable = watched[1..].iter().enumerate().take(64);
    let readable =
        readable.filter(|(_, socket)| socket.revents != 0).fold(0, |bits, (index, _)| bits | 1 << index);
    Ok(Woken { asked: watched[0].revents != 0, readable })
}

pub fn sharpen_timers() {
    // SAFETY: takes no pointer. A refusal leaves the timers as they were.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1, 0, 0, 0) };
}

/// As `sched_setattr` takes it.
#[repr(C)]
struct SchedulingAttributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
}

/// Since Linux 6.12 an ordinary thread may say how long its turns should be; a waking one with shorter
/// turns goes first. The shortest that there is, 100 us. Earlier kernels take no notice.
pub fn ask_for_short_slices() {
    const SLICE: u64 = 100_000;
    // SAFETY: takes no pointer.
    let nice = unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
    let attributes = SchedulingAttributes {
        size: size_of::<SchedulingAttributes>() as u32,
        policy: libc::SCHED_OTHER as u32,
        flags: 0,
        nice,
        priority: 0,
        runtime: SLICE,
        deadline: 0,
        period: 0,
    };
    // SAFETY: the structure is alive, and says its own size. A refusal leaves things as they were.
    unsafe { libc::syscall(libc::SYS_sched_setattr, 0, ptr::from_ref(&attributes), 0) };
}

fn poll(watched: &mut [libc::pollfd], timeout: Option<Duration>) -> io::Result<()> {
    let time = timeout.map(|timeout| {
        let nanos = timeout.as_nanos().max(0);
        libc::timespec { tv_sec: nanos / 1_000_000_000, tv_nsec: nanos % 1_000_000_000 }
    });
    let time = time.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: the pointer and the count are those of one slice; the time is null or alive.
    let ready = unsafe { libc::ppoll(watched.as_mut_ptr(), watched.len() as u64, time, ptr::null()) };
    if ready < 0 {
        let error = io::Error::last_os_error();
        return if error.kind() == io::ErrorKind::Interrupted { Ok(()) } else { Err(error) };
    }
    Ok(())
}

/// What a kernel says of a train that it, or a device, cannot take; no route's or filter's error.
fn is_about_length(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EMSGSIZE | libc::EINVAL | libc::EIO | libc::EOPNOTSUPP | libc::ENOPROTOOPT)
    )
}

/// A full send buffer empties in microseconds; waiting for longer than a millisecond is pointless.
fn wait_writable(fd: RawFd) {
    let mut watched = [libc::pollfd { fd, events: libc::POLLOUT, revents: 0 }];
    let _ = poll(&mut watched, Some(Duration::from_millis(1)));
}

fn set_option(fd: RawFd, level: c_int, name: c_int, value: c_int) -> io::Result<()> {
    let pointer = ptr::from_ref(&value).cast::<c_void>();
    // SAFETY: the pointer and the length are those of one int, which all these options take.
    let result = unsafe { libc::setsockopt(fd, level, name, pointer, size_of::<c_int>() as u32) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
