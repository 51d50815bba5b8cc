//! Whether what a socket sends may be fragmented. To a datagram that may, the kernel gives an
//! identification, which costs as much as looking up its route.

use std::io;
use std::os::fd::{AsRawFd, RawFd};

use super::Socket;
use super::options::{option, set_option};
use crate::net::sys::Options;

#[derive(Clone, Copy)]
pub struct Fragments {
    forbidden: bool,
    /// Nothing was too long yet, and nothing before needs to be fragmented.
    not_yet: bool,
    /// What the kernel was told.
    whole: bool,
    ipv6: bool,
    dual_stack: bool,
}

impl Fragments {
    pub fn new(fd: RawFd, ipv6: bool, options: &Options) -> io::Result<Self> {
        let wanted = Some([libc::IP_PMTUDISC_WANT as u32]);
        let discovers = || option(fd, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER) == wanted;
        // Over IPv6 only fragments bear an identification. And some systems are told to find no MTUs. Of a
        // route whose MTU is locked nothing is known here: what it says to be short enough leaves whole.
        let not_yet = options.whole_at_first && !ipv6 && discovers();
        let forbidden = options.dont_fragment;
        let mut fragments = Self { forbidden, not_yet, whole: false, ipv6, dual_stack: options.dual_stack };
        fragments.tell(fd)?;
        Ok(fragments)
    }

    /// `WANT` is what the system does by default: it fragments what is longer than the path is known to
    /// carry.
    fn tell(&mut self, fd: RawFd) -> io::Result<()> {
        let whole = self.forbidden || self.not_yet;
        if whole == self.whole {
            return Ok(());
        }
        if self.ipv6 {
            let value = if whole { libc::IPV6_PMTUDISC_DO } else { libc::IPV6_PMTUDISC_WANT };
            set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, value)?;
        }
        if !self.ipv6 || self.dual_stack {
            let value = if whole { libc::IP_PMTUDISC_DO } else { libc::IP_PMTUDISC_WANT };
            set_option(fd, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, value)?;
        }
        self.whole = whole;
        Ok(())
    }
}

impl Socket {
    pub fn set_whole(&mut self, whole: bool) -> io::Result<()> {
        self.fragments.forbidden = whole;
        self.fragments.tell(self.socket.as_raw_fd())
    }

    /// Something is too long to leave whole: from now on it is fragmented, unless that is forbidden.
    /// Whether that is new.
    pub(super) fn begin_to_fragment(&mut self) -> bool {
        let Fragments { forbidden, not_yet, .. } = &mut self.fragments;
        !*forbidden && std::mem::take(not_yet) && self.fragments.tell(self.socket.as_raw_fd()).is_ok()
    }
}
