//! The interface of `proxy --api`: its own routes.

use std::io::{BufRead, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::path::Path;

use serde_json::{Value, json};
use udpecho::time::Duration;

use crate::common::process::{Process, Serve, command, port_in, run};

pub struct Proxy {
    pub process: Process,
    pub port: u16,
    pub api: u16,
}

impl Proxy {
    pub fn start(server: u16, flags: &str) -> Self {
        let line = format!("proxy -l 0 -t 127.0.0.1:{server} --api 0 {flags}");
        let mut process = Process::spawn(command(Path::new("."), &line));
        let port = port_in(&process.line_with("is relayed to").replace("is relayed to", ""));
        let api = port_in(&process.line_with("steered at"));
        Self { process, port, api }
    }

    /// The status and the JSON of the answer, if it has any.
    pub fn ask(&self, request: &str, body: Option<Value>) -> (u16, Value) {
        self.ask_with(request, "Host: localhost", body)
    }

    fn ask_with(&self, request: &str, header: &str, body: Option<Value>) -> (u16, Value) {
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let mut stream = TcpStream::connect(("127.0.0.1", self.api)).unwrap();
        let length = body.len();
        let head = format!("{request} HTTP/1.1\r\n{header}\r\nConnection: close\r\nContent-Length: {length}");
        stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }

    fn client(&self) -> UdpSocket {
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.connect(("127.0.0.1", self.port)).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(20).to_std())).unwrap();
        client
    }
}

pub fn exchange(client: &UdpSocket) {
    client.send(b"question").unwrap();
    let mut answer = [0; 64];
    let length = client.recv(&mut answer).unwrap();
    assert_eq!(&answer[..length], b"question");
}

#[test]
fn lines_flows_and_mappings_change_while_it_runs() {
    let server = Serve::start("--clean");
    let proxy = Proxy::start(server.port, "");
    let client = proxy.client();
    exchange(&client);
    let (status, changed) = proxy.ask("PATCH /api/mappings/m1", Some(json!({ "up": "loss=100%" })));
    assert_eq!(
        (status, &changed["up"]["line"], &changed["down"]["line"]),
        (200, &json!("loss=100%"), &json!("clean"))
    );
    client.send(b"lost").unwrap();
    let lost = || proxy.ask("GET /api/mappings/m1", None).1["up"]["dropped"]["lost"] == 1;
    while !lost() {
        std::thread::yield_now();
    }
    // This flow alone passes again.
    let (status, flow) = proxy.ask("PATCH /api/flows/0", Some(json!({ "up": "clean" })));
    assert_eq!((status, &flow["up"]["own_line"], &flow["up"]["datagrams"]), (200, &json!(true), &json!(2)));
    exchange(&client);
    let (_, flows) = proxy.ask("GET /api/flows", None);
    let address = client.local_addr().unwrap().to_string();
    assert_eq!(
        (flows["flows"][0]["client"].as_str(), &flows["next"]),
        (Some(address.as_str()), &Value::Null)
    );
    assert_eq!(proxy.ask("DELETE /api/flows/0", None).0, 204);
    assert_eq!(proxy.ask("DELETE /api/flows/0", None).0, 404);
    // Another mapping.
    let to = format!("127.0.0.1:{}", server.port);
    let wanted = json!({ "name": "other", "to": to, "down": "delay=constant:1ms" });
    let (status, made) = proxy.ask("POST /api/mappings", Some(wanted.clone()));
    assert_eq!((status, &made["down"]["line"]), (201, &json!("delay=constant:1ms")));
    assert_eq!(proxy.ask("POST /api/mappings", Some(wanted)).0, 409);
    let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    other.connect(made["listen"].as_str().unwrap()).unwrap();
    exchange(&other);
    assert_eq!(proxy.ask("DELETE /api/mappings/other", None).0, 204);
    let ended = proxy.process.interrupt_until_it_ends();
    assert!(ended.has_line("m1 up: 3 arrived of 1 flow, 2 passed, 1 lost"), "{ended:#?}");
    assert!(ended.has_line("other up: 1 arrived of 1 flow, 1 passed"), "{ended:#?}");
}

#[test]
fn a_black_hole_is_an_outage_and_a_mapping_that_is_down_refuses() {
    let server = Serve::start("--clean");
    let proxy = Proxy::start(server.port, "");
    assert_eq!(proxy.ask("POST /api/mappings/m1/blackhole?for=1h&dir=up", None).0, 204);
    let client = proxy.client();
    client.send(b"gone").unwrap();
    while proxy.ask("GET /api/mappings/m1", None).1["up"]["dropped"]["outage"] != 1 {
        std::thread::yield_now();
    }
    assert_eq!(proxy.ask("POST /api/mappings/m1/blackhole?for=0s", None).0, 204);
    exchange(&client);
    let (status, down) = proxy.ask("PATCH /api/mappings/m1", Some(json!({ "state": "down" })));
    assert_eq!((status, &down["state"]), (200, &json!("down")));
    client.send(b"refused").unwrap();
    assert_eq!(client.recv(&mut [0; 8]).unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    assert_eq!(proxy.ask("PATCH /api/mappings/m1", Some(json!({ "state": "up" }))).0, 200);
    exchange(&client);
}

/// The events of a proxy, up to the one that is waited for.
fn events(api: u16, last: &str) -> Vec<Value> {
    let mut stream = TcpStream::connect(("127.0.0.1", api)).unwrap();
    stream.write_all(b"GET /api/events?from=0 HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let lines = std::io::BufReader::new(stream).lines().map(Result::unwrap);
    let mut events = Vec::new();
    // Lines of the header and of the chunked coding are no objects.
    for line in lines.filter(|line| line.starts_with('{')) {
        let event: Value = serde_json::from_str(&line).unwrap();
        let is_last = event["event"] == last;
        events.push(event);
        if is_last {
            break;
        }
    }
    events
}

#[test]
fn ports_change_on_request_and_under_another_nat_and_events_tell() {
    let server = Serve::start("--clean");
    let proxy = Proxy::start(server.port, "");
    let client = proxy.client();
    let port = || proxy.ask("GET /api/flows", None).1["flows"][0]["upstream_port"].clone();
    let mut ports = Vec::new();
    for request in [None, Some("POST /api/mappings/m1/rebind"), Some("POST /api/flows/0/rebind")] {
        if let Some(request) = request {
            assert_eq!(proxy.ask(request, None).0, 204);
        }
        exchange(&client);
        assert!(!ports.contains(&port()), "{ports:?}");
        ports.push(port());
    }
    let (status, changed) = proxy.ask("PATCH /api/mappings/m1", Some(json!({ "nat": "rebind=10ms" })));
    assert_eq!((status, &changed["nat"], &changed["up"]["rebound"]), (200, &json!("rebind=10ms"), &json!(2)));
    while proxy.ask("GET /api/mappings/m1", None).1["up"]["rebound"] != 3 {
        let _ = client.send(b"question");
    }
    assert_eq!(proxy.ask("PATCH /api/mappings/m1", Some(json!({ "state": "down" }))).0, 200);
    let events = events(proxy.api, "state");
    let named = |name: &str| events.iter().filter(|event| event["event"] == name).count();
    assert_eq!(["mapping_added", "flow_opened", "rebound", "changed"].map(named), [1, 1, 3, 1]);
    let upstreams = events.iter().filter_map(|event| event["upstream"].as_str()?.rsplit(':').next());
    let told: Vec<Value> = upstreams.map(|port| json!(port.parse::<u16>().unwrap())).collect();
    assert_eq!(told[..3], ports[..]);
    let schema: Value =
        serde_json::from_str(&run(command(Path::new("."), "schema proxy")).stdout.concat()).unwrap();
    let mut of_event = schema["$defs"]["event"].clone();
    of_event["$defs"] = schema["$defs"].clone();
    let validator = jsonschema::validator_for(&of_event).unwrap();
    for event in &events {
        let errors: Vec<String> = validator.iter_errors(event).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:#?} {event}");
    }
}

#[test]
fn the_state_keeps_to_its_schema_and_metrics_count_the_same() {
    let server = Serve::start("--clean");
    let proxy = Proxy::start(server.port, "--rate 1Mbit --delay constant:1ms --seed 7");
    exchange(&proxy.client());
    let schema = run(command(Path::new("."), "schema proxy")).stdout.concat();
    let schema = serde_json::from_str(&schema).unwrap();
    assert!(jsonschema::draft202012::meta::is_valid(&schema));
    let (_, state) = proxy.ask("GET /api/proxy.json", None);
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(&state).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?} {state:#}");
    assert_eq!((&state["mappings"][0]["seed"], &state["release_error_us"]["count"]), (&json!(7), &json!(2)));
    let mut stream = TcpStream::connect(("127.0.0.1", proxy.api)).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nConnection: close\r\n\r\n").unwrap();
    let mut metrics = String::new();
    stream.read_to_string(&mut metrics).unwrap();
    let line = "udpecho_proxy_datagrams_total{mapping=\"m1\",direction=\"up\",fate=\"passed\"} 1";
    assert!(metrics.contains(line), "{metrics}");
}

#[test]
fn what_makes_no_sense_or_comes_from_elsewhere_is_refused_with_the_reason() {
    let server = Serve::start("--clean");
    let proxy = Proxy::start(server.port, "");
    let own = format!("127.0.0.1:{}", proxy.port);
    for (request, body, status, why) in [
        ("GET /api/mappings/none", None, 404, "not found"),
        (
            "PATCH /api/mappings/m1",
            Some(json!({ "upp": "clean" })),
            400,
            "unknown key 'upp' (known: up, down, nat, state)",
        ),
        ("PATCH /api/mappings/m1", Some(json!({ "up": "loss=often" })), 400, "loss"),
        ("PATCH /api/mappings/m1", Some(json!({ "up": "loss=trace:/etc/passwd" })), 400, "loss"),
        (
            "PATCH /api/mappings/m1",
            Some(json!({ "up": "loss=1% direction=down" })),
            400,
            "direction: a proxy has a line for each direction",
        ),
        ("PATCH /api/mappings/m1", Some(json!({ "state": "open" })), 400, "neither up nor down"),
        ("PATCH /api/mappings/m1", Some(json!("up")), 400, "must be an object"),
        ("POST /api/mappings/m1/blackhole", None, 400, "for how long"),
        ("POST /api/mappings", Some(json!({ "name": "x" })), 400, "'to' is missing"),
        ("POST /api/mappings", Some(json!({ "name": "a,b", "to": "127.0.0.1:9" })), 400, "is no name"),
        ("POST /api/mappings", Some(json!({ "name": "x", "to": own })), 400, "is this proxy itself"),
        ("POST /api/mappings", Some(json!({ "name": "x", "to": "127.0.0.1" })), 400, "is not HOST:PORT"),
        (
            "POST /api/mappings",
            Some(json!({ "name": "x", "to": "127.0.0.1:9", "listen": "0.0.0.0:0" })),
            400,
            "start it with --public",
        ),
        ("PATCH /api/mappings/m1", Some(json!({ "nat": "cone" })), 400, "'cone' is not key=value"),
        ("POST /api/mappings/none/rebind", None, 404, "not found"),
        ("POST /api/flows/9/rebind", None, 404, "flow not found"),
        ("GET /api/events?since=2", None, 400, "is not from=NUMBER"),
        ("PATCH /api/flows/9", Some(json!({ "up": "clean" })), 404, "flow not found"),
        ("GET /api/flows?page=2", None, 400, "is not from=NUMBER"),
        ("POST /proxies", Some(json!({ "name": "x" })), 400, "missing required field: upstream"),
        ("GET /proxies/x/toxics", None, 404, "proxy not found"),
        ("POST /proxies/m1/toxics", Some(json!({ "type": "slicer" })), 400, "a datagram that is cut in two"),
    ] {
        let (got, answer) = proxy.ask(request, body.clone());
        assert_eq!((got, &answer["status"]), (status, &json!(status)), "{request} {body:?}: {answer}");
        assert!(answer["error"].as_str().unwrap().contains(why), "{request} {body:?}: {answer}");
    }
    let change = Some(json!({ "up": "loss=100%" }));
    for (header, status) in [
        ("Host: evil.example", 421),
        ("Host: localhost\r\nOrigin: http://evil.example", 403),
        ("Host: localhost\r\nUser-Agent: Mozilla/5.0", 403),
    ] {
        assert_eq!(proxy.ask_with("PATCH /api/mappings/m1", header, change.clone()).0, status, "{header}");
    }
    assert_eq!(proxy.ask("GET /api/mappings/m1", None).1["up"]["line"], "clean");
    let open = run(command(Path::new("."), "proxy -l 0 -t 127.0.0.1:9 --api 0.0.0.0:8474"));
    assert_eq!(open.code, Some(2));
    assert!(open.stderr[0].contains("ssh -L"), "{open:#?}");
}

/// There are 32 places for connections.
#[test]
fn requests_whose_body_does_not_come_lose_their_places() {
    let server = Serve::start("--clean");
    let proxy = Proxy::start(server.port, "");
    let head = "PATCH /api/mappings/m1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20\r\n\r\n{";
    let mut slow: Vec<TcpStream> = (0..32)
        .map(|_| {
            let mut stream = TcpStream::connect(("127.0.0.1", proxy.api)).unwrap();
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    let mut answer = String::new();
    slow[31].read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408") && answer.ends_with("\"status\":408}\n"), "{answer}");
    assert_eq!(proxy.ask("GET /version", None).0, 200);
}
