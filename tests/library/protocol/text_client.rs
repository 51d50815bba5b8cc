//! The text dialect's client: its replies bear no number, and still none may be credited to another
//! probe than the one it answers.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use proptest::prelude::*;
use udpecho::probe::{Client, Counters, Dialect, Event, Outcome, Resolved, Settings};
use udpecho::rng::Stream;
use udpecho::time::{Duration, Instant};

use crate::common::clean;
use crate::common::desk::{Desk, address};
use crate::common::{millis, resolved, settings};

/// A network that follows each reply to its probe, which the datagrams alone do not tell.
struct World {
    desk: Desk,
    client: Client,
    buffer: Vec<u8>,
    flying: BinaryHeap<Reverse<Flying>>,
    /// Which of the client's sockets each of its lanes is now.
    sockets: BTreeMap<usize, u32>,
    opened: u32,
    sent: BTreeMap<u64, Instant>,
    /// When replies to each probe reached the client.
    replies: BTreeMap<u64, Vec<Instant>>,
    events: Vec<Event>,
    path: Endpoints,
    passed: u64,
}

/// A reply on its way: when it arrives, at which lane and socket of it, and what it answers.
type Flying = (Instant, u64, (usize, u32), Option<u64>, Vec<u8>);

#[derive(Debug, Clone)]
struct Endpoints {
    seed: u64,
    loss: f64,
    duplicates: f64,
    longest: Duration,
}

impl World {
    fn run(settings: Settings, path: Endpoints) -> Self {
        let desk = Desk::new(clean());
        let client = Client::new(Settings { dialect: Dialect::Text, ..settings }, desk.now);
        let mut world = Self {
            desk,
            client,
            buffer: vec![0; 65_536],
            flying: BinaryHeap::new(),
            sockets: BTreeMap::new(),
            opened: 0,
            sent: BTreeMap::new(),
            replies: BTreeMap::new(),
            events: Vec::new(),
            path,
            passed: 0,
        };
        while !world.client.is_done() {
            world.step();
        }
        world
    }

    fn step(&mut self) {
        let now = self.desk.now;
        self.client.handle_timeout(now);
        while let Some(transmit) = self.client.poll_transmit(now, &mut self.buffer) {
            transmit.seq.map(|seq| self.sent.insert(seq, now));
            let datagram = self.buffer[..transmit.length].to_vec();
            if transmit.renew || !self.sockets.contains_key(&transmit.channel) {
                self.sockets.insert(transmit.channel, self.opened);
                self.opened += 1;
            }
            let socket = self.sockets[&transmit.channel];
            let answer = self.desk.send(address(false, socket), &datagram).expect("a clean server");
            self.fly((transmit.channel, socket), transmit.seq, answer);
        }
        self.events.extend(std::iter::from_fn(|| self.client.poll_event()));
        let arrival = self.flying.peek().map(|Reverse(next)| next.0);
        let Some(next) = [arrival, self.client.poll_timeout(now)].into_iter().flatten().min() else { return };
        self.desk.now = next.max(now);
        while self.flying.peek().is_some_and(|Reverse(flying)| flying.0 <= self.desk.now) {
            let Reverse((at, _, (channel, socket), seq, datagram)) = self.flying.pop().unwrap();
            if let Some(seq) = seq {
                self.replies.entry(seq).or_default().push(at);
            }
            if self.sockets[&channel] == socket {
                self.client.handle(at, channel, &datagram);
            }
        }
    }

    /// There and back at once: what happens to a probe and what to its reply is all the same here.
    fn fly(&mut self, channel: (usize, u32), seq: Option<u64>, answer: Vec<u8>) {
        let mut draws = Stream::new(self.path.seed, "path").at(self.passed);
        self.passed += 1;
        let copies = if draws.unit() < self.path.loss {
            0
        } else {
            1 + u32::from(draws.unit() < self.path.duplicates)
        };
        for copy in 0..copies {
            let at = self.desk.now + self.path.longest.mul_f64(draws.unit());
            self.flying.push(Reverse((at, self.passed * 2 + u64::from(copy), channel, seq, answer.clone())));
        }
    }

    /// Every probe leaves and has a row, which tells of the replies to itself.
    fn check(&self) {
        let rows = resolved(&self.events);
        if matches!(self.events.first(), Some(Event::Failed(_))) {
            assert!(rows.is_empty());
            return;
        }
        assert!((0..).zip(&rows).all(|(seq, row)| row.seq == seq) && rows.len() == self.sent.len());
        for row in rows {
            let own = self.replies.get(&row.seq).and_then(|replies| replies.first());
            let rtt = own.map(|at| *at - self.sent[&row.seq]).filter(|rtt| *rtt <= self.patience(&row));
            assert_eq!(row.rtt, rtt, "seq {}", row.seq);
            assert_ne!(row.outcome, Outcome::SendError, "seq {}", row.seq);
        }
    }

    /// A reply that takes longer finds its probe given up.
    fn patience(&self, row: &Resolved) -> Duration {
        row.interval + millis(1000)
    }

    fn counters(&self) -> Counters {
        self.client.counters()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// Late, lost, duplicated, overtaken: no reply is credited to another probe.
    #[test]
    fn no_reply_is_credited_to_another_probe(
        seed: u64, count in 1_u64..100, interval in 20_i64..500, longest in 0_i64..1000,
        loss in 0.0..0.3, duplicates in 0.0..0.2,
    ) {
        let path = Endpoints { seed, loss, duplicates, longest: millis(longest) };
        World::run(settings(count, millis(interval)), path).check();
    }

    /// Not even one that comes long after its probe was given up.
    #[test]
    fn a_straggler_is_credited_to_nobody(
        seed: u64, count in 1_u64..100, interval in 20_i64..500, longest in 1000_i64..10_000, loss in 0.0..1.0,
    ) {
        let path = Endpoints { seed, loss, duplicates: 0.0, longest: millis(longest) };
        World::run(settings(count, millis(interval)), path).check();
    }
}

#[test]
fn late_replies_of_a_text_server_count_as_late() {
    // Replies take up to four intervals, none is lost.
    let path = Endpoints { seed: 1, loss: 0.0, duplicates: 0.0, longest: millis(400) };
    let world = World::run(settings(200, millis(100)), path);
    world.check();
    let rows = resolved(&world.events);
    let late = rows.iter().filter(|row| row.outcome == Outcome::Late).count();
    assert!(rows.iter().all(|row| matches!(row.outcome, Outcome::Ok | Outcome::Late)));
    assert!((100..200).contains(&late), "{late} of 200 late");
    assert_eq!(world.counters(), Counters::default());
}
