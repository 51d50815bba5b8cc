//! The live page and what programs read beside it: the record so far, `/metrics`, `/healthz`.
//!
//! The publisher hands over one snapshot after another. Each is rendered on the control thread, when
//! somebody asks for it and only then; all answers of one version show the same moment.

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use futures_util::stream;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::timeout;

use super::access::refuse;
use super::places::Place;
use crate::time::Duration;

/// The state of a page at one moment.
pub trait PageState: Send + Sync + 'static {
    /// For the page's script.
    fn state(&self) -> Value;

    /// For programs, as JSON.
    fn record(&self) -> String;

    /// For Prometheus, in its text format.
    fn metrics(&self) -> String;

    /// A further document for the page's script, as JSON, by the segments of its path below `/api/`; none if there is
    /// none.
    fn document(&self, _path: &[String]) -> Option<String> {
        None
    }
}

/// Replaces what the page shows.
pub struct Publisher {
    sender: watch::Sender<Arc<Published>>,
}

impl Publisher {
    /// The routes show `first` until something else is published. `html` has `/*STATE*/` where the
    /// first state goes; the record has the path `record_path`.
    pub fn new(html: String, record_path: &str, first: impl PageState) -> (Self, Router) {
        let (sender, receiver) = watch::channel(Arc::new(Published::new(1, Box::new(first), false)));
        let page = LivePage { html: html.into(), published: receiver };
        let routes = Router::new()
            .route("/", get(index))
            .route("/events", get(events))
            .route("/metrics", get(metrics))
            .route("/healthz", get(|| async { "ok\n" }))
            .route(record_path, get(record))
            .route("/api/{name}", get(document))
            .route("/api/{name}/{one}/{two}/{three}", get(long_document))
            .with_state(page);
        (Self { sender }, routes)
    }

    pub(crate) fn publish(&self, state: impl PageState) {
        self.replace(Box::new(state), false);
    }

    /// Nothing follows this state.
    pub fn publish_last(&self, state: impl PageState) {
        self.replace(Box::new(state), true);
    }

    fn replace(&self, state: Box<dyn PageState>, over: bool) {
        let version = self.sender.borrow().version + 1;
        self.sender.send_replace(Arc::new(Published::new(version, state, over)));
    }
}

#[derive(Clone)]
struct LivePage {
    html: Arc<str>,
    published: watch::Receiver<Arc<Published>>,
}

impl LivePage {
    fn now(&self) -> Arc<Published> {
        Arc::clone(&self.published.borrow())
    }

    fn document(&self, path: &[String]) -> Response {
        let now = self.now();
        match now.source.document(path) {
            Some(document) => now.answer("application/json", document),
            None => refuse(StatusCode::NOT_FOUND),
        }
    }
}

struct Published {
    version: u64,
    over: bool,
    source: Box<dyn PageState>,
    rendered: OnceLock<String>,
}

impl Published {
    fn new(version: u64, source: Box<dyn PageState>, over: bool) -> Self {
        Self { version, over, source, rendered: OnceLock::new() }
    }

    fn state(&self) -> &str {
        self.rendered.get_or_init(|| {
            let mut state = self.source.state();
            state["version"] = self.version.into();
            state["over"] = self.over.into();
            // Inside of a page nothing may look like the end of a script.
            state.to_string().replace('<', "\\u003c")
        })
    }

    /// As an event of a stream; the JSON text has no line break.
    fn event(&self) -> String {
        let kind = if self.over { "event: end\n" } else { "" };
        format!("{kind}data: {}\n\n", self.state())
    }

    fn answer(&self, content_type: &str, body: String) -> Response {
        let tag = format!("\"{}\"", self.version);
        ([(header::CONTENT_TYPE, content_type), (header::ETAG, &tag)], body).into_response()
    }
}

async fn index(State(page): State<LivePage>) -> Response {
    let now = page.now();
    now.answer("text/html; charset=utf-8", page.html.replace("/*STATE*/", now.state()))
}

async fn record(State(page): State<LivePage>) -> Response {
    let now = page.now();
    now.answer("application/json", now.source.record())
}

async fn metrics(State(page): State<LivePage>) -> Response {
    let now = page.now();
    now.answer("text/plain; version=0.0.4; charset=utf-8", now.source.metrics())
}

async fn document(State(page): State<LivePage>, Path(name): Path<String>) -> Response {
    page.document(&[name])
}

async fn long_document(State(page): State<LivePage>, Path(path): Path<[String; 4]>) -> Response {
    page.document(&path)
}

/// Every state from now on; a slow reader gets the newest, not each.
async fn events(State(page): State<LivePage>, Extension(place): Extension<Place>) -> Response {
    /// A write is what shows that the reader is gone.
    const HEARTBEAT: Duration = Duration::from_secs(2);
    if !place.become_stream() {
        return refuse(StatusCode::SERVICE_UNAVAILABLE);
    }
    let mut published = page.published;
    published.mark_changed();
    let events = stream::unfold(Some(published), |open| async {
        let mut published = open?;
        let event = match timeout(HEARTBEAT.to_std(), published.changed()).await {
            Ok(Ok(())) => {
                let now = Arc::clone(&published.borrow_and_update());
                return Some((Ok(now.event()), (!now.over).then_some(published)));
            }
            Ok(Err(_)) => return None,
            Err(_) => ":\n\n".to_owned(),
        };
        Some((Ok::<_, Infallible>(event), Some(published)))
    });
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CONNECTION, "close")];
    (headers, Body::from_stream(events)).into_response()
}
