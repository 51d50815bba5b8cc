//! Faults of every kind at once, over the simulated network: partitions, restarts (announced or not), duplicated
//! and reordered messages, clock steps at both ends, NAT rebinding, junk, forgeries, limits. Each scenario is a
//! function of its number.
//!
//! `FAULTS=100000 cargo test --release --test library faults::` runs so many. A failure names its scenario;
//! `FAULT=7 cargo test --test library faults::` runs that one alone.

use std::panic::{AssertUnwindSafe, catch_unwind};

use udpecho::impair::Impairment;
use udpecho::probe::{Cause, Dialect, Event, Outcome, Resolved, Settings};
use udpecho::reflect::{self, Injection, TextFrom};
use udpecho::rng::{Draws, Stream};
use udpecho::sim::{Conditions, Simulation};
use udpecho::time::{Duration, Instant};
use udpecho::wire::auth::Key;
use udpecho::wire::native::{
    Probe, Reply, SocketMark, Token, UnknownSession, emit_close, emit_ending, emit_stop, emit_stopped,
};
use udpecho::wire::text;

use crate::common::{clean, decay, interval, millis, path, resolved, settings};

/// Scenarios of an ordinary test run.
const USUAL: u64 = 500;
/// Longer than any run with all its timeouts.
const BOUND: Duration = Duration::from_secs(600);

#[test]
fn under_any_faults_a_run_ends_and_its_counts_add_up() {
    let number = |name| std::env::var(name).ok().map(|text: String| text.parse().expect("a number"));
    let numbers = match number("FAULT") {
        Some(fault) => fault..fault + 1,
        None => 0..number("FAULTS").unwrap_or(USUAL),
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let mine = numbers.clone().filter(move |number| number % threads == thread);
            scope.spawn(move || mine.for_each(scenario_by_name));
        }
    });
}

#[allow(clippy::print_stderr, reason = "how to have it again")]
fn scenario_by_name(number: u64) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| scenario(number))) {
        eprintln!("again with: FAULT={number} cargo test --test library faults::");
        std::panic::resume_unwind(panic);
    }
}

/// Draws what a scenario is made of.
struct Dice(Draws);

impl Dice {
    fn chance(&mut self, share: f64) -> bool {
        self.0.unit() < share
    }

    fn below(&mut self, end: u64) -> u64 {
        (self.0.unit() * end as f64) as u64
    }

    fn time(&mut self, longest: Duration) -> Duration {
        longest.mul_f64(self.0.unit())
    }

    fn path(&mut self) -> Conditions {
        let shortest = self.time(millis(100));
        let outages = (0..self.below(3)).map(|_| {
            let from = self.time(Duration::from_secs(20));
            (from, from + self.time(Duration::from_secs(8)))
        });
        let outages = outages.collect();
        let longest = shortest + self.time(millis(300));
        let loss = if self.chance(0.5) { 0.3 * self.0.unit() } else { 0.0 };
        let duplicates = if self.chance(0.5) { 0.5 * self.0.unit() } else { 0.0 };
        Conditions { outages, ..path(shortest, longest, loss, duplicates) }
    }

    fn server(&mut self, key: &Option<Key>) -> reflect::Settings {
        let specs = ["clean", "classic", "delay=uniform:1ms..700ms duplicate=20% loss=20% corrupt=10%"];
        let spec: Impairment = specs[self.below(3) as usize].parse().unwrap();
        reflect::Settings {
            injection: Injection::steady(spec),
            allow_stop: self.chance(0.2),
            text_from: TextFrom::Any,
            max_held_bytes: if self.chance(0.2) { 1000 } else { 1 << 20 },
            max_history_bytes: if self.chance(0.2) { 100 } else { 1 << 20 },
            session_rate: self.chance(0.2).then_some(20),
            key: key.clone(),
            ..clean()
        }
    }

    fn client(&mut self, key: &Option<Key>) -> Settings {
        let every = millis(5) + self.time(millis(300));
        let dialect = if key.is_none() && self.chance(0.2) { Dialect::Text } else { Dialect::Native };
        let schedule = if self.chance(0.3) {
            decay(every, millis(2))
        } else {
            udpecho::schedule::Schedule::Fixed(interval(every))
        };
        Settings {
            dialect,
            size: 80 + self.below(400) as u32,
            schedule,
            count: Some(1 + self.below(100)),
            total: self.chance(0.2).then(|| self.time(Duration::from_secs(10))),
            deadline: self.chance(0.5).then(|| millis(1) + self.time(millis(500))),
            stop_server: self.chance(0.1),
            heed_ending: self.chance(0.5),
            seed: self.below(1 << 40),
            key: key.clone(),
            ..settings(0, every)
        }
    }

    /// A datagram of another host: made up, or recorded and changed.
    fn forgery(&mut self) -> Vec<u8> {
        let mut buffer = vec![0; 80 + self.below(400) as usize];
        let token = Token(self.below(u64::MAX));
        let seq = self.below(200);
        let sent = Simulation::START + self.time(Duration::from_secs(10));
        let reply = Reply {
            token,
            seq,
            sent,
            received: sent,
            residence: Duration::MAX,
            hold: Duration::ZERO,
            socket: SocketMark { drops: 7, turns: 7 },
            window: u32::MAX,
            copy: false,
            corrupted: false,
        };
        let length = match self.below(11) {
            0 => 0,
            1 => 1,
            2 => emit_stop(token, &mut buffer),
            3 => emit_stopped(token, true, &mut buffer),
            4 => emit_close(token, &mut buffer),
            5 => UnknownSession { token, seq: Some(seq) }.emit(&mut buffer),
            6 => text::emit_calibrate(512, &mut buffer),
            7 => {
                // No client has this number: the ground truth tells them apart by it.
                Probe { token, seq: seq + 1_000_000, sent }.emit(&mut buffer);
                buffer.len()
            }
            8 => {
                reply.emit(&mut buffer);
                buffer.len()
            }
            9 => emit_ending(token, &mut buffer),
            _ => {
                buffer.fill_with(|| self.below(256) as u8);
                buffer.len()
            }
        };
        buffer.truncate(length);
        buffer
    }
}

fn scenario(number: u64) {
    let mut dice = Dice(Stream::new(number, "faults").at(0));
    let key = dice.chance(0.3).then(|| Key::new(&[number as u8; 32]));
    let clients: Vec<Settings> = (0..1 + dice.below(3)).map(|_| dice.client(&key)).collect();
    let mut simulation = Simulation::new(dice.server(&key), dice.path(), dice.path(), number);
    for client in &clients {
        simulation.add_client(client.clone());
    }
    let soon = Duration::from_secs(25);
    let mut gone = Duration::ZERO;
    for _ in 0..dice.below(3) {
        gone += dice.time(Duration::from_secs(10));
        let back = gone + dice.time(Duration::from_secs(5));
        if dice.chance(0.5) {
            simulation.announce_end(gone - dice.time(Duration::from_secs(4)).min(gone));
        }
        simulation.restart_server(gone, back, dice.server(&key));
        gone = back;
    }
    let steps = if dice.chance(0.3) { 1 + dice.below(3) } else { 0 };
    for _ in 0..steps {
        let ahead = dice.chance(0.7);
        let far = if ahead { Duration::from_secs(4000) } else { Duration::from_secs(-20) };
        let by = if dice.chance(0.5) {
            dice.time(far)
        } else {
            dice.time(millis(if ahead { 2000 } else { -500 }))
        };
        match dice.below(1 + clients.len() as u64) {
            0 => simulation.step_server_clock(dice.time(soon), by),
            client => simulation.step_client_clock(dice.time(soon), client as usize - 1, by),
        }
    }
    let forgeries = dice.below(40);
    for _ in 0..forgeries {
        let client = dice.below(clients.len() as u64) as usize;
        let datagram = dice.forgery();
        if dice.chance(0.5) {
            simulation.forge_to_client(dice.time(soon), client, datagram);
        } else {
            simulation.forge_to_server(dice.time(soon), client, datagram);
        }
    }
    for client in 0..clients.len() {
        for _ in 0..dice.below(3) {
            simulation.rebind_nat(dice.time(soon), client);
        }
        if dice.chance(0.2) {
            simulation.stop_client_at(dice.time(soon), client);
        }
    }
    simulation.run(BOUND);
    for (client, settings) in clients.iter().enumerate() {
        check(&mut simulation, client, settings, steps == 0);
    }
    // The server has dropped the sessions of silent clients, with their memory.
    simulation.pass(Duration::from_secs(6000));
    if let Some(server) = simulation.server() {
        let left = server.counters();
        assert_eq!(
            (left.in_all().clients, left.in_all().history_bytes, left.held, left.held_bytes),
            (0, 0, 0, 0)
        );
    }
}

/// Each probe has one outcome, in their order; the counts add up and agree with the ground truth.
fn check(simulation: &mut Simulation, client: usize, settings: &Settings, steady_clocks: bool) {
    let events = simulation.take_events(client);
    assert_eq!(events.last(), Some(&Event::Finished));
    let started = events.iter().any(|event| matches!(event, Event::Started { .. }));
    let failed = events.iter().any(|event| matches!(event, Event::Failed(_)));
    assert!(!(started && failed), "{events:?}");
    let withholds = events.iter().any(|event| matches!(event, Event::Withheld { .. }));
    assert!(settings.heed_ending || !withholds, "{events:?}");
    let rows = resolved(&events);
    assert!(started || rows.is_empty());
    assert!(rows.len() as u64 <= settings.count.unwrap());
    assert_eq!(simulation.client(client).in_flight(), 0);
    let ledger = simulation.ground_truth(client);
    let mut copies = 0;
    for (index, row) in rows.iter().enumerate() {
        assert_eq!(row.seq, index as u64);
        assert_eq!(row.cause.is_some(), row.outcome == Outcome::Lost, "{row:?}");
        assert_eq!(row.rtt.is_some(), matches!(row.outcome, Outcome::Ok | Outcome::Late), "{row:?}");
        assert_eq!(row.copies > 0, row.rtt.is_some(), "{row:?}");
        copies += u64::from(row.copies);
        if let (Dialect::Native, true) = (settings.dialect, steady_clocks) {
            let story = ledger.probe(row.seq).expect("a story for each probe");
            agrees(row, story.reached_server.len(), story.replies_sent, &story.replies);
        }
    }
    let told: u64 = ledger.probes().map(|(_, story)| story.replies.len() as u64).sum();
    let counters = simulation.client(client).counters();
    let counted = copies + counters.copies_after_close + counters.stragglers + counters.forged;
    if settings.dialect == Dialect::Native {
        assert!(counted <= told, "{counted} of {told} replies: {counters:?}");
        assert!(told <= counted + counters.junk + counters.unauthentic, "{told} replies, {counters:?}");
    }
}

fn agrees(row: &Resolved, arrived: usize, replies_sent: u32, replies: &[Instant]) {
    match row.cause {
        None => {}
        Some(Cause::Up) => assert_eq!(arrived, 0, "it did reach a server: {row:?}"),
        Some(Cause::Down) => assert!(arrived > 0, "{row:?}"),
        // A copy of it may have reached the restarted server.
        Some(Cause::InjectedDown | Cause::InjectedUp | Cause::Refused) => {
            assert!(arrived > 0 && (replies_sent == 0 || arrived > 1), "{row:?} {replies_sent} {replies:?}");
        }
        Some(Cause::Unknown) => {}
        Some(cause) => panic!("nothing here does {cause:?}"),
    }
}
