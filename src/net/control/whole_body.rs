//! Reads the short body of a request before its handler runs: one that does not come gives the place of its
//! connection back.

use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::StatusCode;
use tokio::time::timeout;

use super::Limits;
use crate::time::Duration;

/// The request with its body in memory, or the status and the words of a refusal.
pub(in crate::net) async fn whole_body(
    request: Request,
    patience: Duration,
) -> Result<Request, (StatusCode, &'static str)> {
    let (head, body) = request.into_parts();
    match timeout(patience.to_std(), to_bytes(body, Limits::default().body_bytes)).await {
        Ok(Ok(body)) => Ok(Request::from_parts(head, body.into())),
        Ok(Err(_)) => Err((StatusCode::PAYLOAD_TOO_LARGE, "a body of at most 64 KiB")),
        Err(_) => Err((StatusCode::REQUEST_TIMEOUT, "the body did not come")),
    }
}
