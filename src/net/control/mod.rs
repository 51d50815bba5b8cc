//! The control plane: HTTP for people and programs, on one low-priority thread beside those that
//! move datagrams. State crosses to it by snapshot, so the measuring threads never wait for it.
//!
//! A capability is a `Router`; `ControlPlane::start` serves the routers merged into one.

mod access;
mod connection;
mod http;
mod listener;
mod live_page;
mod places;
mod relay_api;
mod slow_route;
mod tcp_pass;
mod tcp_reply;
mod whole_body;

pub(super) use http::Http;
pub use http::text_route;
pub(super) use listener::listen;
pub use live_page::{PageState, Publisher};
pub(super) use places::Place;
pub use places::{Limits, RequestSource};
pub use relay_api::RelayApi;
pub use slow_route::{SlowMethod, SlowRequest, slow_route};
pub use tcp_pass::{TcpListening, TcpPassThrough};
pub use tcp_reply::TcpReplyServer;
pub(super) use whole_body::whole_body;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc;

use axum::Router;
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::sync::watch;

use super::sys;
use crate::time::Duration;
use places::Places;

/// An HTTP server; it ends with `finish` or when it is dropped.
pub struct ControlPlane {
    address: SocketAddr,
    /// Dropped to stop.
    running: watch::Sender<()>,
    ended: mpsc::Receiver<()>,
}

impl ControlPlane {
    /// Serves these routes; `host_names` are accepted as `Host` besides addresses and the names of
    /// this host.
    pub fn start(
        address: SocketAddr,
        host_names: &[String],
        routes: Router,
        limits: Limits,
    ) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let listener = {
            let _context = runtime.enter();
            TcpListener::from_std(listener)?
        };
        let routes = access::guarded(routes, host_names, limits.body_bytes);
        let (running, stopped) = watch::channel(());
        let (end, ended) = mpsc::channel();
        std::thread::Builder::new().name("control".into()).spawn(move || {
            sys::lower_priority();
            runtime.block_on(serve(listener, routes, limits, stopped));
            let _ = end.send(());
        })?;
        Ok(Self { address, running, ended })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes idle connections and waits for the others, but no longer than this.
    pub fn finish(self, patience: Duration) {
        drop(self.running);
        let _ = self.ended.recv_timeout(patience.to_std());
    }
}

async fn serve(listener: TcpListener, routes: Router, limits: Limits, mut stopped: watch::Receiver<()>) {
    let places = Arc::new(Places::new(limits));
    let accepting = tokio::spawn(accept(listener, routes, Arc::clone(&places), stopped.clone()));
    let _ = stopped.changed().await;
    accepting.abort();
    places.until_empty().await;
}

async fn accept(listener: TcpListener, routes: Router, places: Arc<Places>, stopped: watch::Receiver<()>) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => match places.connect(peer.ip()) {
                Some(place) => {
                    tokio::spawn(connection::serve(stream, routes.clone(), place, stopped.clone()));
                }
                None => connection::turn_away(stream).await,
            },
            // Most likely the process has no file descriptor left.
            Err(_) => tokio::time::sleep(Duration::from_millis(100).to_std()).await,
        }
    }
}

#[cfg(test)]
mod tests;
