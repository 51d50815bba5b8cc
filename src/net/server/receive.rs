//! What comes in: batches of it are handed to the machine, and the answers that leave at once are sent.

use std::io;

use super::ServerEngine;
use super::send::{bits, post, send_whole};
use crate::endpoints::Endpoints;
use crate::net::attention::Look;
use crate::net::gates::Gates;
use crate::net::sys::Arrival;
use crate::net::trouble::{Patience, Trouble};
use crate::reflect::{Incoming, Server, forbids_fragments};
use crate::time::Duration;

/// What a look at the sockets brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Haul {
    Nothing,
    Few,
    Many,
    /// As many as it may, so that there is likely to be more.
    More,
}

impl ServerEngine {
    /// No answer tells of what was dropped as of longer ago; where more waits than a call takes, of now.
    const DROPS_KNOWN_FOR: Duration = Duration::from_millis(10);
    /// Who waits for an answer before sending on seldom has more than these there at once.
    const FEW: usize = 2;

    /// Handles a batch of what has arrived at each of these sockets.
    pub(super) fn receive(&mut self, look: Look) -> io::Result<Haul> {
        if self.server.has_kernel_stamps() {
            self.stamps.begin_look(self.clock.now());
        }
        let mut most = Haul::Nothing;
        let mut is_whole = look.is_whole;
        let sockets = self.doors.sockets.len();
        for index in bits(look.at).take_while(|index| *index < sockets) {
            let gate = self.doors.gate(index);
            let behind = gate.and_then(|gate| self.doors.gates.behind(gate));
            is_whole &= behind.is_none();
            let index = behind.unwrap_or(index);
            let haul = self.receive_at(index)?;
            most = most.max(haul);
            if self.doors.gate(index).is_none() {
                self.watch_for_crowds(index, haul);
            }
            if let Some(address) = self.answered_from.take()
                && self.doors.open(index, address)
            {
                self.patience.push(Patience::default());
                self.empty(index)?;
            }
        }
        if is_whole && most < Haul::More {
            self.stamps.end_look();
        }
        Ok(most)
    }

    /// Whoever sends so much that others wait is to wait elsewhere.
    fn watch_for_crowds(&mut self, index: usize, haul: Haul) {
        self.doors.gates.elsewhere(index, haul == Haul::More);
        let inbox = &self.inbox;
        if inbox.arrived() < inbox.capacity() {
            return;
        }
        let crowd = self.doors.gates.crowd(inbox.arrived(), |at| inbox.arrival(at).path.remote);
        if let Some(remote) = crowd
            && self.doors.open_gate(index, remote, self.clock.now())
        {
            self.patience.push(Patience::default());
        }
    }

    /// What comes through a door that was just opened is not to overtake what came before, or meanwhile.
    fn empty(&mut self, index: usize) -> io::Result<()> {
        for _ in 0..Gates::BEFORE {
            if self.receive_at(index)? < Haul::More {
                break;
            }
        }
        Ok(())
    }

    fn receive_at(&mut self, index: usize) -> io::Result<Haul> {
        let patience = 1 + index;
        self.answered_from = None;
        match self.doors.sockets[index].receive(&mut self.inbox) {
            Ok(()) => {
                self.patience[patience].renew();
                self.attention.gave(1 << index);
                // What became due during the call, before what it brought is looked at.
                if self.server.next_release().is_some() {
                    self.release();
                }
                Ok(self.handle_batch(index))
            }
            Err(error) if Trouble::of(&error) == Trouble::None => {
                self.patience[patience].renew();
                Ok(Haul::Nothing)
            }
            // The client of this gate is gone, and answers still go there.
            Err(error) if Trouble::of(&error) == Trouble::Passing && self.doors.gate(index).is_some() => {
                Ok(Haul::More)
            }
            Err(error) => self.bear(patience, error).map(|()| Haul::More),
        }
    }

    /// Answers what one socket received.
    fn handle_batch(&mut self, index: usize) -> Haul {
        let now = self.clock.now();
        // Before anything is answered that asks for them.
        if now - self.drops_counted > Self::DROPS_KNOWN_FOR {
            self.count_drops();
        } else if self.inbox.was_filled() {
            self.doors.sockets[index].count_drops();
        }
        if self.server.has_kernel_stamps() {
            self.stamps.note(self.clock.wall_lead());
        }
        let Self { doors, server, inbox, outbox, stamps, complain, .. } = self;
        server.set_overflows(doors.overflows());
        server.set_truncated(doors.truncated());
        if let Some(gate) = doors.gate(index) {
            doors.gates.gave(gate, now);
        }
        let exit = doors.exit(index);
        let door = doors.ways.address(exit);
        let socket = &mut doors.sockets[exit];
        for index in 0..inbox.arrived() {
            let Arrival { path, stamp, ttl: hops, socket: mark, .. } = *inbox.arrival(index);
            let path = Endpoints { local: path.local.or(door), ..path };
            let received = stamp.and_then(|stamp| stamps.moment(stamp, now)).unwrap_or(now);
            for place in inbox.datagrams(index) {
                let length = place.len();
                let buffer = inbox.room(index, &place);
                if buffer.len() >= Server::ROOM {
                    let incoming = Incoming { received, now, path, ttl: hops, socket: mark, buffer, length };
                    if let Some(answer) = server.handle(incoming) {
                        let place = place.start..place.start + answer;
                        if forbids_fragments(inbox.bytes(place.clone())) {
                            send_whole(socket, inbox.bytes(place), path, outbox, server, complain);
                        } else {
                            inbox.post(path, place);
                        }
                    }
                    continue;
                }
                // A short one in a train: its answer may need more room than it had.
                if outbox.is_full() {
                    post(socket, outbox, server, complain);
                    outbox.clear_letters();
                }
                let spare = outbox.spare();
                spare[..length].copy_from_slice(&buffer[..length]);
                let incoming =
                    Incoming { received, now, path, ttl: hops, socket: mark, buffer: spare, length };
                if let Some(answer) = server.handle(incoming) {
                    outbox.commit(path, answer);
                }
            }
        }
        let haul = match inbox.arrived() {
            _ if inbox.was_filled() => Haul::More,
            ..=Self::FEW => Haul::Few,
            _ => Haul::Many,
        };
        for batch in [inbox, outbox] {
            if let Some(path) = batch.first_path() {
                if post(socket, batch, server, complain) {
                    self.answered_from = path.local;
                }
                batch.clear_letters();
            }
        }
        haul
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::{IpAddr, Ipv6Addr, UdpSocket};

    use super::*;
    use crate::net::clock::Clock;
    use crate::net::doors::{Bind, Doors};
    use crate::net::server::Serving;
    use crate::net::sys::{Options, Socket};
    use crate::reflect::{Injection, Settings};

    fn bind(bind: Bind, serving: Serving) -> io::Result<ServerEngine> {
        bind_injecting("clean", bind, serving)
    }

    fn bind_injecting(line: &str, bind: Bind, serving: Serving) -> io::Result<ServerEngine> {
        let clock = Clock::start();
        let injection = Injection::steady(line.parse().unwrap());
        let settings =
            Settings { injection, unverified_rate: None, source_rate: None, ..Settings::default() };
        ServerEngine::bind(bind, serving, Server::new(settings, [1; 32], clock.now()), clock)
    }

    fn engine(at: Bind, serving: Serving) -> ServerEngine {
        bind(at, serving).unwrap()
    }

    fn is_echoed(engine: &mut ServerEngine, from: &UdpSocket) {
        from.send(b"hello").unwrap();
        engine.receive(Look::ALL).unwrap();
        from.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
        let mut answer = [0; 16];
        let length = from.recv(&mut answer).unwrap();
        assert_eq!(&answer[..length], b"hello");
    }

    /// Its socket hears nothing from another address than that which it asks.
    fn client(ip: IpAddr, port: u16) -> UdpSocket {
        let any: IpAddr = if ip.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
        let client = UdpSocket::bind((any, 0)).unwrap();
        connect(client, ip, port)
    }

    fn connect(client: UdpSocket, ip: IpAddr, port: u16) -> UdpSocket {
        client.connect((ip, port)).unwrap();
        // So that it may read its answers when all of them are there.
        socket2::SockRef::from(&client).set_recv_buffer_size(4 << 20).unwrap();
        client
    }

    const LONGER_THAN_HELD: std::time::Duration = std::time::Duration::from_millis(60);

    /// And its client.
    fn engine_that_holds(at: Bind, ip: IpAddr) -> (ServerEngine, UdpSocket) {
        let engine = bind_injecting("delay=constant:50ms", at, Serving::default()).unwrap();
        let client = client(ip, engine.local_addr().unwrap().port());
        (engine, client)
    }

    #[test]
    fn a_look_tells_how_much_it_brought() {
        let mut engine = engine(Bind::AnyV4(0), Serving::default());
        let client = client([127, 0, 0, 1].into(), engine.local_addr().unwrap().port());
        let counts = [0, 1, ServerEngine::FEW, ServerEngine::FEW + 1, ServerEngine::BATCH];
        let hauls = counts.map(|count| {
            (0..count).for_each(|_| _ = client.send(b"hello").unwrap());
            engine.receive(Look::ALL).unwrap()
        });
        assert_eq!(hauls, [Haul::Nothing, Haul::Few, Haul::Few, Haul::Many, Haul::More]);
    }

    #[test]
    fn what_waits_in_a_socket_is_held_meanwhile() {
        for (at, ip) in places() {
            let (mut engine, client) = engine_that_holds(at, ip);
            client.send(b"hello").unwrap();
            std::thread::sleep(LONGER_THAN_HELD);
            engine.receive(Look::ALL).unwrap();
            assert!(engine.server.next_release().unwrap() <= engine.clock.now(), "{at:?}");
        }
    }

    #[test]
    fn what_is_due_leaves_before_what_came_is_looked_at() {
        for (at, ip) in places() {
            let (mut engine, client) = engine_that_holds(at, ip);
            client.send(b"first").unwrap();
            engine.receive(Look::ALL).unwrap();
            std::thread::sleep(LONGER_THAN_HELD);
            client.send(b"second").unwrap();
            engine.receive(Look::ALL).unwrap();
            client.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
            assert_eq!(client.recv(&mut [0; 16]).unwrap(), b"first".len(), "{at:?}");
        }
    }

    #[test]
    fn each_address_that_was_asked_gets_one_and_answers_as_before() {
        let v4 = [[127, 0, 0, 1], [127, 0, 0, 2]].map(IpAddr::from);
        let v6 = [Ipv6Addr::LOCALHOST.into()];
        for (at, asked) in [(Bind::AnyV4(0), &v4[..]), (Bind::AnyV6(0), &v6[..])] {
            let mut engine = engine(at, Serving::default());
            let port = engine.local_addr().unwrap().port();
            assert_eq!(engine.doors.ways.address(0), None);
            for (door, ip) in (1..).zip(asked) {
                for _ in 0..3 {
                    is_echoed(&mut engine, &client(*ip, port));
                    assert_eq!(engine.doors.sockets.len(), 1 + door);
                    assert_eq!(engine.doors.ways.address(door), Some(*ip));
                }
            }
        }
    }

    #[test]
    fn what_was_dropped_is_known_before_anything_is_answered() {
        const SENT: u64 = 1000;
        const MINUTE: Duration = Duration::from_secs(60);
        // The room is less than a batch takes, and nobody has asked for long; it is more, and somebody just has.
        for (room, length, since) in [(4096, 1000, MINUTE), (65_536, 1, -MINUTE)] {
            let mut engine = engine(Bind::AnyV4(0), Serving::default());
            let options = Options { receive_buffer: Some(room), sparing: true, ..Options::default() };
            let socket = Socket::bind(([127, 0, 0, 1], 0).into(), &options).unwrap();
            let client = client([127, 0, 0, 1].into(), socket.local_addr().unwrap().port());
            engine.doors.sockets = vec![socket];
            for _ in 0..SENT {
                client.send(&vec![7; length]).unwrap();
            }
            engine.drops_counted = engine.clock.now() - since;
            engine.receive(Look::ALL).unwrap();
            let dropped = engine.server.counters().overflows;
            assert!(dropped > 0, "there is room for fewer of {length} bytes");
            while engine.receive(Look::ALL).unwrap() > Haul::Nothing {}
            assert_eq!(engine.server.counters().received + dropped, SENT);
        }
    }

    #[test]
    fn what_came_before_is_answered_before_what_comes_through_it() {
        const BEFORE: u8 = 200;
        let mut engine = engine(Bind::AnyV4(0), Serving::default());
        let client = client([127, 0, 0, 1].into(), engine.local_addr().unwrap().port());
        for number in 0..BEFORE {
            client.send(&[number]).unwrap();
        }
        engine.receive(Look::ALL).unwrap();
        client.send(&[BEFORE]).unwrap();
        engine.receive(Look::ALL).unwrap();
        client.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
        let answers = (0..=BEFORE).map(|_| {
            let mut answer = [0];
            client.recv(&mut answer).unwrap();
            answer[0]
        });
        assert_eq!(answers.collect::<Vec<_>>(), (0..=BEFORE).collect::<Vec<_>>());
    }

    /// Has a client send so much at once that it gets a gate, and numbers what it sends.
    fn crowd(engine: &mut ServerEngine, client: &UdpSocket) -> u16 {
        const BATCHES: usize = 12;
        let sent = (BATCHES * ServerEngine::BATCH) as u16;
        (0..sent).for_each(|number| send_number(client, number));
        let before = engine.doors.gates.len();
        (0..BATCHES).for_each(|_| _ = engine.receive(Look::ALL).unwrap());
        assert_eq!(engine.doors.gates.len(), before + 1);
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
    fn a_client_that_comes_in_crowds_keeps_its_order_and_nobody_else_waiting() {
        for (at, ip) in places() {
            let (mut engine, _, [flood, other]) = engine_and_two(at, ip);
            let sent = crowd(&mut engine, &flood);
            let more = 2000;
            (sent..sent + more).for_each(|number| send_number(&flood, number));
            while engine.doors.gates.behind(0).is_some() {
                engine.receive(Look::ALL).unwrap();
            }
            (0..10).for_each(|_| _ = engine.receive(Look::ALL).unwrap());
            let before = engine.server.counters().received;
            is_echoed(&mut engine, &other);
            let meanwhile = engine.server.counters().received - before;
            assert!(meanwhile <= 1 + Gates::BATCH as u64, "{meanwhile} were handled in one round");
            while engine.receive(Look::ALL).unwrap() > Haul::Nothing {}
            assert!(numbers(&flood).take(usize::from(sent + more)).eq(0..sent + more), "{at:?}");
        }
    }

    #[test]
    fn drops_at_a_gate_are_its_own() {
        let (at, ip) = places()[0];
        let (mut engine, _, [flood, other]) = engine_and_two(at, ip);
        crowd(&mut engine, &flood);
        while engine.receive(Look::ALL).unwrap() > Haul::Nothing {}
        (0..40_000).for_each(|number| send_number(&flood, number));
        let gate = engine.doors.sockets.len() - 1;
        engine.receive_at(gate).unwrap();
        let dropped = engine.server.counters().overflows;
        assert!(dropped > 0, "there is room for less than was sent");
        is_echoed(&mut engine, &other);
        assert_eq!(engine.doors.sockets[gate - 1].overflows(), 0);
        assert_eq!(engine.doors.overflows(), engine.doors.sockets[gate].overflows());
    }

    #[test]
    fn nobody_is_troubled_by_the_end_of_a_gates_client() {
        for (at, ip) in places() {
            let (mut engine, port, [flood, other]) = engine_and_two(at, ip);
            let sent = crowd(&mut engine, &flood);
            while engine.receive(Look::ALL).unwrap() > Haul::Nothing {}
            (sent..sent + 500).for_each(|number| send_number(&flood, number));
            let from = flood.local_addr().unwrap();
            drop(flood);
            engine.receive(Look::ALL).unwrap();
            let again = connect(UdpSocket::bind(from).unwrap(), ip, port);
            send_number(&again, 7);
            (0..100).for_each(|_| _ = engine.receive(Look::ALL).unwrap());
            assert_eq!(numbers(&again).find(|number| *number == 7), Some(7));
            is_echoed(&mut engine, &other);
            let counters = engine.server.counters();
            assert_eq!((counters.receive_errors, counters.send_errors), (0, 0));
        }
    }

    #[test]
    fn a_gate_that_nobody_comes_to_is_closed_and_its_client_answered_as_before() {
        for (at, ip) in places() {
            let mut engine = engine(at, Serving::default());
            let port = engine.local_addr().unwrap().port();
            let clients = [(); 3].map(|()| client(ip, port));
            is_echoed(&mut engine, &clients[2]);
            let sockets = engine.doors.sockets.len();
            for flood in &clients[..2] {
                let sent = crowd(&mut engine, flood);
                while engine.receive(Look::ALL).unwrap() > Haul::Nothing {}
                assert!(numbers(flood).take(usize::from(sent)).eq(0..sent));
            }
            assert_eq!(engine.doors.sockets.len(), sockets + 2);
            let soon = engine.clock.now();
            assert_eq!(engine.doors.close_gate(soon), None);
            let late = soon + Duration::from_secs(60);
            let closed = [(); 3].map(|()| engine.doors.close_gate(late));
            assert_eq!(closed, [None; 3], "shut a moment ago, and one at a time");
            let later = late + Duration::from_secs(1);
            send_number(&clients[0], 7);
            assert_eq!(engine.doors.close_gate(later), Some(sockets));
            engine.receive(Look::ALL).unwrap();
            assert_eq!(numbers(&clients[0]).next(), Some(7), "what came after it was shut");
            clients.iter().for_each(|client| is_echoed(&mut engine, client));
            assert_eq!(engine.doors.close_gate(later), Some(sockets));
            assert_eq!(engine.doors.sockets.len(), sockets);
            clients.iter().for_each(|client| is_echoed(&mut engine, client));
            assert!(UdpSocket::bind((ip, port)).is_err(), "the port is the server's alone");
        }
    }

    #[test]
    fn their_number_is_bounded_and_the_rest_is_answered_without() {
        let mut engine = engine(Bind::AnyV4(0), Serving::default());
        let port = engine.local_addr().unwrap().port();
        for host in 1..=20 {
            is_echoed(&mut engine, &client([127, 0, 0, host].into(), port));
        }
        assert_eq!(engine.doors.sockets.len(), 1 + Doors::MOST);
    }

    #[test]
    fn nobody_else_is_let_in_by_one() {
        let mut first = engine(Bind::AnyV4(0), Serving::default());
        let port = first.local_addr().unwrap().port();
        is_echoed(&mut first, &client([127, 0, 0, 1].into(), port));
        for (at, share_port) in [
            (Bind::AnyV4(port), true),
            (Bind::AnyV4(port), false),
            (Bind::At(([127, 0, 0, 1], port).into()), true),
        ] {
            let refused = bind(at, Serving { share_port, ..Serving::default() }).err().unwrap();
            assert_eq!(refused.kind(), io::ErrorKind::AddrInUse, "{at:?}");
        }
    }

    #[test]
    fn servers_that_share_a_port_have_none() {
        let mut engine = engine(Bind::AnyV4(0), Serving { share_port: true, ..Serving::default() });
        let port = engine.local_addr().unwrap().port();
        is_echoed(&mut engine, &client([127, 0, 0, 1].into(), port));
        assert_eq!(engine.doors.sockets.len(), 1);
    }
}
