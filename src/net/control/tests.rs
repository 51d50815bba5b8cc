//! The server over loopback, asked by hand.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration as StdDuration;

use serde_json::{Value, json};

use super::*;

/// A page whose state is padded to this many bytes.
struct Page(usize);

impl PageState for Page {
    fn state(&self) -> Value {
        json!({ "text": "<x>", "padding": "x".repeat(self.0) })
    }

    fn record(&self) -> String {
        "record".to_owned()
    }

    fn metrics(&self) -> String {
        "metrics".to_owned()
    }
}

fn server(state_bytes: usize, limits: Limits) -> (ControlPlane, Publisher) {
    let html = "<p>/*STATE*/</p>".to_owned();
    let (publisher, routes) = Publisher::new(html, "/api/run.json", Page(state_bytes));
    let any = "127.0.0.1:0".parse().unwrap();
    let names = ["probes.example".to_owned()];
    (ControlPlane::start(any, &names, routes, limits).unwrap(), publisher)
}

fn connect(server: &ControlPlane, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(StdDuration::from_secs(30))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

fn ask(server: &ControlPlane, head: &str) -> String {
    let mut stream = connect(server, &format!("{head}\r\nConnection: close\r\n\r\n"));
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn answers_known_paths_to_known_hosts_and_refuses_the_rest() {
    let (server, publisher) = server(0, Limits::default());
    publisher.publish(Page(1));
    let page = "<p>{\"over\":false,\"padding\":\"x\",\"text\":\"\\u003cx>\",\"version\":2}</p>";
    for (request, status, end) in [
        ("GET / HTTP/1.1\r\nHost: localhost:1", "200 OK", page),
        ("GET /?x=1 HTTP/1.1\r\nhost: 127.0.0.1", "200 OK", page),
        ("HEAD / HTTP/1.1\r\nHost: [::1]:80", "200 OK", "\r\n\r\n"),
        ("GET / HTTP/1.1\r\nHost: 192.0.2.1:80", "200 OK", page),
        ("GET / HTTP/1.1\r\nHost: [2001:db8::1]", "200 OK", page),
        ("GET / HTTP/1.1\r\nHost: Probes.Example:8081", "200 OK", page),
        ("GET /api/run.json HTTP/1.1\r\nHost: localhost", "200 OK", "\r\n\r\nrecord"),
        ("GET /metrics HTTP/1.1\r\nHost: evil.example", "200 OK", "\r\n\r\nmetrics"),
        ("GET /healthz HTTP/1.1", "200 OK", "\r\n\r\nok\n"),
        ("GET /x HTTP/1.1\r\nHost: localhost", "404 Not Found", "404 Not Found\n"),
        ("POST / HTTP/1.1\r\nHost: localhost", "405 Method Not Allowed", "Not Allowed\n"),
        ("GET / HTTP/1.1\r\nHost: evil.example", "421 Misdirected Request", "Request\n"),
        ("GET / HTTP/1.1", "421 Misdirected Request", "Request\n"),
        ("GET / HTTP/1.1\r\nHost: localhost.evil.example", "421 Misdirected Request", "Request\n"),
        ("GET / HTTP/1.1\r\nHost: 127.0.0.1.evil.example", "421 Misdirected Request", "Request\n"),
        ("GET /events HTTP/1.1\r\nHost: evil.example", "421 Misdirected Request", "Request\n"),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example", "403 Forbidden", "Forbidden\n"),
        ("nonsense", "400 Bad Request", "\r\n\r\n"),
    ] {
        let answer = ask(&server, request);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{request}: {answer}");
        assert!(answer.ends_with(end), "{request}: {answer}");
    }
    let answer = ask(&server, "POST /metrics HTTP/1.1\r\nHost: localhost");
    assert!(answer.contains("allow: GET,HEAD\r\n"), "{answer}");
    let endless = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(Limits::default().header_bytes));
    let mut refusal = [0; 12];
    connect(&server, &endless).read_exact(&mut refusal).unwrap();
    assert_eq!(&refusal, b"HTTP/1.1 431");
}

#[test]
fn a_connection_serves_one_request_after_another() {
    let (server, _publisher) = server(0, Limits::default());
    let last = "GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n";
    let mut stream = connect(&server, &format!("GET /healthz HTTP/1.1\r\n\r\n{last}"));
    let mut answers = String::new();
    stream.read_to_string(&mut answers).unwrap();
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 2, "{answers}");
}

const EVENTS: &str = "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[test]
fn a_stream_has_each_state_until_the_last() {
    let (server, publisher) = server(0, Limits::default());
    let mut stream = connect(&server, EVENTS);
    let (mut told, mut part) = (String::new(), [0; 1000]);
    while !told.contains("\"version\":1") {
        let read = stream.read(&mut part).unwrap();
        told += std::str::from_utf8(&part[..read]).unwrap();
    }
    publisher.publish_last(Page(0));
    server.finish(Duration::from_secs(30));
    stream.read_to_string(&mut told).unwrap();
    assert!(told.contains("content-type: text/event-stream"), "{told}");
    let last = "event: end\ndata: {\"over\":true,\"padding\":\"\",\"text\":\"\\u003cx>\",\"version\":2}\n\n";
    assert!(told.contains(last), "{told}");
}

#[test]
fn event_streams_leave_room_for_requests() {
    let (server, _publisher) = server(0, Limits::default());
    let readers: Vec<TcpStream> = (0..Limits::default().streams)
        .map(|_| {
            let mut stream = connect(&server, EVENTS);
            let mut first = [0; 12];
            stream.read_exact(&mut first).unwrap();
            assert_eq!(&first, b"HTTP/1.1 200");
            stream
        })
        .collect();
    assert!(ask(&server, EVENTS.trim_end()).starts_with("HTTP/1.1 503"));
    for path in ["/", "/metrics", "/healthz"] {
        let answer = ask(&server, &format!("GET {path} HTTP/1.1\r\nHost: localhost"));
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{path}: {answer}");
    }
    drop(readers);
}

/// A client that keeps the connection alive, and there is one place.
#[test]
fn a_refused_stream_frees_its_place_at_once() {
    let minute = Duration::from_secs(60);
    let limits = Limits { streams: 0, connections: 1, header_time: minute, ..Limits::default() };
    let (server, _publisher) = server(0, limits);
    let mut refused = connect(&server, EVENTS);
    let mut answer = String::new();
    refused.read_to_string(&mut answer).expect("the server closes");
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(ask(&server, "GET /healthz HTTP/1.1").ends_with("ok\n"));
}

#[test]
fn an_idle_connection_loses_its_place() {
    let limits = Limits { header_time: Duration::from_millis(500), ..Limits::default() };
    let (server, _publisher) = server(0, limits);
    let idle: Vec<_> = (0..limits.connections).map(|_| connect(&server, "")).collect();
    let request = "GET /healthz HTTP/1.1";
    assert!(ask(&server, request).starts_with("HTTP/1.1 503"));
    let mut all = Vec::new();
    for mut stream in idle {
        let _ = stream.read_to_end(&mut all);
    }
    assert!(ask(&server, request).ends_with("ok\n"));
}

#[test]
fn a_reader_that_takes_nothing_is_dropped() {
    let limits = Limits { streams: 1, write_time: Duration::from_millis(300), ..Limits::default() };
    let (server, publisher) = server(8 << 20, limits);
    let stuck = connect(&server, EVENTS);
    let other = || {
        let mut first = [0; 12];
        connect(&server, EVENTS).read_exact(&mut first).map(|()| first)
    };
    let mut free = false;
    for _ in 0..300 {
        std::thread::sleep(StdDuration::from_millis(50));
        publisher.publish(Page(8 << 20));
        free = free || other().is_ok_and(|first| &first == b"HTTP/1.1 200");
        if free {
            break;
        }
    }
    assert!(free, "the place is taken for ever");
    drop(stuck);
}
