//! `/populate`: a list of proxies at once. Every entry is read, resolved and bound before anything changes, so that an
//! error leaves all mappings as they were.

use std::collections::HashSet;
use std::net::SocketAddr;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use serde_json::{Value, json};

use super::toxiproxy::{enabled, mapping, needed, proxy_json};
use super::{
    AT_ONCE, Answer, Api, Refusal, answer, cannot_listen, is_this_proxy, parse, refuse_loop, room_for,
    too_many,
};
use crate::net::{RelayEngine, WantedMapping};
use crate::relay::MappingFigures;

pub(super) fn routes() -> Router<Api> {
    Router::new().route("/populate", post(populate))
}

/// A proxy of the same name and addresses goes on with its flows and toxics; one with others is replaced.
async fn populate(State(api): State<Api>, body: Bytes) -> Answer {
    let list = parse(&body)?;
    let list = list.as_array().ok_or_else(|| Refusal::bad("bad request body: it must be a list"))?;
    check_names(list)?;
    let mut wanted = Vec::new();
    for (at, entry) in list.iter().enumerate() {
        let here = |Refusal { status, why }| Refusal::new(status, format!("proxy {}: {why}", at + 1));
        let is_down = enabled(entry).map_err(here)?.map(|enabled| !enabled);
        wanted.push(WantedMapping { mapping: mapping(&api, entry).await.map_err(here)?, is_down });
    }
    let made = api.ask(move |engine| put_in_effect(engine, wanted)).await??;
    let made: Vec<Value> = made.iter().map(proxy_json).collect();
    Ok(answer(StatusCode::CREATED, &json!({ "proxies": made })))
}

fn check_names(list: &[Value]) -> Result<(), Refusal> {
    if list.len() > AT_ONCE {
        return Err(too_many(format!("{AT_ONCE} at once")));
    }
    let mut names = HashSet::new();
    for (at, entry) in list.iter().enumerate() {
        let place = format!(" at proxy {}", at + 1);
        let name = needed(entry, "name", &place)?;
        needed(entry, "upstream", &place)?;
        if let Some(name) = names.replace(name) {
            return Err(Refusal::bad(format!("'{name}' is named again{place}")));
        }
    }
    Ok(())
}

fn put_in_effect(engine: &mut RelayEngine, list: Vec<WantedMapping>) -> Result<Vec<MappingFigures>, Refusal> {
    let changed =
        list.iter().map(|wanted| &wanted.mapping).filter(|wanted| engine.mapping_like(wanted).is_none());
    let listens: Vec<SocketAddr> = list.iter().map(|wanted| wanted.mapping.listen).collect();
    let (mut new, mut replaced) = (0, 0);
    for wanted in changed {
        match engine.mapping_named(&wanted.settings.name) {
            Some(_) => replaced += 1,
            None => new += 1,
        }
        refuse_loop(engine, wanted.upstream)?;
        if listens.contains(&wanted.upstream) {
            return Err(is_this_proxy(wanted.upstream));
        }
    }
    room_for(new, replaced, engine)?;
    let made = engine.populate(list).map_err(|(listen, error)| cannot_listen(listen, &error))?;
    Ok(made.into_iter().map(|mapping| engine.mapping(mapping)).collect())
}
