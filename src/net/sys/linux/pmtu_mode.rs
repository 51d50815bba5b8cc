//! The path MTU mode of a socket: whether the kernel may fragment what it sends. To a datagram that may be fragmented
//! the kernel gives an identification, which costs as much as a route lookup.

use std::io;
use std::os::fd::RawFd;

use super::options::{option, set_option};
use crate::net::sys::Options;

#[derive(Clone, Copy)]
pub(super) struct PmtuMode {
    /// The owner forbids fragments.
    forbidden: bool,
    /// No datagram was too long yet, so none needs to be fragmented.
    not_needed: bool,
    /// The mode set last.
    told_forbidden: bool,
    ipv6: bool,
    dual_stack: bool,
}

impl PmtuMode {
    pub(super) fn new(fd: RawFd, ipv6: bool, options: &Options) -> io::Result<Self> {
        let wanted = Some([libc::IP_PMTUDISC_WANT as u32]);
        let discovers = || option(fd, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER) == wanted;
        // Over IPv6 only fragments have an identification. And some systems are configured without path MTU
        // discovery. A route with a locked MTU is not seen here: what it calls short enough leaves unfragmented.
        let not_needed = options.dont_fragment_first && !ipv6 && discovers();
        let (forbidden, dual_stack) = (options.dont_fragment, options.dual_stack);
        let mut mode = Self { forbidden, not_needed, told_forbidden: false, ipv6, dual_stack };
        mode.tell(fd)?;
        Ok(mode)
    }

    pub(super) fn forbid_fragments(&mut self, fd: RawFd, forbidden: bool) -> io::Result<()> {
        self.forbidden = forbidden;
        self.tell(fd)
    }

    /// A datagram is too long to leave unfragmented: from now on it may be fragmented, unless that is forbidden.
    /// Whether that is new.
    pub(super) fn begin_to_fragment(&mut self, fd: RawFd) -> bool {
        !self.forbidden && std::mem::take(&mut self.not_needed) && self.tell(fd).is_ok()
    }

    /// `WANT` is the kernel's default: it fragments what is longer than the known path MTU.
    fn tell(&mut self, fd: RawFd) -> io::Result<()> {
        let forbidden = self.forbidden || self.not_needed;
        if forbidden == self.told_forbidden {
            return Ok(());
        }
        if self.ipv6 {
            let value = if forbidden { libc::IPV6_PMTUDISC_DO } else { libc::IPV6_PMTUDISC_WANT };
            set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, value)?;
        }
        if !self.ipv6 || self.dual_stack {
            let value = if forbidden { libc::IP_PMTUDISC_DO } else { libc::IP_PMTUDISC_WANT };
            set_option(fd, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, value)?;
        }
        self.told_forbidden = forbidden;
        Ok(())
    }
}
