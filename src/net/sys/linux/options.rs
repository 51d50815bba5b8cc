//! The socket options, each at the level of its family.

use std::io;
use std::mem::size_of;
use std::os::fd::RawFd;
use std::ptr;

use libc::{c_int, c_void};

use crate::net::sys::Options;

const BUSY_POLL_US: c_int = 50;

/// Sets everything but the path MTU mode, which can change.
pub(super) fn set_all(fd: RawFd, ipv6: bool, options: &Options) -> io::Result<()> {
    set_option(fd, libc::SOL_SOCKET, libc::SO_RXQ_OVFL, 1)?;
    if options.report_ttl {
        if ipv6 {
            set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_RECVHOPLIMIT, 1)?;
        }
        if !ipv6 || options.dual_stack {
            set_option(fd, libc::IPPROTO_IP, libc::IP_RECVTTL, 1)?;
        }
    }
    if options.report_tos {
        if ipv6 {
            set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_RECVTCLASS, 1)?;
        }
        if !ipv6 || options.dual_stack {
            set_option(fd, libc::IPPROTO_IP, libc::IP_RECVTOS, 1)?;
        }
    }
    if options.local_address {
        let (level, name) = if ipv6 {
            (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO)
        } else {
            // Says as much as IP_PKTINFO for less. A datagram to a broadcast address cannot be answered from there,
            // and should not be: that reply fails.
            (libc::IPPROTO_IP, libc::IP_RECVORIGDSTADDR)
        };
        set_option(fd, level, name, 1)?;
    }
    if options.icmp_errors {
        let (level, name) = match ipv6 {
            true => (libc::IPPROTO_IPV6, libc::IPV6_RECVERR),
            false => (libc::IPPROTO_IP, libc::IP_RECVERR),
        };
        set_option(fd, level, name, 1)?;
    }
    if options.offload && !options.lean {
        enable_gro(fd);
    }
    if let Some(bytes) = options.receive_buffer {
        // Beyond the system's limit, with CAP_NET_ADMIN.
        let bytes = c_int::try_from(bytes).unwrap_or(c_int::MAX);
        let _ = set_option(fd, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, bytes);
        let _ = set_option(fd, libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, bytes);
    }
    if options.busy_poll {
        // Needs CAP_NET_ADMIN on some kernels, and a device that can be polled.
        let _ = set_option(fd, libc::SOL_SOCKET, libc::SO_BUSY_POLL, BUSY_POLL_US);
    }
    Ok(())
}

/// The kernel stamps what is received from now on; whether it can.
pub(super) fn receive_stamps(fd: RawFd) -> bool {
    set_option(fd, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1).is_ok()
}

/// The kernel stamps what is sent from now on, and queues each timestamp with the socket's errors; whether it can.
pub(super) fn send_stamps(fd: RawFd) -> bool {
    let flags = libc::SOF_TIMESTAMPING_TX_SOFTWARE | libc::SOF_TIMESTAMPING_SOFTWARE;
    set_option(fd, libc::SOL_SOCKET, libc::SO_TIMESTAMPING, flags as c_int).is_ok()
}

/// The kernel delivers a GRO train as one from now on. One older than 5.0 delivers single datagrams.
pub(super) fn enable_gro(fd: RawFd) {
    let _ = set_option(fd, libc::SOL_UDP, libc::UDP_GRO, 1);
}

/// The kernel's count of datagrams dropped at this socket.
pub(super) fn drops(fd: RawFd) -> Option<u32> {
    const SO_MEMINFO: c_int = 55;
    const DROPS: usize = libc::SK_MEMINFO_DROPS as usize;
    option::<{ DROPS + 1 }>(fd, libc::SOL_SOCKET, SO_MEMINFO).map(|told| told[DROPS])
}

/// The value of an option that is an array of N numbers.
pub(super) fn option<const N: usize>(fd: RawFd, level: c_int, name: c_int) -> Option<[u32; N]> {
    let mut value = [0; N];
    let mut length = size_of_val(&value) as libc::socklen_t;
    let pointer = value.as_mut_ptr().cast::<c_void>();
    // SAFETY: the pointer and the length are those of one array, which the kernel fills as far as it can.
    let result = unsafe { libc::getsockopt(fd, level, name, pointer, &raw mut length) };
    (result == 0 && length as usize == size_of_val(&value)).then_some(value)
}

pub(super) fn set_option(fd: RawFd, level: c_int, name: c_int, value: c_int) -> io::Result<()> {
    let pointer = ptr::from_ref(&value).cast::<c_void>();
    // SAFETY: the pointer and the length are those of one int, which all these options take.
    let result = unsafe { libc::setsockopt(fd, level, name, pointer, size_of::<c_int>() as u32) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn a_descriptor_without_timestamps_is_no_error() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(receive_stamps(socket.as_raw_fd()) && send_stamps(socket.as_raw_fd()));
        let (reader, _writer) = io::pipe().unwrap();
        assert!(!receive_stamps(reader.as_raw_fd()) && !send_stamps(reader.as_raw_fd()));
    }
}
