//! How long a client sends no probe to a server that said that it ends.

use crate::time::{Duration, Instant};

/// A server is excused for a minute at most between two answered probes, however often it says that it ends and
/// opens another session.
#[derive(Debug, Default)]
pub(super) enum Absence {
    #[default]
    NotAnnounced,
    /// No probe is sent until then.
    Until(Instant),
    /// A session with its successor is open, and no probe of it is answered yet. If the successor ends too, the client
    /// waits until then, no longer.
    Succeeded(Instant),
    /// It lasted longer.
    Over,
}

impl Absence {
    const LONGEST: Duration = Duration::from_secs(60);

    /// The server says that it ends, three times a session; whether the client heeds it now.
    pub(super) fn announce(&mut self, now: Instant) -> bool {
        let until = match *self {
            Self::NotAnnounced => now + Self::LONGEST,
            Self::Succeeded(until) if now < until => until,
            Self::Until(_) | Self::Succeeded(_) | Self::Over => return false,
        };
        *self = Self::Until(until);
        true
    }

    pub(super) fn session_opened(&mut self) {
        if let Self::Until(until) = *self {
            *self = Self::Succeeded(until);
        }
    }

    /// A probe of the newest session has a reply; one that was sent before the word of the end tells nothing.
    pub(super) fn probe_answered(&mut self) {
        if !matches!(self, Self::Until(_)) {
            *self = Self::NotAnnounced;
        }
    }
}
