//! Packets that came more than once (RFC 5560), in one direction; keep one of these for each.
//!
//! Up, a packet is a probe and its copies are those the server saw; down, a packet is a reply and
//! its copies are those the client saw.

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Duplication {
    arrived: u64,
    copies: u64,
    replicated: u64,
}

impl Duplication {
    /// Counts the copies of one packet, the first included; a lost packet does not count.
    pub(crate) fn record(&mut self, copies: u32) {
        self.arrived += u64::from(copies > 0);
        self.copies += u64::from(copies);
        self.replicated += u64::from(copies > 1);
    }

    /// Counts several packets with `copies` copies in all, at least one of each. Which of them were replicated
    /// is unknown: the most that is possible is counted.
    pub(crate) fn record_packets(&mut self, packets: u32, copies: u32) {
        self.arrived += u64::from(packets);
        self.copies += u64::from(copies);
        self.replicated += u64::from(packets.min(copies - packets));
    }

    /// None if no packet is known to have arrived.
    pub(crate) fn known_duplicates(&self) -> Option<u64> {
        (self.arrived > 0).then(|| self.duplicates())
    }

    /// Copies beyond the first.
    pub(crate) fn duplicates(&self) -> u64 {
        self.copies - self.arrived
    }

    /// Copies beyond the first, for each packet that arrived: 1 if all came twice.
    pub(crate) fn rate(&self) -> Option<f64> {
        self.share(self.duplicates())
    }

    /// The share of the packets that arrived which came more than once, however often.
    pub(crate) fn replicated(&self) -> Option<f64> {
        self.share(self.replicated)
    }

    fn share(&self, part: u64) -> Option<f64> {
        (self.arrived > 0).then(|| part as f64 / self.arrived as f64)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// From the packets as they arrive, by their numbers.
    fn of(arrivals: &[u32]) -> Duplication {
        let mut copies = HashMap::new();
        arrivals.iter().for_each(|seq| *copies.entry(seq).or_insert(0) += 1);
        let mut duplication = Duplication::default();
        copies.values().for_each(|copies| duplication.record(*copies));
        duplication
    }

    #[test]
    fn rfc_5560() {
        for (arrivals, rate, replicated) in [
            (&[1, 2, 3, 4][..], 0.0, 0.0),
            (&[1, 1, 2, 2, 3, 3, 4, 4], 1.0, 1.0),
            (&[1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4], 2.0, 1.0),
            (&[1, 1, 1, 2, 3, 3, 3, 4], 1.0, 0.5),
        ] {
            assert_eq!(of(arrivals).rate(), Some(rate), "{arrivals:?}");
            assert_eq!(of(arrivals).replicated(), Some(replicated), "{arrivals:?}");
        }
    }

    #[test]
    fn packets_recorded_together_add_up_as_those_recorded_alone() {
        let mut duplication = Duplication::default();
        duplication.record_packets(1, 3);
        duplication.record_packets(2, 4);
        duplication.record_packets(1, 1);
        assert_eq!(duplication.known_duplicates(), Some(4));
        assert_eq!((duplication.rate(), duplication.replicated()), (Some(1.0), Some(0.75)));
        assert_eq!(Duplication::default().known_duplicates(), None);
    }

    #[test]
    fn a_lost_packet_has_no_say() {
        let mut duplication = Duplication::default();
        duplication.record(0);
        assert_eq!((duplication.rate(), duplication.replicated(), duplication.duplicates()), (None, None, 0));
    }

    proptest! {
        #[test]
        fn agrees_with_the_arrivals(arrivals in vec(0_u32..30, 1..100)) {
            let mut distinct = arrivals.clone();
            distinct.sort_unstable();
            distinct.dedup();
            let duplication = of(&arrivals);
            prop_assert_eq!(duplication.duplicates(), (arrivals.len() - distinct.len()) as u64);
            let often = |seq: &&u32| arrivals.iter().filter(|other| other == seq).count() > 1;
            let replicated = distinct.iter().filter(often).count() as f64 / distinct.len() as f64;
            prop_assert_eq!(duplication.replicated(), Some(replicated));
        }
    }
}
