//! The page that shows what goes on, and what programs read beside it: `/metrics`, the record so
//! far, `/healthz`. All of one version is of one moment.

mod ping;
mod serve;

pub use ping::PingPage;
pub use serve::ServerPage;

use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration as StdDuration;

use anyhow::Context;
use serde_json::Value;

use crate::cli::printer::remark;
use crate::live::Exposition;
use crate::net::{Answer, Clock, HttpServer, Site};
use crate::time::Duration;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// What is shown from now on.
pub struct PageState {
    /// For the page's script.
    pub state: Value,
    /// For programs.
    pub record: String,
    pub metrics: String,
    /// Nothing follows.
    pub over: bool,
}

/// A page that is served while something goes on.
pub struct Web {
    board: Arc<PageServer>,
    server: HttpServer,
}

impl Web {
    /// How often a page should be told something new.
    pub const PERIOD: Duration = Duration::from_millis(500);
    /// For the last words to those who watch.
    const FAREWELL: Duration = Duration::from_millis(300);

    /// Serves at this address, under these names too; the record has this path.
    pub fn start(
        address: SocketAddr,
        names: &[String],
        record: &'static str,
        first: PageState,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let board = Arc::new(PageServer {
            record,
            page: PAGE.replace("/*STYLE*/", STYLE).replace("/*SCRIPT*/", SCRIPT),
            posted: Mutex::new(Published::new(1, first)),
            news: Condvar::new(),
        });
        let server = HttpServer::start(address, names, clock, Arc::clone(&board)).with_context(|| {
            let other = address.port().wrapping_add(1).max(1024);
            format!("cannot serve a page at {address}; try another place, as in --http {other}")
        })?;
        let at = server.address();
        remark(format_args!("see http://{at}/"));
        if !at.ip().is_loopback() {
            remark("whoever reaches that address can look");
        }
        Ok(Self { board, server })
    }

    pub fn post(&self, issue: PageState) {
        let mut posted = self.board.posted();
        *posted = Published::new(posted.version + 1, issue);
        self.board.news.notify_all();
    }

    /// The last issue has been posted.
    pub fn finish(self) {
        self.server.finish(Self::FAREWELL);
    }
}

struct PageServer {
    record: &'static str,
    page: String,
    posted: Mutex<Published>,
    news: Condvar,
}

struct Published {
    version: u64,
    over: bool,
    state: Arc<str>,
    record: Arc<str>,
    metrics: Arc<str>,
}

impl Published {
    fn new(version: u64, issue: PageState) -> Self {
        let mut state = issue.state;
        state["version"] = version.into();
        state["over"] = issue.over.into();
        // Inside of a page nothing may look like the end of a script.
        let state = state.to_string().replace('<', "\\u003c").into();
        Self { version, over: issue.over, state, record: issue.record.into(), metrics: issue.metrics.into() }
    }
}

impl PageServer {
    fn posted(&self) -> MutexGuard<'_, Published> {
        self.posted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Site for PageServer {
    fn answer(&self, path: &str) -> Answer {
        let posted = self.posted();
        let version = posted.version;
        let found = |kind, body: &Arc<str>| Answer::Found { kind, version, body: Arc::clone(body) };
        match path {
            "/" => {
                let state = Arc::clone(&posted.state);
                drop(posted);
                found("text/html; charset=utf-8", &self.page.replace("/*STATE*/", &state).into())
            }
            "/events" => Answer::Stream,
            "/metrics" => found(Exposition::CONTENT_TYPE, &posted.metrics),
            "/healthz" => found("text/plain; charset=utf-8", &"ok\n".into()),
            path if path == self.record => found("application/json", &posted.record),
            _ => Answer::Missing,
        }
    }

    fn event(&self, seen: &mut u64) -> Option<Arc<str>> {
        /// A connection that nobody holds any more is noticed by writing to it.
        const HEARTBEAT: StdDuration = StdDuration::from_secs(2);
        let waits = |posted: &mut Published| posted.version == *seen && !posted.over;
        let waited = self.news.wait_timeout_while(self.posted(), HEARTBEAT, waits);
        let posted = waited.unwrap_or_else(PoisonError::into_inner).0;
        if posted.version == *seen {
            return (!posted.over).then(|| ":\n\n".into());
        }
        *seen = posted.version;
        let kind = if posted.over { "event: end\n" } else { "" };
        Some(format!("{kind}data: {}\n\n", posted.state).into())
    }
}
