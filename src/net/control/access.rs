//! Access by `Host` and `Origin`: a web page from elsewhere must neither read nor change anything here,
//! under whatever name it has made resolve to this host.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};

use crate::net::sys;

/// Programs read these by any name: they hold no more than the page does, and nothing happens when they are read.
const ANY_HOST: [&str; 2] = ["/metrics", "/healthz"];
/// A page holds all that it needs and fetches nothing from elsewhere.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; connect-src 'self'; img-src data:; \
    style-src 'unsafe-inline'; script-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'";

#[derive(Debug)]
struct Names {
    /// Given by the user; also accepted as the origin of a request.
    allowed: Vec<String>,
    of_this_host: Vec<String>,
}

/// These routes, closed to foreign `Host` and `Origin`, with a text for each refusal.
pub(super) fn guarded(routes: Router, host_names: &[String], body_bytes: usize) -> Router {
    let names = Names { allowed: host_names.to_vec(), of_this_host: names_of_this_host() };
    routes
        .fallback(|| async { refuse(StatusCode::NOT_FOUND) })
        .method_not_allowed_fallback(|| async { refuse(StatusCode::METHOD_NOT_ALLOWED) })
        .layer(DefaultBodyLimit::max(body_bytes))
        .layer(from_fn_with_state(Arc::new(names), check))
}

pub(super) fn refuse(status: StatusCode) -> Response {
    // Kept alive, the connection would keep its place for nothing.
    (status, [(header::CONNECTION, "close")], format!("{status}\n")).into_response()
}

async fn check(State(names): State<Arc<Names>>, request: Request, next: Next) -> Response {
    let refusal = names.refusal(request.uri(), request.headers());
    let mut response = match refusal {
        Some(status) => refuse(status),
        None => next.run(request).await,
    };
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

impl Names {
    fn refusal(&self, uri: &Uri, headers: &HeaderMap) -> Option<StatusCode> {
        if ANY_HOST.contains(&uri.path()) {
            return None;
        }
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        let host = uri.authority().map(|authority| authority.as_str()).or(text(header::HOST));
        let Some(host) = host.filter(|host| self.accepts(host)) else {
            return Some(StatusCode::MISDIRECTED_REQUEST);
        };
        let origin = text(header::ORIGIN)?;
        let origin = origin.split_once("://").map_or("", |(_, authority)| authority);
        let is_own = origin.eq_ignore_ascii_case(host) || contains(&self.allowed, without_port(origin));
        (!is_own).then_some(StatusCode::FORBIDDEN)
    }

    /// With or without a port. An address is accepted: no name was resolved to reach it.
    fn accepts(&self, host: &str) -> bool {
        let name = without_port(host);
        let address = name.trim_start_matches('[').trim_end_matches(']');
        address.parse::<IpAddr>().is_ok()
            || contains(&self.allowed, name)
            || contains(&self.of_this_host, name)
    }
}

fn without_port(host: &str) -> &str {
    host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(host, |(name, _)| name)
}

fn contains(names: &[String], name: &str) -> bool {
    names.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// The host's name in full, its first label, that label in the local network, and `localhost`.
fn names_of_this_host() -> Vec<String> {
    let host = sys::host_name().unwrap_or_default();
    let short = host.split('.').next().unwrap_or_default().to_owned();
    let local = format!("{short}.local");
    let named = [host, short].into_iter().filter(|name| !name.is_empty());
    named.chain([local, "localhost".to_owned()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(allowed: &[&str]) -> Names {
        let allowed = allowed.iter().map(|&name| name.to_owned()).collect();
        Names { allowed, of_this_host: names_of_this_host() }
    }

    #[test]
    fn localhost_and_the_hosts_own_names_are_accepted() {
        let names = names(&[]);
        assert!(names.accepts("localhost:8081") && names.accepts("LOCALHOST"));
        if let Some(host) = sys::host_name() {
            assert!(names.accepts(&host) && names.accepts(&format!("{host}:80")));
            assert!(!names.accepts(&format!("{host}.evil.example")));
        }
        assert!(!names.accepts("") && !names.accepts(":80"));
    }

    #[test]
    fn the_origin_must_be_the_host_that_is_asked_or_an_allowed_name() {
        let names = names(&["probes.example"]);
        for (host, origin, refused) in [
            ("localhost:8081", "http://localhost:8081", false),
            ("probes.example", "https://Probes.Example", false),
            // A proxy in front that changes `Host`.
            ("127.0.0.1:8081", "https://probes.example", false),
            ("localhost:8081", "http://localhost:3000", true),
            ("127.0.0.1:8081", "http://192.0.2.1", true),
            ("localhost:8081", "http://evil.example", true),
            ("localhost:8081", "null", true),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static(host));
            headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
            let refusal = names.refusal(&Uri::from_static("/api/run.json"), &headers);
            assert_eq!(refusal, refused.then_some(StatusCode::FORBIDDEN), "{host} {origin}");
            assert_eq!(names.refusal(&Uri::from_static("/metrics"), &headers), None);
        }
    }

    #[test]
    fn an_absolute_request_target_counts_instead_of_the_host_header() {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("localhost"));
        let refusal = names(&[]).refusal(&Uri::from_static("http://evil.example/"), &headers);
        assert_eq!(refusal, Some(StatusCode::MISDIRECTED_REQUEST));
    }
}
