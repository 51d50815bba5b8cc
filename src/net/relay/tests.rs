//! The relay on loopback, an echo server behind it.

use std::net::UdpSocket;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration as StdDuration;

use super::*;
use crate::impair::Impairment;
use crate::relay::Tally;
use crate::time::Duration;

const LONG: StdDuration = StdDuration::from_secs(20);

/// Sends each datagram back to where it came from, until it gets an empty one.
fn echo_server() -> (SocketAddr, JoinHandle<()>) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let echo = move || {
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = socket.recv_from(&mut buffer)
            && length > 0
        {
            socket.send_to(&buffer[..length], from).unwrap();
        }
    };
    (address, thread::spawn(echo))
}

struct Running {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<RelayObservation>>>,
    control: Arc<Control>,
    handle: RelayHandle,
    thread: JoinHandle<RelayEngine>,
}

impl Running {
    fn start(upstream: SocketAddr, up: &str, down: &str) -> Self {
        Self::start_behind("none", upstream, up, down)
    }

    fn start_behind(nat: &str, upstream: SocketAddr, up: &str, down: &str) -> Self {
        Self::start_within(Limits::default(), nat, upstream, up, down)
    }

    fn start_within(limits: Limits, nat: &str, upstream: SocketAddr, up: &str, down: &str) -> Self {
        let parse = |line: &str| Arc::new(line.parse::<Impairment>().unwrap());
        let nat = nat.parse().unwrap();
        let settings = MappingSettings { nat, ..MappingSettings::new("m".into(), parse(up), parse(down), 1) };
        let listen = "127.0.0.1:0".parse().unwrap();
        let mapping = RelayMapping { listen, upstream, server: upstream.to_string(), settings };
        let mut engine = RelayEngine::bind(vec![mapping], limits, Clock::start()).unwrap();
        let address = engine.local_addr(0);
        let (seen, control) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Control::new().unwrap()));
        let handle = engine.handle(&control);
        let (note, stop) = (Arc::clone(&seen), Arc::clone(&control));
        let thread = thread::spawn(move || {
            let mut observe = |observation, _: &[u8]| note.lock().unwrap().push(observation);
            engine.run(&stop, &mut observe).unwrap();
            engine
        });
        Self { address, seen, control, handle, thread }
    }

    fn client(&self) -> UdpSocket {
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.connect(self.address).unwrap();
        client.set_read_timeout(Some(LONG)).unwrap();
        client
    }

    fn stop(self) -> (Counters, Vec<RelayObservation>) {
        self.control.stop();
        let engine = self.thread.join().unwrap();
        let seen = std::mem::take(&mut *self.seen.lock().unwrap());
        (engine.counters(0), seen)
    }
}

fn receive(client: &UdpSocket) -> Vec<u8> {
    let mut buffer = [0; 2048];
    let length = client.recv(&mut buffer).unwrap();
    buffer[..length].to_vec()
}

fn end(server: (SocketAddr, JoinHandle<()>)) {
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(&[], server.0).unwrap();
    server.1.join().unwrap();
}

#[test]
fn clients_get_the_answers_to_their_own_datagrams_and_each_has_a_flow() {
    let server = echo_server();
    let relay = Running::start(server.0, "clean", "clean");
    let clients = [relay.client(), relay.client()];
    for number in 0..50_u8 {
        for (client, name) in clients.iter().zip([b'a', b'b']) {
            client.send(&[name, number]).unwrap();
        }
        for (client, name) in clients.iter().zip([b'a', b'b']) {
            assert_eq!(receive(client), [name, number]);
        }
    }
    let (counters, seen) = relay.stop();
    end(server);
    for tally in [counters.up, counters.down] {
        assert_eq!((tally.arrived, tally.passed, tally.held), (100, 100, 0));
    }
    assert_eq!((counters.flows, counters.flows_opened), (2, 2));
    let sent = |seen: &&RelayObservation| matches!(seen, RelayObservation::Sent { fate: Fate::Passed, .. });
    assert_eq!(seen.iter().filter(sent).count(), 200, "each datagram has one fate");
}

#[test]
fn every_fourth_datagram_is_lost_and_no_other() {
    let server = echo_server();
    let relay = Running::start(server.0, "loss=nth:4", "clean");
    let client = relay.client();
    for number in 1..=41_u8 {
        client.send(&[number]).unwrap();
        if number % 4 != 0 {
            assert_eq!(receive(&client), [number]);
        }
    }
    let (counters, _) = relay.stop();
    end(server);
    let lost = counters.up.dropped(DropCause::Lost);
    assert_eq!((counters.up.passed, lost, counters.down.passed), (31, 10, 31));
}

#[test]
fn a_delayed_datagram_leaves_no_sooner_than_it_is_due() {
    let server = echo_server();
    let relay = Running::start(server.0, "delay=constant:30ms", "delay=constant:10ms");
    let client = relay.client();
    for number in 0..10_u8 {
        client.send(&[number]).unwrap();
    }
    (0..10_u8).for_each(|number| assert_eq!(receive(&client), [number]));
    let (_, seen) = relay.stop();
    end(server);
    let mut held = [0, 0];
    for observation in seen {
        let RelayObservation::Sent { leaving, released, .. } = observation else { continue };
        let (way, delay) = match leaving.direction {
            crate::impair::Direction::Up => (0, 30),
            crate::impair::Direction::Down => (1, 10),
        };
        held[way] += 1;
        assert_eq!(leaving.due - leaving.arrived, Duration::from_millis(delay));
        assert!(released >= leaving.due, "{leaving:?}");
    }
    assert_eq!(held, [10, 10]);
}

#[test]
fn a_datagram_keeps_its_traffic_class_and_its_time_to_live_falls_by_one() {
    let options = Options { report_ttl: true, report_tos: true, ..Options::default() };
    let mut server = bind_socket("127.0.0.1:0".parse().unwrap(), &options).unwrap();
    let relay = Running::start(server.local_addr().unwrap(), "clean", "clean");
    let options = Options { ttl: Some(40), traffic_class: Some(0xB8), ..Options::default() };
    let mut client = bind_socket("127.0.0.1:0".parse().unwrap(), &options).unwrap();
    client.connect(relay.address).unwrap();
    client.send_one(b"x").unwrap();
    let mut inbox = Batch::new(1, 100);
    while server.receive(&mut inbox).is_err() {
        server.wait_readable(Duration::from_secs(1)).unwrap();
    }
    assert_eq!((inbox.arrival(0).tos, inbox.arrival(0).ttl), (Some(0xB8), Some(39)));
    // The last hop of a loop.
    let options = Options { ttl: Some(1), ..Options::default() };
    let mut last = bind_socket("127.0.0.1:0".parse().unwrap(), &options).unwrap();
    last.connect(relay.address).unwrap();
    last.send_one(b"x").unwrap();
    while !relay
        .seen
        .lock()
        .unwrap()
        .iter()
        .any(|seen| matches!(seen, RelayObservation::Sent { fate: Fate::SendError, .. }))
    {
        thread::yield_now();
    }
    assert_eq!(relay.stop().0.up.send_errors, 1);
}

#[test]
fn what_is_held_for_a_flow_that_gave_way_is_dropped_by_the_limit() {
    let server = echo_server();
    let limits = Limits { flows: 1, ..Limits::default() };
    let relay = Running::start_within(limits, "none", server.0, "delay=200ms", "clean");
    let [first, second] = [relay.client(), relay.client()];
    first.send(b"first").unwrap();
    second.send(b"second").unwrap();
    assert_eq!(receive(&second), b"second");
    let (Counters { up, .. }, _) = relay.stop();
    end(server);
    assert_eq!((up.arrived, up.passed, up.dropped(DropCause::Limit), up.send_errors), (2, 1, 1, 0));
}

#[test]
fn what_is_held_at_the_end_leaves_if_it_is_due_soon_and_is_dropped_if_not() {
    for (delay, fate) in [("50ms", Fate::Passed), ("60s", Fate::Dropped(DropCause::Down))] {
        let server = echo_server();
        let relay = Running::start(server.0, &format!("delay=constant:{delay}"), "clean");
        relay.client().send(b"x").unwrap();
        let arrived = |seen: &RelayObservation| matches!(seen, RelayObservation::Arrived { .. });
        while !relay.seen.lock().unwrap().iter().any(arrived) {
            thread::yield_now();
        }
        let (counters, seen) = relay.stop();
        end(server);
        let fates: Vec<Fate> = seen
            .iter()
            .filter_map(|seen| match seen {
                RelayObservation::Sent { fate, .. } => Some(*fate),
                _ => None,
            })
            .collect();
        assert_eq!((fates, counters.up.held), (vec![fate], 0), "{delay}");
    }
}

#[test]
fn a_flow_goes_on_from_another_port_and_address_when_its_nat_rebinds_it() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(LONG)).unwrap();
    let nat = "rebind=20ms+20ms,via=127.0.0.2";
    let relay = Running::start_behind(nat, server.local_addr().unwrap(), "clean", "clean");
    let client = relay.client();
    let mut ports: Vec<SocketAddr> = Vec::new();
    while ports.len() < 3 {
        client.send(b"x").unwrap();
        let (_, from) = server.recv_from(&mut [0; 9]).unwrap();
        if !ports.contains(&from) {
            ports.push(from);
        }
    }
    // The last port is open: its answer reaches the client.
    server.send_to(b"answer", ports[2]).unwrap();
    let (counters, seen) = {
        let rebound = |seen: &RelayObservation| match seen {
            RelayObservation::Sent { leaving, .. } => leaving.direction == crate::impair::Direction::Down,
            RelayObservation::Dropped { .. } => true,
            _ => false,
        };
        while !relay.seen.lock().unwrap().iter().any(rebound) {
            thread::yield_now();
        }
        relay.stop()
    };
    assert_eq!(ports[1].ip().to_string(), "127.0.0.2");
    let rebound: Vec<SocketAddr> = seen
        .iter()
        .filter_map(|seen| match seen {
            RelayObservation::Rebound { upstream, .. } => *upstream,
            _ => None,
        })
        .collect();
    assert_eq!(rebound[..2], ports[1..]);
    assert_eq!(counters.up.rebound, rebound.len() as u64);
    assert_eq!(counters.down.passed + counters.down.dropped_in_all(), 1);
}

#[test]
fn a_server_that_is_not_there_is_told_by_events() {
    let closed = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let relay = Running::start(closed, "clean", "clean");
    let client = relay.client();
    let refused = |seen: &RelayObservation| matches!(seen, RelayObservation::Refused { .. });
    while !relay.seen.lock().unwrap().iter().any(refused) {
        client.send(b"x").unwrap();
        thread::sleep(StdDuration::from_millis(1));
    }
    let (counters, seen) = relay.stop();
    // The error of one datagram is no reason not to send the next.
    assert_eq!((counters.up.passed, counters.up.send_errors), (counters.up.arrived, 0));
    assert_eq!(counters.up.refused, seen.iter().filter(|seen| refused(seen)).count() as u64);
    assert!(!seen.iter().any(|seen| matches!(seen, RelayObservation::SocketError { .. })), "{seen:?}");
}

#[test]
fn orders_reach_a_relay_that_sleeps() {
    let server = echo_server();
    let relay = Running::start(server.0, "clean", "clean");
    let client = relay.client();
    let exchange = |client: &UdpSocket| {
        client.send(b"x").unwrap();
        assert_eq!(receive(client), b"x");
    };
    exchange(&client);
    let figures = relay.handle.ask(|engine| engine.flows(0, 10)).unwrap();
    assert_eq!(figures.len(), 1);
    assert_eq!(figures[0].0.client.remote, client.local_addr().unwrap());
    assert!(figures[0].1.is_some_and(|port| port != 0));
    let lossy: Arc<Impairment> = Arc::new("loss=100%".parse().unwrap());
    relay.handle.ask(move |engine| engine.change(0, |settings| settings.up = lossy)).unwrap();
    client.send(b"lost").unwrap();
    let lost = || relay.handle.ask(|engine| engine.counters(0).up.dropped(DropCause::Lost));
    while lost() != Some(1) {
        thread::yield_now();
    }
    relay
        .handle
        .ask(|engine| engine.change(0, |settings| settings.up = Arc::new(Impairment::clean())))
        .unwrap();
    exchange(&client);
    let (counters, _) = relay.stop();
    end(server);
    assert_eq!((counters.up.arrived, counters.up.passed, counters.down.passed), (3, 2, 2));
}

#[test]
fn a_mapping_that_is_down_refuses_its_clients_until_it_is_up_again() {
    let server = echo_server();
    let relay = Running::start(server.0, "clean", "clean");
    let client = relay.client();
    relay.handle.ask(|engine| engine.set_down(0, true)).unwrap().unwrap();
    client.send(b"x").unwrap();
    let refused = client.recv(&mut [0; 8]).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    relay.handle.ask(|engine| engine.set_down(0, false)).unwrap().unwrap();
    client.send(b"y").unwrap();
    assert_eq!(receive(&client), b"y");
    relay.stop();
    end(server);
}

#[test]
fn a_mapping_comes_and_goes_while_another_one_runs() {
    let (server, other) = (echo_server(), echo_server());
    let relay = Running::start(server.0, "clean", "clean");
    let settings =
        MappingSettings::new("n".into(), Arc::new(Impairment::clean()), Arc::new(Impairment::clean()), 1);
    let mapping = RelayMapping {
        listen: "127.0.0.1:0".parse().unwrap(),
        upstream: other.0,
        server: other.0.to_string(),
        settings,
    };
    let number = relay.handle.ask(|engine| engine.add_mapping(mapping)).unwrap().unwrap();
    let address = relay.handle.ask(move |engine| engine.local_addr(number)).unwrap();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.connect(address).unwrap();
    client.set_read_timeout(Some(LONG)).unwrap();
    client.send(b"n").unwrap();
    assert_eq!(receive(&client), b"n");
    relay.handle.ask(move |engine| engine.remove_mapping(number)).unwrap();
    assert_eq!(relay.handle.ask(|engine| engine.mapping_named("n")), Some(None));
    client.send(b"gone").unwrap();
    assert_eq!(client.recv(&mut [0; 8]).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    let first = relay.client();
    first.send(b"m").unwrap();
    assert_eq!(receive(&first), b"m");
    let (_, seen) = relay.stop();
    end(server);
    end(other);
    let added = |seen: &&RelayObservation| matches!(seen, RelayObservation::MappingAdded { .. });
    assert_eq!(seen.iter().filter(added).count(), 2);
}

/// The relay stands still meanwhile.
#[test]
fn datagrams_that_find_the_receive_buffer_full_are_counted_apart() {
    const SENT: u64 = 20_000;
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let relay = Running::start(server.local_addr().unwrap(), "clean", "clean");
    let client = relay.client();
    client.send(b"open").unwrap();
    let flow = server.recv_from(&mut [0; 8]).unwrap().1;
    let (go, waits) = std::sync::mpsc::channel::<()>();
    relay.handle.send(move |_| {
        let _ = waits.recv();
    });
    for _ in 0..SENT {
        client.send(&[7; 1_000]).unwrap();
        server.send_to(&[7; 1_000], flow).unwrap();
    }
    drop(go);
    let counted = |engine: &mut RelayEngine| {
        engine.count_all_overflows();
        engine.counters(0)
    };
    let all = |tally: &Tally| tally.arrived + tally.overflows;
    let both = (0..LONG.as_millis()).find_map(|_| {
        thread::sleep(StdDuration::from_millis(1));
        let Counters { up, down, .. } = relay.handle.ask(counted).unwrap();
        (all(&up) == SENT + 1 && all(&down) == SENT).then_some([up, down])
    });
    for tally in both.expect("each arrived or was counted as dropped") {
        assert!(tally.overflows > 0 && tally.arrived > 0, "{tally:?}");
    }
}
