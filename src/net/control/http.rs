//! HTTP on connections that another listener accepted.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::places::{Limits, Places};
use super::{access, connection};

/// Routes with the checks and limits of the control plane.
#[derive(Clone, Debug)]
pub(in crate::net) struct Http {
    routes: Router,
    places: Arc<Places>,
}

impl Http {
    pub(in crate::net) fn new(routes: Router, host_names: &[String], limits: Limits) -> Self {
        let routes = access::guarded(routes, host_names, limits.body_bytes);
        Self { routes, places: Arc::new(Places::new(limits)) }
    }

    /// Serves the requests of one connection.
    pub(in crate::net) async fn serve(&self, stream: TcpStream, stopped: watch::Receiver<()>) {
        let Ok(peer) = stream.peer_addr() else { return };
        match self.places.connect(peer.ip()) {
            Some(place) => connection::serve(stream, self.routes.clone(), place, stopped).await,
            None => connection::turn_away(stream).await,
        }
    }
}

/// A route that answers with the text of this moment.
pub fn text_route(path: &str, text: impl Fn() -> String + Clone + Send + Sync + 'static) -> Router {
    Router::new().route(path, get(move || async move { text() }))
}
