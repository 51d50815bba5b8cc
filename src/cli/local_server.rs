//! A server inside this process, on loopback, for `ping` without a host.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::Context;

use crate::net::{Backend, Bind, Clock, Control, ServerEngine, Serving, random_bytes};
use crate::reflect::{Server, Settings};
use crate::wire::auth::Key;

/// The same server as `serve` starts; dropping it stops it.
pub(super) struct LocalServer {
    address: SocketAddr,
    control: Arc<Control>,
    thread: Option<JoinHandle<()>>,
}

impl LocalServer {
    pub(super) fn start(backend: Backend, key: Option<Key>, clock: Clock) -> anyhow::Result<Self> {
        let unfragmented_replies = backend.forbids_fragments();
        // Its only client is this process.
        let settings = Settings { key, unfragmented_replies, client_impair: true, ..Settings::default() };
        let server = Server::new(settings, random_bytes().context("no randomness")?, clock.now());
        let anywhere = Bind::At(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let mut engine =
            ServerEngine::bind(anywhere, Serving { backend, ..Serving::default() }, server, clock)
                .context("cannot start a server on loopback")?;
        let address = engine.local_addr()?;
        let control = Arc::new(Control::new().context("cannot make a pipe")?);
        let seen = Arc::clone(&control);
        // If it fails, the measurement shows it.
        let thread = std::thread::Builder::new()
            .name("server".into())
            .spawn(move || drop(engine.run(&seen, |_, _| {})))
            .context("cannot start a thread")?;
        Ok(Self { address, control, thread: Some(thread) })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for LocalServer {
    fn drop(&mut self) {
        self.control.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
