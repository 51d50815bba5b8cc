//! What an error of a socket means to whoever goes on using it, and for how long errors are borne.

use std::io;
use std::time::Duration;

/// How bad an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing is wrong: nothing is there, or somebody called.
    None,
    /// It was about one datagram, one peer or one route: the next is another matter.
    Passing,
    /// The system is short of something.
    Shortage,
    /// Either the call is wrong, which stays so, or the kernel looked at a moment's state.
    Odd,
    /// No call on this socket will ever succeed.
    Fatal,
}

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    GoOn,
    /// Go on a little later: at once it would be the same.
    Pause,
    GiveUp,
}

impl Trouble {
    pub fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted | io::ErrorKind::TimedOut => {
                return Self::None;
            }
            io::ErrorKind::OutOfMemory => return Self::Shortage,
            _ => {}
        }
        let Some(code) = error.raw_os_error() else { return Self::Passing };
        match code {
            _ if codes::SHORTAGES.contains(&code) => Self::Shortage,
            _ if codes::FATAL.contains(&code) => Self::Fatal,
            codes::INVALID => Self::Odd,
            _ => Self::Passing,
        }
    }
}

/// Whether this error of a system says that a datagram is too long for the way.
pub fn is_too_long(code: i32) -> bool {
    #[cfg(unix)]
    return code == libc::EMSGSIZE;
    #[cfg(not(unix))]
    return code == 10_040;
}

/// What an error of sending says, and what it means where the system's own words mislead.
pub fn in_words(error: &io::Error) -> String {
    use io::ErrorKind::{HostUnreachable, NetworkUnreachable, PermissionDenied};
    let meaning = match error.kind() {
        // Of EPERM and EACCES, which are one kind.
        PermissionDenied if error.raw_os_error() == Some(codes::NOT_PERMITTED) => {
            "a firewall on this host drops the datagrams"
        }
        PermissionDenied => "prohibited by a route of this host or, by ICMP, by a firewall on the path",
        HostUnreachable => "no neighbour or route there, or, by ICMP, a firewall on the path prohibits it",
        NetworkUnreachable => "no route of this host leads there",
        _ => return error.to_string(),
    };
    format!("{error}: {meaning}")
}

impl Verdict {
    const PAUSE: Duration = Duration::from_millis(1);

    /// Waits if that is the verdict; the error comes back if it is to be borne no longer.
    pub fn obey(self, error: io::Error) -> io::Result<()> {
        match self {
            Self::GoOn => {}
            Self::Pause => std::thread::sleep(Self::PAUSE),
            Self::GiveUp => return Err(error),
        }
        Ok(())
    }
}

/// How many errors in a row are borne, so that none makes a loop without an end.
#[derive(Clone, Debug, Default)]
pub struct Patience {
    in_a_row: u32,
}

impl Patience {
    /// As a queue of errors of as many peers.
    const AT_ONCE: u32 = 64;
    const ODD_MOST: u32 = 100;

    /// A call succeeded, or there was nothing to do.
    pub fn renew(&mut self) {
        self.in_a_row = 0;
    }

    pub fn after(&mut self, error: &io::Error) -> Verdict {
        self.in_a_row = self.in_a_row.saturating_add(1);
        match Trouble::of(error) {
            Trouble::None => Verdict::GoOn,
            Trouble::Passing if self.in_a_row <= Self::AT_ONCE => Verdict::GoOn,
            Trouble::Passing | Trouble::Shortage => Verdict::Pause,
            Trouble::Odd if self.in_a_row < Self::ODD_MOST => Verdict::Pause,
            Trouble::Odd | Trouble::Fatal => Verdict::GiveUp,
        }
    }
}

#[cfg(unix)]
mod codes {
    pub const INVALID: i32 = libc::EINVAL;
    pub const NOT_PERMITTED: i32 = libc::EPERM;
    pub const SHORTAGES: &[i32] = &[libc::ENOMEM, libc::ENOBUFS, libc::EMFILE, libc::ENFILE];
    pub const FATAL: &[i32] = &[
        libc::EBADF,
        libc::ENOTSOCK,
        libc::EFAULT,
        libc::ENOSYS,
        libc::EOPNOTSUPP,
        libc::EAFNOSUPPORT,
        libc::EDESTADDRREQ,
    ];
}

/// Of Windows, whose sockets count from 10,000.
#[cfg(not(unix))]
mod codes {
    pub const INVALID: i32 = 10_022;
    /// What a firewall of the host says there is no error of its own for.
    pub const NOT_PERMITTED: i32 = -1;
    pub const SHORTAGES: &[i32] = &[10_055, 10_024];
    pub const FATAL: &[i32] = &[10_009, 10_038, 10_014, 10_045, 10_047, 10_039, 10_093];
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn error(code: i32) -> io::Error {
        io::Error::from_raw_os_error(code)
    }

    #[test]
    fn what_a_route_a_peer_or_a_filter_does_passes() {
        for code in [
            libc::EPERM,
            libc::EACCES,
            libc::ENETUNREACH,
            libc::EHOSTUNREACH,
            libc::EHOSTDOWN,
            libc::ENETDOWN,
            libc::ECONNREFUSED,
            libc::ECONNRESET,
            libc::EMSGSIZE,
            libc::EADDRNOTAVAIL,
            libc::ENODEV,
            libc::EPIPE,
            libc::EIO,
        ] {
            assert_eq!(Trouble::of(&error(code)), Trouble::Passing, "{}", error(code));
            let mut patience = Patience::default();
            // A storm of them is borne for ever, but not without a pause.
            let verdicts: Vec<_> = (0..10_000).map(|_| patience.after(&error(code))).collect();
            assert_eq!((verdicts[0], verdicts[9_999]), (Verdict::GoOn, Verdict::Pause));
            assert!(!verdicts.contains(&Verdict::GiveUp));
        }
    }

    #[test]
    fn nothing_there_is_no_error() {
        for code in [libc::EAGAIN, libc::EWOULDBLOCK, libc::EINTR] {
            assert_eq!(Trouble::of(&error(code)), Trouble::None);
        }
    }

    #[test]
    fn a_shortage_is_waited_out() {
        for code in [libc::ENOMEM, libc::ENOBUFS, libc::EMFILE, libc::ENFILE] {
            assert_eq!(Trouble::of(&error(code)), Trouble::Shortage);
            let mut patience = Patience::default();
            assert!((0..10_000).all(|_| patience.after(&error(code)) == Verdict::Pause));
        }
        assert_eq!(Trouble::of(&io::Error::other("no code")), Trouble::Passing);
    }

    #[test]
    fn a_socket_that_is_none_ends_it_at_once() {
        for code in [libc::EBADF, libc::ENOTSOCK, libc::EFAULT, libc::ENOSYS, libc::EOPNOTSUPP] {
            assert_eq!(Trouble::of(&error(code)), Trouble::Fatal);
            assert_eq!(Patience::default().after(&error(code)), Verdict::GiveUp);
        }
    }

    #[test]
    fn an_invalid_call_ends_it_if_it_stays_so() {
        let mut patience = Patience::default();
        for _ in 0..99 {
            assert_eq!(patience.after(&error(libc::EINVAL)), Verdict::Pause);
        }
        patience.renew();
        assert_eq!(patience.after(&error(libc::EINVAL)), Verdict::Pause);
        let last = (0..99).map(|_| patience.after(&error(libc::EINVAL))).last();
        assert_eq!(last, Some(Verdict::GiveUp));
    }
}
