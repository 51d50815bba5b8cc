//! Measurements on order: two agents, a guest that watches, and a script that orders.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use super::{Hosts, Room, assert_described, order};
use crate::common::process::{command, free_port, run, udpecho};

#[test]
fn an_agent_measures_to_another_and_the_run_has_the_figures_of_both_hosts() {
    let [at_bea, at_carl, kept] = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let room = Room::start(&format!("--keep {}", kept.path().display()));
    let port = room.port;
    let _bea = room.agent(at_bea.path(), "--name bea");
    let _carl = room.agent(at_carl.path(), "--name carl");
    let mut anna = room.member("anna");
    let done = order(port, "/ping bea carl -n 150 -i 10ms -s 100");
    assert_eq!(done.code, Some(0), "{done:#?}");
    let answer: Value = serde_json::from_str(&done.stdout.join("\n")).unwrap();
    assert_described(&answer);
    assert_eq!(answer["order"], 1);
    let events = answer["events"].as_array().unwrap();
    let result = events.iter().find(|event| event["news"] == "result").expect("a result");
    assert_eq!((&result["from"], &result["to_room"]), (&"bea".into(), &false.into()), "{answer}");
    // On a busy machine probes that were due while it stood still are skipped.
    let sent = result["figures"]["sent"].as_u64().unwrap();
    assert!((1..=150).contains(&sent), "{answer}");
    let way = events.iter().find(|event| event["news"] == "way").expect("a way");
    assert!(way["way"]["direct"].as_str().is_some_and(|at| at.starts_with("127.0.0.1:")), "{answer}");
    let shelved = events.iter().find(|event| event["event"] == "shelved").expect("its run");
    assert_eq!((&shelved["file"]["kind"], &shelved["file"]["order"]), (&"run".into(), &1.into()), "{answer}");
    let measured = events.iter().find(|event| event["event"] == "measured").expect("a summary");
    assert_eq!((&measured["runs"], &measured["results"][0]["figures"]), (&json!([1]), &result["figures"]));

    assert_eq!(
        anna.line_with("-- #1"),
        "-- #1 bea to carl: 150 probes, every 10 ms, 205 kbit/s for 1.5 s. carl accepts"
    );
    assert_eq!(anna.line(), "-- #1 carl agrees, direct (members see the addresses)");
    let line = anna.line_with("-- #1");
    assert!(line.starts_with(&format!("-- #1 {sent} sent, ")) && line.contains(", rtt p50/p99 "), "{line}");

    anna.line_with("-- bea put on the shelf: run 1: order-1, ");
    let record = json_of(&at_bea.path().join("results/order-1/run.json"));
    for host in ["client", "server"] {
        assert!(!record["hosts"][host].as_array().unwrap().is_empty(), "{host}");
    }
    assert!(!at_carl.path().join("results").exists());

    // Every member can have the run, and the kept room has it with its report.
    let mut fetch = udpecho();
    let there = format!("127.0.0.1:{port}");
    fetch.current_dir(at_carl.path()).args(["join", &there, "--name", "eve", "--do", "/get 1"]);
    assert_eq!(run(fetch).stdout, ["inbox/order-1"]);
    assert_eq!(json_of(&at_carl.path().join("inbox/order-1/run.json")), record);
    room.process.signal("TERM");
    assert_eq!(room.process.finish().code, Some(0));
    let talk = std::fs::read_to_string(kept.path().join("talk.ndjson")).unwrap();
    let told: Vec<Value> = talk.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of =
        |kind: &str| told.iter().find(|event| event["event"] == kind).unwrap_or_else(|| panic!("{talk}"));
    assert_eq!(of("shelved")["kept"], "runs/order-1");
    assert_eq!(of("measured")["results"], measured["results"]);
    assert_eq!(of("measured")["hosts"].as_array().unwrap().len(), 2, "{talk}");
    assert!(told.iter().any(|event| event["news"] == "way" && event["way"]["direct"].is_string()), "{talk}");
    let report = std::fs::read_to_string(kept.path().join("runs/order-1/report.html")).unwrap();
    assert!(report.contains("The server's host"));
    let page = std::fs::read_to_string(kept.path().join("talk.html")).unwrap();
    let listed = page.lines().find(|line| line.starts_with("<li>#1 bea to carl; ")).expect("the run");
    assert!(listed.contains("href=\"runs/order-1/report.html\""), "{listed}");
}

fn json_of(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn a_host_is_measured_with_its_consent_only() {
    let room = Room::start("");
    let port = room.port;
    let folder = tempfile::tempdir().unwrap();
    let mut bea = room.agent(folder.path(), "--name bea");
    let _eve = room.agent(folder.path(), "--name eve --accept nothing");
    // Neither to answer nor to measure.
    for line in ["/ping eve", "/ping eve bea"] {
        let refused = order(port, line);
        assert_eq!(refused.code, Some(2), "{refused:#?}");
        assert_eq!(refused.stderr, ["udpecho: eve accepts no such order"]);
    }

    let mut anna = room.member("anna");
    let mut carl = command(folder.path(), &format!("join 127.0.0.1:{port} --name carl"));
    let mut carl = carl.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut typing = carl.stdin.take().unwrap();
    anna.line_with("carl has joined the chat!");
    anna.send("/ping bea carl\n");
    anna.line_with("-- only members can do this");
    let ordered = std::thread::scope(|scope| {
        let ordered = scope.spawn(|| order(port, "/ping bea carl -n 2 -i 10ms"));
        assert!(anna.line_with("-- #1").ends_with("asked carl"));
        typing.write_all(b"/yes 1\n").unwrap();
        ordered.join().unwrap()
    });
    assert_eq!(ordered.code, Some(0), "{ordered:#?}");
    let refused = std::thread::scope(|scope| {
        let ordered = scope.spawn(|| order(port, "/ping bea carl -n 2 -i 10ms"));
        anna.line_with("asked carl");
        typing.write_all(b"/no 2\n").unwrap();
        ordered.join().unwrap()
    });
    assert_eq!(refused.code, Some(1), "{refused:#?}");
    assert_eq!(anna.line_with("-- #2"), "-- #2 carl does not agree");
    drop(typing);
    carl.wait().unwrap();
    bea.remark_with("#2 carl does not agree");
}

#[test]
fn a_lost_connection_ends_the_order_of_both() {
    let mut hosts = Hosts::of(Room::start(""));
    let ordered = hosts.order("/ping bea carl -n 1000 -i 20ms", |hosts| hosts.carl.signal("KILL"));
    assert_eq!(ordered.code, Some(1), "{ordered:#?}");
    hosts.anna.line_with("-- #1 ended: one of the two left");
}

#[test]
fn a_room_that_is_killed_during_an_order_gets_its_agents_back_and_measures_again() {
    let port = free_port();
    let mut hosts = Hosts::of(Room::at(port, ""));
    let lost = hosts.order("/ping bea carl -n 1000 -i 20ms", |hosts| hosts.room.process.signal("KILL"));
    assert_eq!(lost.code, Some(1), "{lost:#?}");
    let Hosts { room, mut bea, mut carl, .. } = hosts;
    drop(room);
    let _again = Room::at(port, "");
    for agent in [&mut bea, &mut carl] {
        // The first wait: 1 s.
        agent.remark_with("is lost; again in 1 s");
        agent.remark_with("joined 127.0.0.1:");
    }
    let done = order(port, "/ping bea carl -n 5 -i 10ms");
    assert_eq!(done.code, Some(0), "{done:#?}");
}
