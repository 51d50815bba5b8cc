//! The steady load beside the probes (`--load`), on a thread and a socket of its own.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;

use anyhow::{Context, anyhow};

use super::config::{Config, Connection};
use super::errors::{cannot_send, exit_of, explain, in_the_middle};
use crate::cli::args::{FindRate, SteadyRate};
use crate::cli::exit::Exit;
use crate::net::{Clock, Control, Outgoing, random_bytes, run_load};
use crate::probe::{Dialect, Failure, SteadyLoad, SteadySettings};
use crate::record;
use crate::report::bytes_on_the_wire;
use crate::time::{Duration, Instant};
use crate::units::Interval;

/// A load under way.
pub(super) struct BesideLoad {
    control: Arc<Control>,
    thread: JoinHandle<SteadyLoad>,
}

/// The load that the user asked for, if any.
pub(super) fn settings(config: &Config, asked: &FindRate) -> anyhow::Result<Option<SteadySettings>> {
    let Some(SteadyRate { rate, up, down }) = asked.load else { return Ok(None) };
    let size = FindRate::SIZE as u32;
    Ok(Some(SteadySettings {
        rate: rate.get() as f64,
        up,
        down,
        after: asked.load_after.map_or(Duration::ZERO, Interval::get),
        length: asked.load_for.map(Interval::get),
        size,
        packet: bytes_on_the_wire(size, config.connection.peer.address.ip()),
        seed: u64::from_ne_bytes(random_bytes()?),
        key: config.settings.key.clone(),
    }))
}

impl BesideLoad {
    /// How long a server may take to grant it; its handshake gives up before.
    const START: std::time::Duration = std::time::Duration::from_secs(20);

    /// Returns when the server has granted the load. The error: why it has not.
    pub(super) fn start(
        settings: SteadySettings,
        connection: &Connection,
        clock: Clock,
    ) -> Result<Self, (anyhow::Error, Exit)> {
        let failed = |error: anyhow::Error| (error, Exit::Error);
        let control = Arc::new(Control::new().context("cannot make a pipe").map_err(failed)?);
        let (send, started) = channel();
        let (seen, address) = (Arc::clone(&control), connection.peer.address);
        // The port that was asked for is the probes'.
        let outgoing = Outgoing { source_port: None, ..connection.outgoing };
        let run = move || {
            let mut load = SteadyLoad::new(settings, clock.now());
            let longest = load.settings().size as usize;
            let mut told = false;
            let ran = run_load(&mut load, longest, address, &outgoing, clock, &seen, &mut |load| {
                told = told || tell(&send, load);
            });
            // If no socket could be opened, the channel closes and the receiver reports the failure.
            drop(ran);
            load
        };
        let thread = std::thread::Builder::new().name("load".into()).spawn(run);
        let thread = thread.context("cannot start a thread").map_err(failed)?;
        match started.recv_timeout(Self::START) {
            Ok(Ok(())) => Ok(Self { control, thread }),
            Ok(Err(failure)) => {
                Err((explain(&failure, &connection.peer, Dialect::Native), exit_of(&failure)))
            }
            Err(RecvTimeoutError::Timeout) => {
                control.stop();
                Err(failed(anyhow!("the load did not start")))
            }
            Err(RecvTimeoutError::Disconnected) => {
                let error = std::io::Error::other("the socket of the load does not open");
                Err(failed(cannot_send(&error, connection)))
            }
        }
    }

    /// Ends it; what became of it in a run that began at `zero`.
    pub(super) fn finish(self, zero: Instant) -> Option<record::Load> {
        self.control.stop();
        let load = self.thread.join().ok()?;
        let ended = load.outcome().and_then(|outcome| outcome.as_ref().err()).map(in_the_middle);
        let period = load.period().map(|(from, until)| (from - zero, until - zero));
        Some(record::Load::of(load.settings(), load.results(), period, ended))
    }
}

/// Tells once whether the server grants the load; whether it did.
fn tell(send: &Sender<Result<(), Failure>>, load: &SteadyLoad) -> bool {
    let word = match load.outcome() {
        Some(Err(failure)) => Err(failure.clone()),
        Some(Ok(())) => Ok(()),
        None if load.is_granted() => Ok(()),
        _ => return false,
    };
    send.send(word).is_ok()
}
