//! The proxy's own routes: mappings, flows, outages.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::IntoResponse;
use axum::routing::{get, patch, post};
use serde_json::{Value, json};

use super::{Answer, Api, Refusal, Wanted, add, answer, cannot_listen, from, line, nat, parse, text};
use crate::impair::{Direction, Impairment};
use crate::net::relay::RelayEngine;
use crate::relay::{FlowDirection, FlowFigures, Nat};
use crate::time::Duration;
use crate::units::parse_duration;

/// Flows in one answer.
const FLOWS: usize = 1_000;

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/api/proxy.json", get(proxy))
        .route("/api/mappings", post(create))
        .route("/api/mappings/{name}", get(show).patch(change).delete(remove))
        .route("/api/mappings/{name}/blackhole", post(black_out))
        .route("/api/mappings/{name}/rebind", post(rebind))
        .route("/api/flows", get(flows))
        .route("/api/flows/{id}", patch(change_flow).delete(close_flow))
        .route("/api/flows/{id}/rebind", post(rebind_flow))
}

async fn proxy(State(api): State<Api>) -> Answer {
    let mut figures = api.ask(|engine| engine.figures()).await?;
    figures.mappings.retain(|mapping| !mapping.is_removed);
    let mut proxy = json!(figures);
    proxy["schema"] = 1.into();
    proxy["udpecho"] = env!("CARGO_PKG_VERSION").into();
    Ok(answer(StatusCode::OK, &proxy))
}

async fn show(State(api): State<Api>, Path(name): Path<String>) -> Answer {
    let mapping = api.ask_mapping(name, |engine, mapping| Ok(engine.mapping(mapping))).await?;
    Ok(answer(StatusCode::OK, &json!(mapping)))
}

async fn create(State(api): State<Api>, body: Bytes) -> Answer {
    let wanted = parse(&body)?;
    known(&wanted, &["name", "listen", "to", "up", "down", "nat"])?;
    let needed = |key| text(&wanted, key)?.ok_or_else(|| Refusal::bad(format!("'{key}' is missing")));
    let of = |key| text(&wanted, key)?.map_or(Ok(Impairment::clean()), |text| line(&text));
    let listen = text(&wanted, "listen")?.unwrap_or_default();
    let (name, to, up, down) = (needed("name")?, needed("to")?, of("up")?, of("down")?);
    let nat = text(&wanted, "nat")?.map_or(Ok(Nat::default()), |text| nat(&text))?;
    let mapping = api.mapping(Wanted { name, listen, to, up, down, nat }).await?;
    let made = move |engine: &mut RelayEngine| add(engine, mapping).map(|mapping| engine.mapping(mapping));
    Ok(answer(StatusCode::CREATED, &json!(api.ask(made).await??)))
}

async fn change(State(api): State<Api>, Path(name): Path<String>, body: Bytes) -> Answer {
    let wanted = parse(&body)?;
    known(&wanted, &["up", "down", "nat", "state"])?;
    let nat = text(&wanted, "nat")?.map(|text| nat(&text)).transpose()?;
    let of = |key| text(&wanted, key)?.map(|text| line(&text).map(Arc::new)).transpose();
    let (up, down) = (of("up")?, of("down")?);
    let is_down = match text(&wanted, "state")?.as_deref() {
        None => None,
        Some("up") => Some(false),
        Some("down") => Some(true),
        Some(other) => return Err(Refusal::bad(format!("state: '{other}' is neither up nor down"))),
    };
    let changed = api
        .ask_mapping(name, move |engine, mapping| {
            if let Some(is_down) = is_down {
                let address = engine.local_addr(mapping);
                engine.set_down(mapping, is_down).map_err(|error| cannot_listen(address, &error))?;
            }
            if up.is_some() || down.is_some() || nat.is_some() {
                engine.change(mapping, |settings| {
                    settings.up = up.unwrap_or_else(|| Arc::clone(&settings.up));
                    settings.down = down.unwrap_or_else(|| Arc::clone(&settings.down));
                    settings.nat = nat.unwrap_or_else(|| settings.nat.clone());
                });
            }
            Ok(engine.mapping(mapping))
        })
        .await?;
    Ok(answer(StatusCode::OK, &json!(changed)))
}

async fn remove(State(api): State<Api>, Path(name): Path<String>) -> Answer {
    api.ask_mapping(name, |engine, mapping| {
        engine.remove_mapping(mapping);
        Ok(())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `?for=2s&dir=up`: both directions unless one is named.
async fn black_out(State(api): State<Api>, Path(name): Path<String>, uri: Uri) -> Answer {
    let mut length = None;
    let mut directions = vec![Direction::Up, Direction::Down];
    for pair in uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("for", time)) => {
                length = Some(parse_duration(time).map_err(|error| Refusal::bad(format!("for: {error}")))?);
            }
            Some(("dir", "up")) => directions = vec![Direction::Up],
            Some(("dir", "down")) => directions = vec![Direction::Down],
            Some(("dir", "both")) => {}
            _ => return Err(Refusal::bad(format!("'{pair}' is neither for=TIME nor dir=up, down or both"))),
        }
    }
    let length: Duration = length.ok_or_else(|| Refusal::bad("for how long? for example ?for=2s"))?;
    let order = move |engine: &mut RelayEngine, mapping| {
        directions.iter().for_each(|direction| engine.black_out(mapping, *direction, length));
        Ok(())
    };
    api.ask_mapping(name, order).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `?from=N`: flows of this number on, in the order in which they were opened.
async fn flows(State(api): State<Api>, uri: Uri) -> Answer {
    let from = from(&uri)?;
    let shown = api.ask(move |engine| {
        let flows = engine.flows(from, FLOWS);
        let name = |flow: &FlowFigures| engine.mapping_name(flow.mapping).to_owned();
        let next = flows.last().filter(|_| flows.len() == FLOWS).map(|(flow, _)| flow.id.number() + 1);
        let flows: Vec<Value> =
            flows.iter().map(|(flow, port)| flow_json(flow, &name(flow), *port)).collect();
        json!({ "flows": flows, "next": next })
    });
    Ok(answer(StatusCode::OK, &shown.await?))
}

async fn change_flow(State(api): State<Api>, Path(id): Path<String>, body: Bytes) -> Answer {
    let wanted = parse(&body)?;
    known(&wanted, &["up", "down"])?;
    let mut lines = Vec::new();
    for (direction, key) in [(Direction::Up, "up"), (Direction::Down, "down")] {
        match wanted.get(key) {
            None => {}
            Some(Value::Null) => lines.push((direction, None)),
            Some(_) => {
                let own = text(&wanted, key)?.map(|text| line(&text).map(Arc::new)).transpose()?;
                lines.push((direction, own));
            }
        }
    }
    let number = flow_number(&id)?;
    let shown = api.ask(move |engine| {
        let flow = engine.flow_numbered(number)?;
        for (direction, own) in lines {
            engine.set_flow_line(flow, direction, own);
        }
        let (figures, port) = engine.flows(number, 1).pop()?;
        Some(flow_json(&figures, engine.mapping_name(figures.mapping), port))
    });
    Ok(answer(StatusCode::OK, &shown.await?.ok_or_else(no_flow)?))
}

async fn close_flow(State(api): State<Api>, Path(id): Path<String>) -> Answer {
    let number = flow_number(&id)?;
    let closed = api
        .ask(move |engine| engine.flow_numbered(number).is_some_and(|flow| engine.close_flow(flow)))
        .await?;
    if closed { Ok(StatusCode::NO_CONTENT.into_response()) } else { Err(no_flow()) }
}

/// Every flow of the mapping leaves from another port with its client's next datagram.
async fn rebind(State(api): State<Api>, Path(name): Path<String>) -> Answer {
    api.ask_mapping(name, |engine, mapping| {
        engine.rebind(mapping);
        Ok(())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn rebind_flow(State(api): State<Api>, Path(id): Path<String>) -> Answer {
    let number = flow_number(&id)?;
    let found = api
        .ask(move |engine| engine.flow_numbered(number).is_some_and(|flow| engine.rebind_flow(flow)))
        .await?;
    if found { Ok(StatusCode::NO_CONTENT.into_response()) } else { Err(no_flow()) }
}

fn flow_number(id: &str) -> Result<u64, Refusal> {
    id.parse().map_err(|_| no_flow())
}

fn no_flow() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "flow not found")
}

/// A typing mistake changes nothing silently.
fn known(object: &Value, keys: &[&str]) -> Result<(), Refusal> {
    let Some(object) = object.as_object() else {
        return Err(Refusal::bad("bad request body: it must be an object"));
    };
    match object.keys().find(|key| !keys.contains(&key.as_str())) {
        Some(key) => Err(Refusal::bad(format!("unknown key '{key}' (known: {})", keys.join(", ")))),
        None => Ok(()),
    }
}

fn flow_json(flow: &FlowFigures, mapping: &str, port: Option<u16>) -> Value {
    let direction = |of: &FlowDirection| {
        json!({
            "line": of.impairment.to_string(),
            "own_line": of.is_own,
            "datagrams": of.datagrams,
            "bytes": of.bytes,
        })
    };
    json!({
        "id": flow.id.number(),
        "mapping": mapping,
        "flow": flow.id.ordinal(),
        "client": flow.client.remote.to_string(),
        "upstream_port": port,
        "answered": flow.answered,
        "age_us": flow.age.as_micros_f64(),
        "idle_us": flow.idle.as_micros_f64(),
        "up": direction(&flow.directions[0]),
        "down": direction(&flow.directions[1]),
    })
}
