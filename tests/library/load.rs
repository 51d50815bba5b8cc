//! A load test against the server over simulated links, in virtual time: datagram by datagram.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;

use udpecho::endpoints::Endpoints;
use udpecho::impair::{Direction, Impairment};
use udpecho::probe::rate_search::{self, Kind, LimitedBy};
use udpecho::probe::{Dialect, Failure, Found, LoadSettings, LoadTest};
use udpecho::reflect::{self, Incoming, Injection, Server};
use udpecho::sim::{Conditions, SimulatedLink, Simulation};
use udpecho::time::{Duration, Instant};
use udpecho::wire::auth::Key;

const SIZE: u32 = 1_200;
const HEADERS: u32 = 28;

/// When it arrives, its place among those of one moment, its direction, its channel, its bytes.
type InTransit = (Instant, u64, IsUp, usize, Vec<u8>);

/// A client, its server, and the two links between them, which both flows share.
struct World {
    now: Instant,
    test: LoadTest,
    server: Option<Server>,
    links: [SimulatedLink; 2],
    on_the_way: BinaryHeap<Reverse<InTransit>>,
    count: u64,
    /// When the client last sent, and the server.
    last_sent: [Instant; 2],
}

/// The direction of a datagram.
type IsUp = bool;

impl World {
    fn new(settings: LoadSettings, server: reflect::Settings, up: &str, down: &str) -> Self {
        let now = Simulation::START;
        let link = |line: &str, direction| {
            let conditions = Conditions { delay: Duration::from_millis(5), ..Conditions::impaired(line) };
            SimulatedLink::new(conditions, direction, 7)
        };
        let mut server = Server::new(server, [3; 32], now);
        server.set_kernel_stamps(true);
        Self {
            now,
            test: LoadTest::new(settings, now),
            server: Some(server),
            links: [link(up, Direction::Up), link(down, Direction::Down)],
            on_the_way: BinaryHeap::new(),
            count: 0,
            last_sent: [now; 2],
        }
    }

    /// Until the test is over, or that long.
    fn run(&mut self, most: Duration) {
        let end = self.now + most;
        while self.test.outcome().is_none() && self.now < end {
            self.step();
        }
    }

    fn step(&mut self) {
        let next = [
            self.on_the_way.peek().map(|Reverse((at, ..))| *at),
            self.test.poll_timeout(),
            self.server.as_ref().and_then(Server::poll_timeout),
        ];
        self.now = self.now.max(next.into_iter().flatten().min().expect("something to come"));
        while self.on_the_way.peek().is_some_and(|Reverse((at, ..))| *at <= self.now) {
            let Some(Reverse((at, _, up, channel, datagram))) = self.on_the_way.pop() else { break };
            if up { self.deliver_up(channel, &datagram) } else { self.test.handle(at, channel, &datagram) }
        }
        self.serve();
        self.test.handle_timeout(self.now);
        let mut buffer = vec![0; 65_536];
        while let Some(transmit) = self.test.poll_transmit(self.now, &mut buffer) {
            self.last_sent[0] = self.now;
            self.send(true, transmit.channel, &buffer[..transmit.length]);
        }
    }

    fn serve(&mut self) {
        let mut buffer = vec![0; 65_536];
        let Some(server) = &mut self.server else { return };
        server.handle_timeout(self.now);
        let mut leaving = Vec::new();
        while let Some(departure) = server.poll_transmit(self.now, &mut buffer) {
            let channel = usize::from(departure.path.remote.port()) - 10_000;
            leaving.push((channel, buffer[..departure.length].to_vec()));
        }
        for (channel, datagram) in leaving {
            self.last_sent[1] = self.now;
            self.send(false, channel, &datagram);
        }
    }

    fn deliver_up(&mut self, channel: usize, datagram: &[u8]) {
        let mut buffer = vec![0; 65_536];
        buffer[..datagram.len()].copy_from_slice(datagram);
        let remote = SocketAddr::from(([127, 0, 0, 1], 10_000 + channel as u16));
        let incoming =
            Incoming::new(self.now, Endpoints { remote, local: None }, &mut buffer, datagram.len());
        let reply = self.server.as_mut().and_then(|server| server.handle(incoming));
        if let Some(length) = reply {
            self.send(false, channel, &buffer[..length]);
        }
    }

    fn send(&mut self, up: bool, channel: usize, datagram: &[u8]) {
        let arrivals: Vec<_> = self.links[usize::from(!up)].pass(self.now, datagram).collect();
        for (delay, datagram) in arrivals {
            self.count += 1;
            self.on_the_way.push(Reverse((self.now + delay, self.count, up, channel, datagram)));
        }
    }

    fn found(&self) -> &[Found] {
        assert_eq!(self.test.outcome(), Some(&Ok(())));
        self.test.found()
    }
}

fn settings(dialect: Dialect) -> LoadSettings {
    LoadSettings {
        dialect,
        search: rate_search::Settings { packet: SIZE + HEADERS, ..rate_search::Settings::default() },
        size: SIZE,
        other_size: 80,
        seed: 1,
        key: None,
    }
}

fn clean() -> reflect::Settings {
    reflect::Settings { injection: Injection::steady(Impairment::clean()), ..reflect::Settings::default() }
}

/// The links count UDP payload.
fn payload_error(found: &Found, rate: f64) -> f64 {
    found.result.rate * f64::from(SIZE) / f64::from(SIZE + HEADERS) / rate - 1.0
}

#[test]
fn an_echo_shows_the_rate_of_the_slower_direction() {
    for (up, down) in [("rate=8Mbit,queue=200k", "clean"), ("clean", "rate=8Mbit,queue=200k")] {
        for dialect in [Dialect::Native, Dialect::Plain] {
            let mut world = World::new(settings(dialect), clean(), up, down);
            world.run(Duration::from_secs(60));
            let found = &world.found()[0];
            let error = payload_error(found, 8e6);
            assert!(error.abs() < 0.02, "{dialect:?} {up} {down}: {error:+.4}");
            assert_eq!((found.result.kind(), found.result.limited_by), (Kind::Queue, None));
            let pushed = found.result.pushed.expect("a push");
            // 200 kB at 8 Mbit/s are 200 ms, for both flows.
            for delays in [pushed.own, pushed.other] {
                let max = delays.expect("delays").max;
                assert!((max - Duration::from_millis(200)).abs() < Duration::from_millis(20), "{max}");
            }
            let [p50, _] = world.test.idle_rtt().expect("an idle RTT");
            assert!((p50 - Duration::from_millis(10)).abs() < Duration::from_millis(3), "{p50}");
            assert!(world.test.rows().len() > 100, "{}", world.test.rows().len());
        }
    }
}

#[test]
fn with_a_key_it_is_the_same() {
    let key = Key::new(&[9; 32]);
    let server = reflect::Settings { key: Some(key.clone()), ..clean() };
    let client = LoadSettings { key: Some(key), ..settings(Dialect::Native) };
    let mut world = World::new(client, server, "clean", "rate=2Mbit,queue=50k");
    world.run(Duration::from_secs(60));
    let error = payload_error(&world.found()[0], 2e6);
    assert!(error.abs() < 0.02, "{error:+.4}");
}

#[test]
fn a_server_that_limits_probes_grants_no_more_than_that() {
    let server = reflect::Settings { session_rate: Some(500), ..clean() };
    let mut world = World::new(settings(Dialect::Native), server, "clean", "clean");
    world.run(Duration::from_secs(60));
    let result = &world.found()[0].result;
    assert_eq!(result.limited_by, Some(LimitedBy::Grant));
    let packets = result.rate / 8.0 / f64::from(SIZE + HEADERS);
    assert!((packets / 500.0 - 1.0).abs() < 0.02, "{packets}");
}

#[test]
fn a_server_that_does_not_answer_is_a_failure_and_one_that_stops_ends_the_load() {
    let mut world = World::new(settings(Dialect::Native), clean(), "loss=100%", "clean");
    world.run(Duration::from_secs(60));
    assert!(matches!(world.test.outcome(), Some(Err(Failure::Silent { .. }))), "{:?}", world.test.outcome());

    let mut world = World::new(settings(Dialect::Native), clean(), "rate=8Mbit,queue=200k", "clean");
    world.run(Duration::from_secs(4));
    world.server = None;
    let gone = world.now;
    world.run(Duration::from_secs(60));
    assert_eq!(world.test.outcome(), Some(&Ok(())));
    assert!(world.now - gone < Duration::from_secs(15), "{}", world.now - gone);
}

#[test]
fn a_stop_ends_the_load_at_once_and_keeps_what_is_known() {
    let mut world = World::new(settings(Dialect::Native), clean(), "rate=8Mbit,queue=200k", "clean");
    world.run(Duration::from_millis(3_800));
    let stopped = world.now;
    world.test.stop();
    world.run(Duration::from_secs(1));
    assert!(world.last_sent[0] <= stopped + Duration::from_millis(1), "only the end of the sessions follows");
    let error = payload_error(&world.found()[0], 8e6);
    assert!(error.abs() < 0.05, "{error:+.4}");
}
