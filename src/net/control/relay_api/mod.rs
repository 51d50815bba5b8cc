//! The HTTP interface of a running proxy: its own routes below `/api`, and those of Toxiproxy. Each request becomes an
//! order to the relay's thread, which answers when it comes to it.

mod address;
mod events;
mod native;
mod populate;
mod toxics;
mod toxiproxy;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::whole_body;
use crate::impair::Impairment;
use crate::net::relay::{RelayEngine, RelayHandle, RelayMapping};
use crate::relay::{MappingId, MappingSettings, Nat, RelayFigures, Scope};
use crate::rng::Seed;
use crate::time::Duration;

/// Settings shared by all mappings added through the interface.
#[derive(Clone, Copy, Debug)]
pub struct RelayApi {
    /// Of their random draws.
    pub seed: Seed,
    /// Whether their flows share a bottleneck.
    pub scope: Scope,
    /// Whether they may listen beyond localhost.
    pub public: bool,
    /// Renders `/metrics`.
    pub metrics: fn(&RelayFigures) -> String,
}

impl RelayApi {
    /// The routes that steer this relay.
    pub fn routes(self, handle: RelayHandle) -> Router {
        Router::new()
            .merge(native::routes())
            .merge(toxiproxy::routes())
            .merge(populate::routes())
            .route("/api/events", get(events::events))
            .route("/metrics", get(metrics))
            .layer(from_fn(short_body))
            .layer(from_fn(no_browsers))
            .with_state(Api { handle, settings: Arc::new(self) })
    }
}

#[derive(Clone)]
struct Api {
    handle: RelayHandle,
    settings: Arc<RelayApi>,
}

type Answer = Result<Response, Refusal>;

/// Why a request is not carried out.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    why: String,
}

impl Refusal {
    fn new(status: StatusCode, why: impl Into<String>) -> Self {
        Self { status, why: why.into() }
    }

    fn bad(why: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, why)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        answer(self.status, &json!({ "error": self.why, "status": self.status.as_u16() }))
    }
}

fn answer(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], format!("{body}\n")).into_response()
}

impl Api {
    /// Runs this on the relay's thread and waits for its answer.
    async fn ask<T: Send + 'static>(
        &self,
        order: impl FnOnce(&mut RelayEngine) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let (send, answered) = oneshot::channel();
        self.handle.send(move |engine| drop(send.send(order(engine))));
        answered.await.map_err(|_| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the proxy has ended"))
    }

    /// The same for one mapping.
    async fn ask_mapping<T: Send + 'static>(
        &self,
        name: String,
        order: impl FnOnce(&mut RelayEngine, MappingId) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let unknown = || Refusal::new(StatusCode::NOT_FOUND, "proxy not found");
        self.ask(move |engine| {
            let mapping = engine.mapping_named(&name).ok_or_else(unknown)?;
            order(engine, mapping)
        })
        .await?
    }

    /// A new mapping from what was typed, its addresses resolved.
    async fn mapping(&self, wanted: Wanted) -> Result<RelayMapping, Refusal> {
        let Wanted { name, listen, to, up, down, nat } = wanted;
        if !MappingSettings::is_name(&name) {
            return Err(Refusal::bad(format!(
                "'{name}' is no name: 1 to 64 letters, digits and signs, without commas, quotes and slashes"
            )));
        }
        let listen = address::listen(listen, self.settings.public).await?;
        let upstream = address::server(to.clone()).await?;
        let settings = MappingSettings::new(name, Arc::new(up), Arc::new(down), self.settings.seed);
        let settings = MappingSettings { scope: self.settings.scope, nat, ..settings };
        Ok(RelayMapping { listen, upstream, server: to, settings })
    }
}

/// A mapping that a request asks for.
struct Wanted {
    name: String,
    listen: String,
    to: String,
    up: Impairment,
    down: Impairment,
    nat: Nat,
}

/// Adds a mapping unless its name is taken, its server is the proxy itself, or there are too many.
fn add(engine: &mut RelayEngine, mapping: RelayMapping) -> Result<MappingId, Refusal> {
    if engine.mapping_named(&mapping.settings.name).is_some() {
        return Err(Refusal::new(StatusCode::CONFLICT, "proxy already exists"));
    }
    room_for(1, 0, engine)?;
    refuse_loop(engine, mapping.upstream)?;
    let listen = mapping.listen;
    engine.add_mapping(mapping).map_err(|error| cannot_listen(listen, &error))
}

/// Mappings at once.
const AT_ONCE: usize = 256;

fn room_for(new: usize, replaced: usize, engine: &RelayEngine) -> Result<(), Refusal> {
    let (there, made) = (engine.mapping_numbers().len(), engine.mappings_made());
    within_limits(new, there + new, made + new + replaced)
}

/// A mapping has a socket while it is there, and keeps its counters once it is removed.
fn within_limits(new: usize, there: usize, made: usize) -> Result<(), Refusal> {
    const IN_ALL: usize = 65_536;
    match () {
        () if new > 0 && there > AT_ONCE => Err(too_many(format!("{AT_ONCE} at once; remove one first"))),
        () if made > IN_ALL => Err(too_many(format!("{IN_ALL} in all; start the proxy again"))),
        () => Ok(()),
    }
}

fn too_many(limit: String) -> Refusal {
    Refusal::new(StatusCode::FORBIDDEN, format!("too many mappings: {limit}"))
}

fn refuse_loop(engine: &RelayEngine, upstream: std::net::SocketAddr) -> Result<(), Refusal> {
    match engine.listens_at(upstream) {
        true => Err(is_this_proxy(upstream)),
        false => Ok(()),
    }
}

fn is_this_proxy(upstream: std::net::SocketAddr) -> Refusal {
    Refusal::bad(format!("the server {upstream} is this proxy itself"))
}

fn cannot_listen(address: std::net::SocketAddr, error: &std::io::Error) -> Refusal {
    Refusal::bad(format!("cannot listen on UDP {address}: {error}"))
}

/// A line as `--up` takes it; a request can name no file.
fn line(text: &str) -> Result<Impairment, Refusal> {
    short_line(text)?;
    let parsed = text.parse::<Impairment>().and_then(|line| {
        line.runnable()?;
        line.one_way(text)
    });
    parsed.map_err(|error| Refusal::bad(format!("'{text}': {error}")))
}

/// Mappings and toxics keep their lines.
fn short_line(text: &str) -> Result<(), Refusal> {
    const MOST: usize = 1_024;
    match text.len() {
        0..=MOST => Ok(()),
        length => Err(Refusal::bad(format!("a line of {length} bytes is too long: at most {MOST}"))),
    }
}

/// A NAT as `--nat` takes it.
fn nat(text: &str) -> Result<Nat, Refusal> {
    text.parse().map_err(|error| Refusal::bad(format!("nat: {error}")))
}

/// `?from=N`; 0 without it.
fn from(uri: &Uri) -> Result<u64, Refusal> {
    let Some(query) = uri.query().filter(|query| !query.is_empty()) else { return Ok(0) };
    let number = query.strip_prefix("from=").and_then(|number| number.parse().ok());
    number.ok_or_else(|| Refusal::bad(format!("'{query}' is not from=NUMBER")))
}

fn parse(body: &[u8]) -> Result<Value, Refusal> {
    let text = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(text).map_err(|error| Refusal::bad(format!("bad request body: {error}")))
}

/// A text of this object; `None` if it is not there.
fn text(object: &Value, key: &str) -> Result<Option<String>, Refusal> {
    match object.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(Refusal::bad(format!("bad request body: {key} must be a text, not {other}"))),
    }
}

/// As Toxiproxy, nothing that a browser sends changes anything, whatever page it shows.
async fn no_browsers(request: Request, next: Next) -> Response {
    let agent = request.headers().get(header::USER_AGENT).map(|agent| agent.as_bytes());
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if !reads && agent.is_some_and(|agent| agent.starts_with(b"Mozilla/")) {
        return Refusal::new(StatusCode::FORBIDDEN, "a browser may read here, and change nothing")
            .into_response();
    }
    next.run(request).await
}

async fn short_body(request: Request, next: Next) -> Response {
    const PATIENCE: Duration = Duration::from_secs(2);
    match whole_body(request, PATIENCE).await {
        Ok(request) => next.run(request).await,
        Err((status, why)) => Refusal::new(status, why).into_response(),
    }
}

async fn metrics(State(api): State<Api>) -> Answer {
    let figures = api.ask(|engine| engine.figures()).await?;
    let text = (api.settings.metrics)(&figures);
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mappings_at_once_and_in_all_have_limits_that_the_error_names() {
        let why = |new, there, made| {
            within_limits(new, there, made).map_err(|refusal| (refusal.status, refusal.why))
        };
        assert_eq!(why(1, 256, 65_536), Ok(()));
        assert_eq!(why(0, 300, 300), Ok(()));
        let error = |why: &str| Err((StatusCode::FORBIDDEN, why.to_owned()));
        let (at_once, in_all) = ("256 at once; remove one first", "65536 in all; start the proxy again");
        assert_eq!(why(1, 257, 257), error(&format!("too many mappings: {at_once}")));
        assert_eq!(why(0, 1, 65_537), error(&format!("too many mappings: {in_all}")));
    }
}
