//! A server without a network: tests hand it datagrams one by one and set the time.

use std::net::SocketAddr;

use udpecho::endpoints::Endpoints;
use udpecho::reflect::{Departure, Incoming, Server, Settings};
use udpecho::time::{Duration, Instant};
use udpecho::wire::native::{Accept, Cookie, Deny, Hello, Message, Nonce, Open, Probe, Token, decode};

pub struct Desk {
    pub server: Server,
    pub now: Instant,
    buffer: Vec<u8>,
}

/// A datagram that left the server.
#[derive(Debug, PartialEq, Eq)]
pub struct Sent {
    pub at: Instant,
    pub to: SocketAddr,
    pub datagram: Vec<u8>,
}

impl Desk {
    pub fn new(settings: Settings) -> Self {
        super::watchdog::progress();
        let now = Instant::from_nanos(1_000_000_000_000);
        Self { server: Server::new(settings, [7; 32], now), now, buffer: vec![0; 65_536] }
    }

    /// The immediate reply.
    pub fn send(&mut self, from: SocketAddr, datagram: &[u8]) -> Option<Vec<u8>> {
        self.send_with_hops(from, Some(60), datagram)
    }

    /// The immediate reply to a datagram that arrives with this TTL.
    pub fn send_with_hops(&mut self, from: SocketAddr, ttl: Option<u8>, datagram: &[u8]) -> Option<Vec<u8>> {
        self.hand_in(from, datagram, |incoming| Incoming { ttl, ..incoming })
    }

    /// The immediate reply to a datagram that waited in the socket.
    pub fn send_waiting(&mut self, from: SocketAddr, waited: Duration, datagram: &[u8]) -> Option<Vec<u8>> {
        let received = self.now - waited;
        self.hand_in(from, datagram, |incoming| Incoming { received, ttl: Some(60), ..incoming })
    }

    /// The immediate reply to a datagram that comes with all that `change` says of it.
    pub fn hand_in(
        &mut self,
        from: SocketAddr,
        datagram: &[u8],
        change: impl FnOnce(Incoming) -> Incoming,
    ) -> Option<Vec<u8>> {
        self.buffer[..datagram.len()].copy_from_slice(datagram);
        let path = Endpoints { remote: from, local: None };
        let incoming = Incoming::new(self.now, path, &mut self.buffer, datagram.len());
        let length = self.server.handle(change(incoming))?;
        Some(self.buffer[..length].to_vec())
    }

    /// Advances the time; returns the replies that leave meanwhile, each when it is due.
    pub fn pass(&mut self, time: Duration) -> Vec<Sent> {
        let end = self.now + time;
        let mut sent = Vec::new();
        while let Some(at) = self.server.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.server.handle_timeout(self.now);
            while let Some(Departure { path, length, .. }) =
                self.server.poll_transmit(self.now, &mut self.buffer)
            {
                let datagram = self.buffer[..length].to_vec();
                sent.push(Sent { at: self.now, to: path.remote, datagram });
            }
        }
        self.now = end;
        sent
    }

    pub fn cookie(&mut self, from: SocketAddr, nonce: u64) -> [u8; 16] {
        cookie_of(self.send(from, &hello(nonce)))
    }

    /// Hello, cookie, open, accept.
    pub fn open(&mut self, from: SocketAddr, nonce: u64, size: u32) -> Result<Token, Deny> {
        handshake(|datagram| self.send(from, datagram), nonce, size)
    }

    /// A session with a history of `remember` outcomes.
    pub fn open_remembering(&mut self, from: SocketAddr, nonce: u64, remember: u32) -> Token {
        let cookie = self.cookie(from, nonce);
        let nonce = Nonce(nonce);
        let open =
            Open { nonce, cookie, size: 64, remember, idle_secs: 60, first_seq: 0, requested_impairment: "" };
        let answer = self.send(from, &emitted(|buffer| open.emit(buffer))).expect("an answer");
        let Ok(Message::Accept(accept)) = decode(&answer) else { panic!("no accept: {answer:?}") };
        accept.token
    }

    pub fn open_with(
        &mut self,
        from: SocketAddr,
        nonce: u64,
        size: u32,
        cookie: [u8; 16],
    ) -> Result<Token, Deny> {
        token_of(self.send(from, &open(nonce, size, cookie)))
    }
}

/// Hello, cookie, open, accept, with a server that `ask` reaches.
pub fn handshake(
    mut ask: impl FnMut(&[u8]) -> Option<Vec<u8>>,
    nonce: u64,
    size: u32,
) -> Result<Token, Deny> {
    let cookie = cookie_of(ask(&hello(nonce)));
    token_of(ask(&open(nonce, size, cookie)))
}

fn cookie_of(answer: Option<Vec<u8>>) -> [u8; 16] {
    let answer = answer.expect("a cookie");
    let Ok(Message::Cookie(Cookie { cookie, .. })) = decode(&answer) else { panic!("no cookie: {answer:?}") };
    cookie
}

fn token_of(answer: Option<Vec<u8>>) -> Result<Token, Deny> {
    match decode(&answer.expect("an answer")) {
        Ok(Message::Accept(Accept { token, .. })) => Ok(token),
        Ok(Message::Deny(deny)) => Err(deny),
        other => panic!("neither accept nor deny: {other:?}"),
    }
}

pub fn hello(nonce: u64) -> Vec<u8> {
    emitted(|buffer| Hello { nonce: Nonce(nonce) }.emit(buffer))
}

pub fn open(nonce: u64, size: u32, cookie: [u8; 16]) -> Vec<u8> {
    let nonce = Nonce(nonce);
    let open =
        Open { nonce, cookie, size, remember: 64, idle_secs: 60, first_seq: 0, requested_impairment: "" };
    emitted(|buffer| open.emit(buffer))
}

pub fn probe(token: Token, seq: u64, size: usize) -> Vec<u8> {
    let mut datagram = vec![0; size];
    Probe { token, seq, sent: Instant::ZERO }.emit(&mut datagram);
    datagram
}

pub fn emitted(emit: impl FnOnce(&mut [u8]) -> usize) -> Vec<u8> {
    let mut buffer = vec![0; 65_536];
    let length = emit(&mut buffer);
    buffer.truncate(length);
    buffer
}

/// The `index`-th public or private address.
pub fn address(public: bool, index: u32) -> SocketAddr {
    let network = if public { 0x0808_0000 } else { 0x0A00_0000 };
    (std::net::Ipv4Addr::from_bits(network + (index >> 12)), 40_000 + (index & 0xFFF) as u16).into()
}
