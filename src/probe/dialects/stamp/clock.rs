//! Reads a reflector's timestamps, whether they are NTP, PTP or nanoseconds in the place of a fraction.

use crate::probe::event::Finding;
use crate::time::Instant;
use crate::wire::stamp::{ErrorEstimate, Format, Timestamp};

/// How the reflector counts time, as far as its replies have shown.
#[derive(Debug, Default)]
pub(super) struct ReflectorClock {
    /// Fractions of NTP timestamps were nanoseconds, which a binary fraction of a second is not.
    in_nanoseconds: bool,
    /// No fraction so far was above a billion, as those in nanoseconds are not.
    all_low: Option<bool>,
    last: Option<Reading>,
    told: bool,
}

/// When a reply came, and what its receive timestamp says, read each way.
#[derive(Clone, Copy, Debug)]
struct Reading {
    received: i64,
    binary: i64,
    nanoseconds: i64,
}

const SECOND: i64 = 1_000_000_000;
/// Two clocks do not run apart by more than this between two replies, and no RTT of a path varies by more.
const APART: i64 = 100_000_000;

impl ReflectorClock {
    /// A timestamp of a reply that came at this time, in nanoseconds since 1970; none if it cannot be one.
    pub(super) fn read(&self, stamp: Timestamp, error: ErrorEstimate, received: Instant) -> Option<i64> {
        if stamp == Timestamp::default() {
            return None;
        }
        let near = received.as_nanos();
        let (nanos, format) = stamp.read(error.format, near)?;
        Some(if format == Format::Ntp && self.in_nanoseconds { in_nanoseconds(stamp, nanos) } else { nanos })
    }

    /// Looks at the receive timestamp of a reply. Some reflectors write nanoseconds where NTP has a binary fraction:
    /// read as NTP their clock jumps within each second, read as nanoseconds it does not.
    pub(super) fn note(
        &mut self,
        stamp: Timestamp,
        error: ErrorEstimate,
        received: Instant,
    ) -> Option<Finding> {
        let received = received.as_nanos();
        let (binary, format) = stamp.read(error.format, received)?;
        if self.in_nanoseconds || format == Format::Ptp {
            return self.note_format(format, error);
        }
        let is_low = (stamp.0 & 0xFFFF_FFFF) < SECOND.cast_unsigned();
        self.all_low = Some(self.all_low.unwrap_or(true) && is_low);
        let new = Reading { received, binary, nanoseconds: in_nanoseconds(stamp, binary) };
        let last = self.last.replace(new)?;
        let jumps = |reading: fn(&Reading) -> i64| {
            let (there, here) = (reading(&new) - reading(&last), new.received - last.received);
            (there - here).abs() > APART
        };
        let close = new.received - last.received < SECOND * 60;
        if self.all_low == Some(true)
            && close
            && jumps(|reading| reading.binary)
            && !jumps(|reading| reading.nanoseconds)
        {
            self.in_nanoseconds = true;
            return Some(Finding::FractionInNanoseconds);
        }
        self.note_format(format, error)
    }

    fn note_format(&mut self, format: Format, error: ErrorEstimate) -> Option<Finding> {
        let differs = format != error.format && !std::mem::replace(&mut self.told, true);
        differs.then_some(Finding::OtherFormat)
    }
}

/// The same second with its fraction in nanoseconds.
fn in_nanoseconds(stamp: Timestamp, nanos: i64) -> i64 {
    let fraction = i64::try_from(stamp.0 & 0xFFFF_FFFF).unwrap_or(0);
    nanos.div_euclid(SECOND) * SECOND + fraction.min(SECOND - 1)
}
