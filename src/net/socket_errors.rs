//! Socket errors: what each means, and whether to continue, pause or give up.

use std::io;
use std::time::Duration;

use crate::probe::{SocketError, SocketErrorKind, SocketOperation};

/// How bad an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Severity {
    /// No error: no datagram waits, or a signal interrupted the call.
    WouldBlock,
    /// About one datagram, one peer or one route: the next call may succeed.
    Transient,
    /// The system is short of memory, buffers or descriptors.
    Shortage,
    /// EINVAL: either the call is wrong, which stays so, or the kernel saw a passing state.
    Suspicious,
    /// No call on this socket will ever succeed.
    Fatal,
}

/// The reaction to an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ErrorAction {
    Continue,
    /// Continue after a millisecond: an immediate retry would fail again.
    Pause,
    GiveUp,
}

impl Severity {
    pub(super) fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted | io::ErrorKind::TimedOut => {
                return Self::WouldBlock;
            }
            io::ErrorKind::OutOfMemory => return Self::Shortage,
            _ => {}
        }
        let Some(code) = error.raw_os_error() else { return Self::Transient };
        match code {
            _ if codes::SHORTAGES.contains(&code) => Self::Shortage,
            _ if codes::FATAL.contains(&code) => Self::Fatal,
            codes::INVALID => Self::Suspicious,
            _ => Self::Transient,
        }
    }
}

/// Whether this error says that a datagram is longer than the path carries.
pub(super) fn is_too_long(code: i32) -> bool {
    #[cfg(unix)]
    return code == libc::EMSGSIZE;
    #[cfg(not(unix))]
    return code == 10_040;
}

/// The error as data, for the client.
pub(super) fn socket_error(operation: SocketOperation, error: &io::Error) -> SocketError {
    SocketError { operation, kind: kind_of(error), code: error.raw_os_error() }
}

fn kind_of(error: &io::Error) -> SocketErrorKind {
    use io::ErrorKind::{HostUnreachable, NetworkUnreachable, PermissionDenied};
    match error.kind() {
        HostUnreachable => SocketErrorKind::HostUnreachable,
        NetworkUnreachable => SocketErrorKind::NetworkUnreachable,
        // EPERM and EACCES are one kind.
        PermissionDenied if error.raw_os_error() == Some(codes::NOT_PERMITTED) => {
            SocketErrorKind::NotPermitted
        }
        PermissionDenied => SocketErrorKind::Prohibited,
        _ => SocketErrorKind::Other,
    }
}

/// The kernel's own words, and what they mean where they mislead.
pub fn describe(error: &io::Error) -> String {
    let meaning = match kind_of(error) {
        SocketErrorKind::NotPermitted => "a firewall on this host drops the datagrams",
        SocketErrorKind::Prohibited => {
            "prohibited by a route of this host or, by ICMP, by a firewall on the path"
        }
        SocketErrorKind::HostUnreachable => {
            "no neighbour or route there, or, by ICMP, a firewall on the path prohibits it"
        }
        SocketErrorKind::NetworkUnreachable => "no route of this host leads there",
        SocketErrorKind::Other => return error.to_string(),
    };
    format!("{error}: {meaning}")
}

/// The same of a client's error.
pub fn describe_client_error(error: SocketError) -> String {
    match error.code {
        Some(code) => describe(&io::Error::from_raw_os_error(code)),
        None => "the system does not say why".to_owned(),
    }
}

impl ErrorAction {
    const PAUSE: Duration = Duration::from_millis(1);

    /// Pauses if told so; returns the error when it is time to give up.
    pub(super) fn apply(self, error: io::Error) -> io::Result<()> {
        match self {
            Self::Continue => {}
            Self::Pause => std::thread::sleep(Self::PAUSE),
            Self::GiveUp => return Err(error),
        }
        Ok(())
    }
}

/// How many errors in a row are tolerated, so that none becomes an endless loop.
#[derive(Clone, Debug, Default)]
pub(super) struct ErrorBudget {
    in_a_row: u32,
}

impl ErrorBudget {
    /// As many peers may each have an ICMP error queued.
    const AT_ONCE: u32 = 64;
    const MAX_SUSPICIOUS: u32 = 100;

    /// A call succeeded, or no datagram waited.
    pub(super) fn reset(&mut self) {
        self.in_a_row = 0;
    }

    pub(super) fn on_error(&mut self, error: &io::Error) -> ErrorAction {
        self.in_a_row = self.in_a_row.saturating_add(1);
        match Severity::of(error) {
            Severity::WouldBlock => ErrorAction::Continue,
            Severity::Transient if self.in_a_row <= Self::AT_ONCE => ErrorAction::Continue,
            Severity::Transient | Severity::Shortage => ErrorAction::Pause,
            Severity::Suspicious if self.in_a_row < Self::MAX_SUSPICIOUS => ErrorAction::Pause,
            Severity::Suspicious | Severity::Fatal => ErrorAction::GiveUp,
        }
    }
}

#[cfg(unix)]
mod codes {
    pub(super) const INVALID: i32 = libc::EINVAL;
    pub(super) const NOT_PERMITTED: i32 = libc::EPERM;
    pub(super) const SHORTAGES: &[i32] = &[libc::ENOMEM, libc::ENOBUFS, libc::EMFILE, libc::ENFILE];
    pub(super) const FATAL: &[i32] = &[
        libc::EBADF,
        libc::ENOTSOCK,
        libc::EFAULT,
        libc::ENOSYS,
        libc::EOPNOTSUPP,
        libc::EAFNOSUPPORT,
        libc::EDESTADDRREQ,
    ];
}

/// Winsock error numbers.
#[cfg(not(unix))]
mod codes {
    pub const INVALID: i32 = 10_022;
    /// A firewall of the host has no error of its own.
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
    fn an_error_of_a_route_a_peer_or_a_filter_is_transient() {
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
            assert_eq!(Severity::of(&error(code)), Severity::Transient, "{}", error(code));
            let mut budget = ErrorBudget::default();
            // Any number of them is tolerated, with a pause after each.
            let actions: Vec<_> = (0..10_000).map(|_| budget.on_error(&error(code))).collect();
            assert_eq!((actions[0], actions[9_999]), (ErrorAction::Continue, ErrorAction::Pause));
            assert!(!actions.contains(&ErrorAction::GiveUp));
        }
    }

    #[test]
    fn an_empty_socket_is_no_error() {
        for code in [libc::EAGAIN, libc::EWOULDBLOCK, libc::EINTR] {
            assert_eq!(Severity::of(&error(code)), Severity::WouldBlock);
        }
    }

    #[test]
    fn a_shortage_is_waited_out() {
        for code in [libc::ENOMEM, libc::ENOBUFS, libc::EMFILE, libc::ENFILE] {
            assert_eq!(Severity::of(&error(code)), Severity::Shortage);
            let mut budget = ErrorBudget::default();
            assert!((0..10_000).all(|_| budget.on_error(&error(code)) == ErrorAction::Pause));
        }
        assert_eq!(Severity::of(&io::Error::other("no code")), Severity::Transient);
    }

    #[test]
    fn an_unusable_socket_ends_it_at_once() {
        for code in [libc::EBADF, libc::ENOTSOCK, libc::EFAULT, libc::ENOSYS, libc::EOPNOTSUPP] {
            assert_eq!(Severity::of(&error(code)), Severity::Fatal);
            assert_eq!(ErrorBudget::default().on_error(&error(code)), ErrorAction::GiveUp);
        }
    }

    #[test]
    fn an_invalid_call_ends_it_after_a_hundred_in_a_row() {
        let mut budget = ErrorBudget::default();
        for _ in 0..99 {
            assert_eq!(budget.on_error(&error(libc::EINVAL)), ErrorAction::Pause);
        }
        budget.reset();
        assert_eq!(budget.on_error(&error(libc::EINVAL)), ErrorAction::Pause);
        let last = (0..99).map(|_| budget.on_error(&error(libc::EINVAL))).last();
        assert_eq!(last, Some(ErrorAction::GiveUp));
    }
}
