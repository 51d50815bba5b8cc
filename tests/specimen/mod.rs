//! Runs that never were, for pictures: a configuration and its probes, the same for the same seed.

pub mod drawing;

use udpecho::probe::{Cause, Outcome, Resolved};
use udpecho::record::{Config, Environment, Run, SCHEMA, Server, Stamps, Summary};
use udpecho::rng::{Draws, Seed, Stream};
use udpecho::stats::RunStatistics;
use udpecho::time::Duration;

/// What a probe of a made-up run meets.
pub struct SecondOutcome {
    /// Nanoseconds in the network and at the server.
    pub network: f64,
    pub hold: f64,
    pub loss: Option<Cause>,
    pub send_error: bool,
}

impl SecondOutcome {
    pub fn answered(network: f64, hold: f64) -> Self {
        Self { network, hold, loss: None, send_error: false }
    }
}

/// The number, the time in seconds and a source of chance make a fate.
type Fates = dyn Fn(u64, f64, &mut Draws) -> SecondOutcome;

pub struct Specimen {
    pub run: Run,
    interval: f64,
    count: u64,
    fate: Box<Fates>,
    seed: Seed,
}

impl Specimen {
    pub fn new(
        count: u64,
        interval: f64,
        fate: impl Fn(u64, f64, &mut Draws) -> SecondOutcome + 'static,
    ) -> Self {
        Self { run: run(count, interval), interval, count, fate: Box::new(fate), seed: 7 }
    }

    pub fn decay(mut self, share: f64) -> Self {
        self.run.config.decay = Some(share);
        self.run.config.min_interval_us = Some(100.0);
        self
    }

    pub fn deadline(mut self, seconds: f64) -> Self {
        self.run.config.deadline_us = Some(seconds * 1e6);
        self
    }

    pub fn probes(&self) -> impl Iterator<Item = Resolved> + '_ {
        let stream = Stream::new(self.seed, "specimen");
        let (mut due, mut interval) = (0.0, self.interval);
        (0..self.count).map(move |seq| {
            let probe = self.probe(seq, due, interval, &mut stream.at(seq));
            due += interval;
            if let Some(share) = self.run.config.decay {
                interval = (interval * (1.0 - share)).max(100e-6);
            }
            probe
        })
    }

    fn probe(&self, seq: u64, due: f64, interval: f64, draws: &mut Draws) -> Resolved {
        let fate = (self.fate)(seq, due, draws);
        let nanos = |value: f64| Duration::from_nanos(value as i64);
        let (due_at, interval_at) = (nanos(due * 1e9), nanos(interval * 1e9));
        let rtt = nanos(fate.network + fate.hold);
        let deadline = self.run.config.deadline_us.map_or(interval_at, |us| nanos(us * 1e3));
        let outcome = match fate.loss {
            _ if fate.send_error => Outcome::SendError,
            Some(_) => Outcome::Lost,
            None if rtt > deadline => Outcome::Late,
            None => Outcome::Ok,
        };
        let replied = matches!(outcome, Outcome::Ok | Outcome::Late);
        Resolved {
            seq,
            due: due_at,
            sent: (!fate.send_error).then(|| due_at + nanos(20_000.0 * draws.unit())),
            interval: interval_at,
            size: self.run.config.size,
            outcome,
            cause: fate.loss.filter(|_| outcome == Outcome::Lost),
            rtt: replied.then_some(rtt),
            hold: replied.then(|| nanos(fate.hold)),
            server: replied.then(|| nanos(fate.hold)),
            owd_up: None,
            owd_down: None,
            copies: u32::from(replied),
            injected_copies: 0,
            probe_copies: None,
            corrupted: None,
            impossible_times: false,
        }
    }
}

fn run(count: u64, interval: f64) -> Run {
    Run {
        schema: SCHEMA,
        udpecho: "0.1.0".to_owned(),
        argv: ["udpecho", "ping", "-ip", "192.0.2.10"].map(str::to_owned).to_vec(),
        started: "2026-11-20T17:34:25Z".to_owned(),
        hosts: None,
        environment: Environment {
            os: "linux".to_owned(),
            kernel: None,
            arch: "x86_64".to_owned(),
            cpus: 2,
            receive_buffer: None,
        },
        config: Config {
            host: "192.0.2.10".to_owned(),
            address: "192.0.2.10:8080".to_owned(),
            dialect: udpecho::probe::Dialect::Native,
            embedded: false,
            count: Some(count),
            interval_us: interval * 1e6,
            decay: None,
            min_interval_us: None,
            poisson_seed: None,
            size: 512,
            deadline_us: None,
            total_us: None,
            source: None,
            dscp: None,
            ttl: None,
            dont_fragment: false,
        },
        server: Some(Server {
            injects: "delay=uniform:100us..500ms loss=10%".to_owned(),
            seed: 7,
            max_size: 65_507,
        }),
        stamps: Stamps {
            client_send: "kernel".to_owned(),
            client_receive: "kernel".to_owned(),
            server: Some("kernel".to_owned()),
        },
        clock: None,
        events: Vec::new(),
        summary: None,
    }
}

/// The figures of the probes.
pub fn summary(specimen: &Specimen) -> Summary {
    let mut statistics = RunStatistics::new();
    specimen.probes().for_each(|probe| statistics.push(&probe, |_| {}));
    Summary::of(&statistics)
}

/// The classic server on a path of its own: held 0.1 to 500 ms, one in ten unanswered.
pub fn classic(loss: f64) -> impl Fn(u64, f64, &mut Draws) -> SecondOutcome {
    move |_, _, draws| {
        let lost = draws.unit() < loss;
        let network = 280e3 + exponential(draws, 60e3);
        let hold = 0.1e6 + draws.unit() * 499.9e6;
        SecondOutcome { loss: lost.then_some(Cause::InjectedDown), ..SecondOutcome::answered(network, hold) }
    }
}

/// A real path: both directions lose, a bad moment in the middle, now and then an outlier.
pub fn path(length: f64) -> impl Fn(u64, f64, &mut Draws) -> SecondOutcome {
    move |_, at, draws| {
        let phase = at / length;
        let bad = (0.52..0.56).contains(&phase) || (0.93..0.94).contains(&phase);
        let (up, down) = if bad { (0.25, 0.2) } else { (0.015, 0.02) };
        let dice = draws.unit();
        let loss = match dice {
            d if d < up => Some(Cause::Up),
            d if d < up + down => Some(Cause::Down),
            d if d < up + down + 0.004 => Some(Cause::Unknown),
            d if d < up + down + 0.006 => Some(Cause::ClientOverflow),
            _ => None,
        };
        let slow = if bad { 14e6 } else { 0.0 };
        let outlier = if draws.unit() < 0.003 { 40e6 + draws.unit() * 400e6 } else { 0.0 };
        let sway = (phase * 25.0).sin() * 1.5e6;
        let network = 8e6 + sway + slow * draws.unit() + exponential(draws, 2.5e6) + outlier;
        SecondOutcome { loss, ..SecondOutcome::answered(network, 30e3) }
    }
}

pub fn exponential(draws: &mut Draws, mean: f64) -> f64 {
    -mean * (1.0 - draws.unit()).ln()
}
