//! Stateless cookies: proof that a client receives at its address, valid for 15 to 30 s.

use std::net::{IpAddr, SocketAddr};

use crate::reflect::secret::Secret;
use crate::time::{Duration, Instant};
use crate::wire::native::Nonce;

pub(super) struct Cookies {
    secret: Secret,
}

impl Cookies {
    /// A cookie is valid in the epoch of its making and in the next one.
    const EPOCH: Duration = Duration::from_secs(15);
    /// No cookie is valid for longer.
    pub(super) const LIFETIME: Duration = Duration::from_secs(30);

    pub(super) fn new(secret: Secret) -> Self {
        Self { secret }
    }

    pub(super) fn make(&self, now: Instant, remote: SocketAddr, nonce: Nonce) -> [u8; 16] {
        self.of_epoch(Self::epoch(now), remote, nonce)
    }

    pub(super) fn check(&self, now: Instant, remote: SocketAddr, nonce: Nonce, cookie: &[u8; 16]) -> bool {
        let epoch = Self::epoch(now);
        // Compares all bytes, so that the time taken does not tell where they differ.
        [epoch, epoch - 1].into_iter().any(|epoch| {
            let expected = self.of_epoch(epoch, remote, nonce);
            expected.iter().zip(cookie).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
        })
    }

    fn epoch(now: Instant) -> i64 {
        now.as_nanos().div_euclid(Self::EPOCH.as_nanos())
    }

    fn of_epoch(&self, epoch: i64, remote: SocketAddr, nonce: Nonce) -> [u8; 16] {
        let ip = match remote.ip() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        let parts =
            [&epoch.to_be_bytes()[..], &ip.octets(), &remote.port().to_be_bytes(), &nonce.0.to_be_bytes()];
        self.secret.hash("cookie", &parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_valid_for_its_address_and_nonce_for_15_to_30_seconds() {
        let cookies = Cookies::new(Secret::new([7; 32]));
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
        assert!(!Cookies::new(Secret::new([8; 32])).check(start, remote, Nonce(1), &cookie));
    }
}
