//! The cause of a loss, from what is known about it; what nobody can tell stays unknown.

use super::Dialect;
use super::drops::Drops;
use super::outcome::Cause;
use crate::wire::native::Fate;

/// Finds the cause of a loss in what is known about it.
pub struct Blame<'a> {
    /// Those of the client's own sockets.
    pub own: &'a mut Drops,
    pub dialect: &'a mut Dialect,
    pub clean: bool,
}

impl Blame<'_> {
    pub fn cause(&mut self, fate: Option<Fate>, seen_in_window: bool) -> Cause {
        match fate {
            Some(Fate::DroppedUp) => Cause::InjectedUp,
            Some(Fate::DroppedDown) => Cause::InjectedDown,
            Some(Fate::Refused) => Cause::Refused,
            Some(Fate::NotSeen) => {
                let server_overflowed = match self.dialect {
                    Dialect::Native(native) => native.drops.take(),
                    Dialect::Text(_) => false,
                };
                if server_overflowed { Cause::ServerOverflow } else { Cause::Up }
            }
            Some(Fate::Answered) => {
                if self.own.take() {
                    Cause::ClientOverflow
                } else {
                    Cause::Down
                }
            }
            Some(Fate::SendFailed) => Cause::Down,
            // It arrived, nothing is withheld here, and no reply came.
            None if seen_in_window && self.clean => Cause::Down,
            Some(Fate::Held | Fate::Forgotten) | None => Cause::Unknown,
        }
    }
}
