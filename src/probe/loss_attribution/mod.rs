//! The cause of a loss, from what the client knows about it; without evidence it is unknown.

mod overflow;

use super::cause::Cause;
use crate::time::Duration;
use crate::wire::native::{ProbeStatus, SocketMark};
pub(super) use overflow::{Around, Marks};
use overflow::{Overflow, overflow};

/// The client's knowledge of a lost probe.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loss {
    pub seq: u64,
    /// The server's last word on it.
    pub status: Option<ProbeStatus>,
    /// A later reply's window shows that it arrived.
    pub seen_in_window: bool,
    /// The client's socket when it left.
    pub own_at_departure: SocketMark,
    pub around: Around,
}

/// The client's knowledge of the run, beside the loss itself.
pub(super) struct Evidence {
    /// The client's socket now.
    pub own: SocketMark,
    /// The server's socket when the session began, and when it last told of probes.
    pub server_socket: Option<[SocketMark; 2]>,
    /// The first probe of the session.
    pub first_seq: u64,
    /// The server says that it injects nothing.
    pub clean: bool,
    pub longest_hold: Duration,
}

impl Evidence {
    pub(super) fn cause(&self, loss: &Loss) -> Cause {
        match loss.status {
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
            // It arrived at a server that drops nothing on purpose, and no reply came.
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
        let Some([at_start, last_told]) = self.server_socket else { return Overflow::No };
        let around = &loss.around;
        let is_new = |seq| seq >= self.first_seq;
        // The session before may have been on another socket.
        let of_this_server = |answer: Option<(u64, _)>| answer.filter(|(seq, _)| is_new(*seq));
        let before = of_this_server(around.before).map_or(at_start, |(_, marks)| marks.server);
        let after = of_this_server(around.after).map_or(last_told, |(_, marks)| marks.server);
        // A probe is one drop at most: more drops than losses are another sender's, even if none of its
        // datagrams was received.
        if is_new(loss.seq) && before.drops_between(after) <= around.lost_up {
            overflow(before, after, around.lost_up, around.offloaded)
        } else {
            Overflow::Unclear
        }
    }

    fn own_overflow(&self, loss: &Loss) -> Overflow {
        let around = &loss.around;
        if self.longest_hold > Duration::ZERO {
            // Held replies come in another order than their probes, so no two of them enclose the loss.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Of probes lost on the way up while the server's socket dropped so many datagrams, all of one sender.
    fn cause(lost_up: u64, drops: u16) -> Cause {
        let before = Marks::default();
        let after = Marks { server: SocketMark { drops, ..before.server }, ..before };
        let around =
            Around { before: Some((0, before)), after: Some((9, after)), lost_up, ..Around::default() };
        let evidence = Evidence {
            own: SocketMark::default(),
            server_socket: Some([before.server; 2]),
            first_seq: 0,
            clean: true,
            longest_hold: Duration::ZERO,
        };
        evidence.cause(&Loss {
            seq: 1,
            status: Some(ProbeStatus::NotSeen),
            seen_in_window: false,
            own_at_departure: SocketMark::default(),
            around,
        })
    }

    #[test]
    fn more_drops_at_the_server_than_losses_are_a_floods_and_make_the_cause_unknown() {
        assert_eq!(cause(5, 0), Cause::Up);
        assert_eq!(cause(5, 4), Cause::Unknown);
        assert_eq!(cause(5, 5), Cause::ServerOverflow);
        assert_eq!(cause(5, 6), Cause::Unknown);
        assert_eq!(cause(5, 3_000), Cause::Unknown);
    }
}
