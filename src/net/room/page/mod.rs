//! The page of a room: one file of HTML, a stream of events down, requests up.
//!
//! It is plain HTTP, and says so on top of itself. `Host` and `Origin` are checked as for every page of
//! the control plane; a page from elsewhere has no session and cannot get one.

mod session;
mod transfers;

use std::convert::Infallible;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Extension, Router};
use futures_util::future::{Either, select};
use futures_util::stream;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use self::session::{Session, Sessions, Stream};
use super::files::RoomFiles;
use super::service::RoomService;
use crate::net::control::{Place, RequestSource, whole_body};
use crate::room::{Access, Connecting, Event, Room, Via, WrongWords};
use crate::time::Duration;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("style.css");
/// The page's script, in the order in which its parts build on each other.
const SCRIPTS: [&str; 4] = [
    include_str!("script/elements.js"),
    include_str!("script/connection.js"),
    include_str!("script/files.js"),
    include_str!("script/room.js"),
];

/// Makes the HTML report of a run's folder; the error is one line.
pub type RunReport = Arc<dyn Fn(&Path) -> Result<String, String> + Send + Sync>;

/// Settings of a room's page.
#[derive(Clone)]
pub struct RoomPage {
    /// The rules of the room.
    pub access: Access,
    /// Visitors that know it are members, though the page has no key.
    pub word: Option<String>,
    /// For the runs on the shelf.
    pub report: RunReport,
}

struct Page {
    room: RoomService,
    files: RoomFiles,
    settings: RoomPage,
    sessions: Sessions,
    wrong_words: Mutex<WrongWords>,
    /// Reports are made one after the other.
    reporting: Semaphore,
    html: String,
}

type Shared = State<Arc<Page>>;

impl RoomPage {
    /// The routes of the page, for the room's port.
    pub fn routes(self, room: RoomService, files: RoomFiles) -> Router {
        let html = PAGE
            .replace("/*STYLE*/", STYLE)
            .replace("/*SCRIPT*/", &SCRIPTS.concat())
            .replace("/*KEYED*/", if self.access.keyed { "true" } else { "false" });
        let sessions = Sessions::default();
        let wrong_words = Mutex::default();
        let reporting = Semaphore::new(1);
        let page = Page { room, files, settings: self, sessions, wrong_words, reporting, html };
        Router::new()
            .route("/", get(|State(page): Shared| async move { Html(page.html.clone()) }))
            .route("/room/enter", post(enter))
            .route("/room/events", get(events))
            .route("/room/say", post(say))
            .route("/room/leave", post(leave))
            .route("/room/offer", post(transfers::offer))
            .route("/room/ask", post(transfers::ask))
            .layer(from_fn(short_body))
            .route("/room/files/{ticket}", put(transfers::upload).get(transfers::download))
            .route("/room/runs/{ticket}", get(transfers::run_report))
            .with_state(Arc::new(page))
    }
}

impl Page {
    /// Whether it is the room's word; tried too often, no word is.
    fn knows(&self, source: IpAddr, word: &str) -> bool {
        let now = self.room.now();
        let mut wrong = self.wrong_words.lock().unwrap_or_else(PoisonError::into_inner);
        if !wrong.may_try(now, source) {
            return false;
        }
        let knows = self.settings.word.as_deref() == Some(word);
        if !knows {
            wrong.note(now, source);
        }
        knows
    }

    fn session(&self, headers: &HeaderMap) -> Option<(String, Arc<Session>)> {
        self.sessions.of(headers)
    }
}

/// Reads the short body of each request that is no upload of a file.
async fn short_body(request: Request, next: Next) -> Response {
    /// A phone may stand still for a moment.
    const PATIENCE: Duration = Duration::from_secs(5);
    match whole_body(request, PATIENCE).await {
        Ok(request) => next.run(request).await,
        Err((status, why)) => refusal(status, why),
    }
}

/// To a page without a session.
fn unknown_page() -> Response {
    refusal(StatusCode::UNAUTHORIZED, "the room does not know this page any more; enter again")
}

#[derive(Deserialize)]
struct Enter {
    name: String,
    #[serde(default)]
    word: String,
}

/// A name, and the word if the visitor knows it, for a session.
async fn enter(
    State(page): Shared,
    Extension(RequestSource(source)): Extension<RequestSource>,
    body: String,
) -> Response {
    const WRONG_WORD: Duration = Duration::from_secs(1);
    let Ok(Enter { name, word }) = serde_json::from_str(&body) else {
        return refusal(StatusCode::BAD_REQUEST, "no name; for example {\"name\":\"anna\"}");
    };
    let word = Some(word).filter(|word| !word.is_empty());
    if word.as_deref().is_some_and(|word| !page.knows(source, word)) {
        sleep(WRONG_WORD.to_std()).await;
        return refusal(
            StatusCode::FORBIDDEN,
            "this is not the room's word, or three wrong ones came within a minute",
        );
    }
    let role = match page.settings.access.page(source, word.is_some()) {
        Ok(role) => role,
        Err(why) => return refusal(StatusCode::FORBIDDEN, &why.to_string()),
    };
    let seat = match page.room.join(Connecting { source, role, via: Via::Page, encrypted: false }) {
        Ok(seat) => seat,
        Err(why) => return refusal(StatusCode::SERVICE_UNAVAILABLE, &why.to_string()),
    };
    seat.say(&name);
    let events = seat.take_events();
    if let Some(why) = events.iter().find_map(|event| refused(event)) {
        return refusal(StatusCode::UNPROCESSABLE_ENTITY, why);
    }
    let events: Vec<Value> = events.iter().map(|event| shown(event)).collect();
    match page.sessions.open(seat) {
        Ok(session) => json_answer(&json!({ "session": session, "events": events })),
        Err(error) => refusal(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

fn refused(event: &Event) -> Option<&str> {
    match event {
        Event::Refused { why } => Some(why),
        // It was a command to leave.
        Event::Closed { .. } => Some("this is no name; for example anna"),
        _ => None,
    }
}

/// A line of the member, commands included.
async fn say(State(page): Shared, headers: HeaderMap, line: String) -> Response {
    match page.session(&headers) {
        Some((_, session)) if session.seat.say(&line) => StatusCode::NO_CONTENT.into_response(),
        Some(_) => refusal(StatusCode::TOO_MANY_REQUESTS, "too fast; this line was not passed on"),
        None => unknown_page(),
    }
}

async fn leave(State(page): Shared, headers: HeaderMap) -> Response {
    match page.session(&headers) {
        Some((name, _)) => {
            page.sessions.close(&name);
            StatusCode::NO_CONTENT.into_response()
        }
        None => unknown_page(),
    }
}

/// The state that a stream sent last.
struct Telling {
    stream: Stream,
    state: String,
}

/// Everything that the member is shown, and the state of the room whenever it changes.
async fn events(State(page): Shared, headers: HeaderMap, Extension(place): Extension<Place>) -> Response {
    let Some((name, session)) = page.session(&headers) else { return unknown_page() };
    if !place.become_stream() {
        return refusal(StatusCode::SERVICE_UNAVAILABLE, "too many pages are open");
    }
    let telling = Telling { stream: page.sessions.stream(name, session), state: String::new() };
    let parts = stream::unfold(Some(telling), move |telling| {
        let page = Arc::clone(&page);
        async move { telling?.next(&page).await }
    });
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CONNECTION, "close")];
    (headers, Body::from_stream(parts)).into_response()
}

impl Telling {
    /// The next part of the stream, and what goes on after it.
    async fn next(mut self, page: &Page) -> Option<(Result<String, Infallible>, Option<Self>)> {
        /// A write shows that the reader is gone, and loads change without an event.
        const BEAT: Duration = Duration::from_secs(2);
        if !self.stream.is_newest() {
            return None;
        }
        let seat = &self.stream.session.seat;
        let is_first = self.state.is_empty();
        let coming = timeout(if is_first { std::time::Duration::ZERO } else { BEAT.to_std() }, seat.events());
        let events = match select(std::pin::pin!(coming), std::pin::pin!(self.stream.superseded())).await {
            Either::Left((events, _)) => events.unwrap_or_default(),
            Either::Right(_) => return None,
        };
        let mut part: String = events.iter().map(|event| format!("data: {}\n\n", shown(event))).collect();
        let state = state_of(page, &self.stream.session);
        if state != self.state {
            part += &format!("data: {state}\n\n");
            self.state = state;
        }
        if part.is_empty() {
            part.push_str(":\n\n");
        }
        if events.last().is_some_and(|event| matches!(**event, Event::Closed { .. })) {
            self.stream.close();
            return Some((Ok(part), None));
        }
        Some((Ok(part), Some(self)))
    }
}

/// An event, with the lines that a terminal would show.
fn shown(event: &Event) -> Value {
    let mut value = serde_json::to_value(event).unwrap_or_default();
    value["lines"] = event.text().lines().collect::<Vec<_>>().into();
    value
}

/// The members with their loads, and the files that this member sees.
fn state_of(page: &Page, session: &Session) -> String {
    let view = session.seat.view();
    let here: Vec<Value> = view
        .here
        .iter()
        .map(|one| {
            let load = view.loads.iter().find(|load| load.name == one.name);
            json!({ "name": one.name, "role": one.role, "via": one.via, "load": load.and_then(|load| load.verdict.clone()) })
        })
        .collect();
    let keyed = page.settings.access.keyed;
    let state = json!({
        "event": "state", "you": view.name, "role": view.role, "keyed": keyed, "measures": Room::has_command("/ping"),
        "here": here, "files": view.files,
    });
    state.to_string()
}

fn json_answer(value: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

/// One line that says why.
fn refusal(status: StatusCode, why: &str) -> Response {
    (status, format!("{why}\n")).into_response()
}

#[cfg(test)]
mod tests;
