//! Cookies without state: proof that a client receives at its address, good for half a minute.
//!
//! Tokens and seeds come from the same secret, so a server needs the operating system's random
//! source once, when it starts.

use std::net::{IpAddr, SocketAddr};

use crate::time::{Duration, Instant};
use crate::wire::native::{Nonce, Token};

pub struct Cookies {
    secret: [u8; 32],
}

impl Cookies {
    /// A cookie is good in the epoch it was made in and the next.
    const EPOCH: Duration = Duration::from_secs(15);
    /// No cookie is good for longer.
    pub const LIFETIME: Duration = Duration::from_secs(30);

    pub fn new(secret: [u8; 32]) -> Self {
        Self { secret }
    }

    pub fn make(&self, now: Instant, remote: SocketAddr, nonce: Nonce) -> [u8; 16] {
        self.of_epoch(Self::epoch(now), remote, nonce)
    }

    pub fn check(&self, now: Instant, remote: SocketAddr, nonce: Nonce, cookie: &[u8; 16]) -> bool {
        let epoch = Self::epoch(now);
        // All bytes are looked at, so the time taken does not tell where they differ.
        [epoch, epoch - 1].into_iter().any(|epoch| {
            let expected = self.of_epoch(epoch, remote, nonce);
            expected.iter().zip(cookie).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
        })
    }

    /// The `count`-th name for a session.
    pub fn token(&self, count: u128) -> Token {
        Token(self.hash("token", &count.to_be_bytes()))
    }

    pub fn derive(&self, purpose: &str, count: u64) -> u64 {
        self.hash(purpose, &count.to_be_bytes())
    }

    fn hash(&self, purpose: &str, count: &[u8]) -> u64 {
        let mut hasher = blake3::Hasher::new_keyed(&self.secret);
        hasher.update(purpose.as_bytes()).update(count);
        let hash = hasher.finalize();
        u64::from_be_bytes(hash.as_bytes()[..8].try_into().expect("eight bytes"))
    }

    fn epoch(now: Instant) -> i64 {
        now.as_nanos().div_euclid(Self::EPOCH.as_nanos())
    }

    fn of_epoch(&self, epoch: i64, remote: SocketAddr, nonce: Nonce) -> [u8; 16] {
        let ip = match remote.ip() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        let mut hasher = blake3::Hasher::new_keyed(&self.secret);
        hasher.update(b"cookie").update(&epoch.to_be_bytes()).update(&ip.octets());
        hasher.update(&remote.port().to_be_bytes()).update(&nonce.0.to_be_bytes());
        hasher.finalize().as_bytes()[..16].try_into().expect("sixteen bytes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_good_for_its_address_and_nonce_and_for_a_while() {
        let cookies = Cookies::new([7; 32]);
        let start = Instant::from_nanos(1_000_000_000_000);
        let remote: SocketAddr = "192.0.2.1:5000".parse().unwrap();
        let cookie = cookies.make(start, remote, Nonce(1));
        let check = |after, remote: &str, nonce| {
            cookies.check(start + Duration::from_secs(after), remote.parse().unwrap(), nonce, &cookie)
        };
        assert!(check(0, "192.0.2.1:5000", Nonce(1)));
        assert!(check(14, "192.0.2.1:5000", Nonce(1)));
        assert!(!check(31, "192.0.2.1:5000", Nonce(1)));
        assert!(!check(0, "192.0.2.1:5001", Nonce(1)));
        assert!(!check(0, "192.0.2.2:5000", Nonce(1)));
        assert!(!check(0, "192.0.2.1:5000", Nonce(2)));
        assert!(!Cookies::new([8; 32]).check(start, remote, Nonce(1), &cookie));
    }
}
