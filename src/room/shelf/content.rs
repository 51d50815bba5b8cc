//! The content of a file, known by its BLAKE3 hash; tickets that allow one transfer.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The BLAKE3 hash of a whole file, in text 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContentHash(blake3::Hash);

/// Why a text is no hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a BLAKE3 hash has 64 hexadecimal digits")]
pub struct NoHash;

impl ContentHash {
    /// Of bytes in memory.
    pub fn of(bytes: &[u8]) -> Self {
        Self(blake3::hash(bytes))
    }

    /// Of what a hasher has seen.
    pub fn finish(hasher: &blake3::Hasher) -> Self {
        Self(hasher.finalize())
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_hex())
    }
}

impl FromStr for ContentHash {
    type Err = NoHash;
    fn from_str(text: &str) -> Result<Self, NoHash> {
        blake3::Hash::from_hex(text).map(Self).map_err(|_| NoHash)
    }
}

impl TryFrom<String> for ContentHash {
    type Error = NoHash;
    fn try_from(text: String) -> Result<Self, NoHash> {
        text.parse()
    }
}

impl From<ContentHash> for String {
    fn from(hash: ContentHash) -> Self {
        hash.to_string()
    }
}

/// Allows one transfer to the client that shows it: 32 hexadecimal digits that cannot be guessed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ticket(String);

impl Ticket {
    /// The ticket of this number; without the secret no other ticket tells it.
    pub(super) fn draw(secret: &[u8; 32], number: u64) -> Self {
        let hash = blake3::keyed_hash(secret, &number.to_be_bytes());
        Self(hash.to_hex()[..32].to_owned())
    }

    /// As a connection shows it.
    pub(super) fn shown(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// As it is sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
