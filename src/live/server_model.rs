//! A server as it is seen while it runs, all its workers together. Pure: `now` is an argument.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use crate::reflect::{ClientFigures, Counters, Server};
use crate::time::{Duration, Instant};

/// A client, and how fast its probes come.
#[derive(Clone, Debug)]
pub struct Client {
    pub figures: ClientFigures,
    /// Probes a second.
    pub rate: f64,
}

/// The state of a server at a moment.
#[derive(Clone, Debug, Default)]
pub struct ServerSnapshot {
    /// Where it listens, and what it injects, in words.
    pub place: String,
    pub injects: String,
    pub elapsed: Duration,
    pub counters: Counters,
    /// Whole seconds so far.
    pub second: u64,
    /// Probes and packets of all dialects, by the second; the newest ones.
    pub seconds: VecDeque<u64>,
    pub clients: Vec<Client>,
}

impl ServerSnapshot {
    pub fn clients_now(&self) -> u64 {
        self.counters.in_all().clients
    }

    /// Probes in the last whole second.
    pub fn rate(&self) -> u64 {
        self.seconds.back().copied().unwrap_or(0)
    }

    fn probes(&self) -> u64 {
        self.counters.in_all().probes + self.counters.dropped
    }
}

#[derive(Debug)]
pub struct ServerModel {
    now: ServerSnapshot,
    began: Instant,
    workers: Vec<Worker>,
    next_second: Instant,
    /// Probes by the end of the last second.
    counted: u64,
}

#[derive(Debug, Default)]
struct Worker {
    counters: Counters,
    clients: Vec<Client>,
    listed: Option<Instant>,
}

impl ServerModel {
    const SECOND: Duration = Duration::from_secs(1);
    const SECONDS: usize = 600;
    /// Clients in the table, for each worker.
    const MOST: usize = 200;

    pub fn new(place: String, injects: String, workers: usize, now: Instant) -> Self {
        Self {
            now: ServerSnapshot { place, injects, ..ServerSnapshot::default() },
            began: now,
            workers: (0..workers).map(|_| Worker::default()).collect(),
            next_second: now + Self::SECOND,
            counted: 0,
        }
    }

    /// A worker's server shows how it is, and who its clients are if somebody looks at those: with
    /// thousands of them it takes a while.
    pub fn update(&mut self, worker: usize, server: &Server, with_clients: bool, now: Instant) {
        let worker = &mut self.workers[worker];
        worker.counters = server.counters();
        if with_clients && worker.listed.is_none_or(|listed| now - listed >= Self::SECOND) {
            worker.list(server.clients(now, Self::MOST), now);
        }
        self.now.counters = self.workers.iter().map(|worker| worker.counters).sum();
        self.advance(now);
    }

    /// Time has passed.
    pub fn advance(&mut self, now: Instant) {
        self.now.elapsed = now - self.began;
        while now >= self.next_second {
            let probes = self.now.probes();
            self.now.seconds.push_back(probes - self.counted);
            self.now.second += 1;
            self.counted = probes;
            self.next_second += Self::SECOND;
        }
        let gone = self.now.seconds.len().saturating_sub(Self::SECONDS);
        self.now.seconds.drain(..gone);
    }

    pub fn snapshot(&self) -> ServerSnapshot {
        let clients = self.workers.iter().flat_map(|worker| worker.clients.iter().cloned()).collect();
        ServerSnapshot { clients, ..self.now.clone() }
    }
}

impl Worker {
    fn list(&mut self, clients: Vec<ClientFigures>, now: Instant) {
        let known = |client: &Client| (client.figures.remote, client.figures.probes);
        let before: HashMap<SocketAddr, u64> = self.clients.iter().map(known).collect();
        let seconds = self.listed.map_or(1.0, |listed| (now - listed).as_secs_f64());
        let with_rate = |figures: ClientFigures| {
            let before = before.get(&figures.remote).copied().unwrap_or(0).min(figures.probes);
            Client { figures, rate: (figures.probes - before) as f64 / seconds }
        };
        self.clients = clients.into_iter().map(with_rate).collect();
        self.listed = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_pass_whether_or_not_something_happens() {
        let at = |millis| Instant::from_nanos(5_000_000_000) + Duration::from_millis(millis);
        let mut service = ServerModel::new("here".to_owned(), "nothing".to_owned(), 2, at(0));
        service.now.counters = Counters { dropped: 1, ..Counters::default() };
        service.now.counters.dialects[0].probes = 3;
        service.advance(at(999));
        assert_eq!(service.snapshot().second, 0);
        service.advance(at(1000));
        service.now.counters.dialects[1].probes = 6;
        service.advance(at(3500));
        let now = service.snapshot();
        assert_eq!((now.second, now.rate(), now.elapsed), (3, 0, Duration::from_millis(3500)));
        assert_eq!(now.seconds, [4, 6, 0]);
    }

    #[test]
    fn a_clients_rate_is_that_since_it_was_listed() {
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
        let mut worker = Worker::default();
        worker.list(vec![figures(10)], at(1));
        worker.list(vec![figures(50)], at(3));
        assert_eq!(worker.clients[0].rate, 20.0);
        // Another client of the same address: its rate shows at the next listing.
        worker.list(vec![figures(5)], at(4));
        assert_eq!(worker.clients[0].rate, 0.0);
    }
}
