//! One datagram of an open flow: whether something bars it, what its line decides, and how it leaves.

use super::flow::{Flow, FlowId};
use super::replay::Known;
use super::scenes::Scene;
use super::{Decision, DropCause, Event, Header, Leaving, MappingId, Relay, Scope, Side};
use crate::endpoints::Endpoints;
use crate::impair::{Direction, Packet, Shared, Treatment};
use crate::time::Instant;

/// A datagram as it arrives.
#[derive(Clone, Copy)]
pub(super) struct Arriving {
    pub(super) now: Instant,
    pub(super) mapping: MappingId,
    pub(super) flow: FlowId,
    pub(super) side: Side,
    pub(super) header: Header,
}

impl Relay {
    pub(super) fn treat(&mut self, arriving: &Arriving, datagram: &mut [u8]) -> Decision {
        let Arriving { now, mapping, flow, side, header } = *arriving;
        let direction = side.direction();
        let scene = self.enter_scene(now, mapping, flow);
        let Some(seq) = self.flows.note_datagram(now, flow, direction, datagram.len()) else {
            return self.drop(mapping, None, direction, None, DropCause::Nat);
        };
        let barred = self.barred(arriving, scene, datagram.len());
        let decided = barred.map_or_else(|| self.decide(arriving, seq, datagram), Err);
        let (client, treatment) = match decided {
            Ok(decided) => decided,
            Err(cause) => return self.drop(mapping, Some(flow), direction, Some(seq), cause),
        };
        treatment.corrupt(datagram);
        let Treatment { hold, queued, extra_copies, copy_after, corrupted, tos, .. } = treatment;
        let leaving = Leaving {
            mapping,
            flow,
            direction,
            client,
            length: datagram.len(),
            header,
            seq,
            arrived: now,
            due: now + hold,
            queued,
            corrupted,
            tos: tos.or(header.tos),
            is_copy: false,
            copies: extra_copies,
            copy_after,
        };
        self.release_or_hold(leaving, hold, datagram)
    }

    /// Why it does not even reach its link: the NAT, an outage, a closed port, or too much for an unverified client.
    fn barred(&mut self, arriving: &Arriving, scene: Scene, size: usize) -> Option<DropCause> {
        let Arriving { now, mapping, flow: id, side, .. } = *arriving;
        let direction = side.direction();
        let Some(flow) = self.flows.get_mut(id) else { return Some(DropCause::Nat) };
        let of = &mut self.mappings[mapping];
        let lane = &mut of.lanes[direction.index()];
        match side {
            Side::Client(_) => {
                if let Some(port) = flow.nat.outbound(now) {
                    lane.tally.rebound += 1;
                    self.events.push(Event::Rebound { flow: id, mapping, port });
                }
            }
            Side::Server { port, sender, .. } if !flow.nat.admits(now, port, sender) => {
                return Some(DropCause::Nat);
            }
            Side::Server { .. } => {}
        }
        if scene.is_down {
            return Some(DropCause::Down);
        }
        if now < lane.dark_until || scene.dark[direction.index()] || flow.is_cut(direction) {
            return Some(DropCause::Outage);
        }
        let amplifies = self.limits.unverified_amplification
            || !of.settings.allow.is_empty() && of.settings.trusts(flow.client.remote.ip());
        let exceeds = direction == Direction::Down && !flow.may_answer(amplifies, size);
        exceeds.then_some(DropCause::Limit)
    }

    /// The fate of an earlier run, or what the link decides; with the client of the flow.
    fn decide(
        &mut self,
        arriving: &Arriving,
        seq: u64,
        datagram: &[u8],
    ) -> Result<(Endpoints, Treatment), DropCause> {
        let Arriving { now, mapping, flow: id, side, header } = *arriving;
        let direction = side.direction();
        let flow = self.flows.get_mut(id).ok_or(DropCause::Nat)?;
        let Flow { links, bottlenecks, chosen, client, .. } = flow;
        let link = &mut links[direction.index()];
        let of = &mut self.mappings[mapping];
        let lane = &mut of.lanes[direction.index()];
        let (bottleneck, chosen, shared) = match of.settings.scope {
            Scope::Flow => (&mut bottlenecks[direction.index()], &mut chosen[direction.index()], None),
            Scope::Mapping => {
                let began = *of.began.get_or_insert(now);
                (&mut lane.bottleneck, &mut lane.chosen, Some(Shared { began, seed: of.outage_seed }))
            }
        };
        let bytes = datagram.len() + ip_overhead(client);
        let packet = Packet {
            scheduled: *chosen,
            bytes,
            ip_bytes: bytes,
            payload: datagram,
            tos: header.tos,
            shared,
            ..Packet::new(now, seq, datagram.len())
        };
        *chosen += u64::from(link.impairment().chooses(&packet));
        let known = of.settings.replay.as_ref().and_then(|replay| replay.of(id.ordinal(), direction, seq));
        let treatment = match known {
            None => link.admit_packet(bottleneck, &packet),
            Some(Known::Passed(treatment)) => treatment,
            Some(Known::Dropped(cause)) => return Err(cause),
        };
        match treatment.dropped {
            Some(dropped) => Err(dropped.cause.into()),
            None => Ok((*client, treatment)),
        }
    }
}

/// A link carries IP packets: its rate counts their headers, too.
fn ip_overhead(client: &Endpoints) -> usize {
    if client.remote.ip().to_canonical().is_ipv4() { 28 } else { 48 }
}
