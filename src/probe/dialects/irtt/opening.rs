//! The parameters that a run asks for, and the restrictions under which it goes on.

use super::super::super::event::{Failure, Finding};
use super::super::super::settings::Settings;
use crate::time::Duration;
use crate::wire::irtt::{Params, StampAt, VERSION};

/// The duration that a run without an end asks for.
const UNLIMITED: Duration = Duration::from_secs(365 * 24 * 3600);
/// Intervals that are added up; the others are as long as the last of them.
const ADDED_UP: u64 = 100_000;

pub(super) fn asked(settings: &Settings) -> Params {
    Params {
        duration: length_of(settings).as_nanos(),
        interval: settings.schedule.busiest_interval().as_nanos(),
        length: i64::from(settings.size),
        dscp: i64::from(settings.irtt.dscp) << 2,
        ..Params::default()
    }
}

/// From the first probe until after the last.
fn length_of(settings: &Settings) -> Duration {
    let mut schedule = settings.schedule.clone();
    let of_probes = settings.count.map(|count| {
        let (mut sum, mut last) = (Duration::ZERO, Duration::ZERO);
        for _ in 0..count.min(ADDED_UP) {
            last = schedule.next_interval();
            sum += last;
        }
        let others = i64::try_from(count.saturating_sub(ADDED_UP)).unwrap_or(i64::MAX);
        sum + Duration::from_nanos(last.as_nanos().saturating_mul(others))
    });
    let shorter = of_probes.into_iter().chain(settings.total).min();
    shorter.unwrap_or(UNLIMITED).min(UNLIMITED)
}

/// Why the run cannot be as it was asked for.
pub(super) fn refusal(asked: &Params, granted: &Params, is_closed: bool) -> Option<Failure> {
    let nanos = Duration::from_nanos;
    if granted.version != VERSION || is_closed {
        return Some(Failure::Denied { code: granted.version.clamp(0, 255) as u8 });
    }
    if granted.interval > asked.interval {
        let interval = nanos(granted.interval);
        return restricted(format!("answers a probe each {interval} at most: -i {interval}"));
    }
    if granted.interval < asked.interval {
        let interval = nanos(granted.interval);
        return restricted(format!("forgets a session without a probe each {interval}: -i {interval}"));
    }
    if granted.length < asked.length {
        return Some(Failure::TooLarge { limit: granted.length.clamp(0, i64::from(u32::MAX)) as u32 });
    }
    if granted.duration < asked.duration {
        let limit = nanos(granted.duration);
        return restricted(format!("grants {limit} at most: -w {limit}"));
    }
    None
}

fn restricted(what: String) -> Option<Failure> {
    Some(Failure::Restricted { what })
}

/// Restrictions under which the run goes on, with less to tell.
pub(super) fn findings(asked: &Params, granted: &Params) -> Vec<Finding> {
    let tells = |at: &[StampAt]| at.contains(&granted.stamp_at);
    let restrictions = [
        (!granted.clocks.wall || tells(&[StampAt::None]), Finding::NoReceiveTime),
        (tells(&[StampAt::Send, StampAt::Receive, StampAt::Midpoint]), Finding::NoServerTime),
        (!granted.received.count, Finding::Stateless),
        (granted.dscp != asked.dscp, Finding::UnmarkedReplies),
    ];
    restrictions.into_iter().filter(|(is_so, _)| *is_so).map(|(_, finding)| finding).collect()
}
