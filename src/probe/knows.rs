//! The figures that a dialect can tell beside RTT, loss and order. Every other one is unknown, never zero.

use serde::{Deserialize, Serialize};

use super::cause::Cause;
use super::event::Finding;
use super::settings::Dialect;

/// The figures that a run can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Knows {
    /// The server tells its injection.
    pub injection: bool,
    /// Where probes were lost.
    pub losses: Losses,
    /// The share of the RTT that was time at the server.
    pub server_time: ServerTime,
    /// One-way delays.
    pub one_way: bool,
    /// Changed bytes of a payload.
    pub corruption: bool,
}

/// How far the direction of a loss is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Losses {
    /// Not at all.
    RoundTrip,
    /// Not yet: the first reply to a probe shows whether by numbers or not at all.
    NotShown,
    /// By the numbers of the replies around it: exact in number, and of single probes where all were lost alike.
    Gaps,
    /// The same, and of single probes by a window over the last 64.
    Window,
    /// Each probe by itself.
    Truth,
}

/// How far the time at the server is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerTime {
    /// Not at all.
    Unknown,
    /// As a whole, with what was injected.
    Whole,
    /// With the injected delay apart.
    Split,
}

impl Losses {
    /// In lower case, as files and metrics have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RoundTrip => "round_trip",
            Self::NotShown => "not_shown",
            Self::Gaps => "gaps",
            Self::Window => "window",
            Self::Truth => "truth",
        }
    }
}

impl ServerTime {
    /// In lower case, as files and metrics have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Whole => "whole",
            Self::Split => "split",
        }
    }
}

impl Dialect {
    /// Whether a loss by this cause may come to be named so, whatever replies show.
    pub const fn may_tell(self, cause: Cause) -> bool {
        let knows = self.knows();
        match knows.losses {
            Losses::NotShown => Knows { losses: Losses::Gaps, ..knows }.tells(cause),
            _ => knows.tells(cause),
        }
    }

    /// As long as no reply has shown more or less.
    pub const fn knows(self) -> Knows {
        let nothing = Knows {
            injection: false,
            losses: Losses::RoundTrip,
            server_time: ServerTime::Unknown,
            one_way: false,
            corruption: false,
        };
        match self {
            Self::Native => Knows {
                injection: true,
                losses: Losses::Truth,
                server_time: ServerTime::Split,
                one_way: true,
                corruption: true,
            },
            Self::Text => nothing,
            Self::Plain => Knows { corruption: true, ..nothing },
            Self::Irtt => {
                Knows { losses: Losses::Window, server_time: ServerTime::Whole, one_way: true, ..nothing }
            }
            Self::Stamp => {
                Knows { losses: Losses::NotShown, server_time: ServerTime::Whole, one_way: true, ..nothing }
            }
        }
    }
}

impl Knows {
    /// Narrowed, or widened, by a finding.
    #[must_use]
    pub const fn after(self, finding: Finding) -> Self {
        match finding {
            Finding::Stateless => Self { losses: Losses::RoundTrip, ..self },
            Finding::Stateful => Self { losses: Losses::Gaps, ..self },
            Finding::NoReceiveTime => Self { server_time: ServerTime::Unknown, one_way: false, ..self },
            Finding::NoServerTime => Self { server_time: ServerTime::Unknown, ..self },
            Finding::CountsAnew
            | Finding::OtherFormat
            | Finding::FractionInNanoseconds
            | Finding::UnmarkedReplies
            | Finding::ShortReplies => self,
        }
    }

    /// Whether a loss by this cause would be named so. The client sees its own receive buffer whatever the dialect.
    pub const fn tells(self, cause: Cause) -> bool {
        match cause {
            Cause::Unknown | Cause::ClientOverflow => true,
            Cause::Up | Cause::Down => {
                matches!(self.losses, Losses::Gaps | Losses::Window | Losses::Truth)
            }
            Cause::InjectedUp | Cause::InjectedDown => self.injection,
            Cause::Refused | Cause::ServerOverflow => matches!(self.losses, Losses::Truth),
        }
    }

    /// The words for a loss by this cause, after a count. Where the server does not tell its injection, a loss on the
    /// way may be its work.
    pub const fn words(self, cause: Cause) -> &'static str {
        match cause {
            Cause::Up if !self.injection => "lost on the way up",
            Cause::Down if !self.injection => "lost on the way down",
            _ => cause.words(),
        }
    }

    /// The unknown figures, as a list in words; empty if all are known.
    pub fn unknown(self) -> String {
        let parts = [
            (self.injection, "what the server injects"),
            (self.losses != Losses::NotShown, "where probes are lost (until replies show it)"),
            (self.losses != Losses::RoundTrip, "where probes are lost"),
            (self.server_time != ServerTime::Unknown, "the time at the server"),
            (self.one_way, "one-way delays"),
            (self.corruption, "changed bytes"),
        ];
        let unknown: Vec<&str> =
            parts.into_iter().filter(|(known, _)| !known).map(|(_, what)| what).collect();
        unknown.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unknown_is_said_and_grows_with_what_replies_show() {
        assert_eq!(Dialect::Native.knows().unknown(), "");
        let stamp = Dialect::Stamp.knows();
        assert_eq!(
            stamp.unknown(),
            "what the server injects, where probes are lost (until replies show it), changed bytes"
        );
        assert_eq!(stamp.after(Finding::Stateful).unknown(), "what the server injects, changed bytes");
        let narrowed = stamp.after(Finding::Stateless).after(Finding::NoReceiveTime);
        assert_eq!(
            narrowed.unknown(),
            "what the server injects, where probes are lost, the time at the server, one-way delays, changed bytes"
        );
    }

    #[test]
    fn a_cause_that_a_dialect_cannot_tell_is_never_named() {
        let told = |knows: Knows| Cause::ALL.into_iter().filter(|cause| knows.tells(*cause)).count();
        let stamp = Dialect::Stamp.knows();
        assert_eq!(told(Dialect::Native.knows()), Cause::ALL.len());
        assert_eq!((told(Dialect::Plain.knows()), told(stamp), told(Dialect::Irtt.knows())), (2, 2, 4));
        assert_eq!((told(stamp.after(Finding::Stateful)), told(stamp.after(Finding::Stateless))), (4, 2));
    }

    #[test]
    fn a_loss_that_may_be_injected_is_not_called_the_networks() {
        let words = |dialect: Dialect| [Cause::Up, Cause::Down].map(|cause| dialect.knows().words(cause));
        assert_eq!(words(Dialect::Irtt), ["lost on the way up", "lost on the way down"]);
        assert_eq!(words(Dialect::Native), [Cause::Up, Cause::Down].map(Cause::words));
    }
}
