//! The reply to a message of a session that the server does not know.

use crate::reflect::core::Core;
use crate::reflect::dialect::Action;
use crate::reflect::incoming::Incoming;
use crate::wire::native::{Token, UnknownSession};

pub(super) fn unknown_session(
    core: &mut Core,
    packet: &mut Incoming,
    token: Token,
    seq: Option<u64>,
) -> Action<'static> {
    core.counters.unknown_session += 1;
    if !core.admit_unverified(packet) {
        return Action::Drop;
    }
    Action::Reply(UnknownSession { token, seq }.emit(packet.buffer))
}
