//! The messages of a load: packets up, requests for packets down, and the packets that these pay for.

use super::sender::Sender;
use super::{Loads, NotNow};
use crate::endpoints::Endpoints;
use crate::impair::Direction;
use crate::reflect::core::Core;
use crate::reflect::dialect::Action;
use crate::reflect::dialects::native::sessions::{Session, Sessions};
use crate::reflect::dialects::native::unknown_session::unknown_session;
use crate::reflect::incoming::Incoming;
use crate::time::{Duration, Instant};
use crate::units::BitRate;
use crate::wire::native::{Load, LoadReport, Pull, Token};

impl Loads {
    /// Counts a packet of a load up; the report is the reply, if one is asked for and due.
    pub(in super::super) fn count(
        &mut self,
        core: &mut Core,
        sessions: &mut Sessions,
        packet: &mut Incoming,
        load: &Load,
    ) -> Action<'static> {
        let Some(at) = sessions.find(load.token) else {
            return unknown_session(core, packet, load.token, None);
        };
        let session = sessions.at_mut(at);
        let Some(limit) = limit(core, session, packet) else { return Action::Drop };
        let report = short_report(packet, load.token, load.phase, limit);
        let wants_report = load.report_every > 0;
        if limit.is_none() {
            return refuse(core, packet, wants_report.then_some(report));
        }
        let holder = match self.claim(packet.now, load.token, load.phase) {
            Ok(holder) => holder,
            Err(NotNow::Old) => return Action::Drop,
            Err(NotNow::Busy) => {
                return refuse(core, packet, wants_report.then_some(LoadReport { busy: true, ..report }));
            }
        };
        (session.used, session.last_seen) = (true, packet.now);
        core.counters.load_received_bytes += packet.length as u64;
        let treatment = session.links.admit_one_way(Direction::Up, packet.received, load.seq, packet.length);
        if treatment.dropped.is_none() {
            holder.receiver.expect(packet.received + treatment.hold, load, packet.length as u64);
        } else {
            core.counters.dropped += 1;
        }
        match holder.receiver.report(packet.now, load.report_every) {
            Some(sums) => Action::Reply(LoadReport { sums: Some(sums), ..report }.emit(packet.buffer)),
            None => Action::Drop,
        }
    }

    /// Takes a request for load down. Its packets leave by `transmit`.
    pub(in super::super) fn pull(
        &mut self,
        core: &mut Core,
        sessions: &mut Sessions,
        packet: &mut Incoming,
        pull: &Pull,
    ) -> Action<'static> {
        let Some(at) = sessions.find(pull.token) else {
            return unknown_session(core, packet, pull.token, None);
        };
        let session = sessions.at_mut(at);
        let Some(limit) = limit(core, session, packet) else { return Action::Drop };
        let is_proven = core.is_keyed() || packet.now - session.proven <= Self::PROVEN_FOR;
        let limit = limit.filter(|_| is_proven || pull.rate == 0);
        let report = short_report(packet, pull.token, pull.phase, limit);
        let Some(grant) = limit else { return refuse(core, packet, Some(report)) };
        if (pull.phase, pull.number) <= session.pulled {
            core.counters.replayed += 1;
            return Action::Drop;
        }
        session.pulled = (pull.phase, pull.number);
        // A client that waits for the load keeps its session.
        (session.used, session.last_seen) = (true, packet.now);
        let holder = match self.claim(packet.now, pull.token, pull.phase) {
            Ok(holder) => holder,
            Err(NotNow::Old) => return Action::Drop,
            Err(NotNow::Busy) => return refuse(core, packet, Some(LoadReport { busy: true, ..report })),
        };
        let new = || Sender::new(pull.token, packet.path, pull.phase, packet.received);
        let sender = holder.sender.get_or_insert_with(new);
        sender.renew(packet.received, pull, grant, session.size + core.tag());
        if pull.rate > 0 { Action::Drop } else { Action::Reply(report.emit(packet.buffer)) }
    }

    /// The next packet of the load down, which the injection treats as it leaves.
    pub(in super::super) fn transmit(
        &mut self,
        core: &mut Core,
        sessions: &mut Sessions,
        now: Instant,
        buffer: &mut [u8],
    ) -> Option<(Endpoints, usize)> {
        loop {
            let held = self.next_held(now);
            let was_held = held.is_some();
            let packet = held.or_else(|| self.next_packet(now))?;
            let Some(at) = sessions.find(packet.push.token) else {
                self.end(packet.push.token);
                continue;
            };
            if !was_held {
                let links = &mut sessions.at_mut(at).links;
                let bytes = packet.size as usize;
                let treatment = links.admit_one_way(Direction::Down, now, packet.push.seq, bytes);
                if treatment.dropped.is_some() {
                    core.counters.dropped += 1;
                    continue;
                }
                if treatment.hold > Duration::ZERO {
                    self.hold(now + treatment.hold, packet);
                    continue;
                }
            }
            return Some((packet.path, packet.emit(buffer, core.tag() as usize)));
        }
    }
}

/// The rate that the address of this session is granted, if any. No answer at all if the message comes
/// from another address than the one that the handshake proved.
fn limit(core: &mut Core, session: &Session, packet: &Incoming) -> Option<Option<BitRate>> {
    let is_proven = packet.path.remote == session.opening.remote;
    core.counters.load_refused += u64::from(!is_proven);
    is_proven.then(|| core.load_for(packet.path.remote.ip()))
}

fn short_report(packet: &Incoming, token: Token, phase: u32, limit: Option<BitRate>) -> LoadReport {
    let limit = limit.map_or(0, BitRate::get);
    LoadReport { token, phase, limit, busy: false, socket: packet.socket, sums: None }
}

/// Says that the client does not get the load, or not yet, if it asked.
fn refuse(core: &mut Core, packet: &mut Incoming, report: Option<LoadReport>) -> Action<'static> {
    core.counters.load_refused += 1;
    match report {
        Some(report) if core.admit_unverified(packet) => Action::Reply(report.emit(packet.buffer)),
        _ => Action::Drop,
    }
}
