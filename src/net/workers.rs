//! Several servers on one port, a thread each. The system gives every client to one of them for
//! good, so they share nothing but the word to stop.

use std::io;
use std::net::SocketAddr;
use std::num::NonZero;

use super::clock::Clock;
use super::control::Control;
use super::server::{Bind, ServerEngine, Serving};
use crate::reflect::{Counters, Server};
use crate::time::Duration;

pub struct Workers {
    engines: Vec<ServerEngine>,
}

impl Workers {
    /// Each gets a server of its own, made by `make`.
    pub fn bind(
        count: NonZero<usize>,
        bind: Bind,
        serving: Serving,
        clock: Clock,
        mut make: impl FnMut() -> io::Result<Server>,
    ) -> io::Result<Self> {
        let serving = Serving { share_port: count.get() > 1, ..serving };
        let mut engine = || ServerEngine::bind(bind, serving, make()?, clock);
        Ok(Self { engines: (0..count.get()).map(|_| engine()).collect::<io::Result<_>>()? })
    }

    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.engines[0].local_addr()
    }

    /// Runs all until one is told to stop, then sends what they hold for so long at most; returns
    /// what they did in all.
    pub fn run(&mut self, control: &Control, drain: Duration) -> io::Result<Counters> {
        std::thread::scope(|scope| {
            let run = |engine: &mut ServerEngine| {
                let ran = engine.run(control, |_| {});
                // By a client, or by a failure: the others end with it.
                control.stop();
                ran.map(|_| engine.drain(control, drain))
            };
            let threads: Vec<_> =
                self.engines.iter_mut().map(|engine| scope.spawn(move || run(engine))).collect();
            let ended = threads.into_iter().map(|thread| thread.join().expect("a server does not panic"));
            ended.collect::<Vec<_>>().into_iter().sum()
        })
    }
}
