//! The server's secret: every cookie, token and seed is a keyed hash of it.

#[derive(Clone)]
pub(super) struct Secret([u8; 32]);

impl Secret {
    pub(super) fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    /// A number that cannot be foretold without the secret.
    pub(super) fn derive(&self, purpose: &str, count: u64) -> u64 {
        let hash = self.hash(purpose, &[&count.to_be_bytes()]);
        u64::from_be_bytes(hash[..8].try_into().expect("eight bytes"))
    }

    pub(super) fn hash(&self, purpose: &str, parts: &[&[u8]]) -> [u8; 16] {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(purpose.as_bytes());
        for part in parts {
            hasher.update(part);
        }
        hasher.finalize().as_bytes()[..16].try_into().expect("sixteen bytes")
    }
}
