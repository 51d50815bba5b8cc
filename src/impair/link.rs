//! One direction of one session or flow: its impairment, its random streams, its order.
//!
//! Apart from the queue at a limited rate and the order that an `ordered` delay keeps, a treatment
//! is a function of the seed, the direction and the packet's number: other clients, the time and
//! repeated questions do not change it. Each model draws from its own stream, so switching one on
//! leaves the draws of the others as they are.

use std::sync::Arc;

use super::corrupt::corrupted;
use super::delay::Order;
use super::direction::Direction;
use super::impairment::Impairment;
use super::loss::LossDraws;
use super::marking::marked;
use super::outage::Turn;
use super::packet::{Packet, Shared};
use super::rate::{Bottleneck, FlowKey};
use super::treatment::{DropCause, Dropped, Treatment};
use crate::rng::{Seed, Stream};
use crate::time::{Duration, Instant};

/// Applies an impairment, whatever its `direction`, to the packets of one direction. The bottleneck
/// is the caller's, since several flows may share one.
#[derive(Clone, Debug)]
pub struct Link {
    impairment: Arc<Impairment>,
    direction: Direction,
    /// Links of different seeds are different flows to a fair queue.
    flow: FlowKey,
    delays: Stream,
    losses: LossDraws,
    copies: Stream,
    corruptions: Stream,
    reorderings: Stream,
    marks: Stream,
    order: Order,
    outages: Turn,
    /// When its first packet came.
    began: Option<Instant>,
}

/// A packet's treatment so far. The down link of a session continues where its up link ended.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Transit {
    pub(super) treatment: Treatment,
    /// The part of the hold spent at bottlenecks. Random delays do not count here: packets reach the
    /// next bottleneck in the order in which they arrived.
    queued: Duration,
    /// The part of the hold due to reordering.
    held_back: Duration,
}

impl Link {
    /// A link whose draws depend on the seed, the direction and each datagram's number alone.
    pub fn new(impairment: impl Into<Arc<Impairment>>, direction: Direction, seed: Seed) -> Self {
        let name = direction.name();
        let stream = |purpose: &str| Stream::new(seed, &format!("{purpose} {name}"));
        Self {
            impairment: impairment.into(),
            direction,
            flow: seed,
            delays: stream("delay"),
            losses: LossDraws::new(seed, name),
            copies: stream("duplicate"),
            corruptions: stream("corrupt"),
            reorderings: stream("reorder"),
            marks: stream("ecn"),
            order: Order::new(),
            outages: Turn::default(),
            began: None,
        }
    }

    /// The impairment that it was made with.
    pub fn impairment(&self) -> &Arc<Impairment> {
        &self.impairment
    }

    /// Continues under another impairment; the order of release is kept across the change.
    pub fn set_impairment(&mut self, impairment: Arc<Impairment>) {
        self.impairment = impairment;
        self.losses.forget();
    }

    /// Treats the packet with this number and size that arrives at `now`.
    pub fn admit(&mut self, bottleneck: &mut Bottleneck, now: Instant, seq: u64, bytes: usize) -> Treatment {
        self.admit_packet(bottleneck, &Packet::new(now, seq, bytes))
    }

    /// The same with all that is known of it.
    pub fn admit_packet(&mut self, bottleneck: &mut Bottleneck, packet: &Packet) -> Treatment {
        match self.pass(bottleneck, packet, Transit::default()) {
            Ok(transit) => transit.treatment,
            Err(dropped) => dropped,
        }
    }

    /// Outages and MTU, then loss, then the bottleneck, then delay. The error is the treatment of a dropped packet.
    pub(super) fn pass(
        &mut self,
        bottleneck: &mut Bottleneck,
        packet: &Packet,
        transit: Transit,
    ) -> Result<Transit, Treatment> {
        let Packet { now, seq, scheduled, bytes, .. } = *packet;
        let Transit { mut treatment, mut queued, mut held_back } = transit;
        let direction = self.direction;
        let dropped = |cause| Treatment::dropped(Dropped { direction, cause });
        self.cross(packet).map_err(dropped)?;
        let Impairment { delay, loss, duplicate, corrupt, reorder, rate, rate_trace, ecn, dscp, .. } =
            &*self.impairment;
        let chosen = self.impairment.chooses(packet);
        if chosen && self.losses.lost(loss, if loss.is_scheduled() { scheduled } else { seq }) {
            return Err(dropped(DropCause::Lost));
        }
        let passes = match (rate, rate_trace) {
            (_, Some(trace)) => Some(bottleneck.pass_trace(trace, now + queued, bytes)),
            (Some(limit), None) => Some(bottleneck.pass(*limit, self.flow, now + queued, bytes)),
            (None, None) => None,
        };
        if let Some(wait) = passes {
            let wait = wait.ok_or_else(|| dropped(DropCause::QueueFull))?;
            queued += wait;
            treatment.hold += wait;
            treatment.queued = Some(queued);
        }
        treatment.hold += delay.draw(&self.delays, seq);
        if delay.is_ordered() {
            let in_order = now + (treatment.hold - held_back);
            treatment.hold = self.order.keep(in_order) - now + held_back;
        }
        if chosen {
            let by = reorder.held_back(&self.reorderings, seq);
            held_back += by;
            treatment.hold += by;
            treatment.extra_copies += duplicate.extra_copies(&self.copies, seq);
            treatment.copy_after = duplicate.delay();
            treatment.corrupted = treatment.corrupted.or(corrupted(*corrupt, &self.corruptions, seq));
            let tos = packet.tos.map(|tos| (tos, marked(*ecn, *dscp, tos, &self.marks, seq)));
            treatment.tos = tos.filter(|(before, after)| before != after).map(|(_, after)| after);
        }
        if self.direction == Direction::Up {
            treatment.hold_up = treatment.hold;
        }
        Ok(Transit { treatment, queued, held_back })
    }

    /// Whether the path is there, and carries a packet of this length.
    fn cross(&mut self, packet: &Packet) -> Result<(), DropCause> {
        let Impairment { outage, mtu, .. } = &*self.impairment;
        if let Some(outage) = outage {
            let own = Shared { began: *self.began.get_or_insert(packet.now), seed: self.flow };
            let Shared { began, seed } = packet.shared.unwrap_or(own);
            if self.outages.is_out(*outage, seed, packet.now - began) {
                return Err(DropCause::Outage);
            }
        }
        match mtu {
            Some(mtu) if !mtu.passes(packet.ip_bytes) => Err(DropCause::Mtu),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(text: &str, direction: Direction, seed: Seed) -> Link {
        Link::new(text.parse::<Impairment>().unwrap(), direction, seed)
    }

    fn treatments(mut link: Link, n: u64) -> Vec<Treatment> {
        let mut bottleneck = Bottleneck::default();
        let at = |seq: u64| Instant::ZERO + Duration::from_millis(seq as i64);
        (0..n).map(|seq| link.admit(&mut bottleneck, at(seq), seq, 512)).collect()
    }

    #[test]
    fn a_link_applies_its_impairment_whatever_its_direction_word_says() {
        for text in ["delay=constant:5ms", "delay=constant:5ms direction=up"] {
            let (up, down) = (link(text, Direction::Up, 7), link(text, Direction::Down, 7));
            let five = Duration::from_millis(5);
            let held = |hold_up| Treatment { hold: five, hold_up, ..Treatment::default() };
            assert!(treatments(up, 3).iter().all(|treatment| *treatment == held(five)));
            assert!(treatments(down, 3).iter().all(|treatment| *treatment == held(Duration::ZERO)));
        }
    }

    #[test]
    fn each_seed_and_each_direction_draws_differently() {
        const TEXT: &str = "delay=exponential:20ms loss=30%";
        let up = treatments(link(TEXT, Direction::Up, 7), 100);
        assert_eq!(up, treatments(link(TEXT, Direction::Up, 7), 100));
        assert_ne!(up, treatments(link(TEXT, Direction::Up, 8), 100));
        let lost = |treatments: &[Treatment]| -> Vec<bool> {
            treatments.iter().map(|treatment| treatment.dropped.is_some()).collect()
        };
        assert_ne!(lost(&up), lost(&treatments(link(TEXT, Direction::Down, 7), 100)));
    }

    /// At 8 Mbit 1000 bytes take 1 ms.
    #[test]
    fn flows_that_share_a_bottleneck_queue_behind_one_another() {
        let flow = |seed| link("rate=8Mbit,queue=2k", Direction::Down, seed);
        let (mut one, mut other, mut shared) = (flow(1), flow(2), Bottleneck::default());
        let mut admit = |link: &mut Link, seq| link.admit(&mut shared, Instant::ZERO, seq, 1_000);
        assert_eq!(admit(&mut one, 0).hold, Duration::from_millis(1));
        assert_eq!(admit(&mut other, 0).hold, Duration::from_millis(2));
        let full = Dropped { direction: Direction::Down, cause: DropCause::QueueFull };
        assert_eq!(admit(&mut one, 1), Treatment::dropped(full));
    }

    #[test]
    fn flows_at_a_fair_queue_wait_behind_their_own_packets() {
        let flow = |seed| link("rate=8Mbit,queue=20k,fq", Direction::Down, seed);
        let (mut one, mut other, mut shared) = (flow(1), flow(2), Bottleneck::default());
        let mut admit = |link: &mut Link, seq| link.admit(&mut shared, Instant::ZERO, seq, 1_000);
        for seq in 0..9 {
            admit(&mut one, seq);
        }
        assert_eq!(admit(&mut one, 9).hold, Duration::from_millis(10));
        assert_eq!(admit(&mut other, 0).hold, Duration::from_millis(2));
    }
}
