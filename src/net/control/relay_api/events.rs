//! `/api/events`: what happens in the proxy, a JSON object a line, for as long as the reader stays.

use std::convert::Infallible;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::IntoResponse;
use futures_util::stream;
use serde_json::json;

use super::{Answer, Api, Refusal, from};
use crate::net::control::places::Place;
use crate::relay::JournalEntry;
use crate::time::Duration;

/// Where a reader is.
struct Reader {
    api: Api,
    next: u64,
    /// Since something was written to it.
    silent: Duration,
}

/// The journal is looked at this often.
const PERIOD: Duration = Duration::from_millis(100);
/// A write is what shows that the reader is gone.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// Entries at once: the relay copies them between two batches.
const AT_ONCE: usize = 100;

/// `?from=N`: from the event with this number on, otherwise from the oldest one that is known.
pub(super) async fn events(State(api): State<Api>, Extension(place): Extension<Place>, uri: Uri) -> Answer {
    let next = from(&uri)?;
    if !place.become_stream() {
        return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "too many readers of events"));
    }
    let reader = Reader { api, next, silent: HEARTBEAT };
    let lines = stream::unfold(reader, |mut reader| async {
        let lines = reader.lines().await?;
        Some((Ok::<_, Infallible>(lines), reader))
    });
    let headers = [(header::CONTENT_TYPE, "application/x-ndjson"), (header::CONNECTION, "close")];
    Ok((headers, Body::from_stream(lines)).into_response())
}

impl Reader {
    /// The next lines, as soon as there are some; none when the proxy has ended.
    async fn lines(&mut self) -> Option<String> {
        loop {
            let next = self.next;
            let entries = self.api.ask(move |engine| engine.journal(next, AT_ONCE)).await.ok()?;
            if !entries.is_empty() {
                self.silent = Duration::ZERO;
                return Some(self.take(&entries));
            }
            if self.silent >= HEARTBEAT {
                self.silent = Duration::ZERO;
                return Some(line(&json!({ "event": "alive" })));
            }
            tokio::time::sleep(PERIOD.to_std()).await;
            self.silent += PERIOD;
        }
    }

    /// The entries as lines; a `missed` line counts those that a slow reader lost.
    fn take(&mut self, entries: &[JournalEntry]) -> String {
        let first = entries.first().map_or(self.next, |entry| entry.number);
        let missed = first.saturating_sub(self.next);
        let mut text =
            if missed > 0 { line(&json!({ "event": "missed", "count": missed })) } else { String::new() };
        entries.iter().for_each(|entry| text.push_str(&line(&json!(entry))));
        self.next = entries.last().map_or(self.next, |entry| entry.number + 1);
        text
    }
}

fn line(value: &serde_json::Value) -> String {
    format!("{value}\n")
}
