//! Runs over the simulated network, written down as the program writes them.

use proptest::prelude::*;
use serde_json::json;
use udpecho::host::Figures;
use udpecho::impair::Impairment;
use udpecho::probe::{Dialect, Event, Resolved, Settings};
use udpecho::record::{self, Clock, EventWriter, ProbeWriter, Run, SecondWriter, Summary};
use udpecho::reflect;
use udpecho::schedule::Schedule;
use udpecho::sim::Simulation;
use udpecho::stats::RunStatistics;
use udpecho::time::Duration;

use crate::common::{decay, injecting, interval, millis, path, resolved, server_info, settings};

/// A run, and the bytes of all that is written of it.
pub struct Made {
    pub run: Run,
    pub rows: Vec<Resolved>,
    pub probes: Vec<u8>,
    pub seconds: Vec<u8>,
    pub stream: Vec<u8>,
}

#[derive(Clone, Debug)]
pub struct Scenario {
    pub seed: u64,
    pub count: u64,
    pub every: Duration,
    pub decays: bool,
    pub text: bool,
    pub deadline: Option<Duration>,
    pub loss: f64,
    pub duplicates: f64,
    pub spread: Duration,
    pub injects: bool,
}

impl Scenario {
    /// A path of 10 to 30 ms that loses and duplicates now and then, to a server that injects.
    pub fn usual() -> Self {
        Self {
            seed: 7,
            count: 300,
            every: millis(20),
            decays: false,
            text: false,
            deadline: Some(millis(200)),
            loss: 0.05,
            duplicates: 0.05,
            spread: millis(20),
            injects: true,
        }
    }

    pub fn any() -> impl Strategy<Value = Self> {
        let plan = (any::<u64>(), 1_u64..200, 500_i64..300_000, any::<bool>(), any::<bool>());
        let path = (proptest::option::of(1_i64..400), 0.0..0.3, 0.0..0.2, 0_i64..300, any::<bool>());
        (plan, path).prop_map(
            |((seed, count, every, decays, text), (deadline, loss, duplicates, spread, injects))| Self {
                seed,
                count,
                every: Duration::from_micros(every),
                decays,
                text,
                deadline: deadline.map(millis),
                loss,
                duplicates,
                spread: millis(spread),
                injects,
            },
        )
    }

    /// None if not even the opening came through.
    pub fn make(&self) -> Option<Made> {
        let (events, client) = self.simulate();
        if matches!(events.first(), Some(Event::Failed(_))) {
            return None;
        }
        Some(write_down(self.run(&events, &client), resolved(&events)))
    }

    fn simulate(&self) -> (Vec<Event>, Settings) {
        let impairment = if self.injects { Impairment::classic() } else { Impairment::clean() };
        let server = reflect::Settings { ..injecting(impairment) };
        let path = path(millis(5), millis(5) + self.spread, self.loss, self.duplicates);
        let schedule = if self.decays {
            decay(self.every, Duration::from_micros(100))
        } else {
            Schedule::Fixed(interval(self.every))
        };
        let client = Settings {
            dialect: if self.text { Dialect::Text } else { Dialect::Native },
            schedule,
            deadline: self.deadline,
            seed: self.seed,
            ..settings(self.count, self.every)
        };
        let mut simulation = Simulation::new(server, path.clone(), path, self.seed);
        simulation.add_client(client.clone());
        simulation.run(Duration::from_secs(3600));
        (simulation.take_events(0), client)
    }

    fn run(&self, events: &[Event], client: &Settings) -> Run {
        let run = json!({
            "schema": record::SCHEMA, "udpecho": "0.1.0", "argv": ["udpecho", "ping", "-ip", "192.0.2.1"],
            "started": "2026-11-20T17:34:25.123456Z",
            "environment": { "os": "linux", "kernel": "6.1", "arch": "x86_64", "cpus": 2 },
            "config": {
                "host": "192.0.2.1", "address": "192.0.2.1:8080",
                "dialect": if self.text { "text" } else { "native" },
                "embedded": false, "count": client.count, "interval_us": self.every.as_micros_f64(),
                "decay": self.decays.then_some(0.05), "min_interval_us": self.decays.then_some(100.0),
                "size": client.size, "deadline_us": self.deadline.map(Duration::as_micros_f64),
                "dont_fragment": false,
            },
            "stamps": { "client_send": "program", "client_receive": "kernel", "server": null },
            "hosts": { "client": [Figures { second: 1, steal_share: Some(0.12), ..Figures::default() }] },
            "events": [{ "at_us": -1.5, "kind": "clock_step", "text": "by 3 ms" }],
        });
        let mut run: Run = serde_json::from_value(run).unwrap();
        if !self.text {
            let server = server_info(events);
            let (injects, seed, max_size) = (server.injects.unwrap(), server.seed, server.max_size);
            run.server = Some(record::Server { injects, seed, max_size });
            run.stamps.server = Some("kernel".to_owned());
        }
        run
    }
}

/// As `ping` does it.
pub fn write_down(mut run: Run, rows: Vec<Resolved>) -> Made {
    let (mut probes, mut seconds, mut stream) = (Vec::new(), Vec::new(), Vec::new());
    let mut events = EventWriter::new(&mut stream);
    let mut row_writer = ProbeWriter::new(&mut probes).unwrap();
    let mut second_writer = SecondWriter::new(&mut seconds).unwrap();
    let mut statistics = RunStatistics::new();
    events.start(&run).unwrap();
    run.events.iter().for_each(|note| events.note(note).unwrap());
    let mut completed = Vec::new();
    for row in &rows {
        row_writer.write(row).unwrap();
        events.probe(row).unwrap();
        statistics.push(row, |second| completed.push(*second));
    }
    run.clock = Clock::of(&statistics);
    run.summary = Some(Summary::of(&statistics));
    completed.extend(statistics.last_second());
    for second in &completed {
        second_writer.write(second).unwrap();
        events.interval(second).unwrap();
    }
    events.end(&run).unwrap();
    events.flush().unwrap();
    row_writer.flush().unwrap();
    second_writer.flush().unwrap();
    drop((events, row_writer, second_writer));
    Made { run, rows, probes, seconds, stream }
}
