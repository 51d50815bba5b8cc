//! The routes of Toxiproxy at `proxy --api`, with one of its clients.

use std::net::UdpSocket;

use serde_json::{Value, json};
use udpecho::time::Duration;

use super::proxy_api::{Proxy, exchange};
use crate::common::process::{Serve, python, run};

/// The bodies are those of Toxiproxy 2.12 for the same requests.
#[test]
fn toxiproxys_routes_answer_as_it_does() {
    let server = Serve::start("--clean");
    let proxy = Proxy::start(server.port, "");
    let to = format!("localhost:{}", server.port);
    let wanted = json!({ "name": "q", "listen": "127.0.0.1:0", "upstream": to });
    let (status, made) = proxy.ask("POST /proxies", Some(wanted));
    let listen = made["listen"].as_str().unwrap().to_owned();
    let mut golden = json!({ "name": "q", "listen": listen, "upstream": to, "enabled": true, "toxics": [] });
    assert_eq!((status, &made), (201, &golden));
    let latency = json!({
        "attributes": { "latency": 100, "jitter": 0 },
        "name": "latency_downstream", "type": "latency", "stream": "downstream", "toxicity": 1,
    });
    let toxic = json!({ "type": "latency", "attributes": { "latency": 100 } });
    assert_eq!(proxy.ask("POST /proxies/q/toxics", Some(toxic.clone())), (200, latency.clone()));
    let exists = json!({ "error": "toxic already exists", "status": 409 });
    assert_eq!(proxy.ask("POST /proxies/q/toxics", Some(toxic)), (409, exists));
    golden["toxics"] = json!([latency]);
    assert_eq!(proxy.ask("GET /proxies/q", None), (200, golden.clone()));
    assert_eq!(proxy.ask("GET /proxies", None).1["q"], golden);
    let changed = proxy.ask("PATCH /proxies/q/toxics/latency_downstream", Some(json!({ "toxicity": 0.5 })));
    assert_eq!((changed.0, &changed.1["toxicity"]), (200, &json!(0.5)));
    assert_eq!(proxy.ask("DELETE /proxies/q/toxics/latency_downstream", None), (204, Value::Null));
    let of_noxious = json!({ "type": "timeout", "direction": "upstream", "attributes": { "timeout": 0 } });
    let (status, made) = proxy.ask("POST /proxies/q/toxics", Some(of_noxious));
    assert_eq!((status, &made["stream"]), (200, &json!("upstream")));
    let gone = json!({ "error": "toxic not found", "status": 404 });
    assert_eq!(proxy.ask("GET /proxies/q/toxics/latency_downstream", None), (404, gone));
    let disabled = proxy.ask("POST /proxies/q", Some(json!({ "enabled": false })));
    assert_eq!(
        (disabled.0, &disabled.1["enabled"], &disabled.1["listen"]),
        (200, &json!(false), &json!(listen))
    );
    assert_eq!(proxy.ask("POST /reset", None), (204, Value::Null));
    assert_eq!(proxy.ask("GET /proxies/q", None).1["enabled"], true);
    let moved =
        proxy.ask("PATCH /proxies/q", Some(json!({ "listen": "127.0.0.1:0", "upstream": "127.0.0.1:9" })));
    assert_eq!((moved.0, &moved.1["upstream"]), (200, &json!("127.0.0.1:9")));
    assert_ne!(moved.1["listen"], listen);
    let missing = json!([{ "name": "a", "upstream": "127.0.0.1:9" }, { "name": "b" }]);
    let why = json!({ "error": "missing required field: upstream at proxy 2", "status": 400 });
    assert_eq!(proxy.ask("POST /populate", Some(missing)), (400, why));
    let list = json!([{ "name": "q", "upstream": "127.0.0.1:9", "listen": moved.1["listen"] }]);
    let (status, populated) = proxy.ask("POST /populate", Some(list));
    assert_eq!((status, &populated["proxies"][0]["listen"]), (201, &moved.1["listen"]));
    assert_eq!(proxy.ask("DELETE /proxies/q", None), (204, Value::Null));
    assert_eq!(proxy.ask("GET /version", None), (200, json!({ "version": "2.12.0" })));
}

#[test]
fn a_client_of_toxiproxy_steers_it() {
    crate::needs!(Python, ToxiproxyClient);
    let server = Serve::start("--clean");
    let proxy = Proxy::start(server.port, "");
    let mut client = python("toxiproxy_client.py");
    client.args([proxy.api.to_string(), server.port.to_string()]);
    let finished = run(client);
    assert!(finished.code == Some(0) && finished.has_line("all of it works"), "{finished:#?}");
}

fn client_of(listen: &Value) -> UdpSocket {
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.connect(listen.as_str().unwrap()).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(20).to_std())).unwrap();
    client
}

/// The proxies `a` and `b` with a toxic each, and a client of `a` with a flow.
struct Populated {
    proxy: Proxy,
    client: UdpSocket,
    to: String,
    list: Value,
}

impl Populated {
    fn new(server: u16) -> Self {
        let (proxy, to) = (Proxy::start(server, ""), format!("127.0.0.1:{server}"));
        let list = json!([
            { "name": "a", "upstream": to, "listen": "127.0.0.1:0" },
            { "name": "b", "upstream": to },
        ]);
        let (status, made) = proxy.ask("POST /populate", Some(list));
        assert_eq!(status, 201, "{made}");
        for name in ["a", "b"] {
            let toxic = json!({ "type": "latency", "attributes": { "latency": 1 } });
            assert_eq!(proxy.ask(&format!("POST /proxies/{name}/toxics"), Some(toxic)).0, 200);
        }
        let client = client_of(&made["proxies"][0]["listen"]);
        exchange(&client);
        let entry = |at: usize| {
            let listen = &made["proxies"][at]["listen"];
            json!({ "name": made["proxies"][at]["name"], "listen": listen, "upstream": to })
        };
        let list = json!([entry(0), entry(1)]);
        Self { proxy, client, to, list }
    }

    fn state(&self) -> [Value; 2] {
        let mut flows = self.proxy.ask("GET /api/flows", None).1["flows"].take();
        flows.as_array_mut().unwrap().iter_mut().for_each(|flow| {
            flow.as_object_mut()
                .unwrap()
                .retain(|key, _| ["id", "mapping", "upstream_port"].contains(&&**key));
        });
        [self.proxy.ask("GET /proxies", None).1, flows]
    }
}

#[test]
fn a_list_that_changes_nothing_leaves_flows_and_toxics_alone() {
    let server = Serve::start("--clean");
    let populated = Populated::new(server.port);
    let (proxy, before) = (&populated.proxy, populated.state());
    assert_eq!(before[1][0]["mapping"], "a");
    assert_eq!(proxy.ask("POST /populate", Some(populated.list.clone())).0, 201);
    let any_port = json!([{ "name": "a", "upstream": populated.to, "listen": "127.0.0.1:0" }]);
    assert_eq!(proxy.ask("POST /populate", Some(any_port)).0, 201);
    assert_eq!(populated.state(), before);
    exchange(&populated.client);
    assert_eq!(populated.state(), before);
    // Its state changes if the list names it.
    let mut list = populated.list.clone();
    for enabled in [false, true] {
        list[0]["enabled"] = enabled.into();
        assert_eq!(proxy.ask("POST /populate", Some(list.clone())).0, 201);
        assert_eq!(proxy.ask("GET /proxies/a", None).1["enabled"], enabled);
    }
    exchange(&populated.client);
}

#[test]
fn a_list_with_a_mistake_changes_nothing() {
    let server = Serve::start("--clean");
    let populated = Populated::new(server.port);
    let (proxy, before) = (&populated.proxy, populated.state());
    let holder = UdpSocket::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    let (own, port) = (populated.list[0]["listen"].clone(), proxy.port);
    for (key, mistake, why) in [
        ("listen", json!(taken), "cannot listen on UDP 127.0.0.1:"),
        ("listen", own, "cannot listen on UDP 127.0.0.1:"),
        ("listen", json!("192.0.2.1:53"), "proxy 2: 192.0.2.1:53 is not on localhost"),
        ("upstream", json!("127.0.0.1"), "proxy 2: '127.0.0.1' is not HOST:PORT"),
        ("upstream", json!(format!("127.0.0.1:{port}")), "is this proxy itself"),
        ("upstream", json!(""), "missing required field: upstream at proxy 2"),
        ("name", json!("a"), "'a' is named again at proxy 2"),
        ("name", json!("n".repeat(65)), "is no name: 1 to 64 letters"),
        ("enabled", json!("yes"), "proxy 2: bad request body: enabled must be true or false"),
    ] {
        // The first entry is another one, and right.
        let mut list = populated.list.clone();
        list[0]["upstream"] = json!("127.0.0.1:9");
        list[1][key] = mistake;
        let (status, answer) = proxy.ask("POST /populate", Some(list));
        assert_eq!(status, 400, "{key}: {answer}");
        assert!(answer["error"].as_str().unwrap().contains(why), "{answer}");
        assert_eq!(populated.state(), before, "{answer}");
        exchange(&populated.client);
    }
    let many: Vec<Value> =
        (0..257).map(|n| json!({ "name": n.to_string(), "upstream": populated.to })).collect();
    for (list, why) in [(json!(many), "256 at once"), (json!(many[..255]), "256 at once; remove one first")] {
        let (status, answer) = proxy.ask("POST /populate", Some(list));
        assert_eq!((status, &answer["error"]), (403, &json!(format!("too many mappings: {why}"))));
    }
    assert_eq!(populated.state(), before);
}

#[test]
fn a_list_replaces_a_proxy_that_has_another_server_at_the_same_port() {
    let (server, other) = (Serve::start("--clean"), Serve::start("--clean"));
    let populated = Populated::new(server.port);
    let (proxy, mut list) = (&populated.proxy, populated.list.clone());
    list[0]["upstream"] = json!(format!("127.0.0.1:{}", other.port));
    let (status, made) = proxy.ask("POST /populate", Some(list.clone()));
    assert_eq!(status, 201, "{made}");
    list[0]["enabled"] = true.into();
    list[0]["toxics"] = json!([]);
    assert_eq!(made["proxies"][0], list[0]);
    assert_eq!(made["proxies"][1]["toxics"][0]["name"], "latency_downstream");
    exchange(&populated.client);
    let figures = proxy.ask("GET /api/mappings/a", None).1;
    assert_eq!((&figures["up"]["passed"], &figures["flows_opened"]), (&json!(1), &json!(1)), "{figures}");
    // A change of one proxy that fails changes nothing of it either.
    let holder = UdpSocket::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    let change = json!({ "upstream": populated.to, "listen": taken });
    assert_eq!(proxy.ask("PATCH /proxies/a", Some(change)).0, 400);
    assert_eq!(proxy.ask("GET /proxies/a", None).1, list[0]);
}

/// One of each type in each direction: there are twelve.
#[test]
fn a_proxy_has_at_most_one_toxic_of_each_type_in_each_direction() {
    let server = Serve::start("--clean");
    let proxy = Proxy::start(server.port, "");
    let each = [
        ("latency", json!({})),
        ("bandwidth", json!({ "rate": 100 })),
        ("timeout", json!({})),
        ("limit_data", json!({})),
        ("packet_loss", json!({})),
        ("udpecho", json!({ "line": "loss=1%" })),
    ];
    for stream in ["upstream", "downstream"] {
        for (label, attributes) in &each {
            let named = |name: String| json!({ "type": label, "stream": stream, "attributes": attributes, "name": name });
            let add = |name| proxy.ask("POST /proxies/m1/toxics", Some(named(name)));
            assert_eq!(add(format!("{label} {stream}")).0, 200);
            let (status, again) = add(String::new());
            let why = format!("'{label} {stream}' is a {label} toxic of this stream already: change it");
            assert_eq!((status, &again["error"]), (400, &json!(why)));
        }
    }
    assert_eq!(proxy.ask("GET /proxies/m1/toxics", None).1.as_array().map(Vec::len), Some(12));
    assert_eq!(proxy.ask("DELETE /proxies/m1/toxics/latency%20upstream", None).0, 204);
}
