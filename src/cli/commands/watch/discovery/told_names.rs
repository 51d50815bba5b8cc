//! Asks servers for the names of their hosts. Each gets a handshake and one probe.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;

use crate::cli::commands::watch::keys::with_key;
use crate::fleet::Group;
use crate::net::{ClientEngine, Clock, Control, Observation, Target, TargetId, Timer, random_bytes};
use crate::probe::{Event, HostNames, Settings};
use crate::time::Duration;
use crate::wire::auth::Key;

/// Between two handshakes.
const APART: Duration = Duration::from_millis(1);
const DEADLINE: Duration = Duration::from_secs(1);

/// The names of those that answer.
pub(super) fn ask(
    hosts: &[(SocketAddr, Arc<Group>)],
    key: Option<&Key>,
    clock: Clock,
) -> anyhow::Result<Vec<(SocketAddr, HostNames)>> {
    let control = Arc::new(Control::new().context("cannot make a pipe")?);
    let mut engine = ClientEngine::new(Timer::Sleep, clock);
    let changes = engine.changes(&control);
    for (at, (address, group)) in (0..).zip(hosts) {
        let seed = u64::from_ne_bytes(random_bytes()?);
        let settings = Settings {
            size: group.size,
            count: Some(1),
            deadline: Some(DEADLINE),
            grace: Duration::ZERO,
            ..Settings::every(group.interval, seed)
        };
        let settings = with_key(group, key, settings);
        let opens = clock.now() + APART * i64::from(at);
        changes.add(TargetId(at), Target::pooled(*address, settings, group.dscp, opens));
    }
    drop(changes);
    let mut told = Vec::new();
    let observe = |observation| {
        if let Observation::Event { target: TargetId(at), event: Event::Opened { server, .. }, .. } =
            observation
        {
            told.push((hosts[at as usize].0, server.host));
        }
    };
    engine.run(&control, &mut { observe }).context("the sockets failed")?;
    Ok(told)
}
