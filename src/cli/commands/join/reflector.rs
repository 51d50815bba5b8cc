//! The server of one order: it answers datagrams that are sealed with the order's key, and ends with it.

use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::Context;

use crate::impair::Impairment;
use crate::net::{Bind, Clock, Control, ServerEngine, Serving, random_bytes};
use crate::reflect::{Injection, Server, Settings};
use crate::room::OrderTerms;
use crate::wire::auth::Key;

/// Dropping it closes its socket.
pub(super) struct Reflector {
    control: Arc<Control>,
    thread: Option<JoinHandle<()>>,
}

impl Reflector {
    pub(super) fn start(port: u16, key: &[u8; 32], terms: OrderTerms) -> anyhow::Result<Self> {
        let per_second = 1_000_000_u64.div_ceil(terms.interval_us.max(1));
        let settings = Settings {
            injection: Injection::steady(Impairment::clean()),
            key: Some(Key::new(key)),
            max_sessions: 1,
            // Twice as many as were agreed on: a late client catches up.
            session_rate: Some(u32::try_from(per_second * 2 + 10).unwrap_or(u32::MAX)),
            ..Settings::default()
        };
        let clock = Clock::start();
        let server = Server::new(settings, random_bytes().context("no randomness")?, clock.now());
        let mut engine = ServerEngine::bind(Bind::Any(port), Serving::default(), server, clock)
            .with_context(|| format!("cannot listen on UDP port {port}"))?;
        let control = Arc::new(Control::new().context("cannot make a pipe")?);
        let seen = Arc::clone(&control);
        let run = move || drop(engine.run(&seen, |_, _| {}));
        let thread =
            std::thread::Builder::new().name("server".into()).spawn(run).context("cannot start a thread")?;
        Ok(Self { control, thread: Some(thread) })
    }
}

impl Drop for Reflector {
    fn drop(&mut self) {
        self.control.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
