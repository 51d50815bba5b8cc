//! The knock at a port and its answer: both signed with the key of the order, so that nothing but the other host
//! counts as an answer, and nobody else gets one.

/// A knock, or the answer to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortKnock {
    /// At which the knocking host knocks.
    pub port: u16,
    /// An echo of the knock itself is no answer.
    pub is_answer: bool,
}

impl PortKnock {
    /// Bytes of either.
    pub const LENGTH: usize = 24;
    const MAGIC: [u8; 5] = *b"udpep";
    const HEAD: usize = 8;

    /// The bytes to send.
    pub fn emit(self, key: &[u8; 32]) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        bytes[..5].copy_from_slice(&Self::MAGIC);
        bytes[5] = u8::from(self.is_answer);
        bytes[6..Self::HEAD].copy_from_slice(&self.port.to_be_bytes());
        let tag = blake3::keyed_hash(key, &bytes[..Self::HEAD]);
        bytes[Self::HEAD..].copy_from_slice(&tag.as_bytes()[..Self::LENGTH - Self::HEAD]);
        bytes
    }

    /// None if it is not of this order.
    pub fn parse(key: &[u8; 32], bytes: &[u8]) -> Option<Self> {
        let (head, _) = bytes.split_first_chunk::<{ Self::HEAD }>()?;
        let knock = Self { port: u16::from_be_bytes([head[6], head[7]]), is_answer: head[5] != 0 };
        (bytes == knock.emit(key)).then_some(knock)
    }

    /// The answer of the listening host to what came to it.
    pub fn answer_to(key: &[u8; 32], bytes: &[u8]) -> Option<[u8; Self::LENGTH]> {
        let knock = Self::parse(key, bytes).filter(|knock| !knock.is_answer)?;
        Some(Self { is_answer: true, ..knock }.emit(key))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: [u8; 32] = [7; 32];

    #[test]
    fn a_knock_is_answered_with_its_key_alone_and_an_answer_is_not() {
        let knock = PortKnock { port: 33_000, is_answer: false };
        let answer = PortKnock::answer_to(&KEY, &knock.emit(&KEY)).unwrap();
        assert_eq!(PortKnock::parse(&KEY, &answer), Some(PortKnock { is_answer: true, ..knock }));
        assert_eq!(PortKnock::answer_to(&KEY, &answer), None);
        assert_eq!(PortKnock::answer_to(&[8; 32], &knock.emit(&KEY)), None);
        assert_eq!(PortKnock::parse(&[8; 32], &answer), None);
        assert_eq!(PortKnock::parse(&KEY, &answer[..23]), None);
    }

    proptest! {
        #[test]
        fn nothing_else_is_answered(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(PortKnock::answer_to(&KEY, &bytes), None);
        }
    }
}
