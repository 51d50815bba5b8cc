//! Load on a server: so many datagrams in flight from so many sources, one leaving for each that
//! comes back. The sources are addresses of 127/8 on one socket, so that both ends move batches.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant as Real};

use udpecho::endpoints::Endpoints;
use udpecho::net::{Batch, Options, Socket, bind_socket};
use udpecho::time::Instant;
use udpecho::wire::native::{Hello, Message, Nonce, Open, Probe, Token, decode};

use super::servers::Server;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Plain,
    Native,
    Text,
}

#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub dialect: Dialect,
    pub size: usize,
    pub sources: usize,
    /// Datagrams in flight.
    pub window: usize,
    /// They leave and come back in trains, where the server keeps them together.
    pub trains: bool,
    /// The kernel stamps what comes back, so that it may wait for the client.
    pub stamps: bool,
}

impl Load {
    pub fn single(dialect: Dialect, size: usize, sources: usize) -> Self {
        // What a receive buffer of 4 MiB holds of 1400 bytes is 3,640; the rest would be lost.
        let window = if sources == 4096 && size > 1000 { 2048 } else { sources.max(256) };
        Self { dialect, size, sources, window, trains: false, stamps: false }
    }

    pub fn trains(dialect: Dialect, size: usize) -> Self {
        let segments = (65_000 / size).min(64);
        Self { dialect, size, sources: 1, window: segments * 16, trains: true, stamps: false }
    }
}

pub struct Measured {
    pub per_second: f64,
    pub server_nanos: f64,
    pub lost: u64,
}

/// Of a turn, and of what comes before it to warm up.
const LENGTH: Duration = Duration::from_millis(125);
const WARM_UP: Duration = Duration::from_millis(15);
const BATCH: usize = 64;

pub struct Source {
    pub path: Endpoints,
    pub token: Token,
    pub seq: u64,
}

pub struct Client {
    pub socket: Socket,
    pub inbox: Batch,
    pub outbox: Batch,
    pub sources: Vec<Source>,
    pub load: Load,
}

impl Client {
    /// Has done what its dialect needs before its first datagram.
    pub fn open(server: SocketAddr, load: Load) -> Self {
        let mut client = Self::new(server, load);
        client.introduce();
        client
    }

    /// One turn.
    #[allow(clippy::disallowed_methods, reason = "a benchmark measures real time")]
    pub fn measure(&mut self, server: &Server) -> Measured {
        self.fill_window();
        self.turn_over(WARM_UP);
        let (begin, cpu) = (Real::now(), server.cpu_nanos());
        let (echoes, lost) = self.turn_over(LENGTH);
        let took = begin.elapsed();
        let cpu = server.cpu_nanos() - cpu;
        self.settle();
        Measured {
            per_second: echoes as f64 / took.as_secs_f64(),
            server_nanos: cpu as f64 / echoes.max(1) as f64,
            lost,
        }
    }

    fn new(server: SocketAddr, load: Load) -> Self {
        let options = Options {
            local_address: true,
            receive_buffer: Some(8 << 20),
            offload: load.trains,
            stamps: load.stamps,
            ..Options::default()
        };
        let socket = bind_socket((Ipv4Addr::UNSPECIFIED, 0).into(), &options).expect("a socket");
        let source = |index: usize| {
            let local = IpAddr::from([127, 1, (index >> 8) as u8, index as u8]);
            let path = Endpoints { remote: server, local: Some(local) };
            Source { path, token: Token(0), seq: 0 }
        };
        Self {
            socket,
            inbox: Batch::new(BATCH, 65_536),
            outbox: Batch::new(if load.trains { 1024 } else { BATCH }, 2048),
            sources: (0..load.sources).map(source).collect(),
            load,
        }
    }

    fn introduce(&mut self) {
        let size = self.load.size;
        match self.load.dialect {
            Dialect::Plain => {}
            Dialect::Text => self.ask_all(
                |_, _, buffer| {
                    let hello = format!("C {size}");
                    buffer[..hello.len()].copy_from_slice(hello.as_bytes());
                    hello.len()
                },
                |_, _| true,
            ),
            Dialect::Native => {
                let mut cookies = vec![[0; 16]; self.sources.len()];
                self.ask_all(
                    |_, index, buffer| Hello { nonce: Nonce(index as u64) }.emit(buffer),
                    |_, message| {
                        let Ok(Message::Cookie(cookie)) = decode(message) else { return false };
                        cookies[cookie.nonce.0 as usize] = cookie.cookie;
                        true
                    },
                );
                self.ask_all(
                    |_, index, buffer| {
                        Open {
                            nonce: Nonce(index as u64),
                            cookie: cookies[index],
                            size: size as u32,
                            remember: 1 << 12,
                            idle_secs: 60,
                            first_seq: 0,
                            requested_impairment: "",
                        }
                        .emit(buffer)
                    },
                    |source, message| {
                        let Ok(Message::Accept(accept)) = decode(message) else { return false };
                        source.token = accept.token;
                        true
                    },
                );
            }
        }
    }

    /// Asks for every source until all are answered; again only where no answer can be on its way any more,
    /// for a server that stands still must not find its socket full of questions.
    #[allow(clippy::disallowed_methods, reason = "a benchmark measures real time")]
    fn ask_all(
        &mut self,
        mut ask: impl FnMut(&Source, usize, &mut [u8]) -> usize,
        mut take: impl FnMut(&mut Source, &[u8]) -> bool,
    ) {
        const PATIENCE: Duration = Duration::from_millis(100);
        let mut open: Vec<usize> = (0..self.sources.len()).collect();
        while !open.is_empty() {
            let asked: Vec<usize> = open.iter().copied().take(BATCH).collect();
            for &index in &asked {
                let source = &self.sources[index];
                let length = ask(source, index, self.outbox.next_buffer());
                self.outbox.queue_written(source.path, length);
            }
            self.send();
            let (begin, answered) = (Real::now(), open.len() - asked.len());
            while open.len() > answered && begin.elapsed() < PATIENCE {
                if self.socket.receive(&mut self.inbox).is_err() {
                    std::thread::sleep(Duration::from_micros(50));
                    continue;
                }
                for arrival in 0..self.inbox.arrived() {
                    let index = self.index_of(arrival);
                    for place in self.inbox.datagrams(arrival) {
                        if take(&mut self.sources[index], self.inbox.bytes(place)) {
                            open.retain(|&other| other != index);
                        }
                    }
                }
            }
        }
    }

    fn index_of(&self, arrival: usize) -> usize {
        let Some(IpAddr::V4(local)) = self.inbox.arrival(arrival).path.local else {
            panic!("no local address")
        };
        let [_, _, high, low] = local.octets();
        usize::from(high) << 8 | usize::from(low)
    }

    fn fill_window(&mut self) {
        for k in 0..self.load.window {
            self.next_from(k % self.sources.len());
        }
        self.send();
    }

    /// Writes the next datagram of a source; sends when there are enough of them.
    fn next_from(&mut self, index: usize) {
        let source = &mut self.sources[index];
        let buffer = &mut self.outbox.next_buffer()[..self.load.size];
        match self.load.dialect {
            Dialect::Plain | Dialect::Text => buffer[..8].copy_from_slice(&source.seq.to_be_bytes()),
            Dialect::Native => {
                Probe { token: source.token, seq: source.seq, sent: Instant::ZERO }.emit(buffer)
            }
        }
        source.seq += 1;
        self.outbox.queue_written(source.path, self.load.size);
        if self.outbox.is_full() {
            self.send();
        }
    }

    pub fn send(&mut self) {
        self.socket.send_those(&self.outbox, &|_| true, &mut |_, error| panic!("{error}"));
        self.outbox.clear_outgoing();
    }

    /// Answers each echo with the next datagram, for so long; returns the echoes, and what was lost.
    #[allow(clippy::disallowed_methods, reason = "a benchmark measures real time")]
    fn turn_over(&mut self, length: Duration) -> (u64, u64) {
        const SILENCE: Duration = Duration::from_millis(5);
        let begin = Real::now();
        let (mut echoes, mut lost, mut in_flight) = (0, 0, self.load.window);
        let mut heard = begin;
        loop {
            let now = Real::now();
            if now - begin >= length {
                return (echoes, lost);
            }
            if self.socket.receive(&mut self.inbox).is_err() {
                // All that is still missing was lost: the window is filled anew.
                if now - heard > SILENCE {
                    lost += in_flight as u64;
                    in_flight = self.load.window;
                    self.fill_window();
                    heard = now;
                }
                continue;
            }
            heard = now;
            for arrival in 0..self.inbox.arrived() {
                let index = self.index_of(arrival);
                for _ in self.inbox.datagrams(arrival) {
                    echoes += 1;
                    self.next_from(index);
                }
            }
            if self.outbox.has_outgoing() {
                self.send();
            }
        }
    }

    /// Takes what still comes, so that it does not meet the next load.
    fn settle(&mut self) {
        std::thread::sleep(Duration::from_millis(20));
        while self.socket.receive(&mut self.inbox).is_ok() {}
    }
}
