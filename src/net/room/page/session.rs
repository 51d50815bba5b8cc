//! A page that is open in a browser: its seat in the room, and the stream of events to it.
//!
//! The session's name is random and comes back in a header, never in a cookie: no other page can send it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::HeaderMap;
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::net::random_bytes;
use crate::net::room::service::Seat;
use crate::time::Duration;

/// The header that carries the name of the session.
pub(super) const HEADER: &str = "x-room-session";
/// A page without a stream for this time has left: a phone may sleep for a while, a reload takes a moment.
const GRACE: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Session {
    pub seat: Seat,
    /// The number of its newest stream; older ones end.
    newest: AtomicU64,
    superseded: Notify,
}

impl Session {
    /// Ends the stream that is open; the number is for the next one.
    fn supersede(&self) -> u64 {
        let number = self.newest.fetch_add(1, Ordering::Relaxed) + 1;
        self.superseded.notify_waiters();
        number
    }
}

/// The sessions of a room's page; clones are handles to the same ones.
#[derive(Clone, Debug, Default)]
pub(super) struct Sessions(Arc<Mutex<HashMap<String, Arc<Session>>>>);

impl Sessions {
    /// A new session's name.
    pub(super) fn open(&self, seat: Seat) -> std::io::Result<String> {
        let name = random_bytes::<16>()?.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let session = Session { seat, newest: AtomicU64::new(0), superseded: Notify::new() };
        self.lock().insert(name.clone(), Arc::new(session));
        self.clone().leave_unless_streaming(name.clone(), 0);
        Ok(name)
    }

    pub(super) fn of(&self, headers: &HeaderMap) -> Option<(String, Arc<Session>)> {
        let name = headers.get(HEADER)?.to_str().ok()?;
        self.lock().get(name).map(|session| (name.to_owned(), Arc::clone(session)))
    }

    /// The member leaves; its stream ends.
    pub(super) fn close(&self, name: &str) {
        if let Some(session) = self.lock().remove(name) {
            session.supersede();
        }
    }

    /// Begins a stream; one that is open ends.
    pub(super) fn stream(&self, name: String, session: Arc<Session>) -> Stream {
        let number = session.supersede();
        Stream { sessions: self.clone(), name, session, number }
    }

    fn leave_unless_streaming(self, name: String, stream: u64) {
        tokio::spawn(async move {
            sleep(GRACE.to_std()).await;
            let mut sessions = self.lock();
            let is_silent = |session: &Arc<Session>| session.newest.load(Ordering::Relaxed) == stream;
            if sessions.get(&name).is_some_and(is_silent) {
                sessions.remove(&name);
            }
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Session>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The stream of events to a page; without another one its member leaves some time after it.
#[derive(Debug)]
pub(super) struct Stream {
    sessions: Sessions,
    name: String,
    pub session: Arc<Session>,
    number: u64,
}

impl Stream {
    /// Whether no newer stream has begun.
    pub(super) fn is_newest(&self) -> bool {
        self.session.newest.load(Ordering::Relaxed) == self.number
    }

    /// Waits until a newer stream begins.
    pub(super) async fn superseded(&self) {
        self.session.superseded.notified().await;
    }

    /// The room has closed the seat.
    pub(super) fn close(self) {
        self.sessions.close(&self.name);
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if self.is_newest() {
            self.sessions.clone().leave_unless_streaming(self.name.clone(), self.number);
        }
    }
}
