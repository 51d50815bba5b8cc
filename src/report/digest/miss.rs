//! The ways in which a probe is not answered in time, in the order of the path it takes.

use crate::probe::{Cause, Outcome, Resolved};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Miss {
    NotSent,
    Up,
    ServerOverflow,
    Refused,
    InjectedUp,
    InjectedDown,
    Down,
    ClientOverflow,
    Late,
    Unknown,
}

impl Miss {
    pub const COUNT: usize = 10;
    pub const ALL: [Self; Self::COUNT] = [
        Self::NotSent,
        Self::Up,
        Self::ServerOverflow,
        Self::Refused,
        Self::InjectedUp,
        Self::InjectedDown,
        Self::Down,
        Self::ClientOverflow,
        Self::Late,
        Self::Unknown,
    ];

    /// Nothing for a probe answered in time.
    pub fn of(probe: &Resolved) -> Option<Self> {
        match probe.outcome {
            Outcome::Ok => None,
            Outcome::Late => Some(Self::Late),
            Outcome::SendError => Some(Self::NotSent),
            Outcome::Lost => Some(match probe.cause.unwrap_or(Cause::Unknown) {
                Cause::Up => Self::Up,
                Cause::Down => Self::Down,
                Cause::InjectedUp => Self::InjectedUp,
                Cause::InjectedDown => Self::InjectedDown,
                Cause::Refused => Self::Refused,
                Cause::ServerOverflow => Self::ServerOverflow,
                Cause::ClientOverflow => Self::ClientOverflow,
                Cause::Unknown => Self::Unknown,
            }),
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::NotSent => "not sent",
            Self::Up => "network up",
            Self::ServerOverflow => "server buffer",
            Self::Refused => "refused",
            Self::InjectedUp => "injected up",
            Self::InjectedDown => "injected down",
            Self::Down => "network down",
            Self::ClientOverflow => "client buffer",
            Self::Late => "late",
            Self::Unknown => "unknown",
        }
    }
}
