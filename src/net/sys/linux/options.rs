//! The options of a socket, each where its family has it.

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, RawFd};
use std::ptr;

use libc::{c_int, c_void};

use super::Socket;
use crate::net::sys::Options;

const BUSY_POLL_US: c_int = 50;

/// Has the system do what these options ask of it, but for `dont_fragment`, which can change.
pub fn set_all(fd: RawFd, ipv6: bool, options: &Options) -> io::Result<()> {
    set_option(fd, libc::SOL_SOCKET, libc::SO_RXQ_OVFL, 1)?;
    if options.stamps {
        set_option(fd, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)?;
    }
    if options.sent_stamps {
        let flags = libc::SOF_TIMESTAMPING_TX_SOFTWARE | libc::SOF_TIMESTAMPING_SOFTWARE;
        set_option(fd, libc::SOL_SOCKET, libc::SO_TIMESTAMPING, flags as c_int)?;
    }
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
            // Tells as much as packet info for less. What came by a network's broadcast cannot be answered
            // from there, and should not be: that answer fails.
            (libc::IPPROTO_IP, libc::IP_RECVORIGDSTADDR)
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
    Ok(())
}

impl Socket {
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
}

fn set_option(fd: RawFd, level: c_int, name: c_int, value: c_int) -> io::Result<()> {
    let pointer = ptr::from_ref(&value).cast::<c_void>();
    // SAFETY: the pointer and the length are those of one int, which all these options take.
    let result = unsafe { libc::setsockopt(fd, level, name, pointer, size_of::<c_int>() as u32) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
