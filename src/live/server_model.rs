//! The state of a running server, all its threads together. Pure: `now` is an argument.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use crate::reflect::{ClientFigures, Counter, Counters, Metric, Server};
use crate::time::{Duration, Instant};

/// A client and the rate of its probes.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its address, size and counts.
    pub figures: ClientFigures,
    /// Over the time since the last snapshot.
    pub probes_per_second: f64,
}

/// A server's counts of one second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerSecond {
    /// From 1.
    pub second: u64,
    /// Probes and packets of all dialects.
    pub probes: u64,
    pub(crate) received_bytes: u64,
    pub(crate) sent_bytes: u64,
    /// Bytes of load, up and down.
    pub load_bytes: [u64; 2],
    /// Dropped by injection.
    pub dropped: u64,
    /// Not answered for any other reason.
    pub refused: u64,
}

/// The state of a server at one moment.
#[derive(Clone, Debug, Default)]
pub struct ServerSnapshot {
    /// Where it listens, and what it injects, in words.
    pub place: String,
    /// The server's impairment, in the grammar that `serve` takes.
    pub injects: String,
    /// Since the server started.
    pub elapsed: Duration,
    pub(crate) counters: Counters,
    /// Whole seconds so far.
    pub second: u64,
    /// The newest whole seconds.
    pub seconds: VecDeque<ServerSecond>,
    /// The newest clients, the last active first.
    pub clients: Vec<Client>,
}

impl ServerSnapshot {
    pub(crate) fn clients_now(&self) -> u64 {
        self.counters.in_all().clients
    }

    /// Probes in the last whole second.
    pub fn rate(&self) -> u64 {
        self.seconds.back().map_or(0, |second| second.probes)
    }
}

/// Datagrams without a reply, by reason.
pub fn unanswered(counters: &Counters) -> Vec<(&'static str, u64)> {
    let of_one = |counter: Counter| match counter.metric {
        Metric::Dropped(reason) => Some((reason, counter.value)),
        Metric::Total(_) | Metric::Gauge(_) => None,
    };
    counters.list().filter_map(of_one).chain([("no_room", counters.in_all().denied)]).collect()
}

impl ServerSecond {
    fn between(second: u64, before: &Counters, after: &Counters) -> Self {
        let refused = |of: &Counters| unanswered(of).iter().map(|(_, count)| count).sum::<u64>() - of.dropped;
        let more = |count: &dyn Fn(&Counters) -> u64| count(after).saturating_sub(count(before));
        Self {
            second,
            probes: more(&|of| of.in_all().probes + of.dropped),
            received_bytes: more(&|of| of.received_bytes),
            sent_bytes: more(&|of| of.sent_bytes),
            load_bytes: [more(&|of| of.load_received_bytes), more(&|of| of.load_sent_bytes)],
            dropped: more(&|of| of.dropped),
            refused: more(&refused),
        }
    }
}

/// Builds the state of a server from the readings of its threads.
#[derive(Debug)]
pub struct ServerModel {
    now: ServerSnapshot,
    began: Instant,
    threads: Vec<ServerThread>,
    next_second: Instant,
    /// The counters at the end of the last second.
    counted: Counters,
}

#[derive(Debug, Default)]
struct ServerThread {
    counters: Counters,
    clients: Vec<Client>,
    listed: Option<Instant>,
}

impl ServerModel {
    const SECOND: Duration = Duration::from_secs(1);
    const SECONDS: usize = 600;
    /// Clients in the table, for each thread.
    const CLIENTS: usize = 200;

    /// `place` and `injects` are what the views show of address and impairment.
    pub fn new(place: String, injects: String, threads: usize, now: Instant) -> Self {
        Self {
            now: ServerSnapshot { place, injects, ..ServerSnapshot::default() },
            began: now,
            threads: (0..threads).map(|_| ServerThread::default()).collect(),
            next_second: now + Self::SECOND,
            counted: Counters::default(),
        }
    }

    /// Reads the counters of one thread's server, and once a second its clients if a view shows them:
    /// listing thousands takes a while.
    pub fn update(&mut self, thread: usize, server: &Server, with_clients: bool, now: Instant) {
        let thread = &mut self.threads[thread];
        thread.counters = server.counters();
        if with_clients && thread.listed.is_none_or(|listed| now - listed >= Self::SECOND) {
            thread.list(server.clients(now, Self::CLIENTS), now);
        }
        self.now.counters = self.threads.iter().map(|thread| thread.counters).sum();
        self.advance(now);
    }

    /// Time has passed.
    pub fn advance(&mut self, now: Instant) {
        self.now.elapsed = now - self.began;
        while now >= self.next_second {
            self.now.second += 1;
            let second = ServerSecond::between(self.now.second, &self.counted, &self.now.counters);
            self.now.seconds.push_back(second);
            self.counted = self.now.counters;
            self.next_second += Self::SECOND;
        }
        let surplus = self.now.seconds.len().saturating_sub(Self::SECONDS);
        self.now.seconds.drain(..surplus);
    }

    /// The state after the last reading.
    pub fn snapshot(&self) -> ServerSnapshot {
        let clients = self.threads.iter().flat_map(|thread| thread.clients.iter().cloned()).collect();
        ServerSnapshot { clients, ..self.now.clone() }
    }
}

impl ServerThread {
    fn list(&mut self, clients: Vec<ClientFigures>, now: Instant) {
        let known = |client: &Client| (client.figures.remote, client.figures.probes);
        let before: HashMap<SocketAddr, u64> = self.clients.iter().map(known).collect();
        let seconds = self.listed.map_or(1.0, |listed| (now - listed).as_secs_f64());
        let with_rate = |figures: ClientFigures| {
            let before = before.get(&figures.remote).copied().unwrap_or(0).min(figures.probes);
            Client { figures, probes_per_second: (figures.probes - before) as f64 / seconds }
        };
        self.clients = clients.into_iter().map(with_rate).collect();
        self.listed = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_second_has_an_entry_whether_or_not_something_happens() {
        let at = |millis| Instant::from_nanos(5_000_000_000) + Duration::from_millis(millis);
        let mut model = ServerModel::new("here".to_owned(), "nothing".to_owned(), 2, at(0));
        model.now.counters = Counters { dropped: 1, replayed: 2, sent_bytes: 64, ..Counters::default() };
        model.now.counters.dialects[0].probes = 3;
        model.advance(at(999));
        assert_eq!(model.snapshot().second, 0);
        model.advance(at(1000));
        model.now.counters.dialects[1].probes = 6;
        model.advance(at(3500));
        let now = model.snapshot();
        assert_eq!((now.second, now.rate(), now.elapsed), (3, 0, Duration::from_millis(3500)));
        assert_eq!(now.seconds.iter().map(|second| second.probes).collect::<Vec<_>>(), [4, 6, 0]);
        let first = ServerSecond {
            second: 1,
            probes: 4,
            sent_bytes: 64,
            dropped: 1,
            refused: 2,
            ..ServerSecond::default()
        };
        assert_eq!(now.seconds[0], first);
    }

    #[test]
    fn the_rate_of_a_client_is_taken_between_two_listings() {
        let figures = |probes| ClientFigures {
            remote: "192.0.2.1:1".parse().unwrap(),
            dialect: "native",
            size: Some(64),
            probes,
            missing: None,
            dropped: None,
            silent: Duration::ZERO,
        };
        let at = |secs| Instant::ZERO + Duration::from_secs(secs);
        let mut thread = ServerThread::default();
        thread.list(vec![figures(10)], at(1));
        thread.list(vec![figures(50)], at(3));
        assert_eq!(thread.clients[0].probes_per_second, 20.0);
        // Another client of the same address: its rate shows at the next listing.
        thread.list(vec![figures(5)], at(4));
        assert_eq!(thread.clients[0].probes_per_second, 0.0);
    }
}
