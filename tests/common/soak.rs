//! A run under everything at once, over loopback and with a key: a server that holds, drops, doubles,
//! reorders and corrupts. What both ends counted, and whether it adds up.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread;

use udpecho::net::{
    Bind, ClientEngine, Clock, Control, Observation, Outgoing, ServerEngine, Serving, TargetId,
};
use udpecho::probe::{self, Cause, Event, Outcome, Settings};
use udpecho::reflect::{self, Injection, Server};
use udpecho::time::Duration;
use udpecho::units::Interval;
use udpecho::wire::auth::Key;

const EVERYTHING: &str = "delay=uniform:0.1ms..500ms loss=gilbert:p=3%,r=27% duplicate=5% reorder=2%,by=20ms corrupt=1% direction=both";

/// What became of all probes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sums {
    pub resolved: u64,
    pub ok: u64,
    pub late: u64,
    pub injected: u64,
    /// Lost by anything but what was injected.
    pub elsewhere: u64,
    pub not_sent: u64,
}

#[derive(Debug)]
pub struct Account {
    pub asked_for: u64,
    pub sums: Sums,
    pub client: probe::Counters,
    pub server: reflect::Counters,
    /// Bytes of memory in use, after the first tenth and at the end.
    pub early: u64,
    pub last: u64,
}

impl Account {
    pub fn grown(&self) -> u64 {
        self.last.saturating_sub(self.early)
    }

    /// Whatever the machine was busy with meanwhile.
    pub fn assert_adds_up(&self) {
        let Sums { resolved, ok, late, injected, elsewhere, not_sent } = self.sums;
        assert_eq!((resolved, ok + late + injected + elsewhere + not_sent), (self.asked_for, resolved));
        let server = &self.server;
        assert_eq!(
            (server.in_all().clients, server.held, server.held_bytes, server.in_all().history_bytes),
            (0, 0, 0, 0)
        );
        assert_eq!((server.opened, server.malformed, server.unauthentic, server.refused), (1, 0, 0, 0));
        assert!(injected <= server.dropped && server.dropped <= injected + elsewhere, "{self:#?}");
        // Each probe that left was answered, dropped on purpose, or lost where it is told.
        assert!(server.in_all().probes + server.dropped + not_sent + elsewhere >= resolved, "{self:#?}");
        assert!(
            ok + late <= server.in_all().probes
                && server.in_all().probes + server.dropped + not_sent <= resolved,
            "{self:#?}"
        );
        assert_eq!((self.client.junk, self.client.unauthentic, self.client.forged), (0, 0, 0));
        assert!(self.grown() < 10_000_000, "memory is not flat: {self:#?}");
    }
}

/// So many probes a second for so long; `tell` hears each whole minute how it goes.
pub fn run(seconds: i64, rate: i64, mut tell: impl FnMut(i64, &Sums)) -> Account {
    let clock = Clock::start();
    let key = Some(Key::new(&[7; 32]));
    let injection = Injection::steady(EVERYTHING.parse().unwrap());
    let settings = reflect::Settings { injection, key: key.clone(), ..reflect::Settings::default() };
    let server = Server::new(settings, [1; 32], clock.now());
    let at = Bind::At(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let mut engine = ServerEngine::bind(at, Serving::default(), server, clock).unwrap();
    let address = engine.local_addr().unwrap();
    let stop_server = Arc::new(Control::new().unwrap());
    let stopping = Arc::clone(&stop_server);
    let serving = thread::spawn(move || engine.run(&stopping, |_, _| {}).unwrap());

    let asked_for = (seconds * rate) as u64;
    let settings = Settings {
        size: 128,
        count: Some(asked_for),
        deadline: Some(Duration::from_millis(700)),
        key,
        ..Settings::every(Interval::new(Duration::from_secs(1) / rate).unwrap(), 1)
    };
    let mut client = ClientEngine::connect(address, settings, &Outgoing::default(), clock).unwrap();
    let (mut sums, mut early) = (Sums::default(), 0);
    let mut observe = |observation| {
        let Observation::Event { event: Event::Resolved(probe), .. } = observation else { return };
        sums.add(probe.outcome, probe.cause);
        if sums.resolved == asked_for / 10 {
            early = resident_bytes();
        }
        if sums.resolved.is_multiple_of(60 * rate as u64) {
            tell((sums.resolved / rate as u64) as i64, &sums);
        }
    };
    client.run(&Control::new().unwrap(), &mut observe).unwrap();
    let last = resident_bytes();
    // The client's last word, that it closes its session, is still on its way.
    thread::sleep(std::time::Duration::from_millis(200));
    stop_server.stop();
    let server = serving.join().unwrap();
    let client = client.target(TargetId::default()).unwrap().counters();
    Account { asked_for, sums, client, server, early, last }
}

impl Sums {
    fn add(&mut self, outcome: Outcome, cause: Option<Cause>) {
        self.resolved += 1;
        *match (outcome, cause) {
            (Outcome::Ok, _) => &mut self.ok,
            (Outcome::Late, _) => &mut self.late,
            (Outcome::SendError, _) => &mut self.not_sent,
            (_, Some(Cause::InjectedUp | Cause::InjectedDown)) => &mut self.injected,
            _ => &mut self.elsewhere,
        } += 1;
    }
}

pub fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    status.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}
