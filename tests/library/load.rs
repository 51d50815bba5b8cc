//! A load test against the server over simulated links, in virtual time: datagram by datagram.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;

use udpecho::endpoints::Endpoints;
use udpecho::impair::Direction;
use udpecho::probe::rate_search::{self, Kind, LimitedBy};
use udpecho::probe::{
    CutShort, Dialect, Failure, Found, LoadMachine, LoadSettings, LoadTest, SteadyLoad, SteadySettings, Way,
};
use udpecho::reflect::{self, Incoming, Injection, LoadGrant, Server};
use udpecho::sim::{Conditions, SimulatedLink, Simulation};
use udpecho::time::{Duration, Instant};
use udpecho::wire::auth::Key;
use udpecho::wire::native::{LoadReport, Message, Pull, Token, decode};

use crate::common::desk::{emitted, handshake};
use crate::common::{clean, granting, millis, steady_load};

const SIZE: u32 = 1_200;
const HEADERS: u32 = 28;

/// When it arrives, its place among those of one moment, its direction, its channel, its bytes.
type InTransit = (Instant, u64, IsUp, usize, Vec<u8>);

/// A client, its server, and the two links between them, which both flows share.
struct World<L> {
    now: Instant,
    test: L,
    server: Option<Server>,
    links: [SimulatedLink; 2],
    on_the_way: BinaryHeap<Reverse<InTransit>>,
    count: u64,
    /// When the client last sent, and the server.
    last_sent: [Instant; 2],
}

/// The direction of a datagram.
type IsUp = bool;

impl<L: LoadMachine> World<L> {
    fn with(test: L, server: reflect::Settings, up: &str, down: &str) -> Self {
        let now = Simulation::START;
        let link = |line: &str, direction| {
            let conditions = Conditions { delay: millis(5), ..Conditions::impaired(line) };
            SimulatedLink::new(conditions, direction, 7)
        };
        let mut server = Server::new(server, [3; 32], now);
        server.set_kernel_stamps(true);
        Self {
            now,
            test,
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
        while !self.test.is_done() && self.now < end {
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
        let remote = SocketAddr::from(([127, 0, 0, 1], 10_000 + channel as u16));
        if let Some(reply) = self.ask(remote, datagram) {
            self.send(false, channel, &reply);
        }
    }

    /// The server's reply to a datagram from there.
    fn ask(&mut self, remote: SocketAddr, datagram: &[u8]) -> Option<Vec<u8>> {
        let mut buffer = vec![0; 65_536];
        buffer[..datagram.len()].copy_from_slice(datagram);
        let path = Endpoints { remote, local: None };
        let incoming = Incoming::new(self.now, path, &mut buffer, datagram.len());
        let length = self.server.as_mut()?.handle(incoming)?;
        Some(buffer[..length].to_vec())
    }

    fn send(&mut self, up: bool, channel: usize, datagram: &[u8]) {
        let arrivals: Vec<_> = self.links[usize::from(!up)].pass(self.now, datagram).collect();
        for (delay, datagram) in arrivals {
            self.count += 1;
            self.on_the_way.push(Reverse((self.now + delay, self.count, up, channel, datagram)));
        }
    }
}

impl World<LoadTest> {
    fn new(settings: LoadSettings, server: reflect::Settings, up: &str, down: &str) -> Self {
        Self::with(LoadTest::new(settings, Simulation::START), server, up, down)
    }

    /// Until the test is over, at most a minute a search.
    fn whole(settings: LoadSettings, server: reflect::Settings, up: &str, down: &str) -> Self {
        let most = Duration::from_secs(60 * settings.ways.len() as i64);
        let mut world = Self::new(settings, server, up, down);
        world.run(most);
        world
    }

    fn found(&self) -> &[Found] {
        assert_eq!(self.test.outcome(), Some(&Ok(())));
        self.test.found()
    }
}

fn settings(dialect: Dialect) -> LoadSettings {
    LoadSettings {
        dialect,
        ways: vec![Way::Echo],
        search: rate_search::Settings { packet: SIZE + HEADERS, ..rate_search::Settings::default() },
        size: SIZE,
        other_size: 80,
        seed: 1,
        key: None,
    }
}

/// The links count UDP payload.
fn payload_error(found: &Found, rate: f64) -> f64 {
    found.result.rate * f64::from(SIZE) / f64::from(SIZE + HEADERS) / rate - 1.0
}

#[test]
fn an_echo_shows_the_rate_of_the_slower_direction() {
    for (up, down) in [("rate=8Mbit,queue=200k", "clean"), ("clean", "rate=8Mbit,queue=200k")] {
        for dialect in [Dialect::Native, Dialect::Plain] {
            let world = World::whole(settings(dialect), clean(), up, down);
            let found = &world.found()[0];
            let error = payload_error(found, 8e6);
            assert!(error.abs() < 0.02, "{dialect:?} {up} {down}: {error:+.4}");
            assert_eq!((found.result.kind(), found.result.limited_by), (Kind::Queue, None));
            let pushed = found.result.pushed.expect("a push");
            // 200 kB at 8 Mbit/s are 200 ms, for both flows.
            for delays in [pushed.own, pushed.other] {
                let max = delays.expect("delays").max;
                assert!((max - millis(200)).abs() < millis(20), "{max}");
            }
            let [p50, _] = world.test.idle_rtt().expect("an idle RTT");
            assert!((p50 - millis(10)).abs() < millis(3), "{p50}");
            assert!(world.test.rows().len() > 100, "{}", world.test.rows().len());
        }
    }
}

#[test]
fn with_a_key_it_is_the_same() {
    let key = Key::new(&[9; 32]);
    let server = reflect::Settings { key: Some(key.clone()), ..clean() };
    let client = LoadSettings { key: Some(key), ..settings(Dialect::Native) };
    let world = World::whole(client, server, "clean", "rate=2Mbit,queue=50k");
    let error = payload_error(&world.found()[0], 2e6);
    assert!(error.abs() < 0.02, "{error:+.4}");
}

#[test]
fn a_server_that_limits_probes_grants_no_more_than_that() {
    let server = reflect::Settings { session_rate: Some(500), ..clean() };
    let world = World::whole(settings(Dialect::Native), server, "clean", "clean");
    let result = &world.found()[0].result;
    assert_eq!(result.limited_by, Some(LimitedBy::Grant));
    let packets = result.rate / 8.0 / f64::from(SIZE + HEADERS);
    assert!((packets / 500.0 - 1.0).abs() < 0.02, "{packets}");
}

#[test]
fn a_server_that_does_not_answer_is_a_failure_and_one_that_stops_ends_the_load() {
    let world = World::whole(settings(Dialect::Native), clean(), "loss=100%", "clean");
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
    world.run(millis(3_800));
    let stopped = world.now;
    let now = world.now;
    world.test.stop(now);
    world.run(Duration::from_secs(1));
    assert!(world.last_sent[0] <= stopped + millis(1), "only the end of the sessions follows");
    assert_eq!(world.test.cut_short(), Some(&CutShort::Stopped));
    let error = payload_error(&world.found()[0], 8e6);
    assert!(error.abs() < 0.05, "{error:+.4}");
}

fn each_way() -> LoadSettings {
    LoadSettings { ways: vec![Way::Up, Way::Down], ..settings(Dialect::Native) }
}

#[test]
fn each_direction_is_measured_by_itself() {
    for (up, down) in [(2e6, 12e6), (12e6, 2e6)] {
        let line = |rate: f64| format!("rate={}kbit,queue={}", (rate / 1e3) as u64, (rate / 40.0) as u64);
        let world = World::whole(each_way(), clean(), &line(up), &line(down));
        let found = world.found();
        assert_eq!(found.iter().map(|found| found.way).collect::<Vec<_>>(), [Way::Up, Way::Down]);
        for (found, rate) in found.iter().zip([up, down]) {
            let error = payload_error(found, rate);
            assert!(error.abs() < 0.02, "{:?} of {up} and {down}: {error:+.4}", found.way);
            assert_eq!((found.result.kind(), found.result.limited_by), (Kind::Queue, None));
            // 200 ms of queue, for both flows.
            let pushed = found.result.pushed.expect("a push");
            for delays in [pushed.own, pushed.other] {
                let max = delays.expect("delays").max;
                assert!((max - millis(200)).abs() < millis(20), "{max}");
            }
            assert!(found.result.recovery.is_some(), "{:?} is not idle again", found.way);
            assert_eq!(found.result.steps.len(), 6);
        }
        let [p50, _] = world.test.idle_rtt().expect("an idle RTT");
        assert!((p50 - millis(10)).abs() < millis(3), "{p50}");
    }
}

#[test]
fn the_server_that_emulates_a_bottleneck_shows_it_in_its_direction() {
    for (direction, limited) in [("up", Way::Up), ("down", Way::Down)] {
        let injection = format!("rate=4Mbit,queue=100k direction={direction}").parse().unwrap();
        let server = reflect::Settings { injection: Injection::steady(injection), ..granting(40_000_000) };
        let world = World::whole(each_way(), server, "clean", "clean");
        for found in world.found() {
            let (rate, limit) =
                if found.way == limited { (4e6, None) } else { (40e6, Some(LimitedBy::Grant)) };
            let error = payload_error(found, rate);
            assert!(error.abs() < 0.02, "{:?}, {direction} limited: {error:+.4}", found.way);
            assert_eq!(found.result.limited_by, limit, "{:?}, {direction} limited", found.way);
        }
    }
}

#[test]
fn with_a_key_each_direction_is_the_same() {
    let key = Key::new(&[9; 32]);
    let server = reflect::Settings { key: Some(key.clone()), ..clean() };
    let client = LoadSettings { key: Some(key), ..each_way() };
    let world = World::whole(client, server, "rate=3Mbit,queue=50k", "rate=2Mbit,queue=50k");
    for (found, rate) in world.found().iter().zip([3e6, 2e6]) {
        let error = payload_error(found, rate);
        assert!(error.abs() < 0.02, "{:?}: {error:+.4}", found.way);
    }
}

#[test]
fn loss_of_requests_and_reports_costs_no_rate() {
    let lossy = "rate=8Mbit,queue=200k loss=3%";
    let world = World::whole(each_way(), clean(), lossy, lossy);
    for found in world.found() {
        let error = payload_error(found, 8e6);
        assert!(error.abs() < 0.02, "{:?}: {error:+.4}", found.way);
    }
}

#[test]
fn a_server_that_grants_no_load_is_a_failure_at_once() {
    let server = reflect::Settings { load: LoadGrant::Nobody, ..clean() };
    let world = World::whole(each_way(), server, "clean", "clean");
    assert_eq!(world.test.outcome(), Some(&Err(Failure::LoadRefused)));
    assert!(world.now - Simulation::START < millis(100));
}

#[test]
fn a_stop_ends_the_load_of_the_server_too_and_skips_what_was_to_come() {
    let ways = LoadSettings { ways: vec![Way::Down, Way::Up], ..each_way() };
    let mut world = World::new(ways, clean(), "clean", "rate=8Mbit,queue=200k");
    world.run(millis(4_500));
    let stopped = world.now;
    world.test.stop(stopped);
    world.run(Duration::from_secs(1));
    assert_eq!(world.found().len(), 1);
    let error = payload_error(&world.found()[0], 8e6);
    assert!(error.abs() < 0.05, "{error:+.4}");
    assert!(world.last_sent[1] <= stopped + millis(6), "the close takes 5 ms");
}

#[test]
fn a_server_that_stops_in_the_middle_ends_the_search() {
    for ways in [vec![Way::Up], vec![Way::Down]] {
        let settings = LoadSettings { ways, ..each_way() };
        let mut world = World::new(settings, clean(), "rate=8Mbit,queue=200k", "rate=8Mbit,queue=200k");
        world.run(Duration::from_secs(4));
        world.server = None;
        let gone = world.now;
        world.run(Duration::from_secs(60));
        assert!(matches!(world.test.cut_short(), Some(CutShort::Failed(Failure::Silent { .. }))));
        assert_eq!(world.found().len(), 1, "the rate was known");
        assert!(world.now - gone < Duration::from_secs(15), "{}", world.now - gone);
    }
}

#[test]
fn a_server_that_is_restarted_while_a_client_waits_for_its_load_is_why_the_search_ends() {
    let mut world = World::new(each_way(), clean(), "clean", "clean");
    let mut occupant = Occupant::of(&mut world);
    for _ in 0..3 {
        assert!(!occupant.ask(&mut world).busy);
        world.run(Duration::from_secs(1));
    }
    assert!(world.test.is_waiting());
    world.server = Some(Server::new(clean(), [4; 32], world.now));
    world.run(Duration::from_secs(10));
    assert!(world.found().is_empty());
    assert!(matches!(world.test.cut_short(), Some(CutShort::Failed(_))), "{:?}", world.test.cut_short());
}

#[test]
fn a_stop_or_the_end_of_the_server_before_a_rate_is_known_leaves_none() {
    for is_stopped in [true, false] {
        let mut world = World::new(each_way(), clean(), "rate=8Mbit,queue=200k", "clean");
        world.run(millis(1_300));
        if is_stopped {
            let now = world.now;
            world.test.stop(now);
        } else {
            world.server = None;
        }
        world.run(Duration::from_secs(60));
        assert_eq!(world.found(), []);
        assert_eq!(world.test.cut_short() == Some(&CutShort::Stopped), is_stopped);
    }
}

fn steadily(settings: SteadySettings, line: &str) -> World<SteadyLoad> {
    World::with(SteadyLoad::new(settings, Simulation::START), clean(), line, line)
}

#[test]
fn a_steady_load_is_what_was_asked_for_in_the_directions_that_were() {
    for (up, down) in [(true, true), (true, false), (false, true)] {
        let mut world = steadily(SteadySettings { up, down, ..steady_load(4e6) }, "loss=10%");
        world.run(Duration::from_secs(10));
        assert!(world.test.is_loading() && world.test.period().is_none());
        let stopped = world.now;
        world.test.stop(stopped);
        world.run(Duration::from_secs(1));
        assert_eq!(world.test.outcome(), Some(&Ok(())));
        assert!(world.last_sent[1] <= stopped + millis(6));
        let (from, until) = world.test.period().expect("an end");
        assert!(from - Simulation::START < millis(100) && until == stopped);
        for (wanted, result) in [up, down].into_iter().zip(world.test.results()) {
            assert_eq!(wanted, result.is_some());
            let Some(result) = result else { continue };
            let sent = result.sent as f64 * f64::from(SIZE + HEADERS) * 8.0 / result.span.as_secs_f64();
            assert!((sent / 4e6 - 1.0).abs() < 0.01, "{sent}");
            let lost = 1.0 - result.arrived as f64 / result.sent as f64;
            assert!((lost - 0.1).abs() < 0.03, "{lost}");
            assert!(result.span > Duration::from_secs(9), "{}", result.span);
        }
    }
}

#[test]
fn a_load_of_a_part_of_the_run_keeps_its_grant_until_it_begins_and_ends_by_itself() {
    let (after, length) = (Duration::from_secs(5), Some(Duration::from_secs(3)));
    let mut world = steadily(SteadySettings { after, length, ..steady_load(4e6) }, "clean");
    world.run(Duration::from_secs(4));
    assert!(world.test.is_granted() && !world.test.is_loading() && world.count < 50, "{}", world.count);
    let mut other = Occupant::of(&mut world);
    assert!(other.ask(&mut world).busy, "the load is spoken for");
    world.run(Duration::from_secs(2));
    assert!(world.test.is_loading());
    world.run(Duration::from_secs(10));
    assert_eq!(world.test.outcome(), Some(&Ok(())));
    let (from, until) = world.test.period().expect("an end");
    assert!((until - from - Duration::from_secs(3)).abs() <= millis(1), "{}", until - from);
    assert!((from - Simulation::START - after - millis(50)).abs() <= millis(50), "{from:?}");
    assert!(world.last_sent.iter().all(|sent| *sent <= until + millis(6)), "{:?}", world.last_sent);
    for result in world.test.results() {
        let span = result.expect("a result").span;
        assert!((span - Duration::from_secs(3)).abs() < millis(300), "{span}");
    }
}

#[test]
fn a_long_load_proves_its_address_again() {
    for after in [Duration::ZERO, Duration::from_secs(400)] {
        let mut world = steadily(SteadySettings { after, ..steady_load(100e3) }, "loss=10%");
        world.run(after + Duration::from_secs(400));
        assert!(world.test.is_loading(), "{:?}", world.test.outcome());
        let down = world.test.results()[1].expect("a result");
        assert!(down.span > Duration::from_secs(390), "{}", down.span);
    }
}

#[test]
fn a_server_that_goes_away_ends_a_load_that_waits_or_flows() {
    for after in [Duration::ZERO, Duration::from_secs(30)] {
        let mut world = steadily(SteadySettings { after, ..steady_load(4e6) }, "clean");
        world.run(Duration::from_secs(2));
        world.server = None;
        world.run(Duration::from_secs(20));
        assert!(matches!(world.test.outcome(), Some(Err(Failure::Silent { .. }))), "{after}");
        assert_eq!(world.test.period().is_some(), after == Duration::ZERO);
    }
}

/// Another client's session with the server of a world, which wants the load for itself.
struct Occupant {
    token: Token,
    number: u32,
}

impl Occupant {
    fn of<L: LoadMachine>(world: &mut World<L>) -> Self {
        let token = handshake(|datagram| world.ask(occupant(), datagram), 1, 200).expect("a session");
        Self { token, number: 0 }
    }

    fn ask<L: LoadMachine>(&mut self, world: &mut World<L>) -> LoadReport {
        self.number += 1;
        let pull = Pull { token: self.token, phase: 1, number: self.number, rate: 0, size: 0, budget: 0 };
        let answer = world.ask(occupant(), &emitted(|buffer| pull.emit(buffer))).expect("an answer");
        let Ok(Message::LoadReport(report)) = decode(&answer) else { panic!("no report") };
        report
    }
}

fn occupant() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 9], 5_000))
}

#[test]
fn a_client_waits_while_another_one_has_the_load_and_gives_up_after_a_minute() {
    for seconds in [5, 70] {
        let settings = LoadSettings { ways: vec![Way::Down], ..each_way() };
        let mut world = World::new(settings, clean(), "clean", "rate=2Mbit,queue=50k");
        let mut occupant = Occupant::of(&mut world);
        for _ in 0..seconds {
            assert!(!occupant.ask(&mut world).busy);
            world.run(Duration::from_secs(1));
        }
        assert_eq!(world.test.is_waiting(), seconds == 5);
        world.run(Duration::from_secs(60));
        match world.test.outcome() {
            Some(Err(Failure::LoadBusy { after })) => {
                assert!(seconds == 70 && *after > Duration::from_secs(60), "{after}");
            }
            outcome => {
                assert!(seconds == 5 && outcome == Some(&Ok(())) && world.found().len() == 1, "{outcome:?}")
            }
        }
    }
}
