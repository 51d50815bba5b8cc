//! Files to the shelf and from it, by ticket: a link with a ticket needs no session, so that the browser
//! itself can save a file or open a report.

use std::io;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use futures_util::future::ready;
use futures_util::{StreamExt, stream};
use serde_json::json;

use super::{Shared, json_answer, refusal, unknown_page};
use crate::net::room::files::{PATIENCE, RoomFiles, unpack_run};
use crate::room::{FileKind, FileName, FileRefusal, Offer, Offered, Shelf, ShelfFile};

/// Where an upload goes on.
const OFFSET: &str = "x-offset";

/// An offer, answered with a ticket.
pub(super) async fn offer(State(page): Shared, headers: HeaderMap, body: String) -> Response {
    let Some((_, session)) = page.session(&headers) else { return unknown_page() };
    let offer: Offer = match serde_json::from_str(&body) {
        Ok(offer) => offer,
        Err(error) => return refusal(StatusCode::BAD_REQUEST, &format!("no offer of a file: {error}")),
    };
    match session.seat.offer_file(offer) {
        Ok(Offered::Upload(transfer)) => json_answer(&json!({ "upload": transfer })),
        Ok(Offered::Known(file)) => json_answer(&json!({ "known": file })),
        Err(why) => not_given(&why),
    }
}

/// The number of a file, for a ticket.
pub(super) async fn ask(State(page): Shared, headers: HeaderMap, body: String) -> Response {
    let Some((_, session)) = page.session(&headers) else { return unknown_page() };
    let Ok(number) = body.trim().parse() else {
        return refusal(StatusCode::BAD_REQUEST, "no number of a file");
    };
    match session.seat.ask_file(number) {
        Ok(transfer) => json_answer(&json!(transfer)),
        Err(why) => not_given(&why),
    }
}

fn not_given(why: &FileRefusal) -> Response {
    let status = if *why == FileRefusal::Guest { StatusCode::FORBIDDEN } else { StatusCode::CONFLICT };
    refusal(status, &why.to_string())
}

/// The bytes of a file from the offset on; without it from the begin.
pub(super) async fn upload(
    State(page): Shared,
    Path(ticket): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let upload = match page.files.upload(&ticket).await {
        Ok(upload) => upload,
        Err(why) => return refusal(StatusCode::CONFLICT, &why.to_string()),
    };
    let told = headers.get(OFFSET).and_then(|offset| offset.to_str().ok()?.parse().ok());
    if told.unwrap_or(0) != upload.offset() {
        let mut answer = refusal(StatusCode::RANGE_NOT_SATISFIABLE, "the file goes on elsewhere");
        answer.headers_mut().insert(OFFSET, HeaderValue::from(upload.offset()));
        return answer;
    }
    let parts = body.into_data_stream().scan((), |(), part| ready(part.ok().map(Vec::from)));
    match upload.receive(parts, PATIENCE).await {
        Ok(file) => json_answer(&json!(file)),
        Err(why) => refusal(StatusCode::CONFLICT, &why.to_string()),
    }
}

/// The file, as something to be saved and never as a page.
pub(super) async fn download(
    State(page): Shared,
    Path(ticket): Path<String>,
    headers: HeaderMap,
) -> Response {
    let file = match page.files.download(&ticket) {
        Ok(transfer) => transfer.file,
        Err(why) => return refusal(StatusCode::NOT_FOUND, &why.to_string()),
    };
    let from = headers.get(header::RANGE).and_then(|range| from_byte(range.to_str().ok()?, file.bytes));
    let offset = from.unwrap_or(0);
    let (length, bytes) = (file.bytes - offset, file.bytes);
    let name = disposition(&file.name);
    let mut answer = Body::from_stream(parts(page.files.clone(), file, offset)).into_response();
    let content = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
        (header::CONTENT_DISPOSITION, name),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
    ];
    let range = from.map(|from| (header::CONTENT_RANGE, format!("bytes {from}-{}/{bytes}", bytes - 1)));
    for (name, value) in content.into_iter().chain(range) {
        if let Ok(value) = HeaderValue::from_str(&value) {
            answer.headers_mut().insert(name, value);
        }
    }
    if from.is_some() {
        *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    answer
}

fn parts(
    files: RoomFiles,
    file: ShelfFile,
    offset: u64,
) -> impl futures_util::Stream<Item = io::Result<Vec<u8>>> {
    stream::unfold((files, file, offset), |(files, file, offset)| async move {
        let part = files.read(&file, offset).await;
        match part {
            Ok(part) if part.is_empty() => None,
            part => {
                let read = part.as_ref().map_or(file.bytes - offset, |part| part.len() as u64);
                Some((part, (files, file, offset + read)))
            }
        }
    })
}

/// `bytes=N-`, as a download that goes on asks for.
fn from_byte(range: &str, bytes: u64) -> Option<u64> {
    range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok().filter(|from| *from < bytes)
}

/// The name in both forms of RFC 6266; whatever it is, the file is saved and not opened.
fn disposition(name: &FileName) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._- ".contains(c);
    let ascii: String = name.as_str().chars().map(|c| if plain(c) { c } else { '_' }).collect();
    let encode = |byte: u8| match byte {
        byte if byte.is_ascii_alphanumeric() || b"._-".contains(&byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    let encoded: String = name.as_str().bytes().map(encode).collect();
    format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{encoded}")
}

/// The report of a run, made here from its record: no page of a member's is ever shown.
pub(super) async fn run_report(State(page): Shared, Path(ticket): Path<String>) -> Response {
    let file = match page.files.download(&ticket) {
        Ok(transfer) => transfer.file,
        Err(why) => return refusal(StatusCode::NOT_FOUND, &why.to_string()),
    };
    if file.kind != FileKind::Run {
        return refusal(StatusCode::CONFLICT, "this file is not the folder of a run");
    }
    if file.bytes > Shelf::LARGEST_REPORTED {
        return refusal(StatusCode::CONFLICT, "this run is too large for a report here: /get it");
    }
    let Ok(_turn) = page.reporting.acquire().await else {
        return refusal(StatusCode::SERVICE_UNAVAILABLE, "the room is closing");
    };
    let (reader, report) = (page.files.reader(&file), page.settings.report.clone());
    let made = tokio::task::spawn_blocking(move || {
        let place = tempfile::tempdir().map_err(|error| error.to_string())?;
        let unpacked = reader.and_then(|reader| unpack_run(reader, place.path(), &file.name));
        report(&unpacked.map_err(|error| format!("cannot unpack the run: {error}"))?)
    });
    match made.await.unwrap_or_else(|error| Err(error.to_string())) {
        Ok(html) => Html(html).into_response(),
        Err(why) => refusal(StatusCode::CONFLICT, &why),
    }
}
