//! The routes of Toxiproxy 2.12, so that its clients work: a proxy is a mapping, a toxic changes a part of its lines.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Map, Value, json};

use super::{Answer, Api, Refusal, Wanted, add, answer, cannot_listen, parse, refuse_loop, text};
use super::{address, toxics};
use crate::impair::Impairment;
use crate::net::relay::{RelayEngine, RelayMapping};
use crate::relay::{MappingFigures, MappingId, Nat, Toxic};

/// The version whose interface this is.
const VERSION: &str = "2.12.0";

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/version", get(version))
        .route("/reset", post(reset))
        .route("/proxies", get(proxies).post(create))
        .route("/proxies/{proxy}", get(show).post(update).patch(update).delete(remove))
        .route("/proxies/{proxy}/toxics", get(toxic_list).post(add_toxic))
        .route(
            "/proxies/{proxy}/toxics/{toxic}",
            get(show_toxic).post(update_toxic).patch(update_toxic).delete(remove_toxic),
        )
}

async fn version() -> Response {
    answer(StatusCode::OK, &json!({ "version": VERSION }))
}

/// Every mapping is up again, without toxics.
async fn reset(State(api): State<Api>) -> Answer {
    api.ask(|engine| {
        for mapping in engine.mapping_numbers() {
            set_enabled(engine, mapping, true)?;
            engine.change(mapping, |settings| settings.toxics.clear());
        }
        Ok(())
    })
    .await??;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn proxies(State(api): State<Api>) -> Answer {
    let figures = api.ask(|engine| engine.figures()).await?;
    let shown = figures.mappings.iter().filter(|mapping| !mapping.is_removed);
    let by_name: Map<String, Value> =
        shown.map(|mapping| (mapping.settings.name.clone(), proxy_json(mapping))).collect();
    Ok(answer(StatusCode::OK, &by_name.into()))
}

async fn create(State(api): State<Api>, body: Bytes) -> Answer {
    let wanted = parse(&body)?;
    let mapping = mapping(&api, &wanted).await?;
    let enabled = enabled(&wanted)?.unwrap_or(true);
    let made = api.ask(move |engine| {
        let mapping = add(engine, mapping)?;
        set_enabled(engine, mapping, enabled)?;
        Ok(engine.mapping(mapping))
    });
    Ok(answer(StatusCode::CREATED, &proxy_json(&made.await??)))
}

async fn show(State(api): State<Api>, Path(proxy): Path<String>) -> Answer {
    let mapping = api.ask_mapping(proxy, |engine, mapping| Ok(engine.mapping(mapping))).await?;
    Ok(answer(StatusCode::OK, &proxy_json(&mapping)))
}

async fn update(State(api): State<Api>, Path(proxy): Path<String>, body: Bytes) -> Answer {
    let wanted = parse(&body)?;
    let enabled = enabled(&wanted)?;
    let now = api.ask_mapping(proxy.clone(), |engine, mapping| Ok(engine.mapping(mapping))).await?;
    let listen = match text(&wanted, "listen")?.filter(|listen| *listen != now.listen.to_string()) {
        Some(listen) => Some(address::listen(listen, api.settings.public).await?),
        None => None,
    };
    let to = match text(&wanted, "upstream")?.filter(|to| *to != now.server) {
        Some(to) => Some((address::server(to.clone()).await?, to)),
        None => None,
    };
    let changed = api.ask_mapping(proxy, move |engine, mapping| {
        to.iter().try_for_each(|(upstream, _)| refuse_loop(engine, *upstream))?;
        if let Some(listen) = listen {
            engine.set_listen(mapping, listen).map_err(|error| cannot_listen(listen, &error))?;
        }
        if let Some(enabled) = enabled {
            set_enabled(engine, mapping, enabled)?;
        }
        // Last, because it cannot fail: a port that is taken leaves the flows to the earlier server alone.
        if let Some((upstream, server)) = to {
            engine.set_server(mapping, upstream, server);
        }
        Ok(engine.mapping(mapping))
    });
    Ok(answer(StatusCode::OK, &proxy_json(&changed.await?)))
}

async fn remove(State(api): State<Api>, Path(proxy): Path<String>) -> Answer {
    let order = |engine: &mut RelayEngine, mapping| {
        engine.remove_mapping(mapping);
        Ok(())
    };
    api.ask_mapping(proxy, order).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn toxic_list(State(api): State<Api>, Path(proxy): Path<String>) -> Answer {
    let mapping = api.ask_mapping(proxy, |engine, mapping| Ok(engine.mapping(mapping))).await?;
    Ok(answer(StatusCode::OK, &list_json(&mapping.settings.toxics)))
}

async fn add_toxic(State(api): State<Api>, Path(proxy): Path<String>, body: Bytes) -> Answer {
    let toxic = toxics::from_json(&parse(&body)?)?;
    let shown = toxics::to_json(&toxic);
    let order = move |engine: &mut RelayEngine, mapping| {
        let there = engine.mapping(mapping).settings.toxics;
        if there.iter().any(|other| other.name == toxic.name) {
            return Err(Refusal::new(StatusCode::CONFLICT, "toxic already exists"));
        }
        let same =
            |other: &&Toxic| other.kind.label() == toxic.kind.label() && other.direction == toxic.direction;
        if let Some(other) = there.iter().find(same) {
            let (kind, name) = (toxic.kind.label(), &other.name);
            return Err(Refusal::bad(format!(
                "'{name}' is a {kind} toxic of this stream already: change it"
            )));
        }
        engine.change(mapping, |settings| settings.toxics.push(toxic));
        Ok(())
    };
    api.ask_mapping(proxy, order).await?;
    Ok(answer(StatusCode::OK, &shown))
}

async fn show_toxic(State(api): State<Api>, Path((proxy, toxic)): Path<(String, String)>) -> Answer {
    let shown = api.ask_mapping(proxy, move |engine, mapping| find(engine, mapping, &toxic)).await?;
    Ok(answer(StatusCode::OK, &toxics::to_json(&shown)))
}

async fn update_toxic(
    State(api): State<Api>,
    Path((proxy, toxic)): Path<(String, String)>,
    body: Bytes,
) -> Answer {
    let wanted = parse(&body)?;
    let order = move |engine: &mut RelayEngine, mapping| {
        let changed = toxics::changed(&find(engine, mapping, &toxic)?, &wanted)?;
        let shown = toxics::to_json(&changed);
        engine.change(mapping, |settings| {
            settings
                .toxics
                .iter_mut()
                .filter(|other| other.name == toxic)
                .for_each(|old| *old = changed.clone());
        });
        Ok(shown)
    };
    Ok(answer(StatusCode::OK, &api.ask_mapping(proxy, order).await?))
}

async fn remove_toxic(State(api): State<Api>, Path((proxy, toxic)): Path<(String, String)>) -> Answer {
    let order = move |engine: &mut RelayEngine, mapping| {
        find(engine, mapping, &toxic)?;
        engine.change(mapping, |settings| settings.toxics.retain(|other| other.name != toxic));
        Ok(())
    };
    api.ask_mapping(proxy, order).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn find(engine: &RelayEngine, mapping: MappingId, name: &str) -> Result<Toxic, Refusal> {
    let toxics = engine.mapping(mapping).settings.toxics;
    let found = toxics.into_iter().find(|toxic| toxic.name == name);
    found.ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "toxic not found"))
}

/// The mapping that a proxy of Toxiproxy is.
pub(super) async fn mapping(api: &Api, wanted: &Value) -> Result<RelayMapping, Refusal> {
    let (name, to) = (needed(wanted, "name", "")?, needed(wanted, "upstream", "")?);
    let listen = text(wanted, "listen")?.unwrap_or_default();
    let (up, down) = (Impairment::clean(), Impairment::clean());
    api.mapping(Wanted { name, listen, to, up, down, nat: Nat::default() }).await
}

pub(super) fn needed(wanted: &Value, key: &str, place: &str) -> Result<String, Refusal> {
    let missing = || Refusal::bad(format!("missing required field: {key}{place}"));
    text(wanted, key)?.filter(|text| !text.is_empty()).ok_or_else(missing)
}

pub(super) fn enabled(wanted: &Value) -> Result<Option<bool>, Refusal> {
    match wanted.get("enabled") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(enabled)) => Ok(Some(*enabled)),
        Some(_) => Err(Refusal::bad("bad request body: enabled must be true or false")),
    }
}

fn set_enabled(engine: &mut RelayEngine, mapping: MappingId, enabled: bool) -> Result<(), Refusal> {
    let address = engine.local_addr(mapping);
    engine.set_down(mapping, !enabled).map_err(|error| cannot_listen(address, &error))
}

pub(super) fn proxy_json(mapping: &MappingFigures) -> Value {
    json!({
        "name": mapping.settings.name,
        "listen": mapping.listen.to_string(),
        "upstream": mapping.server,
        "enabled": !mapping.is_down,
        "toxics": list_json(&mapping.settings.toxics),
    })
}

fn list_json(list: &[Toxic]) -> Value {
    list.iter().map(toxics::to_json).collect::<Vec<_>>().into()
}
