//! The reflector of a watch: with `[reflect]` or `--serve`, this host answers the probes of others.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::Context;

use crate::cli::key;
use crate::cli::listening::place;
use crate::cli::printer::stderr_line;
use crate::impair::Impairment;
use crate::net::{Bind, Clock, Control, ServerEngine, Serving, random_bytes};
use crate::reflect::{HostNames, Injection, Server, Settings};

/// It ends when it is dropped; after `end_gently` its peers have been told.
pub(super) struct Reflector {
    control: Arc<Control>,
    thread: Option<JoinHandle<()>>,
}

impl Reflector {
    pub(super) fn start(
        listen: SocketAddr,
        key_file: Option<&Path>,
        host: HostNames,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let settings = Settings {
            injection: Injection::steady(Impairment::clean()),
            key: key::find(key_file)?,
            host,
            ..Settings::default()
        };
        let server = Server::new(settings, random_bytes().context("no randomness")?, clock.now());
        let bind = match listen {
            SocketAddr::V6(v6) if v6.ip().is_unspecified() => Bind::Any(v6.port()),
            other => Bind::At(other),
        };
        let mut engine =
            ServerEngine::bind(bind, Serving { stamps: true, ..Serving::default() }, server, clock)
                .with_context(|| format!("cannot reflect at {listen}"))?;
        stderr_line(format_args!("reflects on {}", place("UDP", engine.local_addr()?)));
        let control = Arc::new(Control::new().context("cannot make a pipe")?);
        let seen = Arc::clone(&control);
        let reflect = move || {
            if let Err(error) = engine.run(&seen, |_, _| {}) {
                stderr_line(format_args!("udpecho: the reflector's socket failed: {error}"));
            }
        };
        let thread = std::thread::Builder::new().name("reflect".into()).spawn(reflect);
        Ok(Self { control, thread: Some(thread.context("cannot start a thread")?) })
    }

    /// Tells the peers that it ends, and answers them for two seconds more.
    pub(super) fn end_gently(&self) {
        self.control.stop_gently();
    }

    /// Waits until the reflector has ended; an abort of `of_all` cuts its farewell short.
    pub(super) fn finish(self, of_all: &Control) {
        const LOOK: std::time::Duration = std::time::Duration::from_millis(20);
        self.control.stop();
        while self.thread.as_ref().is_some_and(|thread| !thread.is_finished()) {
            if of_all.abort_asked() {
                self.control.abort();
            }
            std::thread::sleep(LOOK);
        }
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
