//! One connection: a bound on each header, on each wait for it, and on each wait for the reader.

use std::pin::pin;

use axum::Router;
use futures_util::future::{Either, select};
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_io_timeout::TimeoutWriter;
use tower_service::Service;

use super::places::{Place, RequestSource};
use crate::time::Duration;

/// Serves requests until the peer closes, a limit ends it, or the server stops.
pub(super) async fn serve(stream: TcpStream, routes: Router, place: Place, mut stopped: watch::Receiver<()>) {
    let limits = place.limits();
    let _ = stream.set_nodelay(true);
    let Ok(source) = stream.peer_addr().map(|peer| peer.ip().to_canonical()) else { return };
    let mut stream = TimeoutWriter::new(stream);
    stream.set_timeout(Some(limits.write_time.to_std()));
    let source = RequestSource(source);
    let service = service_fn(|mut request: Request<Incoming>| {
        request.extensions_mut().insert(place.clone());
        request.extensions_mut().insert(source);
        routes.clone().call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_time.to_std())
        .max_buf_size(limits.header_bytes)
        .serve_connection(TokioIo::new(Box::pin(stream)), service);
    let mut connection = pin!(connection);
    if let Either::Right(_) = select(connection.as_mut(), pin!(stopped.changed())).await {
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }
}

/// Refuses a connection for which there is no place. Its request is read first: closing with unread
/// bytes would reset the connection before the peer reads the answer.
pub(super) async fn turn_away(mut stream: TcpStream) {
    const ANSWER: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\n\
        Content-Length: 24\r\nConnection: close\r\n\r\n503 Service Unavailable\n";
    let patience = Duration::from_millis(20).to_std();
    let _ = timeout(patience, stream.read(&mut [0; 8192])).await;
    let _ = timeout(patience, stream.write_all(ANSWER)).await;
}
