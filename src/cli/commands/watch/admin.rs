//! The listener for those who run the watch: `POST /-/reload` and `/probe`, apart from the page that everybody reads.

use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, channel};

use anyhow::Context;

use super::probe::Prober;
use crate::cli::printer::stderr_line;
use crate::net::{ControlPlane, Limits, SlowMethod, slow_route};
use crate::time::Duration;

/// A request for a reload; what comes back goes to its sender.
pub(super) type ReloadRequest = Sender<Result<(), String>>;

pub(super) struct Admin {
    /// It listens until it is dropped.
    _control: ControlPlane,
}

impl Admin {
    /// The loop of the watch looks for requests several times a second.
    const PATIENCE: Duration = Duration::from_secs(10);

    pub(super) fn start(
        address: SocketAddr,
        host_names: &[String],
        prober: Prober,
    ) -> anyhow::Result<(Self, Receiver<ReloadRequest>)> {
        let (ask, asked) = channel::<ReloadRequest>();
        let reload = slow_route("/-/reload", SlowMethod::Post, 1, move |_| reload(&ask));
        let probe = slow_route("/probe", SlowMethod::Get, Prober::AT_ONCE, move |asked| prober.answer(asked));
        let control = ControlPlane::start(address, host_names, reload.merge(probe), Limits::default())
            .with_context(|| format!("cannot listen at {address} for --admin"))?;
        stderr_line(format_args!("reload and probes at http://{}/", control.address()));
        Ok((Self { _control: control }, asked))
    }
}

fn reload(ask: &Sender<ReloadRequest>) -> (u16, String) {
    let (answer, answered) = channel();
    let sent = ask.send(answer).is_ok();
    match answered.recv_timeout(Admin::PATIENCE.to_std()) {
        Ok(Ok(())) if sent => (200, String::new()),
        Ok(Err(error)) => (500, format!("failed to reload config: {error}\n")),
        _ => (503, "the watch is ending\n".to_owned()),
    }
}
