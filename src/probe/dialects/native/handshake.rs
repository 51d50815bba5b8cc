//! The handshake of a native session: hello, cookie, open, accept. It also tries the size of the probes.

use super::super::super::event::{Failure, ServerInfo};
use super::super::super::retry::Retry;
use super::super::super::settings::Dialect;
use crate::printable::printable;
use crate::rng::Stream;
use crate::time::{Duration, Instant};
use crate::wire::native::{Accept, Cookie, Deny, DenyReason, Hello, Nonce, Open, SocketMark, Token};

/// The client's requests to the server.
#[derive(Clone, Debug)]
pub(crate) struct Requested {
    /// Empty for the server's own impairment.
    pub impairment: String,
    pub size: u32,
    pub remember: u32,
    pub idle: Duration,
}

#[derive(Debug)]
pub(crate) struct Handshake {
    requested: Requested,
    first_seq: u64,
    nonce: Nonce,
    cookie: Option<[u8; 16]>,
    /// Cookies in a row that the server gave and did not take.
    refused_cookies: u32,
    retry: Retry,
    beside: Option<Beside>,
}

/// A handshake beside a silent session waits after its cookie: if that session lives, its server answers one
/// of the probes sent since, and the handshake ends.
#[derive(Debug, Default)]
struct Beside {
    cookie_at: Option<Instant>,
    probes: u64,
}

impl Beside {
    const PROBES: u64 = 2;
    const WAIT: Duration = Duration::from_secs(1);
}

/// A session, just opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Accepted {
    pub token: Token,
    pub server: ServerInfo,
    /// The server's socket at that time.
    pub socket: SocketMark,
}

impl Handshake {
    /// With gaps of 0.2, 0.4, 0.8 and then 1 s: three and a half seconds in all.
    const TRIES: u32 = 5;
    /// A server may take no cookie at all: the handshake fails after five.
    const AFTER_BAD_COOKIE: Duration = Duration::from_millis(200);

    /// The `count`-th handshake of a client; each has a nonce of its own.
    pub(crate) fn new(requested: Requested, first_seq: u64, seed: u64, count: u64, now: Instant) -> Self {
        let mut draws = Stream::new(seed, "nonce").at(count);
        let nonce = Nonce(rand::Rng::next_u64(&mut draws));
        let retry = Retry::new(now);
        Self { requested, first_seq, nonce, cookie: None, refused_cookies: 0, retry, beside: None }
    }

    /// The same handshake again at this time, which proves the client's address again.
    pub(crate) fn repeat(&mut self, at: Instant) {
        (self.cookie, self.refused_cookies, self.retry) = (None, 0, Retry::new(at));
    }

    pub(crate) fn is(&self, nonce: Nonce) -> bool {
        self.nonce == nonce
    }

    pub(crate) fn run_beside(&mut self, now: Instant) {
        self.retry = Retry::slow(now);
        self.beside = Some(Beside::default());
    }

    pub(crate) fn is_beside(&self) -> bool {
        self.beside.is_some()
    }

    /// The client sent a probe in the silent session.
    pub(crate) fn probe_sent(&mut self, now: Instant) {
        if let Some(Beside { cookie_at: Some(cookie_at), probes }) = &mut self.beside {
            *probes += 1;
            let waits = self.retry.next() == Instant::FAR_FUTURE;
            if waits && *probes >= Beside::PROBES && now - *cookie_at >= Beside::WAIT {
                self.retry = Retry::new(now);
            }
        }
    }

    pub(crate) fn poll_timeout(&self) -> Instant {
        self.retry.next()
    }

    /// Why it should be given up, if it should.
    pub(crate) fn failure(&self, now: Instant) -> Option<Failure> {
        let silence = self.retry.failure(Self::TRIES, now)?;
        let size_lost = Failure::SizeLost { size: self.requested.size };
        Some(if self.cookie.is_some() { size_lost } else { silence })
    }

    pub(crate) fn poll_transmit(&mut self, now: Instant, buffer: &mut [u8]) -> Option<usize> {
        if !self.retry.is_due(now) {
            return None;
        }
        self.retry.tried(now);
        let nonce = self.nonce;
        Some(match self.cookie {
            None => Hello { nonce }.emit(buffer),
            Some(cookie) => Open {
                nonce,
                cookie,
                size: self.requested.size,
                remember: self.requested.remember,
                idle_secs: u32::try_from(self.requested.idle.as_nanos() / 1_000_000_000).unwrap_or(u32::MAX),
                first_seq: self.first_seq,
                requested_impairment: &self.requested.impairment,
            }
            .emit(buffer),
        })
    }

    pub(crate) fn hear_cookie(&mut self, now: Instant, cookie: &Cookie) {
        if cookie.nonce == self.nonce && self.cookie.is_none() {
            self.cookie = Some(cookie.cookie);
            self.retry = Retry::new(if self.is_beside() { Instant::FAR_FUTURE } else { now });
            self.beside = self.beside.as_ref().map(|_| Beside { cookie_at: Some(now), probes: 0 });
        }
    }

    pub(crate) fn hear_accept(&self, accept: &Accept) -> Option<Accepted> {
        (accept.nonce == self.nonce && accept.size == self.requested.size).then(|| Accepted {
            token: accept.token,
            socket: accept.socket,
            server: ServerInfo {
                dialect: Dialect::Native,
                injects: Some(accept.injects.to_owned()),
                seed: accept.seed,
                max_size: accept.max_size,
                longest_hold: accept.longest_hold,
                kernel_stamps: accept.kernel_stamps,
                session_rate: (accept.session_rate > 0).then_some(accept.session_rate),
                grants_load: accept.grants_load,
                host: accept.host.map(|text| printable(text).into_owned()),
            },
        })
    }

    /// A refusal ends the handshake; after that of an old cookie it begins anew.
    pub(crate) fn hear_deny(&mut self, now: Instant, deny: &Deny) -> Option<Failure> {
        if deny.nonce != self.nonce {
            return None;
        }
        Some(match deny.reason {
            // The network's copy of a denial.
            DenyReason::BadCookie if self.cookie.is_none() => return None,
            DenyReason::BadCookie => {
                let refused = self.refused_cookies + 1;
                self.repeat(now + Self::AFTER_BAD_COOKIE);
                self.refused_cookies = refused;
                if refused < Self::TRIES {
                    return None;
                }
                Failure::CookiesRefused
            }
            DenyReason::TooLarge => Failure::TooLarge { limit: deny.limit },
            DenyReason::TooSmall => Failure::TooSmall { limit: deny.limit },
            DenyReason::Full => Failure::Full { sessions: deny.limit },
            DenyReason::ImpairDenied => Failure::ImpairDenied,
            DenyReason::Other(code) => Failure::Denied { code },
        })
    }
}
