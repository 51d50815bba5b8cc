//! Connections in the clear: lines, chunks, and JSON lines.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::time::sleep;

use super::converse::converse;
use super::service::Seat;
use crate::room::{Event, Framed, Framing};
use crate::time::Duration;

/// Nothing is read for this time after a line beyond the flood limit.
pub(super) const FLOOD_PAUSE: Duration = Duration::from_millis(50);
/// Bytes of a read, and so of a message without an end of line.
const READ: usize = 4_096;

/// A person or a simple client: its first read decides between lines and chunks.
pub(super) async fn text(seat: Seat, stream: TcpStream) {
    let (reader, writer) = stream.into_split();
    let in_chunks = AtomicBool::new(false);
    let reading = read(reader, Framing::default(), |framing, message| {
        in_chunks.store(framing.framed() == Some(Framed::Chunks), Ordering::Relaxed);
        seat.say(message)
    });
    let render = |events: &[Arc<Event>]| text_of(events, in_chunks.load(Ordering::Relaxed));
    converse(&seat, reading, writer, render).await;
}

/// A script.
pub(super) async fn json(seat: Seat, stream: TcpStream) {
    let (reader, writer) = stream.into_split();
    let reading = read(reader, Framing::of_lines(), |_, line| line.is_empty() || seat.send(line));
    converse(&seat, reading, writer, json_of).await;
}

/// Hands over each message until the peer closes; false of `take` is a message beyond the flood limit.
async fn read(mut stream: OwnedReadHalf, mut framing: Framing, take: impl Fn(&Framing, &str) -> bool) {
    /// Of a line that is longer than what is kept of it.
    const SKIP_PAUSE: Duration = Duration::from_millis(5);
    let mut bytes = [0; READ];
    while let Ok(length @ 1..) = stream.read(&mut bytes).await {
        let messages = framing.read(&bytes[..length]);
        if messages.iter().any(|message| is_request(message)) {
            return;
        }
        let dropped = messages.iter().filter(|message| !take(&framing, message)).count();
        if dropped > 0 {
            sleep(FLOOD_PAUSE.to_std()).await;
        } else if messages.is_empty() && length == READ {
            sleep(SKIP_PAUSE.to_std()).await;
        }
    }
    if let Some(line) = framing.end() {
        take(&framing, &line);
    }
}

/// A request on a connection that was greeted comes from a browser, which will try again: no talk.
fn is_request(message: &str) -> bool {
    let line = message.lines().next().unwrap_or_default();
    ["GET /", "HEAD /", "POST /", "PUT /"].iter().any(|method| line.starts_with(method))
        && line.contains(" HTTP/1.")
}

/// A peer that sends no ends of line gets none, but between events that are written at once.
fn text_of(events: &[Arc<Event>], in_chunks: bool) -> Vec<u8> {
    let lines: Vec<String> =
        events.iter().map(|event| event.text()).filter(|text| !text.is_empty()).collect();
    let end = if in_chunks || lines.is_empty() { "" } else { "\n" };
    (lines.join("\n") + end).into_bytes()
}

pub(super) fn json_of(events: &[Arc<Event>]) -> Vec<u8> {
    events.iter().flat_map(|event| (event.json() + "\n").into_bytes()).collect()
}
