//! Several servers on one port, a thread each (SO_REUSEPORT). The kernel gives every native session to one of them by
//! the ids of its messages, and every other client by its address and port, so they share nothing but the request to
//! stop.

use std::io;
use std::net::SocketAddr;
use std::num::NonZero;
use std::sync::Arc;

use super::{Bind, OnError, PortShare, ServerEngine, Serving};
use crate::net::clock::Clock;
use crate::net::stop_signal::Control;
use crate::reflect::{Counters, Place, Server, ServerPort};
use crate::time::{Duration, Instant};

/// Servers on one port, one a thread; the kernel spreads the clients over them.
pub struct ServerThreads {
    engines: Vec<ServerEngine>,
}

impl ServerThreads {
    /// Each gets a server of its own, made by `make`.
    pub fn bind(
        count: NonZero<usize>,
        bind: Bind,
        serving: Serving,
        clock: Clock,
        mut make: impl FnMut() -> io::Result<Server>,
    ) -> io::Result<Self> {
        let servers = NonZero::<u32>::try_from(count).map_err(io::Error::other)?;
        let mut engine = |index, bind, serving| {
            let mut server = make()?;
            server.set_place(Place { index, servers });
            ServerEngine::bind(bind, serving, server, clock)
        };
        let share = if count.get() > 1 { PortShare::First } else { PortShare::Alone };
        let mut first = engine(0, bind, Serving { share, ..serving })?;
        // The ports that it has, even where the system chose them.
        let bind = bind.at_port(first.local_addr()?.port());
        let opened = |port| first.port_addr(port).map(|address| address.port());
        let other_ports = ServerPort::ALL.map(|port| serving.other_ports[port as usize].and(opened(port)));
        let later = Serving { other_ports, share: PortShare::Later, ..serving };
        let others: Vec<_> =
            (1..servers.get()).map(|index| engine(index, bind, later)).collect::<io::Result<_>>()?;
        if !others.is_empty() {
            first.place_messages(servers);
        }
        Ok(Self { engines: std::iter::once(first).chain(others).collect() })
    }

    /// The address and port that all threads share.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.engines[0].local_addr()
    }

    /// The address at which one of its ports is, if it has it.
    pub fn port_addr(&self, server_port: ServerPort) -> Option<SocketAddr> {
        self.engines[0].port_addr(server_port)
    }

    /// Called with each socket error from now on, by every thread.
    pub fn on_error(&mut self, on_error: &OnError) {
        for engine in &mut self.engines {
            engine.on_error(Arc::clone(on_error));
        }
    }

    /// Runs all until one is told to stop, then sends what they hold for so long at most; returns
    /// what they did in all. `watch` sees each with its number, as of `ServerEngine::run`.
    pub fn run(
        &mut self,
        control: &Control,
        drain: Duration,
        watch: impl Fn(usize, &Server, Instant) + Sync,
    ) -> io::Result<Counters> {
        std::thread::scope(|scope| {
            let watch = &watch;
            let run = move |number: usize, engine: &mut ServerEngine| {
                let ran = engine.run(control, |server, now| watch(number, server, now));
                // By a client, or by a failure: the others end with it.
                control.stop();
                ran.map(|_| engine.drain(control, drain))
            };
            let engines = self.engines.iter_mut().enumerate();
            let threads: Vec<_> =
                engines.map(|(number, engine)| scope.spawn(move || run(number, engine))).collect();
            let ended = threads.into_iter().map(|thread| thread.join().expect("a server does not panic"));
            ended.collect::<Vec<_>>().into_iter().sum()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

    use super::*;
    use crate::net::server::receive::Received;
    use crate::reflect::Settings;

    fn three(bind: Bind) -> io::Result<ServerThreads> {
        let clock = Clock::start();
        let make = || Ok(Server::new(Settings::default(), [1; 32], clock.now()));
        ServerThreads::bind(NonZero::new(3).unwrap(), bind, Serving::default(), clock, make)
    }

    /// How many of these datagrams, each from a port of its own, come to each thread.
    fn spread(threads: &mut ServerThreads, to: IpAddr, datagrams: impl Iterator<Item = Vec<u8>>) -> Vec<u64> {
        let port = threads.local_addr().unwrap().port();
        let any: IpAddr =
            if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        for datagram in datagrams {
            UdpSocket::bind((any, 0)).unwrap().send_to(&datagram, (to, port)).unwrap();
        }
        let received = |engine: &mut ServerEngine| {
            let before = engine.server.counters().received;
            while engine.receive(u64::MAX).unwrap() > Received::None {}
            engine.server.counters().received - before
        };
        threads.engines.iter_mut().map(received).collect()
    }

    #[test]
    fn all_have_the_port_that_the_system_chose_for_the_first() {
        for bind in [Bind::Any(0), Bind::AnyV4(0), Bind::At((Ipv4Addr::LOCALHOST, 0).into())] {
            let threads = three(bind).unwrap();
            let ports = threads.engines.iter().map(|engine| engine.local_addr().unwrap().port());
            let ports: Vec<_> = ports.collect();
            assert!(ports[0] > 0 && ports == [ports[0]; 3], "{bind:?} {ports:?}");
        }
    }

    /// The kernel would count them as one group.
    #[test]
    fn the_threads_of_two_servers_have_no_port_in_common() {
        let first = three(Bind::AnyV4(0)).unwrap();
        let refused = three(Bind::AnyV4(first.local_addr().unwrap().port())).err().unwrap();
        assert_eq!(refused.kind(), io::ErrorKind::AddrInUse);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_message_comes_to_the_thread_of_its_id_from_any_port_and_others_spread() {
        let message = |id: u64| {
            let mut bytes = Place::MAGIC.to_be_bytes().to_vec();
            bytes.extend([0x10, 0]);
            bytes.extend(id.to_be_bytes());
            bytes
        };
        let localhost = Ipv4Addr::LOCALHOST.into();
        for (bind, to) in [
            (Bind::Any(0), localhost),
            (Bind::Any(0), Ipv6Addr::LOCALHOST.into()),
            (Bind::AnyV4(0), localhost),
            (Bind::At((localhost, 0).into()), localhost),
        ] {
            let threads = &mut three(bind).unwrap();
            for index in 0..3 {
                // The upper half of the id does not count.
                let ids = (0..20).map(|number| number << 32 | (3 * number + index));
                let mut all = [0; 3];
                all[index as usize] = 20;
                assert_eq!(spread(threads, to, ids.map(message)), all, "{bind:?} {to} {index}");
            }
            // One byte short of an id, and no message. That a thread gets none of 100 is less likely than 10^-17.
            let short = (0..100).map(|_| message(0)[..11].to_vec());
            for counts in [spread(threads, to, short), spread(threads, to, (0..100).map(|_| vec![7; 64]))] {
                assert!(counts.iter().all(|count| *count > 0), "{bind:?} {to} {counts:?}");
            }
        }
    }
}
