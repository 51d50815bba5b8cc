//! The engine on real sockets of loopback.

use std::net::{IpAddr, Ipv6Addr, UdpSocket};

use super::peer_sockets::Peer;
use super::sockets::{Listener, Role};
use super::*;
use crate::net::sys::{Backend, Options, bind_socket, unusable_socket};
use crate::reflect::{Injection, Settings};

const ALL: u64 = u64::MAX;

fn bind(bind: Bind, serving: Serving) -> io::Result<ServerEngine> {
    bind_injecting("clean", bind, serving)
}

fn bind_injecting(line: &str, bind: Bind, serving: Serving) -> io::Result<ServerEngine> {
    let clock = Clock::start();
    let injection = Injection::steady(line.parse().unwrap());
    let settings = Settings { injection, unverified_rate: None, source_rate: None, ..Settings::default() };
    ServerEngine::bind(bind, serving, Server::new(settings, [1; 32], clock.now()), clock)
}

fn engine(at: Bind, serving: Serving) -> ServerEngine {
    bind(at, serving).unwrap()
}

fn is_echoed(engine: &mut ServerEngine, from: &UdpSocket) {
    from.send(b"hello").unwrap();
    engine.receive(ALL).unwrap();
    from.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
    let mut answer = [0; 16];
    let length = from.recv(&mut answer).unwrap();
    assert_eq!(&answer[..length], b"hello");
}

/// Its socket receives from the address that it sends to only.
fn client(ip: IpAddr, port: u16) -> UdpSocket {
    let any: IpAddr = if ip.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
    let client = UdpSocket::bind((any, 0)).unwrap();
    connect(client, ip, port)
}

fn connect(client: UdpSocket, ip: IpAddr, port: u16) -> UdpSocket {
    client.connect((ip, port)).unwrap();
    // It reads its replies when all of them are there.
    socket2::SockRef::from(&client).set_recv_buffer_size(4 << 20).unwrap();
    client
}

const LONGER_THAN_HELD: std::time::Duration = std::time::Duration::from_millis(60);

/// And a client.
fn engine_that_holds(at: Bind, ip: IpAddr) -> (ServerEngine, UdpSocket) {
    let engine = bind_injecting("delay=constant:50ms", at, Serving::default()).unwrap();
    let client = client(ip, engine.local_addr().unwrap().port());
    (engine, client)
}

#[test]
fn a_look_tells_whether_more_waits() {
    let mut engine = engine(Bind::AnyV4(0), Serving::default());
    let client = client([127, 0, 0, 1].into(), engine.local_addr().unwrap().port());
    let counts = [0, 1, ServerEngine::BATCH];
    let received = counts.map(|count| {
        (0..count).for_each(|_| _ = client.send(b"hello").unwrap());
        engine.receive(ALL).unwrap()
    });
    assert_eq!(received, [Received::None, Received::Some, Received::BatchFull]);
}

#[test]
fn what_waits_in_a_socket_is_held_meanwhile() {
    for (at, ip) in places() {
        let (mut engine, client) = engine_that_holds(at, ip);
        client.send(b"hello").unwrap();
        std::thread::sleep(LONGER_THAN_HELD);
        engine.receive(ALL).unwrap();
        assert!(engine.server.next_release().unwrap() <= engine.clock.now(), "{at:?}");
    }
}

#[test]
fn what_is_due_leaves_before_what_came_is_looked_at() {
    for (at, ip) in places() {
        let (mut engine, client) = engine_that_holds(at, ip);
        client.send(b"first").unwrap();
        engine.receive(ALL).unwrap();
        std::thread::sleep(LONGER_THAN_HELD);
        client.send(b"second").unwrap();
        engine.receive(ALL).unwrap();
        client.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
        assert_eq!(client.recv(&mut [0; 16]).unwrap(), b"first".len(), "{at:?}");
    }
}

#[test]
fn what_was_dropped_is_known_before_anything_is_answered() {
    const SENT: u64 = 1000;
    const MINUTE: Duration = Duration::from_secs(60);
    // The room is less than a batch takes, and nobody has asked for long; it is more, and somebody just has.
    for (room, length, since) in [(4096, 1000, MINUTE), (65_536, 1, -MINUTE)] {
        let mut engine = engine(Bind::AnyV4(0), Serving::default());
        let options = Options { receive_buffer: Some(room), lean: true, ..Options::default() };
        let socket = bind_socket(([127, 0, 0, 1], 0).into(), &options).unwrap();
        let client = client([127, 0, 0, 1].into(), socket.local_addr().unwrap().port());
        engine.listeners.all = vec![Listener::new(socket, Role::Wildcard, ServerPort::Main)];
        for _ in 0..SENT {
            client.send(&vec![7; length]).unwrap();
        }
        engine.drops_counted = engine.clock.now() - since;
        engine.receive(ALL).unwrap();
        let dropped = engine.server.counters().overflows;
        assert!(dropped > 0, "there is room for fewer of {length} bytes");
        while engine.receive(ALL).unwrap() > Received::None {}
        assert_eq!(engine.server.counters().received + dropped, SENT);
    }
}

/// Has a client send so much at once that it gets a socket of its own, and numbers what it sends.
fn flood_from(engine: &mut ServerEngine, client: &UdpSocket) -> u16 {
    const BATCHES: usize = 12;
    let sent = (BATCHES * ServerEngine::BATCH) as u16;
    (0..sent).for_each(|number| send_number(client, number));
    let before = engine.listeners.peers().count();
    (0..BATCHES).for_each(|_| _ = engine.receive(ALL).unwrap());
    assert_eq!(engine.listeners.peers().count(), before + 1);
    sent
}

/// With two clients, of which the second has been answered.
fn engine_and_two(at: Bind, ip: IpAddr) -> (ServerEngine, u16, [UdpSocket; 2]) {
    let mut engine = engine(at, Serving::default());
    let port = engine.local_addr().unwrap().port();
    let clients = [(); 2].map(|()| client(ip, port));
    is_echoed(&mut engine, &clients[1]);
    (engine, port, clients)
}

fn send_number(client: &UdpSocket, number: u16) {
    client.send(&number.to_be_bytes()).unwrap();
}

fn numbers(client: &UdpSocket) -> impl Iterator<Item = u16> {
    client.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
    std::iter::from_fn(move || {
        let mut number = [0; 2];
        client.recv(&mut number).unwrap();
        Some(u16::from_be_bytes(number))
    })
}

fn places() -> [(Bind, IpAddr); 3] {
    let v4 = IpAddr::from([127, 0, 0, 1]);
    [(Bind::AnyV4(0), v4), (Bind::At((v4, 0).into()), v4), (Bind::AnyV6(0), Ipv6Addr::LOCALHOST.into())]
}

#[test]
fn a_heavy_sender_keeps_its_order_and_nobody_else_waiting() {
    for (at, ip) in places() {
        let (mut engine, _, [flood, other]) = engine_and_two(at, ip);
        let sent = flood_from(&mut engine, &flood);
        let more = 2000;
        (sent..sent + more).for_each(|number| send_number(&flood, number));
        while engine.listeners.peers().any(Peer::must_drain) {
            engine.receive(ALL).unwrap();
        }
        (0..10).for_each(|_| _ = engine.receive(ALL).unwrap());
        let before = engine.server.counters().received;
        is_echoed(&mut engine, &other);
        let meanwhile = engine.server.counters().received - before;
        assert!(meanwhile <= 1 + Peer::MAX_BATCH as u64, "{meanwhile} were handled in one round");
        while engine.receive(ALL).unwrap() > Received::None {}
        assert!(numbers(&flood).take(usize::from(sent + more)).eq(0..sent + more), "{at:?}");
    }
}

#[test]
fn drops_at_a_peer_socket_are_its_own() {
    let (at, ip) = places()[0];
    let (mut engine, _, [flood, other]) = engine_and_two(at, ip);
    flood_from(&mut engine, &flood);
    while engine.receive(ALL).unwrap() > Received::None {}
    (0..40_000).for_each(|number| send_number(&flood, number));
    let peer = engine.listeners.all.len() - 1;
    engine.receive_at(peer).unwrap();
    let dropped = engine.server.counters().overflows;
    assert!(dropped > 0, "there is room for less than was sent");
    is_echoed(&mut engine, &other);
    assert_eq!(engine.listeners.all[peer - 1].socket.overflows(), 0);
    assert_eq!(engine.listeners.overflows(), engine.listeners.all[peer].socket.overflows());
}

#[test]
fn nobody_is_troubled_by_the_end_of_a_heavy_sender() {
    for (at, ip) in places() {
        let (mut engine, port, [flood, other]) = engine_and_two(at, ip);
        let sent = flood_from(&mut engine, &flood);
        while engine.receive(ALL).unwrap() > Received::None {}
        (sent..sent + 500).for_each(|number| send_number(&flood, number));
        let from = flood.local_addr().unwrap();
        drop(flood);
        engine.receive(ALL).unwrap();
        let again = connect(UdpSocket::bind(from).unwrap(), ip, port);
        send_number(&again, 7);
        (0..100).for_each(|_| _ = engine.receive(ALL).unwrap());
        assert_eq!(numbers(&again).find(|number| *number == 7), Some(7));
        is_echoed(&mut engine, &other);
        let counters = engine.server.counters();
        assert_eq!((counters.receive_errors, counters.send_errors), (0, 0));
    }
}

#[test]
fn an_idle_peer_socket_is_closed_and_its_client_answered_as_before() {
    for (at, ip) in places() {
        let mut engine = engine(at, Serving::default());
        let port = engine.local_addr().unwrap().port();
        let clients = [(); 3].map(|()| client(ip, port));
        is_echoed(&mut engine, &clients[2]);
        let sockets = engine.listeners.all.len();
        for flood in &clients[..2] {
            let sent = flood_from(&mut engine, flood);
            while engine.receive(ALL).unwrap() > Received::None {}
            assert!(numbers(flood).take(usize::from(sent)).eq(0..sent));
        }
        assert_eq!(engine.listeners.all.len(), sockets + 2);
        let count = |engine: &mut ServerEngine, now| {
            engine.listeners.close_idle_peer(now);
            engine.listeners.all.len() - sockets
        };
        let soon = engine.clock.now();
        let late = soon + Duration::from_secs(60);
        let open = [soon, late, late, late].map(|now| count(&mut engine, now));
        assert_eq!(open, [2; 4], "stopped a moment ago, and one at a time");
        let later = late + Duration::from_secs(1);
        send_number(&clients[0], 7);
        assert_eq!(count(&mut engine, later), 1);
        engine.receive(ALL).unwrap();
        assert_eq!(numbers(&clients[0]).next(), Some(7), "what came after it was stopped");
        clients.iter().for_each(|client| is_echoed(&mut engine, client));
        assert_eq!(count(&mut engine, later), 0);
        clients.iter().for_each(|client| is_echoed(&mut engine, client));
        assert!(UdpSocket::bind((ip, port)).is_err(), "the port is the server's alone");
    }
}

#[test]
fn a_reply_leaves_from_the_address_that_was_asked() {
    for (at, asked) in [
        (Bind::AnyV4(0), vec![IpAddr::from([127, 0, 0, 1]), [127, 0, 0, 2].into()]),
        (Bind::AnyV6(0), vec![Ipv6Addr::LOCALHOST.into()]),
        (Bind::Any(0), vec![[127, 0, 0, 2].into(), Ipv6Addr::LOCALHOST.into()]),
    ] {
        let mut engine = engine(at, Serving::default());
        let port = engine.local_addr().unwrap().port();
        let sockets = engine.listeners.all.len();
        for ip in asked {
            (0..3).for_each(|_| is_echoed(&mut engine, &client(ip, port)));
        }
        assert_eq!(engine.listeners.all.len(), sockets);
    }
}

#[test]
fn a_held_reply_leaves_from_the_address_that_was_asked() {
    for ip in [[127, 0, 0, 2].into(), Ipv6Addr::LOCALHOST.into()] {
        let (mut engine, client) = engine_that_holds(Bind::Any(0), ip);
        client.send(b"hello").unwrap();
        engine.receive(ALL).unwrap();
        std::thread::sleep(LONGER_THAN_HELD);
        engine.release();
        client.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
        assert_eq!(client.recv(&mut [0; 16]).unwrap(), b"hello".len(), "{ip}");
    }
}

/// Between the batches it receives, and rests at a real-time priority.
#[test]
fn a_release_sends_a_batch_at_most() {
    let (mut engine, client) = engine_that_holds(Bind::AnyV4(0), [127, 0, 0, 1].into());
    (0..3 * ServerEngine::BATCH).for_each(|_| _ = client.send(b"hello").unwrap());
    while engine.receive(ALL).unwrap() > Received::None {}
    std::thread::sleep(LONGER_THAN_HELD);
    while engine.server.next_release().is_some() {
        let held = engine.server.counters().held;
        engine.release();
        assert!(held - engine.server.counters().held <= ServerEngine::BATCH as u64);
    }
}

#[test]
fn no_other_program_gets_the_port_of_a_server_with_peer_sockets() {
    let (mut first, port, [flood, _]) = engine_and_two(Bind::AnyV4(0), [127, 0, 0, 1].into());
    flood_from(&mut first, &flood);
    for (at, share) in [
        (Bind::AnyV4(port), PortShare::Later),
        (Bind::AnyV4(port), PortShare::Alone),
        (Bind::At(([127, 0, 0, 1], port).into()), PortShare::Later),
    ] {
        let refused = bind(at, Serving { share, ..Serving::default() }).err().unwrap();
        assert_eq!(refused.kind(), io::ErrorKind::AddrInUse, "{at:?}");
    }
}

#[test]
fn servers_that_share_a_port_open_no_peer_sockets() {
    let mut engine = engine(Bind::AnyV4(0), Serving { share: PortShare::Later, ..Serving::default() });
    let port = engine.local_addr().unwrap().port();
    let flood = client([127, 0, 0, 1].into(), port);
    (0..2000).for_each(|number| send_number(&flood, number));
    while engine.receive(ALL).unwrap() > Received::None {}
    assert_eq!(engine.listeners.all.len(), 1);
}

/// It tells its clients whether it does.
#[test]
fn the_kernel_stamps_what_a_server_receives_unless_it_is_told_not_to_and_holds_nothing() {
    let stamps = |line: &str, stamps, backend| {
        let at = Bind::At((std::net::Ipv4Addr::LOCALHOST, 0).into());
        let serving = Serving { stamps, backend, ..Serving::default() };
        bind_injecting(line, at, serving).unwrap().server.has_kernel_stamps()
    };
    let native = cfg!(target_os = "linux");
    for (line, asked, stamped) in
        [("clean", false, false), ("clean", true, native), ("classic", false, native)]
    {
        assert_eq!(stamps(line, asked, Backend::Native), stamped, "{line}");
        assert!(!stamps(line, asked, Backend::Portable), "{line}");
    }
}

/// It neither loops for ever nor goes silent: its caller gets the reason.
#[test]
fn a_server_whose_socket_is_unusable_ends_with_the_reason() {
    let mut engine = engine(Bind::At((std::net::Ipv4Addr::LOCALHOST, 0).into()), Serving::default());
    engine.listeners.all = vec![Listener::new(unusable_socket(), Role::LocalAddress, ServerPort::Main)];
    let error = engine.run(&Control::new().unwrap(), |_, _| {}).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EINVAL), "{error}");
    assert_eq!(engine.server.counters().receive_errors, 100);
}
