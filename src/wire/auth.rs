//! Sealed datagrams: a native message and an HMAC tag that only holders of the key can make.
//!
//! ```text
//! +---------------------------------------------------------------+
//! |    head: the first 56 bytes, or the whole shorter message     |
//! +---------------------------------------------------------------+
//! |        rest: the payload of a probe and of its reply          |
//! +---------------------------------------------------------------+
//! |   tag (16): HMAC-SHA-256 of the rest followed by the head,    |
//! |                   truncated to 16 bytes                       |
//! |                                                               |
//! |                                                               |
//! +---------------------------------------------------------------+
//! ```
//!
//! The rest is hashed first, so its hash can be reused: all probes of a run have the same rest, and a
//! reply has the rest of its probe. The agreed size includes the tag.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::native::MIN_SIZE;

/// Bytes that sealing adds.
pub const TAG: usize = 16;
const HEAD: usize = MIN_SIZE as usize;

/// The secret that both ends share.
#[derive(Clone)]
pub struct Key {
    keyed: Hmac<Sha256>,
    secret: [u8; 32],
}

/// The hash state after the rest of a message; the head completes it.
#[derive(Clone)]
pub struct Rest(Hmac<Sha256>);

/// The text is not a key. The message does not show the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key is 64 hexadecimal digits, as udpecho keygen prints them")]
pub struct NoKey;

impl Key {
    /// The key with these 32 bytes.
    pub fn new(secret: &[u8; 32]) -> Self {
        Self { keyed: Hmac::new_from_slice(secret).expect("a key may have any length"), secret: *secret }
    }

    /// For dialects with tags of their own.
    pub(crate) fn secret(&self) -> &[u8; 32] {
        &self.secret
    }

    /// Reads a key as `udpecho keygen` writes it: 64 hexadecimal digits.
    pub fn parse(text: &str) -> Result<Self, NoKey> {
        let digits = text.trim().as_bytes();
        let mut secret = [0; 32];
        if digits.len() != 2 * secret.len() {
            return Err(NoKey);
        }
        for (byte, pair) in secret.iter_mut().zip(digits.chunks_exact(2)) {
            let value = |digit: u8| char::from(digit).to_digit(16).ok_or(NoKey);
            *byte = u8::try_from(value(pair[0])? << 4 | value(pair[1])?).map_err(|_| NoKey)?;
        }
        Ok(Self::new(&secret))
    }

    /// A further secret of those who have the key, for this purpose alone.
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        self.keyed.clone().chain_update(purpose).finalize().into_bytes().into()
    }

    /// The hash state after the bytes behind the head of this message.
    pub fn rest(&self, message: &[u8]) -> Rest {
        let mut keyed = self.keyed.clone();
        keyed.update(message.get(HEAD..).unwrap_or_default());
        Rest(keyed)
    }

    /// Appends the tag to the message in `buffer[..length]`; returns the length with it.
    pub fn seal(&self, buffer: &mut [u8], length: usize) -> usize {
        self.rest(&buffer[..length]).seal(buffer, length)
    }

    /// The length of the message in this datagram and the hash state of its rest, if the tag is right.
    pub fn open(&self, datagram: &[u8]) -> Option<(usize, Rest)> {
        let length = datagram.len().checked_sub(TAG)?;
        let rest = self.rest(&datagram[..length]);
        rest.opens(datagram).then_some((length, rest))
    }
}

impl Rest {
    /// As `Key::seal`, for a message with this rest.
    pub fn seal(&self, buffer: &mut [u8], length: usize) -> usize {
        let tag = self.with_head(&buffer[..length]).finalize().into_bytes();
        buffer[length..length + TAG].copy_from_slice(&tag[..TAG]);
        length + TAG
    }

    /// Whether the tag of a datagram with this rest is right. Takes the same time wherever it differs.
    pub fn opens(&self, datagram: &[u8]) -> bool {
        let Some((message, tag)) = datagram.split_last_chunk::<TAG>() else { return false };
        self.with_head(message).verify_truncated_left(tag).is_ok()
    }

    fn with_head(&self, message: &[u8]) -> Hmac<Sha256> {
        let mut keyed = self.0.clone();
        keyed.update(&message[..message.len().min(HEAD)]);
        keyed
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(secret)")
    }
}

impl std::fmt::Debug for Rest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rest(secret)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn only_datagrams_sealed_with_the_key_open(
            message in proptest::collection::vec(any::<u8>(), 0..300), flipped: prop::sample::Index, bit in 0_u8..8,
        ) {
            let (key, other) = (Key::new(&[7; 32]), Key::new(&[8; 32]));
            let mut datagram = message.clone();
            datagram.resize(message.len() + TAG, 0);
            prop_assert_eq!(key.seal(&mut datagram, message.len()), datagram.len());
            prop_assert_eq!(&datagram[..message.len()], &message[..]);
            let (length, rest) = key.open(&datagram).expect("a sealed datagram");
            prop_assert_eq!(length, message.len());
            prop_assert!(rest.opens(&datagram));
            prop_assert!(other.open(&datagram).is_none());
            prop_assert!(key.open(&datagram[..datagram.len() - 1]).is_none());
            datagram[flipped.index(message.len() + TAG)] ^= 1 << bit;
            prop_assert!(key.open(&datagram).is_none());
        }

        #[test]
        fn arbitrary_bytes_do_not_open(datagram in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Key::new(&[7; 32]).open(&datagram).is_none());
        }
    }

    /// From Python: `hmac.new(bytes(range(32)), b'r' * 8 + b'h' * 56, 'sha256').digest()[:16]`.
    #[test]
    fn the_tag_is_hmac_sha_256_of_the_rest_and_the_head() {
        let secret: [u8; 32] = std::array::from_fn(|index| index as u8);
        let mut buffer = [vec![b'h'; 56], vec![b'r'; 8], vec![0; TAG]].concat();
        assert_eq!(Key::new(&secret).seal(&mut buffer, 64), 80);
        assert_eq!(
            buffer[64..],
            [0x54, 0xBD, 0xBC, 0x03, 0xCF, 0xEC, 0x59, 0x69, 0x53, 0x9B, 0xA9, 0xDE, 0x24, 0x52, 0xE3, 0x80]
        );
    }

    #[test]
    fn a_key_is_parsed_and_never_printed() {
        let digits = "00".repeat(31) + "fF";
        let key = Key::parse(&format!(" {digits}\n")).unwrap();
        assert_eq!(format!("{key:?}"), "Key(secret)");
        let mut secret = [0; 32];
        secret[31] = 255;
        let mut datagram = [0; 40];
        let length = Key::new(&secret).seal(&mut datagram, 20);
        assert!(key.open(&datagram[..length]).is_some());
        for bad in ["", "00", &digits[1..], &"+0".repeat(32), &"xy".repeat(32), &format!("{digits}00")] {
            assert_eq!(Key::parse(bad).unwrap_err(), NoKey);
        }
        assert!(!format!("{:?} {}", Key::parse("hunter2"), NoKey).contains("hunter2"));
    }
}
