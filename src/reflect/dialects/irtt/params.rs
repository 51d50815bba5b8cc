//! The parameters of a session, restricted to what this server grants.

use crate::reflect::core::Core;
use crate::reflect::incoming::Incoming;
use crate::time::Duration;
use crate::wire::irtt::{Params, VERSION};

/// Payloads of replies are filled with this, and irtt names it so.
pub(super) const PATTERN: &[u8] = b"irtt";
const PATTERN_NAME: &str = "pattern:69727474";
/// The other fill that clients may ask for.
pub(super) const RANDOM: &str = "rand";

/// A session may be silent for this many of its intervals.
const SILENT_INTERVALS: i64 = 4;

pub(super) fn restricted(core: &Core, packet: &Incoming, asked: &Params) -> Params {
    let settings = &core.settings;
    let shortest = settings.session_rate.map_or(0, |rate| 1_000_000_000_i64 / i64::from(rate.max(1)));
    let longest = settings.max_idle.as_nanos() / SILENT_INTERVALS;
    let limit = settings.max_duration.map_or(i64::MAX, Duration::as_nanos);
    let is_own_fill = asked.fill.is_empty() || asked.fill == RANDOM;
    Params {
        version: VERSION,
        duration: asked.duration.min(limit),
        interval: asked.interval.max(shortest).min(longest.max(shortest)),
        length: asked.length.min(i64::from(settings.max_size)),
        // A reply leaves with the class of its probe, where the system tells it.
        dscp: if packet.traffic_class.is_some() { asked.dscp } else { 0 },
        fill: if is_own_fill { asked.fill.clone() } else { PATTERN_NAME.to_owned() },
        ..*asked
    }
}

/// How long a session with this interval may be silent.
pub(super) fn longest_silence(core: &Core, granted: &Params) -> Duration {
    const LEAST: Duration = Duration::from_secs(60);
    let intervals = Duration::from_nanos(granted.interval.saturating_mul(SILENT_INTERVALS));
    intervals.max(LEAST).min(core.settings.max_idle)
}
