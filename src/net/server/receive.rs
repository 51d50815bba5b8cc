//! What comes in: batches of it are handed to the machine, and the answers that leave at once are sent.

use std::io;

use super::ServerEngine;
use super::send::{bits, post, send_whole};
use crate::net::sys::Arrival;
use crate::net::trouble::{Patience, Trouble};
use crate::reflect::{Incoming, Path, Server, stays_whole};
use crate::time::Duration;

/// What a look at the sockets brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Haul {
    Nothing,
    Some,
    /// And there is likely to be more.
    More,
}

impl ServerEngine {
    /// No datagram waits longer in a socket that is looked at all the time.
    const LONGEST_WAIT: Duration = Duration::from_secs(1);
    /// No answer tells of what was dropped as of longer ago; where more waits than a call takes, of now.
    const DROPS_KNOWN_FOR: Duration = Duration::from_millis(10);
    /// So many batches may be left for a socket when a door is opened beside it; then they wait in turn.
    const LEFT_BEHIND: usize = 256;

    /// Handles a batch of what has arrived at each of these sockets.
    pub(super) fn receive(&mut self, readable: u64) -> io::Result<Haul> {
        let mut most = Haul::Nothing;
        let sockets = self.doors.sockets.len();
        for index in bits(readable).take_while(|index| *index < sockets) {
            most = most.max(self.receive_at(index)?);
            if let Some(address) = self.answered_from.take()
                && self.doors.open(index, address)
            {
                self.patience.push(Patience::default());
                self.empty(index)?;
            }
        }
        Ok(most)
    }

    /// What comes through a door that was just opened is not to overtake what came before, or meanwhile.
    fn empty(&mut self, index: usize) -> io::Result<()> {
        for _ in 0..Self::LEFT_BEHIND {
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
                Ok(self.handle_batch(index))
            }
            Err(error) if Trouble::of(&error) == Trouble::None => {
                self.patience[patience].renew();
                Ok(Haul::Nothing)
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
        let Self { doors, server, inbox, outbox, clock, serving, complain, .. } = self;
        server.set_overflows(doors.overflows());
        server.set_truncated(doors.truncated());
        let door = doors.ways.address(index);
        let socket = &mut doors.sockets[index];
        let lead = if serving.stamps { clock.wall_lead() } else { Duration::ZERO };
        for index in 0..inbox.arrived() {
            let Arrival { path, stamp, ttl: hops, .. } = *inbox.arrival(index);
            let path = Path { local: path.local.or(door), ..path };
            // A stamp is of the time of day; one from before a step of it is of no use.
            let waited = stamp.map_or(Duration::ZERO, |stamp| now - (stamp - lead));
            let waited =
                if (Duration::ZERO..Self::LONGEST_WAIT).contains(&waited) { waited } else { Duration::ZERO };
            let received = now - waited;
            for place in inbox.datagrams(index) {
                let length = place.len();
                let buffer = inbox.room(index, &place);
                if buffer.len() >= Server::ROOM {
                    let incoming = Incoming { received, now, path, hops, buffer, length };
                    if let Some(answer) = server.handle(incoming) {
                        let place = place.start..place.start + answer;
                        if stays_whole(inbox.bytes(place.clone())) {
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
                let incoming = Incoming { received, now, path, hops, buffer: spare, length };
                if let Some(answer) = server.handle(incoming) {
                    outbox.commit(path, answer);
                }
            }
        }
        let haul = if inbox.was_filled() { Haul::More } else { Haul::Some };
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
        let clock = Clock::start();
        let settings =
            Settings { injection: Injection::steady("clean".parse().unwrap()), ..Settings::default() };
        ServerEngine::bind(bind, serving, Server::new(settings, [1; 32], clock.now()), clock)
    }

    fn engine(at: Bind, serving: Serving) -> ServerEngine {
        bind(at, serving).unwrap()
    }

    fn is_echoed(engine: &mut ServerEngine, from: &UdpSocket) {
        from.send(b"hello").unwrap();
        engine.receive(u64::MAX).unwrap();
        from.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
        let mut answer = [0; 16];
        let length = from.recv(&mut answer).unwrap();
        assert_eq!(&answer[..length], b"hello");
    }

    /// Its socket hears nothing from another address than that which it asks.
    fn client(ip: IpAddr, port: u16) -> UdpSocket {
        let any: IpAddr = if ip.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
        let client = UdpSocket::bind((any, 0)).unwrap();
        client.connect((ip, port)).unwrap();
        client
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
            engine.receive(u64::MAX).unwrap();
            let dropped = engine.server.counters().overflows;
            assert!(dropped > 0, "there is room for fewer of {length} bytes");
            while engine.receive(u64::MAX).unwrap() > Haul::Nothing {}
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
        engine.receive(u64::MAX).unwrap();
        client.send(&[BEFORE]).unwrap();
        engine.receive(u64::MAX).unwrap();
        client.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
        let answers = (0..=BEFORE).map(|_| {
            let mut answer = [0];
            client.recv(&mut answer).unwrap();
            answer[0]
        });
        assert_eq!(answers.collect::<Vec<_>>(), (0..=BEFORE).collect::<Vec<_>>());
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
