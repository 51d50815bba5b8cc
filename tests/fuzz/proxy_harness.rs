//! Turns the bytes of a fuzzer into the files that a proxy reads, and into timelines for its relay.
#![allow(dead_code, reason = "each target uses its own part")]

use std::net::SocketAddr;
use std::sync::Arc;

use udpecho::endpoints::{Endpoints, Network};
use udpecho::impair::{Direction, Impairment, RateTrace};
use udpecho::record::DatagramReader;
use udpecho::relay::{
    Decision, Event, Expectations, FlowId, Header, Limits, MappingSettings, Nat, Relay, RelayScenario,
    Replay, Sender, Side, Toxic, ToxicKind,
};
use udpecho::time::{Duration, Instant};
use udpecho::units::ByteSize;

const START: Instant = Instant::from_nanos(1_000_000_000_000);
const LONGEST: usize = 2_048;
const LINES: [&str; 6] = [
    "clean",
    "delay=normal:20ms±5ms loss=gilbert:p=5%,r=30% duplicate=10%,after=40ms corrupt=10% reorder=10%,by=30ms",
    "rate=1Mbit,queue=5k loss=nth:3",
    "mtu=700 outage=exponential:on=50ms,off=50ms duplicate=50% ecn=mark:50%",
    "loss=50% only=size:500-1000,byte:0=01 dscp=bleach",
    "rate=200kbit,queue=9k,codel delay=uniform:0..50ms",
];
const NATS: [&str; 4] = ["none", "rebind=50ms+70ms", "expire=60ms,old=pass", "follow=port,rebind=20ms"];

/// All texts that a proxy takes: a file whose form is that of the first byte.
pub fn proxy_texts(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    match kind % 5 {
        0 => scenario(text),
        1 => replay(text),
        2 => {
            if let Ok(trace) = RateTrace::from_text(text, ByteSize::new(60_000)) {
                assert!(trace.mean_rate() > 0.0);
            }
        }
        3 => toxic(text),
        _ => words(text),
    }
}

fn words(text: &str) {
    if let Ok(nat) = text.parse::<Nat>() {
        assert_eq!(nat.to_string().parse::<Nat>().expect("a printed NAT parses again"), nat);
    }
    if let Ok(network) = text.parse::<Network>() {
        assert_eq!(network.to_string().parse::<Network>().expect("a printed network parses again"), network);
    }
    let _ = text.parse::<Expectations>();
}

fn settings(up: &str, down: &str) -> MappingSettings {
    let line = |text: &str| Arc::new(text.parse::<Impairment>().expect("a line"));
    MappingSettings::new("m1".into(), line(up), line(down), 7)
}

/// A flow goes through the whole of it.
fn scenario(text: &str) {
    let clean = Arc::new(Impairment::clean());
    let none = |_: &str| Err(std::io::ErrorKind::NotFound.into());
    let Ok(scenario) = RelayScenario::from_toml(text, [&clean, &clean], &none) else { return };
    let settings = MappingSettings { scenario: Some(Arc::new(scenario)), ..settings("clean", "clean") };
    run(Relay::new(vec![settings], Limits::default(), START));
}

fn replay(text: &str) {
    let Ok(reader) = DatagramReader::new(text.as_bytes()) else { return };
    let mut replay = Replay::default();
    for row in reader.map_while(Result::ok) {
        if let (Some(flow), Some(seq)) = (row.flow, row.seq) {
            let hold = row.hold.unwrap_or_default();
            replay.take((flow, row.direction, seq), row.fate, hold, row.copies, row.corrupted_byte);
        }
    }
    let settings = MappingSettings { replay: Some(Arc::new(replay)), ..settings("clean", "clean") };
    run(Relay::new(vec![settings], Limits::default(), START));
}

/// The numbers of a text, as the attributes of each toxic in turn.
fn toxic(text: &str) {
    let numbers: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let number = |at: usize| numbers.get(at).copied().unwrap_or(0.0);
    let whole = |at: usize| number(at) as u64;
    let kinds = [
        ToxicKind::Latency { latency: whole(0), jitter: whole(1) },
        ToxicKind::Bandwidth { rate: whole(0) },
        ToxicKind::Timeout { timeout: whole(0) },
        ToxicKind::LimitData { bytes: whole(0) },
        ToxicKind::PacketLoss { loss_rate: number(0), correlation: number(1) },
        ToxicKind::Line { line: text.to_owned() },
    ];
    for kind in kinds {
        let Ok(toxic) = Toxic::new("t".into(), Direction::Up, 1.0, kind) else { continue };
        let settings = MappingSettings { toxics: vec![toxic], ..settings("clean", "clean") };
        run(Relay::new(vec![settings], Limits::default(), START));
    }
}

/// A few datagrams through it, over a day.
fn run(mut relay: Relay) {
    let client = Endpoints { remote: SocketAddr::from(([10, 0, 0, 1], 5_000)), local: None };
    let mut buffer = [7; LONGEST];
    let mut now = START;
    for step in 0..12 {
        relay.handle_timeout(now);
        while let Some(leaving) = relay.poll_transmit(now, &mut buffer) {
            relay.sent(&leaving, true);
        }
        for size in [0, 1, 300, 1_400] {
            let decision = relay.handle(now, 0, Side::Client(client), Header::default(), &mut buffer[..size]);
            if let Decision::Forward(leaving) = decision {
                relay.sent(&leaving, true);
            }
        }
        relay.take_events();
        now += Duration::from_millis(1 << (2 * step));
    }
    sums_up(&relay);
}

/// Every arrival has one fate.
fn sums_up(relay: &Relay) {
    let counters = relay.counters(0);
    for tally in [counters.up, counters.down] {
        let of = serde_json::to_value(tally).expect("JSON");
        let count = |value: &serde_json::Value| value.as_u64().expect("a count");
        let dropped: u64 = of["dropped"].as_object().expect("causes").values().map(count).sum();
        let fates = count(&of["passed"]) + dropped + count(&of["send_errors"]) + count(&of["held"]);
        assert_eq!(count(&of["arrived"]), fates, "{of}");
    }
}

/// Clients, a server and somebody who steers: limits hold, and every arrival has one fate.
pub fn relay(data: &[u8]) {
    const HELD: usize = 20_000;
    let mut bytes = data.iter().copied();
    let mut byte = || bytes.next();
    let Some(choice) = byte() else { return };
    let limits = Limits { held_bytes: HELD, unverified_amplification: choice & 1 == 0, ..Limits::default() };
    let pick = |list: &'static [&'static str], at: u8| list[usize::from(at) % list.len()];
    let nat = pick(&NATS, choice >> 4).parse().expect("a NAT");
    let settings = MappingSettings { nat, ..settings(pick(&LINES, choice), pick(&LINES, choice >> 3)) };
    let mut relay = Relay::new(vec![settings], limits, START);
    let mut flows: Vec<(FlowId, u32)> = Vec::new();
    let mut now = START;
    let mut buffer = [0; LONGEST];
    while let (Some(act), Some(who)) = (byte(), byte()) {
        match act % 8 {
            0 => now += Duration::from_micros(i64::from(who) * 997),
            1..=3 => {
                let remote = SocketAddr::from(([10, 0, 0, who & 7], 5_000));
                let size = usize::from(act) * 6;
                let side = Side::Client(Endpoints { remote, local: None });
                forward(&mut relay, now, side, &mut buffer[..size], act & 64 == 0);
            }
            4 | 5 if !flows.is_empty() => {
                let (flow, port) = flows[usize::from(who) % flows.len()];
                let sender =
                    [Sender::Server, Sender::OtherPort, Sender::OtherAddress][usize::from(who >> 6) % 3];
                let side = Side::Server { flow, port: port.saturating_sub(u32::from(act >> 7)), sender };
                forward(&mut relay, now, side, &mut buffer[..usize::from(act) * 6], act & 64 == 0);
            }
            6 => relay.change(now, 0, |settings| {
                settings.up = Arc::new(pick(&LINES, who).parse().expect("a line"));
                settings.nat = pick(&NATS, who >> 4).parse().expect("a NAT");
            }),
            _ => match who % 5 {
                0 => relay.rebind(0),
                1 => relay.set_down(0, who & 64 != 0),
                2 => relay.black_out(0, Direction::Down, now + Duration::from_millis(5)),
                3 => drop(flows.first().map(|(flow, _)| relay.close_flow(*flow))),
                _ => now += Duration::from_secs(40),
            },
        }
        relay.handle_timeout(now);
        while let Some(leaving) = relay.poll_transmit(now, &mut buffer) {
            relay.sent(&leaving, who & 32 == 0);
        }
        for event in relay.take_events() {
            match event {
                Event::FlowOpened { flow, .. } => flows.push((flow, 0)),
                Event::FlowClosed { flow, .. } => flows.retain(|(known, _)| *known != flow),
                Event::Rebound { flow, port, .. } => {
                    flows.iter_mut().filter(|(known, _)| *known == flow).for_each(|known| known.1 = port);
                }
                Event::StateChanged { .. } => {}
            }
        }
        assert!(relay.held_bytes() <= HELD && relay.flow_count() == flows.len());
    }
    sums_up(&relay);
}

fn forward(relay: &mut Relay, now: Instant, side: Side, datagram: &mut [u8], leaves: bool) {
    if let Decision::Forward(leaving) = relay.handle(now, 0, side, Header::default(), datagram) {
        relay.sent(&leaving, leaves);
    }
}
