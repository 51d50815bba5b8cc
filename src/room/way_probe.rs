//! The datagrams with which two hosts look for a direct way: signed with the key of their order, so that
//! nothing but the other host is taken for it.

/// From one host of an order to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WayProbe {
    /// The sender is the host that answers; without it an echo of one's own would count.
    pub by_answering: bool,
    /// The sender has heard the other.
    pub heard: bool,
}

impl WayProbe {
    /// Bytes of a datagram.
    pub const LENGTH: usize = 24;
    const MAGIC: [u8; 7] = *b"udpeway";
    const TAG: usize = 16;

    /// The datagram.
    pub fn emit(self, key: &[u8; 32]) -> [u8; Self::LENGTH] {
        let mut datagram = [0; Self::LENGTH];
        datagram[..7].copy_from_slice(&Self::MAGIC);
        datagram[7] = u8::from(self.by_answering) | u8::from(self.heard) << 1;
        let tag = blake3::keyed_hash(key, &datagram[..8]);
        datagram[8..].copy_from_slice(&tag.as_bytes()[..Self::TAG]);
        datagram
    }

    /// None if it is not of this order.
    pub fn parse(key: &[u8; 32], datagram: &[u8]) -> Option<Self> {
        let flags = *datagram.get(7)?;
        let probe = Self { by_answering: flags & 1 != 0, heard: flags & 2 != 0 };
        (datagram == probe.emit(key)).then_some(probe)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_probe_is_read_with_its_key_alone() {
        for (by_answering, heard) in [(false, false), (false, true), (true, false), (true, true)] {
            let probe = WayProbe { by_answering, heard };
            let datagram = probe.emit(&[7; 32]);
            assert_eq!(WayProbe::parse(&[7; 32], &datagram), Some(probe));
            assert_eq!(WayProbe::parse(&[8; 32], &datagram), None);
        }
    }

    proptest! {
        #[test]
        fn no_other_datagram_is_one(datagram in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(WayProbe::parse(&[7; 32], &datagram), None);
        }
    }
}
