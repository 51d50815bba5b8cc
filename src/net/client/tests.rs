//! The engine with several targets on loopback.

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use super::*;
use crate::impair::Impairment;
use crate::net::sleep::Timer;
use crate::net::sys::unusable_socket;
use crate::net::{Bind, Clock, Control, ServerEngine, Serving};
use crate::probe::{Event, Failure, Outcome, Settings};
use crate::reflect::{self, Injection, Server};
use crate::time::Duration;
use crate::units::Interval;

struct Reflector {
    address: SocketAddr,
    control: Arc<Control>,
    serving: Option<JoinHandle<()>>,
}

impl Reflector {
    fn start(clock: Clock) -> Self {
        Self::at("127.0.0.1:0", clock)
    }

    fn at(address: &str, clock: Clock) -> Self {
        let injection = Injection::steady(Impairment::clean());
        let settings = reflect::Settings { injection, ..reflect::Settings::default() };
        let server = Server::new(settings, [1; 32], clock.now());
        let bind = Bind::At(address.parse().unwrap());
        let mut engine = ServerEngine::bind(bind, Serving::default(), server, clock).unwrap();
        let address = engine.local_addr().unwrap();
        let control = Arc::new(Control::new().unwrap());
        let stop = Arc::clone(&control);
        let serving = thread::spawn(move || _ = engine.run(&stop, |_, _| {}).unwrap());
        Self { address, control, serving: Some(serving) }
    }
}

impl Drop for Reflector {
    fn drop(&mut self) {
        self.control.stop();
        if let Some(serving) = self.serving.take() {
            serving.join().unwrap();
        }
    }
}

fn settings(millis: i64, count: Option<u64>) -> Settings {
    // A session is known by nonce and source, and several targets may have one source.
    static SEEDS: AtomicU64 = AtomicU64::new(1);
    let interval = Interval::new(Duration::from_millis(millis)).unwrap();
    let seed = SEEDS.fetch_add(1, Ordering::Relaxed);
    Settings { count, deadline: Some(Duration::from_secs(30)), ..Settings::every(interval, seed) }
}

fn target(remote: SocketAddr, millis: i64, count: Option<u64>, clock: Clock) -> Target {
    Target::connect(remote, settings(millis, count), &Outgoing::default(), clock).unwrap()
}

fn pooled(remote: SocketAddr, millis: i64, count: Option<u64>, clock: Clock) -> Target {
    Target::pooled(remote, settings(millis, count), None, clock.now())
}

fn engine(clock: Clock, targets: impl IntoIterator<Item = (u32, Target)>) -> ClientEngine {
    let mut engine = ClientEngine::new(Timer::Sleep, clock);
    for (id, target) in targets {
        engine.add(TargetId(id), target).unwrap();
    }
    engine
}

/// The outcomes of each target's probes, and the events that ended it.
#[derive(Default, Debug)]
struct Seen {
    answered: BTreeMap<u32, u64>,
    failed: BTreeMap<u32, Option<Failure>>,
    finished: Vec<u32>,
}

impl Seen {
    fn note(&mut self, observation: Observation) {
        match observation {
            Observation::Event { target, event: Event::Resolved(probe), .. } => {
                // A stalled host skips probes that fell due meanwhile.
                assert!(probe.outcome == Outcome::Ok || probe.skipped, "{target:?} {probe:?}");
                *self.answered.entry(target.0).or_default() += 1;
            }
            Observation::Event { target, event: Event::Failed(failure), .. } => {
                _ = self.failed.insert(target.0, Some(failure));
            }
            Observation::Event { target, event: Event::Finished, .. } => self.finished.push(target.0),
            Observation::SocketFailed { target, .. } => _ = self.failed.insert(target.0, None),
            _ => {}
        }
    }
}

fn run(engine: &mut ClientEngine) -> Seen {
    let mut seen = Seen::default();
    engine.run(&Control::new().unwrap(), &mut |observation| seen.note(observation)).unwrap();
    seen.finished.sort_unstable();
    seen
}

#[test]
fn targets_with_other_intervals_are_measured_beside_one_where_nobody_listens() {
    let clock = Clock::start();
    let server = Reflector::start(clock);
    let closed = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let targets = [
        (1, target(server.address, 3, Some(20), clock)),
        (2, target(server.address, 11, Some(6), clock)),
        (3, target(closed, 5, Some(10), clock)),
    ];
    let seen = run(&mut engine(clock, targets));
    assert_eq!(seen.answered, BTreeMap::from([(1, 20), (2, 6)]));
    assert_eq!(seen.failed, BTreeMap::from([(3, Some(Failure::Unreachable))]));
    assert_eq!(seen.finished, [1, 2, 3]);
}

#[test]
fn a_target_whose_socket_is_unusable_ends_alone() {
    let clock = Clock::start();
    let server = Reflector::start(clock);
    let mut broken = target(server.address, 5, None, clock);
    broken.sockets[0] = unusable_socket();
    let targets = [(1, broken), (2, target(server.address, 5, Some(10), clock))];
    let mut engine = engine(clock, targets);
    let seen = run(&mut engine);
    assert_eq!(seen.answered, BTreeMap::from([(2, 10)]));
    assert!(seen.failed.into_keys().eq([1]));
    assert!(engine.target(TargetId(1)).unwrap().local_addr().is_err());
}

/// More sockets than one list of them is for.
#[test]
fn a_hundred_targets_are_measured_by_one_thread() {
    let clock = Clock::start();
    let server = Reflector::start(clock);
    let targets = (0..100).map(|id| (id, target(server.address, 20, Some(5), clock)));
    let mut engine = engine(clock, targets);
    assert!(engine.shared.ready_set.is_some());
    let seen = run(&mut engine);
    assert!(seen.answered.len() == 100 && seen.answered.values().all(|count| *count == 5), "{seen:?}");
    assert!(seen.failed.is_empty() && seen.finished.into_iter().eq(0..100));
}

/// 300 addresses of one reflector.
#[test]
fn hundreds_of_targets_share_one_socket_and_each_gets_its_own_replies() {
    let clock = Clock::start();
    let server = Reflector::at("0.0.0.0:0", clock);
    let address = |id: u32| {
        SocketAddr::from(([127, 0, 1 + (id / 250) as u8, (id % 250) as u8 + 1], server.address.port()))
    };
    let targets = (0..300).map(|id| (id, pooled(address(id), 500, Some(1 + u64::from(id % 3)), clock)));
    let mut engine = engine(clock, targets);
    let seen = run(&mut engine);
    assert_eq!(engine.shared.pool.count(), 1);
    let expected: BTreeMap<u32, u64> = (0..300).map(|id| (id, 1 + u64::from(id % 3))).collect();
    assert_eq!((seen.answered, seen.failed), (expected, BTreeMap::new()));
    assert_eq!((engine.shared.pool.foreign(), engine.shared.pool.overflows()), (0, 0));
}

/// The replies to probes of one moment come together, and those that one look leaves pile up until the next probe.
#[test]
fn one_look_at_a_shared_socket_reads_the_replies_of_hundreds_of_targets() {
    let clock = Clock::start();
    let server = Reflector::start(clock);
    let mut engine = engine(clock, [(1, pooled(server.address, 500, Some(1), clock))]);
    let port = engine.shared.pool.source_port(0);
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    (0..300).for_each(|_| _ = stranger.send_to(b"x", ("127.0.0.1", port)).unwrap());
    engine.look().unwrap();
    engine.read_pool(&mut |_| {}).unwrap();
    assert_eq!((engine.shared.pool.foreign(), engine.shared.backlog), (300, false));
}

#[test]
fn targets_at_one_address_have_a_shared_socket_each_and_leave_it_to_others_at_their_end() {
    let clock = Clock::start();
    let server = Reflector::start(clock);
    let mut engine = engine(clock, [1, 2, 3].map(|id| (id, pooled(server.address, 5, Some(10), clock))));
    assert_eq!(engine.shared.pool.count(), 3);
    assert_eq!(run(&mut engine).answered, BTreeMap::from([(1, 10), (2, 10), (3, 10)]));
    engine.add(TargetId(4), pooled(server.address, 5, Some(4), clock)).unwrap();
    assert_eq!((run(&mut engine).answered, engine.shared.pool.count()), (BTreeMap::from([(4, 4)]), 3));
}

/// With one socket for all, the kernel's error queue tells which address an ICMP error is about.
#[test]
fn an_icmp_error_at_a_shared_socket_is_told_to_its_target_alone() {
    let clock = Clock::start();
    for any in ["127.0.0.1:0", "[::1]:0"] {
        let server = Reflector::at(any, clock);
        let closed: Vec<_> = (0..20).map(|_| UdpSocket::bind(any).unwrap().local_addr().unwrap()).collect();
        let dead = (100..).zip(closed).map(|(id, remote)| (id, pooled(remote, 5, Some(10), clock)));
        let targets = [(1, pooled(server.address, 3, Some(50), clock))].into_iter().chain(dead);
        let mut engine = engine(clock, targets);
        let seen = run(&mut engine);
        assert_eq!((engine.shared.pool.count(), seen.answered), (1, BTreeMap::from([(1, 50)])));
        let unreachable = (100..120).map(|id| (id, Some(Failure::Unreachable))).collect();
        assert_eq!(seen.failed, unreachable);
    }
}

/// As with a socket of its own, the RTT leaves out the send call.
#[test]
fn probes_from_a_shared_socket_have_the_kernel_s_transmit_timestamp() {
    let clock = Clock::start();
    let server = Reflector::start(clock);
    let mut engine = engine(clock, [(1, pooled(server.address, 2, Some(20), clock))]);
    let mut told = None;
    let mut observe = |observation| {
        if let Observation::TxStamps { sent, stamped, .. } = observation {
            told = Some((sent, stamped));
        }
    };
    engine.run(&Control::new().unwrap(), &mut observe).unwrap();
    assert_eq!(told, Some((20, 20)));
}

#[test]
fn strangers_are_counted_where_there_are_many_sockets_too() {
    let clock = Clock::start();
    let server = Reflector::start(clock);
    let targets = (0..20).map(|id| (id, target(server.address, 20, Some(20), clock)));
    let mut engine = engine(clock, targets);
    let port = engine.target(TargetId(7)).unwrap().local_addr().unwrap().port();
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    let knock = || stranger.send_to(b"x", ("127.0.0.1", port)).unwrap();
    knock();
    let mut knocks = 1;
    let mut observe = |observation| {
        // The first knock has silenced the listener for a while.
        if let Observation::Event { target: TargetId(7), event: Event::Resolved(probe), .. } = observation
            && probe.seq == 10
        {
            knock();
            knocks += 1;
        }
    };
    engine.run(&Control::new().unwrap(), &mut observe).unwrap();
    let foreign = |id| engine.target(TargetId(id)).unwrap().counters().foreign;
    assert_eq!((knocks, foreign(7), foreign(8)), (2, 2, 0));
}

#[test]
fn targets_come_and_go_while_the_engine_runs() {
    let clock = Clock::start();
    let server = Reflector::start(clock);
    let control = Arc::new(Control::new().unwrap());
    let mut engine = engine(clock, []);
    let changes = engine.changes(&control);
    let (sender, observations) = mpsc::channel();
    let running = thread::spawn(move || {
        engine.run(&control, &mut |observation| drop(sender.send(observation))).unwrap();
        engine
    });
    let mut seen = Seen::default();
    let mut until = |is_reached: &dyn Fn(&Seen) -> bool| {
        while !is_reached(&seen) {
            seen.note(observations.recv().expect("the engine runs"));
        }
    };
    let answered = |seen: &Seen, id| seen.answered.get(&id).copied().unwrap_or(0);
    changes.add(TargetId(1), target(server.address, 5, None, clock));
    until(&|seen| answered(seen, 1) >= 3);
    changes.add(TargetId(2), target(server.address, 7, None, clock));
    until(&|seen| answered(seen, 2) >= 3);
    changes.remove(TargetId(1));
    until(&|seen| seen.finished == [1]);
    let before = answered(&seen, 2);
    let mut until = |is_reached: &dyn Fn(&Seen) -> bool| {
        while !is_reached(&seen) {
            seen.note(observations.recv().expect("the engine runs"));
        }
    };
    until(&|seen| answered(seen, 2) > before + 3);
    changes.remove(TargetId(2));
    until(&|seen| seen.finished == [1, 2]);
    drop(changes);
    let engine = running.join().unwrap();
    assert!(engine.targets.is_empty(), "a removed target is forgotten");
    assert_eq!((engine.load, engine.queue.next()), Default::default());
}
