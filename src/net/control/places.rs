//! How many connections there may be: event streams are counted apart from all others, so that
//! neither can take the other's places. One address has at most half of the places that are no streams.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::time::Duration;

/// The bounds of every connection.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once that are not event streams.
    pub connections: u32,
    /// Event streams at once.
    pub streams: u32,
    pub(crate) header_bytes: usize,
    pub(crate) body_bytes: usize,
    /// To send the header of a request; an idle connection is closed after the same time.
    pub header_time: Duration,
    /// A reader that takes nothing for this long is dropped.
    pub write_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 32,
            streams: 32,
            header_bytes: 8192,
            body_bytes: 64 * 1024,
            header_time: Duration::from_secs(2),
            write_time: Duration::from_secs(2),
        }
    }
}

#[derive(Debug)]
pub(super) struct Places {
    pub(super) limits: Limits,
    connections: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    /// Connections that are not event streams, by address.
    by_source: Mutex<HashMap<IpAddr, u32>>,
}

impl Places {
    pub(super) fn new(limits: Limits) -> Self {
        let semaphore = |permits: u32| Arc::new(Semaphore::new(permits as usize));
        Self {
            limits,
            connections: semaphore(limits.connections),
            streams: semaphore(limits.streams),
            by_source: Mutex::default(),
        }
    }

    /// A place for a new connection; none if all are taken, or all of this address.
    pub(super) fn connect(self: &Arc<Self>, source: IpAddr) -> Option<Place> {
        let permit = Arc::clone(&self.connections).try_acquire_owned().ok()?;
        let share = Share::take(self, source)?;
        let held = Held { _permit: permit, _share: Some(share) };
        Some(Place { places: Arc::clone(self), held: Arc::new(Mutex::new(held)) })
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<IpAddr, u32>> {
        self.by_source.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn until_empty(&self) {
        let _ = self.connections.acquire_many(self.limits.connections).await;
        let _ = self.streams.acquire_many(self.limits.streams).await;
    }
}

/// One of the connections of an address, counted until it is dropped.
#[derive(Debug)]
struct Share {
    places: Arc<Places>,
    source: IpAddr,
}

impl Share {
    /// A proxy in front has the loopback address, and serves many: it may take all places.
    fn take(places: &Arc<Places>, source: IpAddr) -> Option<Self> {
        let source = source.to_canonical();
        let most = places.limits.connections;
        let most = if source.is_loopback() { most } else { most.div_ceil(2) };
        let mut counts = places.counts();
        let count = counts.entry(source).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        drop(counts);
        Some(Self { places: Arc::clone(places), source })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut counts = self.places.counts();
        if let Some(count) = counts.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.source);
            }
        }
    }
}

#[derive(Debug)]
struct Held {
    _permit: OwnedSemaphorePermit,
    /// None for an event stream, which does not count for its address.
    _share: Option<Share>,
}

/// The place of one connection, free again when the connection has ended. Handlers have it as an extension of the request.
#[derive(Clone, Debug)]
pub(in crate::net) struct Place {
    places: Arc<Places>,
    held: Arc<Mutex<Held>>,
}

impl Place {
    pub(super) fn limits(&self) -> Limits {
        self.places.limits
    }

    /// Moves the connection to a place among the event streams, unless all of those are taken.
    pub(in crate::net) fn become_stream(&self) -> bool {
        let stream = Arc::clone(&self.places.streams).try_acquire_owned();
        let Ok(stream) = stream else { return false };
        let held = Held { _permit: stream, _share: None };
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = held;
        true
    }
}

/// The address that a request comes from. Handlers have it as an extension of the request.
#[derive(Clone, Copy, Debug)]
pub struct RequestSource(pub IpAddr);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_leaves_half_of_the_places_to_others() {
        let places = Arc::new(Places::new(Limits { connections: 8, ..Limits::default() }));
        let [greedy, other, proxy]: [IpAddr; 3] =
            ["192.0.2.1", "::ffff:192.0.2.2", "127.0.0.1"].map(|text| text.parse().unwrap());
        let taken =
            |source, most: usize| -> Vec<Place> { (0..most).map_while(|_| places.connect(source)).collect() };
        let mut held = taken(greedy, 8);
        assert_eq!((held.len(), taken(other, 8).len()), (4, 4));
        assert!(held[0].become_stream(), "a stream is counted apart");
        assert_eq!(taken(greedy, 8).len(), 1);
        held.clear();
        assert!(places.counts().is_empty(), "an address without a connection costs nothing");
        assert_eq!(taken(proxy, 9).len(), 8);
    }
}
