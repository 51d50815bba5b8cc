//! HMAC-MD5 over a packet whose own field is zero.

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;

use super::layout::HMAC;

/// The shared secret of both ends.
#[derive(Clone)]
pub struct HmacKey(Hmac<Md5>);

impl HmacKey {
    /// HMAC-MD5 with a secret of any length, as irtt uses it.
    pub fn new(secret: &[u8]) -> Self {
        Self(Hmac::new_from_slice(secret).expect("a key may have any length"))
    }

    /// Whether the HMAC of a packet that has the field is right.
    pub(super) fn verifies(&self, packet: &[u8]) -> bool {
        self.hash(packet).verify_slice(&packet[HMAC]).is_ok()
    }

    fn hash(&self, packet: &[u8]) -> Hmac<Md5> {
        let mut keyed = self.0.clone();
        keyed.update(&packet[..HMAC.start]);
        keyed.update(&[0; 16]);
        keyed.update(&packet[HMAC.end..]);
        keyed
    }

    /// The last thing before a packet leaves.
    pub fn sign(&self, packet: &mut [u8]) {
        let tag = self.hash(packet).finalize().into_bytes();
        packet[HMAC].copy_from_slice(&tag);
    }
}

impl std::fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HmacKey(secret)")
    }
}
