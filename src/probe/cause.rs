//! Why a probe has no reply in time: one place for the names, the words and the colours of each reason.

use serde::{Deserialize, Serialize};

/// Why a probe was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The network, between the client and the server.
    Up,
    /// The network, between the server and the client.
    Down,
    /// The server dropped the probe by injection.
    InjectedUp,
    /// The server dropped the reply by injection.
    InjectedDown,
    /// A rate limit or a memory limit of the server.
    Refused,
    /// The receive buffer of the server's socket was full.
    ServerOverflow,
    /// The receive buffer of the client's socket was full.
    ClientOverflow,
    /// Nothing tells where.
    Unknown,
}

impl Cause {
    pub(crate) const ALL: [Self; 8] = [
        Self::Up,
        Self::Down,
        Self::InjectedUp,
        Self::InjectedDown,
        Self::Refused,
        Self::ServerOverflow,
        Self::ClientOverflow,
        Self::Unknown,
    ];

    /// Its name in files, metrics and page data.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::InjectedUp => "injected_up",
            Self::InjectedDown => "injected_down",
            Self::Refused => "refused",
            Self::ServerOverflow => "server_overflow",
            Self::ClientOverflow => "client_overflow",
            Self::Unknown => "unknown",
        }
    }

    /// In a sentence, after a count.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Up => "lost by the network on the way up",
            Self::Down => "lost by the network on the way down",
            Self::InjectedUp => "dropped by the server on the way up (injected)",
            Self::InjectedDown => "dropped by the server (injected)",
            Self::Refused => "refused by the server",
            Self::ServerOverflow => "lost in the server's full receive buffer",
            Self::ClientOverflow => "lost in this host's full receive buffer",
            Self::Unknown => "lost, direction unknown",
        }
    }
}

/// Why a probe has no reply in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotOnTime {
    /// The socket refused the probe.
    NotSent,
    /// No reply came, for this cause.
    Lost(Cause),
    /// The reply came after the deadline.
    Late,
}

/// Reasons of one group have one colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Lost between client and server.
    NetworkUp,
    /// Lost between server and client.
    NetworkDown,
    /// Done by the server on purpose.
    Injected,
    /// A full receive buffer or a limit of the server.
    Host,
    /// A reply after its deadline.
    Late,
    /// Lost, direction unknown.
    Unknown,
    /// Refused by the socket.
    NotSent,
}

impl Group {
    /// Its name in style sheets.
    pub const fn label(self) -> &'static str {
        match self {
            Self::NetworkUp => "network_up",
            Self::NetworkDown => "network_down",
            Self::Injected => "injected",
            Self::Host => "host",
            Self::Late => "late",
            Self::Unknown => "unknown",
            Self::NotSent => "not_sent",
        }
    }
}

impl NotOnTime {
    /// In the order of the path.
    pub const ALL: [Self; 10] = [
        Self::NotSent,
        Self::Lost(Cause::Up),
        Self::Lost(Cause::ServerOverflow),
        Self::Lost(Cause::Refused),
        Self::Lost(Cause::InjectedUp),
        Self::Lost(Cause::InjectedDown),
        Self::Lost(Cause::Down),
        Self::Lost(Cause::ClientOverflow),
        Self::Late,
        Self::Lost(Cause::Unknown),
    ];

    /// Its name in page data.
    pub const fn label(self) -> &'static str {
        match self {
            Self::NotSent => "not_sent",
            Self::Lost(cause) => cause.label(),
            Self::Late => "late",
        }
    }

    /// Two words for tables and charts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotSent => "not sent",
            Self::Lost(Cause::Up) => "network up",
            Self::Lost(Cause::Down) => "network down",
            Self::Lost(Cause::InjectedUp) => "injected up",
            Self::Lost(Cause::InjectedDown) => "injected down",
            Self::Lost(Cause::Refused) => "refused",
            Self::Lost(Cause::ServerOverflow) => "server buffer",
            Self::Lost(Cause::ClientOverflow) => "client buffer",
            Self::Lost(Cause::Unknown) => "unknown",
            Self::Late => "late",
        }
    }

    /// The group whose colour it has.
    pub const fn group(self) -> Group {
        match self {
            Self::NotSent => Group::NotSent,
            Self::Lost(Cause::Up) => Group::NetworkUp,
            Self::Lost(Cause::Down) => Group::NetworkDown,
            Self::Lost(Cause::InjectedUp | Cause::InjectedDown) => Group::Injected,
            Self::Lost(Cause::Refused | Cause::ServerOverflow | Cause::ClientOverflow) => Group::Host,
            Self::Lost(Cause::Unknown) => Group::Unknown,
            Self::Late => Group::Late,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_has_the_same_label_in_json_as_in_tables() {
        for cause in Cause::ALL {
            assert_eq!(serde_json::to_value(cause).unwrap(), cause.label());
            assert!(NotOnTime::ALL.contains(&NotOnTime::Lost(cause)));
        }
    }
}
