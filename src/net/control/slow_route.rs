//! Routes whose answer takes a while: each request has a thread, and there are few at once.

use std::sync::Arc;

use axum::Router;
use axum::extract::RawQuery;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};
use tokio::sync::Semaphore;

/// A request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SlowRequest {
    /// The parameters behind `?`, decoded, in their order.
    pub parameters: Vec<(String, String)>,
    /// `X-Prometheus-Scrape-Timeout-Seconds`, as it was sent.
    pub scrape_timeout: Option<String>,
}

impl SlowRequest {
    /// The first parameter of this name, unless it is empty.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }
}

/// The method that a route takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlowMethod {
    /// Reads something.
    Get,
    /// Changes something.
    Post,
}

/// `answer` runs on a thread of its own, at most `most` times at once; further requests are refused with 429. It
/// returns a status and a text.
pub fn slow_route(
    path: &str,
    method: SlowMethod,
    most: usize,
    answer: impl Fn(&SlowRequest) -> (u16, String) + Clone + Send + Sync + 'static,
) -> Router {
    let places = Arc::new(Semaphore::new(most));
    let handler = move |RawQuery(query): RawQuery, headers: HeaderMap| {
        let (places, answer) = (Arc::clone(&places), answer.clone());
        async move {
            let Ok(place) = places.try_acquire_owned() else {
                return text(StatusCode::TOO_MANY_REQUESTS, format!("{most} are under way already\n"));
            };
            let scrape_timeout = headers.get("x-prometheus-scrape-timeout-seconds");
            let request = SlowRequest {
                parameters: parameters(query.as_deref().unwrap_or_default()),
                scrape_timeout: scrape_timeout
                    .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()),
            };
            let answered = tokio::task::spawn_blocking(move || {
                let answered = answer(&request);
                drop(place);
                answered
            });
            match answered.await {
                Ok((status, body)) => {
                    text(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), body)
                }
                Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "it failed\n".to_owned()),
            }
        }
    };
    let method = match method {
        SlowMethod::Get => MethodFilter::GET,
        SlowMethod::Post => MethodFilter::POST,
    };
    Router::new().route(path, on(method, handler))
}

fn text(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], body).into_response()
}

fn parameters(query: &str) -> Vec<(String, String)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(n, v)| (decoded(n), decoded(v)))
        .collect()
}

/// Without percent signs and plus signs, as forms are encoded.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut plain, mut at) = (Vec::new(), 0);
    while let Some(byte) = bytes.get(at) {
        let digits = bytes.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        let code = digits.filter(|_| *byte == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok());
        plain.push(code.unwrap_or(if *byte == b'+' { b' ' } else { *byte }));
        at += if code.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&plain).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded() {
        let request = SlowRequest {
            parameters: parameters("target=%5B2001%3adb8%3A%3A1%5D%3A80&module=a+b&&empty=&odd=%zz%4"),
            scrape_timeout: None,
        };
        assert_eq!(request.parameter("target"), Some("[2001:db8::1]:80"));
        assert_eq!(request.parameter("module"), Some("a b"));
        assert_eq!((request.parameter("empty"), request.parameter("none")), (None, None));
        assert_eq!(request.parameter("odd"), Some("%zz%4"));
    }
}
