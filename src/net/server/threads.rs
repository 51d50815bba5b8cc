//! Several servers on one port, a thread each (SO_REUSEPORT). The kernel gives every client to one of them for
//! good, so they share nothing but the request to stop.

use std::io;
use std::net::SocketAddr;
use std::num::NonZero;
use std::sync::Arc;

use super::{Bind, OnError, ServerEngine, Serving};
use crate::net::clock::Clock;
use crate::net::stop_signal::Control;
use crate::reflect::{Counters, Server, ServerPort};
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
        let serving = Serving { share_port: count.get() > 1, ..serving };
        let mut engine = |bind, serving| ServerEngine::bind(bind, serving, make()?, clock);
        let first = engine(bind, serving)?;
        // The ports that it has, even where the system chose them.
        let bind = bind.at_port(first.local_addr()?.port());
        let opened = |port| first.port_addr(port).map(|address| address.port());
        let other_ports = ServerPort::ALL.map(|port| serving.other_ports[port as usize].and(opened(port)));
        let others = (1..count.get()).map(|_| engine(bind, Serving { other_ports, ..serving }));
        Ok(Self { engines: std::iter::once(Ok(first)).chain(others).collect::<io::Result<_>>()? })
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
    use super::*;
    use crate::reflect::Settings;

    #[test]
    fn all_have_the_port_that_the_system_chose_for_the_first() {
        let clock = Clock::start();
        let make = || Ok(Server::new(Settings::default(), [1; 32], clock.now()));
        for bind in [Bind::Any(0), Bind::AnyV4(0), Bind::At((std::net::Ipv4Addr::LOCALHOST, 0).into())] {
            let three = NonZero::new(3).unwrap();
            let threads = ServerThreads::bind(three, bind, Serving::default(), clock, make).unwrap();
            let ports = threads.engines.iter().map(|engine| engine.local_addr().unwrap().port());
            let ports: Vec<_> = ports.collect();
            assert!(ports[0] > 0 && ports == [ports[0]; 3], "{bind:?} {ports:?}");
        }
    }
}
