//! Linux: batches by recvmmsg and sendmmsg; stamps, time to live, local address and drop counter by
//! control messages; waits in nanoseconds by ppoll.
#![allow(unsafe_code)]

use std::io;
use std::mem::{size_of, zeroed};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, RawFd};
use std::ptr;

use libc::{c_int, c_void};

use super::{Batch, Control, Options, Slot};
use crate::reflect::Path;
use crate::time::{Duration, Instant};

/// The sum of all that can be enabled at once: a stamp (timespec), the drop counter (u32), the time
/// to live and the traffic class (int each), an IPv6 packet info (20 bytes).
const CONTROL: usize = space(16) + space(4) + space(4) + space(4) + space(20);

const fn space(payload: usize) -> usize {
    // SAFETY: CMSG_SPACE only computes.
    unsafe { libc::CMSG_SPACE(payload as u32) as usize }
}

#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct ControlBuffer([u8; CONTROL]);

pub struct Socket {
    socket: socket2::Socket,
    /// The reply leaves from the address that its probe came to.
    local_address: bool,
    ipv6: bool,
    overflows: u64,
    /// The drop counter is 32 bits wide.
    last_overflow: u32,
    headers: Headers,
}

/// What the kernel reads and writes, kept from call to call. Every pointer in it is set anew before
/// each call.
struct Headers {
    messages: Vec<libc::mmsghdr>,
    vectors: Vec<libc::iovec>,
    names: Vec<libc::sockaddr_storage>,
    controls: Vec<ControlBuffer>,
}

// SAFETY: the pointers inside `Headers` are only followed during a call of its owner, which sets
// them first.
unsafe impl Send for Headers {}

impl Headers {
    fn resize(&mut self, count: usize) {
        if self.messages.len() < count {
            // SAFETY: all-zero is a valid value of these plain C structures.
            unsafe {
                self.messages.resize(count, zeroed());
                self.vectors.resize(count, zeroed());
                self.names.resize(count, zeroed());
            }
            self.controls.resize(count, ControlBuffer([0; CONTROL]));
        }
    }
}

impl Socket {
    pub fn new(socket: socket2::Socket, address: SocketAddr, options: &Options) -> io::Result<Self> {
        let fd = socket.as_raw_fd();
        set_option(fd, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)?;
        set_option(fd, libc::SOL_SOCKET, libc::SO_RXQ_OVFL, 1)?;
        let ipv6 = address.is_ipv6();
        if ipv6 {
            set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_RECVHOPLIMIT, 1)?;
            if options.dual_stack {
                set_option(fd, libc::IPPROTO_IP, libc::IP_RECVTTL, 1)?;
            }
        } else {
            set_option(fd, libc::IPPROTO_IP, libc::IP_RECVTTL, 1)?;
        }
        if options.local_address {
            let (level, name) = if ipv6 {
                (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO)
            } else {
                (libc::IPPROTO_IP, libc::IP_PKTINFO)
            };
            set_option(fd, level, name, 1)?;
        }
        if options.dont_fragment {
            let (level, name, value) = if ipv6 {
                (libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_DO)
            } else {
                (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_DO)
            };
            set_option(fd, level, name, value)?;
        }
        let headers =
            Headers { messages: Vec::new(), vectors: Vec::new(), names: Vec::new(), controls: Vec::new() };
        Ok(Self {
            socket,
            local_address: options.local_address,
            ipv6,
            overflows: 0,
            last_overflow: 0,
            headers,
        })
    }

    pub fn connect(&self, remote: SocketAddr) -> io::Result<()> {
        self.socket.connect(&remote.into())
    }

    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()?.as_socket().ok_or_else(|| io::Error::other("not an internet socket"))
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
        let capacity = batch.slots.len();
        self.headers.resize(capacity);
        let Headers { messages, vectors, names, controls } = &mut self.headers;
        for (index, buffer) in batch.bytes.chunks_exact_mut(batch.stride).take(capacity).enumerate() {
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
        // SAFETY: each of the `capacity` headers was just pointed at live buffers of the lengths
        // given, which nothing else touches during the call.
        let received = unsafe {
            libc::recvmmsg(
                self.socket.as_raw_fd(),
                messages.as_mut_ptr(),
                capacity as u32,
                libc::MSG_DONTWAIT,
                ptr::null_mut(),
            )
        };
        if received < 0 {
            return Err(io::Error::last_os_error());
        }
        for index in 0..received as usize {
            let message = &self.headers.messages[index];
            let ancillary = read_control(&message.msg_hdr);
            let remote = read_address(&self.headers.names[index]);
            batch.slots[index] = Slot {
                path: Path { remote, local: ancillary.local },
                length: message.msg_len as usize,
                leaves: false,
                stamp: ancillary.stamp,
                ttl: ancillary.ttl,
            };
            if let Some(count) = ancillary.overflow {
                self.overflows += u64::from(count.wrapping_sub(self.last_overflow));
                self.last_overflow = count;
            }
        }
        batch.used = received as usize;
        Ok(())
    }

    pub fn send(&mut self, batch: &Batch, mut failed: impl FnMut(Path, io::Error)) {
        let paths: Vec<Path> = self.prepare(batch);
        let mut start = 0;
        while start < paths.len() {
            let messages = &mut self.headers.messages[start..paths.len()];
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
            match error.kind() {
                io::ErrorKind::Interrupted => {}
                io::ErrorKind::WouldBlock => wait_writable(self.socket.as_raw_fd()),
                _ => {
                    failed(paths[start], error);
                    start += 1;
                }
            }
        }
    }

    /// Points headers at all that is to be sent; returns their paths.
    fn prepare(&mut self, batch: &Batch) -> Vec<Path> {
        self.headers.resize(batch.len());
        let mut paths = Vec::with_capacity(batch.len());
        for index in 0..batch.len() {
            if !batch.slot(index).leaves {
                continue;
            }
            let datagram = batch.datagram(index);
            let at = paths.len();
            let path = batch.slot(index).path;
            let Headers { messages, vectors, names, controls } = &mut self.headers;
            vectors[at] =
                libc::iovec { iov_base: datagram.as_ptr().cast_mut().cast(), iov_len: datagram.len() };
            let header = &mut messages[at].msg_hdr;
            header.msg_namelen = write_address(path.remote, &mut names[at]);
            header.msg_name = ptr::from_mut(&mut names[at]).cast();
            header.msg_iov = &raw mut vectors[at];
            header.msg_iovlen = 1;
            header.msg_flags = 0;
            header.msg_control = ptr::null_mut();
            header.msg_controllen = 0;
            if let (true, Some(local)) = (self.local_address, path.local) {
                write_source(local, self.ipv6, header, &mut controls[at]);
            }
            paths.push(path);
        }
        paths
    }
}

/// What control messages told of a datagram.
#[derive(Default)]
struct Ancillary {
    stamp: Option<Instant>,
    ttl: Option<u8>,
    local: Option<IpAddr>,
    overflow: Option<u32>,
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

/// Has the datagram leave from this address.
fn write_source(local: IpAddr, ipv6: bool, header: &mut libc::msghdr, control: &mut ControlBuffer) {
    header.msg_control = ptr::from_mut(control).cast();
    header.msg_controllen = CONTROL as _;
    // SAFETY: the control buffer is aligned, zeroed here, and has room for either packet info; the
    // length is then cut to what was written.
    unsafe {
        *control = ControlBuffer([0; CONTROL]);
        let message = libc::CMSG_FIRSTHDR(header);
        if ipv6 {
            let address = match local {
                IpAddr::V4(ip) => ip.to_ipv6_mapped(),
                IpAddr::V6(ip) => ip,
            };
            let info = libc::in6_pktinfo {
                ipi6_addr: libc::in6_addr { s6_addr: address.octets() },
                ipi6_ifindex: 0,
            };
            put_payload(message, libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &info);
            header.msg_controllen = space(size_of::<libc::in6_pktinfo>()) as _;
        } else if let IpAddr::V4(ip) = local {
            let source = libc::in_addr { s_addr: ip.to_bits().to_be() };
            let info = libc::in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: source,
                ipi_addr: libc::in_addr { s_addr: 0 },
            };
            put_payload(message, libc::IPPROTO_IP, libc::IP_PKTINFO, &info);
            header.msg_controllen = space(size_of::<libc::in_pktinfo>()) as _;
        }
    }
}

/// # Safety
/// `message` points at a control message header with room for the payload.
unsafe fn put_payload<T>(message: *mut libc::cmsghdr, level: c_int, kind: c_int, payload: &T) {
    // SAFETY: by this function's contract.
    unsafe {
        (*message).cmsg_level = level;
        (*message).cmsg_type = kind;
        (*message).cmsg_len = libc::CMSG_LEN(size_of::<T>() as u32) as _;
        libc::CMSG_DATA(message).cast::<T>().write_unaligned(ptr::from_ref(payload).read());
    }
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

pub fn wait(sockets: &[super::Socket], control: &Control, timeout: Option<Duration>) -> io::Result<()> {
    let watch = |fd: RawFd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    let mut watched: Vec<libc::pollfd> = Vec::with_capacity(sockets.len() + 1);
    watched.push(watch(control.pipe().as_raw_fd()));
    for socket in sockets {
        if let super::Socket::Linux(socket) = socket {
            watched.push(watch(socket.socket.as_raw_fd()));
        }
    }
    poll(&mut watched, timeout)?;
    if watched[0].revents != 0 {
        control.clear();
    }
    Ok(())
}

pub fn sharpen_timers() {
    // SAFETY: takes no pointer. A refusal leaves the timers as they were.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1, 0, 0, 0) };
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
