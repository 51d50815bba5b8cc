//! From where browsers have opened connections lately.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::time::{Duration, Instant};

#[derive(Debug, Default)]
pub(super) struct Browsers(Mutex<HashMap<IpAddr, Instant>>);

impl Browsers {
    /// Connections of a browser that come so close together belong to one of its requests.
    const TOGETHER: Duration = Duration::from_secs(1);
    const SOURCES: usize = 1_024;

    /// A connection of this source began with a request.
    pub(super) fn seen(&self, source: IpAddr, now: Instant) {
        let mut seen = self.lock();
        seen.retain(|_, at| now - *at < Self::TOGETHER * 2);
        if seen.len() < Self::SOURCES {
            seen.insert(source, now);
        }
    }

    /// Whether a connection that was accepted then is likely to be one that a browser keeps in store.
    pub(super) fn may_have_opened(&self, source: IpAddr, accepted: Instant) -> bool {
        self.lock().get(&source).is_some_and(|at| accepted - *at < Self::TOGETHER)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_a_browsers_within_a_second_of_its_request() {
        let at = |millis: i64| Instant::ZERO + Duration::from_millis(millis);
        let [one, other] = [1, 2].map(|last| IpAddr::from([10, 0, 0, last]));
        let browsers = Browsers::default();
        assert!(!browsers.may_have_opened(one, at(0)));
        browsers.seen(one, at(100));
        for (source, accepted, expected) in
            [(one, 0, true), (one, 100, true), (one, 1_099, true), (one, 1_100, false), (other, 100, false)]
        {
            assert_eq!(browsers.may_have_opened(source, at(accepted)), expected, "{source} {accepted}");
        }
    }
}
