//! How many connections there may be: event streams are counted apart from all others, so that
//! neither can take the other's places.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

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
}

impl Places {
    pub(super) fn new(limits: Limits) -> Self {
        let semaphore = |permits: u32| Arc::new(Semaphore::new(permits as usize));
        Self { limits, connections: semaphore(limits.connections), streams: semaphore(limits.streams) }
    }

    /// A place for a new connection; none if all are taken.
    pub(super) fn connect(self: &Arc<Self>) -> Option<Place> {
        let permit = Arc::clone(&self.connections).try_acquire_owned().ok()?;
        Some(Place { places: Arc::clone(self), permit: Arc::new(Mutex::new(permit)) })
    }

    pub(super) async fn until_empty(&self) {
        let _ = self.connections.acquire_many(self.limits.connections).await;
        let _ = self.streams.acquire_many(self.limits.streams).await;
    }
}

/// The place of one connection, free again when the connection has ended. Handlers have it as an extension of the request.
#[derive(Clone, Debug)]
pub(in crate::net) struct Place {
    places: Arc<Places>,
    permit: Arc<Mutex<OwnedSemaphorePermit>>,
}

impl Place {
    pub(super) fn limits(&self) -> Limits {
        self.places.limits
    }

    /// Moves the connection to a place among the event streams, unless all of those are taken.
    pub(in crate::net) fn become_stream(&self) -> bool {
        let stream = Arc::clone(&self.places.streams).try_acquire_owned();
        let Ok(stream) = stream else { return false };
        *self.permit.lock().unwrap_or_else(PoisonError::into_inner) = stream;
        true
    }
}

/// The address that a request comes from. Handlers have it as an extension of the request.
#[derive(Clone, Copy, Debug)]
pub struct RequestSource(pub IpAddr);
