//! The relay on loopback, an echo server behind it.

use std::net::UdpSocket;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration as StdDuration;

use super::*;
use crate::impair::Impairment;
use crate::relay::Scope;
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
    thread: JoinHandle<RelayEngine>,
}

impl Running {
    fn start(upstream: SocketAddr, up: &str, down: &str) -> Self {
        let parse = |line: &str| Arc::new(line.parse::<Impairment>().unwrap());
        let settings = MappingSettings {
            name: "m".into(),
            up: parse(up),
            down: parse(down),
            seed: 1,
            scope: Scope::Mapping,
        };
        let listen = "127.0.0.1:0".parse().unwrap();
        let mapping = RelayMapping { listen, upstream, settings };
        let mut engine = RelayEngine::bind(vec![mapping], Limits::default(), Clock::start()).unwrap();
        let address = engine.local_addr(0).unwrap();
        let (seen, control) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Control::new().unwrap()));
        let (note, stop) = (Arc::clone(&seen), Arc::clone(&control));
        let thread = thread::spawn(move || {
            engine.run(&stop, |observation| note.lock().unwrap().push(observation)).unwrap();
            engine
        });
        Self { address, seen, control, thread }
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
    let lost = counters.up.dropped(crate::relay::DropCause::Lost);
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
    assert_eq!(counters.up.passed + counters.up.send_errors, counters.up.arrived);
    assert!(!seen.iter().any(|seen| matches!(seen, RelayObservation::SocketError { .. })), "{seen:?}");
}
