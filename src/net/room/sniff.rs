//! Tells the kind of a peer by its first bytes, which stay to be read.

use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::room::FirstBytes;
use crate::time::Duration;

/// A peer that sends nothing for this time waits for a greeting.
const GREET_AFTER: Duration = Duration::from_millis(300);

/// A browser opens connections ahead of its requests, and closes them after ten seconds without one:
/// a greeting there would be the answer to its next request.
const BROWSERS_SPARE: Duration = Duration::from_secs(11);

/// None if the peer is gone. `has_browser` tells whether a browser at the peer's address is likely to
/// have opened this connection.
pub(super) async fn first(stream: &TcpStream, has_browser: impl Fn() -> bool) -> Option<FirstBytes> {
    match first_within(stream, GREET_AFTER).await {
        Some(FirstBytes::Text) if is_silent(stream).await && has_browser() => {
            first_within(stream, BROWSERS_SPARE).await
        }
        first => first,
    }
}

/// Whether the peer has sent nothing and is still there.
async fn is_silent(stream: &TcpStream) -> bool {
    timeout(std::time::Duration::ZERO, stream.peek(&mut [0; 1])).await.is_err()
}

async fn first_within(stream: &TcpStream, patience: Duration) -> Option<FirstBytes> {
    const AGAIN: Duration = Duration::from_millis(5);
    let mut bytes = [0; FirstBytes::ENOUGH];
    let decided = timeout(patience.to_std(), async {
        loop {
            let length = stream.peek(&mut bytes).await.ok().filter(|length| *length > 0)?;
            if let Some(first) = FirstBytes::decide(&bytes[..length]) {
                return Some(first);
            }
            sleep(AGAIN.to_std()).await;
        }
    });
    decided.await.unwrap_or(Some(FirstBytes::Text))
}
