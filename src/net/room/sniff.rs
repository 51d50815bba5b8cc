//! Which kind of peer has connected: told by its first bytes, which stay to be read.

use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::secure::MAGIC;
use crate::time::Duration;

/// What a connection begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum First {
    /// Our own client, encrypted.
    Secure,
    Http,
    /// JSON lines in the clear.
    Json,
    /// A person or a simple client; it may also wait for a greeting.
    Text,
}

/// A peer that sends nothing for so long waits for a greeting.
const GREET_AFTER: Duration = Duration::from_millis(300);

/// A browser opens connections ahead of its requests, and closes them after ten seconds without one:
/// a greeting there would be the answer to its next request.
const BROWSERS_SPARE: Duration = Duration::from_secs(11);

/// None if the peer is gone. `has_browser` tells whether a browser at the peer's address is likely to
/// have opened this connection.
pub(super) async fn first(stream: &TcpStream, has_browser: impl Fn() -> bool) -> Option<First> {
    match first_within(stream, GREET_AFTER).await {
        Some(First::Text) if is_silent(stream).await && has_browser() => {
            first_within(stream, BROWSERS_SPARE).await
        }
        first => first,
    }
}

/// Whether the peer has sent nothing and is still there.
async fn is_silent(stream: &TcpStream) -> bool {
    timeout(std::time::Duration::ZERO, stream.peek(&mut [0; 1])).await.is_err()
}

async fn first_within(stream: &TcpStream, patience: Duration) -> Option<First> {
    const AGAIN: Duration = Duration::from_millis(5);
    let mut bytes = [0; 8];
    let decided = timeout(patience.to_std(), async {
        loop {
            let length = stream.peek(&mut bytes).await.ok().filter(|length| *length > 0)?;
            if let Some(first) = decide(&bytes[..length]) {
                return Some(first);
            }
            sleep(AGAIN.to_std()).await;
        }
    });
    decided.await.unwrap_or(Some(First::Text))
}

/// None where more bytes are needed.
fn decide(bytes: &[u8]) -> Option<First> {
    const METHODS: [&[u8]; 4] = [b"GET ", b"HEAD ", b"POST ", b"PUT "];
    const QUIT: &[u8] = b"{quit}";
    let begins = |known: &[u8]| known.starts_with(&bytes[..bytes.len().min(known.len())]);
    let whole = |known: &[u8]| bytes.starts_with(known);
    if METHODS.iter().any(|method| whole(method)) {
        Some(First::Http)
    } else if bytes[0] == MAGIC[0] {
        Some(First::Secure)
    } else if METHODS.iter().any(|method| begins(method)) || bytes == &QUIT[..1] {
        None
    } else if bytes[0] == QUIT[0] && bytes[1] != QUIT[1] {
        Some(First::Json)
    } else {
        Some(First::Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_the_kind_of_peer() {
        for (bytes, first) in [
            (&b"\xF5uR\x01"[..], Some(First::Secure)),
            (b"\xF5", Some(First::Secure)),
            (b"GET / HT", Some(First::Http)),
            (b"POST /sa", Some(First::Http)),
            (b"PUT /x", Some(First::Http)),
            (b"G", None),
            (b"HEAD", None),
            (b"{", None),
            (b"{\"say\":", Some(First::Json)),
            (b"{ \"say\"", Some(First::Json)),
            (b"{quit}", Some(First::Text)),
            (b"anna\n", Some(First::Text)),
            (b"GETTY\n", Some(First::Text)),
            (b"\xFF\xFD\x01", Some(First::Text)),
            (b"\n", Some(First::Text)),
        ] {
            assert_eq!(decide(bytes), first, "{}", bytes.escape_ascii());
        }
    }
}
