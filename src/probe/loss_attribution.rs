//! The cause of a loss, from what is known about it; what nobody can tell stays unknown.

use super::AnyDialect;
use super::cause::Cause;
use super::overflow::{Around, Overflow, overflow};
use crate::time::Duration;
use crate::wire::native::{ProbeStatus, SocketMark};

/// What is known of a lost probe.
#[derive(Clone, Copy, Debug)]
pub struct Loss {
    pub seq: u64,
    /// What the server said became of it.
    pub fate: Option<ProbeStatus>,
    /// A later reply's window showed that it had arrived.
    pub seen_in_window: bool,
    /// The client's socket when it left.
    pub own_at_departure: SocketMark,
    pub around: Around,
}

/// Finds the cause of a loss in what is known about it.
pub struct Blame<'a> {
    /// The client's socket by now.
    pub own: SocketMark,
    pub dialect: &'a AnyDialect,
    pub clean: bool,
    pub longest_hold: Duration,
}

impl Blame<'_> {
    pub fn cause(&self, loss: &Loss) -> Cause {
        match loss.fate {
            Some(ProbeStatus::DroppedUp) => Cause::InjectedUp,
            Some(ProbeStatus::DroppedDown) => Cause::InjectedDown,
            Some(ProbeStatus::Refused) => Cause::Refused,
            Some(ProbeStatus::NotSeen) => match self.server_overflow(loss) {
                Overflow::No => Cause::Up,
                Overflow::Yes => Cause::ServerOverflow,
                Overflow::Unclear => Cause::Unknown,
            },
            Some(ProbeStatus::Answered) => self.down(loss),
            Some(ProbeStatus::SendFailed) => Cause::Down,
            // It arrived, nothing is withheld here, and no reply came.
            None if loss.seen_in_window && self.clean => self.down(loss),
            Some(ProbeStatus::Held | ProbeStatus::Forgotten) | None => Cause::Unknown,
        }
    }

    fn down(&self, loss: &Loss) -> Cause {
        match self.own_overflow(loss) {
            Overflow::No => Cause::Down,
            Overflow::Yes => Cause::ClientOverflow,
            Overflow::Unclear => Cause::Unknown,
        }
    }

    fn server_overflow(&self, loss: &Loss) -> Overflow {
        let AnyDialect::Native(native) = self.dialect else { return Overflow::No };
        let around = &loss.around;
        let is_new = |seq| seq >= native.first_seq;
        // The socket of the server before is another one.
        let of_this_server = |answer: Option<(u64, _)>| answer.filter(|(seq, _)| is_new(*seq));
        let before = of_this_server(around.before).map_or(native.opened_at, |(_, marks)| marks.server);
        let after = of_this_server(around.after).map_or(native.told_at, |(_, marks)| marks.server);
        if is_new(loss.seq) {
            overflow(before, after, around.lost_up, around.trains)
        } else {
            Overflow::Unclear
        }
    }

    fn own_overflow(&self, loss: &Loss) -> Overflow {
        let around = &loss.around;
        if self.longest_hold > Duration::ZERO {
            // Replies that are held come in another order than their probes: no two of them are around it.
            return match loss.own_at_departure.drops_between(self.own) {
                0 => Overflow::No,
                _ => Overflow::Unclear,
            };
        }
        let before = around.before.map_or(loss.own_at_departure, |(_, marks)| marks.own);
        let after = around.after.map_or(self.own, |(_, marks)| marks.own);
        overflow(before, after, around.lost_down, false)
    }
}
