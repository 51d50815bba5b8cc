//! What became of each of a session's newest probes, as far back as was agreed.

use std::ptr;

use crate::wire::native::Fate;

/// A ring of fates, addressed by sequence number. It grows with the session, up to its capacity. What is
/// looked at for each probe comes first.
#[derive(Debug)]
#[repr(C)]
pub struct Fates {
    ring: Box<[u8]>,
    /// Numbers below it are forgotten.
    oldest: u64,
    /// One more than the largest number seen.
    next: u64,
    /// Different probes that arrived and were counted.
    arrived: u64,
    /// Bit k: the probe `next - 1 - k` was counted. It saves most replies 32 looks into the ring.
    recent: u64,
    /// Different probes that came, and those dropped on purpose.
    probes: u64,
    dropped: u64,
    /// The first number expected.
    first: u64,
    capacity: u32,
}

/// What became of a session's probes in all.
#[derive(Clone, Copy, Debug)]
pub struct Tally {
    /// Numbers so far, those that never came included.
    pub numbers: u64,
    /// Different probes that came.
    pub probes: u64,
    /// On purpose.
    pub dropped: u64,
}

const SEEN_TWICE: u8 = 8;

/// How near a probe with this fate came to its reply.
fn progress(fate: Fate) -> u8 {
    match fate {
        Fate::NotSeen | Fate::Forgotten => 0,
        Fate::DroppedUp | Fate::DroppedDown | Fate::Refused | Fate::SendFailed => 1,
        Fate::Held => 2,
        Fate::Answered => 3,
    }
}

/// Whether a probe with this fate is one that arrived, as clients are told.
fn is_counted(fate: Fate) -> bool {
    !matches!(fate, Fate::NotSeen | Fate::DroppedUp | Fate::Forgotten)
}

impl Fates {
    const LEAST: usize = 64;
    /// So many bytes are looked at when a reply leaves.
    #[cfg(test)]
    pub const LOOKED_AT: usize = std::mem::offset_of!(Fates, probes);

    pub fn new(first_seq: u64, capacity: u32) -> Self {
        Self {
            ring: Box::default(),
            oldest: first_seq,
            next: first_seq,
            arrived: 0,
            recent: 0,
            probes: 0,
            dropped: 0,
            first: first_seq,
            capacity: capacity.next_power_of_two(),
        }
    }

    /// Bytes of memory that it takes.
    pub fn bytes(&self) -> usize {
        self.ring.len()
    }

    /// Notes that the probe arrived, with room for so many bytes more to remember it by. None if it
    /// is too old to be remembered; otherwise what was known of it before.
    pub fn arrive(&mut self, seq: u64, room: usize) -> Option<Fate> {
        if seq < self.oldest || seq == u64::MAX {
            return None;
        }
        if seq >= self.next {
            self.advance(seq + 1, room);
        }
        let index = self.index(seq);
        let before = Fate::from_nibble(self.ring[index]);
        if before != Fate::NotSeen {
            self.ring[index] |= SEEN_TWICE;
        }
        Some(before)
    }

    /// Sets the fate of a probe that arrived, unless a copy of it fared better: a duplicate that is
    /// refused or dropped does not undo the reply to the original. A probe dropped on the way up does
    /// not count.
    pub fn set(&mut self, seq: u64, fate: Fate) {
        if seq < self.oldest || seq >= self.next {
            return;
        }
        let index = self.index(seq);
        let before = Fate::from_nibble(self.ring[index]);
        if progress(fate) <= progress(before) {
            return;
        }
        if before == Fate::NotSeen {
            self.probes += 1;
        }
        if is_counted(fate) && !is_counted(before) {
            self.arrived += 1;
            let age = self.next - 1 - seq;
            self.recent |= 1_u64.checked_shl(age.min(64) as u32).unwrap_or(0);
        }
        if matches!(fate, Fate::DroppedUp | Fate::DroppedDown) {
            self.dropped += 1;
        }
        self.ring[index] = self.ring[index] & SEEN_TWICE | fate as u8;
    }

    /// Where the fate of this probe is kept, if it is.
    pub fn address(&self, seq: u64) -> Option<*const u8> {
        (self.oldest..self.next).contains(&seq).then(|| ptr::from_ref(&self.ring[self.index(seq)]))
    }

    /// The nibble that the truth carries.
    pub fn nibble(&self, seq: u64) -> u8 {
        if seq < self.oldest {
            Fate::Forgotten as u8
        } else if seq >= self.next {
            Fate::NotSeen as u8
        } else {
            self.ring[self.index(seq)]
        }
    }

    pub fn tally(&self) -> Tally {
        Tally { numbers: self.next - self.first, probes: self.probes, dropped: self.dropped }
    }

    pub fn arrived(&self) -> u32 {
        self.arrived as u32
    }

    /// Bit k: the probe `seq - 1 - k` was counted.
    pub fn window(&self, seq: u64) -> u32 {
        match self.next.checked_sub(seq) {
            Some(age @ 0..=32) => (self.recent >> age) as u32,
            _ => self.old_window(seq),
        }
    }

    fn old_window(&self, seq: u64) -> u32 {
        let mut window = 0;
        for k in 0..u64::from(u32::BITS).min(seq) {
            let fate = Fate::from_nibble(self.nibble(seq - 1 - k));
            window |= u32::from(is_counted(fate)) << k;
        }
        window
    }

    fn index(&self, seq: u64) -> usize {
        // Lengths are powers of two.
        seq as usize & (self.ring.len() - 1)
    }

    fn advance(&mut self, next: u64, room: usize) {
        let span = next.saturating_sub(self.oldest);
        if span > self.ring.len() as u64 && self.ring.len() < self.capacity as usize {
            self.grow(span, self.ring.len().saturating_add(room));
        }
        let kept_from = next.saturating_sub(self.ring.len() as u64);
        for seq in self.next.max(kept_from)..next {
            let index = self.index(seq);
            self.ring[index] = Fate::NotSeen as u8;
        }
        self.oldest = self.oldest.max(kept_from);
        self.recent = self.recent.checked_shl((next - self.next).min(64) as u32).unwrap_or(0);
        self.next = next;
    }

    /// To what the span takes, as far as there is room; the first few are always remembered.
    fn grow(&mut self, span: u64, room: usize) {
        let wanted = span.min(self.capacity as u64).next_power_of_two() as usize;
        let affordable = 1 << room.max(1).ilog2();
        let length = wanted.min(affordable).max(self.ring.len()).max(Self::LEAST.min(self.capacity as usize));
        let mut ring = vec![Fate::NotSeen as u8; length].into_boxed_slice();
        if !self.ring.is_empty() {
            for seq in self.oldest.max(self.next.saturating_sub(length as u64))..self.next {
                ring[seq as usize & (length - 1)] = self.ring[self.index(seq)];
            }
        }
        self.ring = ring;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn counts_what_arrives_and_shows_the_last_32() {
        let mut fates = Fates::new(0, 64);
        for seq in [0, 1, 3] {
            assert_eq!(fates.arrive(seq, usize::MAX), Some(Fate::NotSeen));
            fates.set(seq, Fate::Answered);
        }
        assert_eq!(fates.arrive(4, usize::MAX), Some(Fate::NotSeen));
        fates.set(4, Fate::DroppedUp);
        assert_eq!(fates.arrived(), 3);
        assert_eq!(fates.window(5), 0b11010);
        assert_eq!(fates.arrive(3, usize::MAX), Some(Fate::Answered));
        assert_eq!(fates.nibble(3), Fate::Answered as u8 | SEEN_TWICE);
    }

    /// A count of 32 bits goes on at zero; numbers have 64.
    #[test]
    fn two_to_the_32_probes_are_no_end() {
        let first = (1 << 32) - 40;
        let mut fates = Fates::new(first, 64);
        fates.arrived = first;
        for seq in (first..first + 80).filter(|seq| seq % 4 != 1) {
            assert_eq!(fates.arrive(seq, usize::MAX), Some(Fate::NotSeen));
            fates.set(seq, Fate::Answered);
            assert_eq!(fates.window(seq), fates.old_window(seq), "seq {seq}");
        }
        assert_eq!(fates.arrived(), 20);
        assert_eq!(fates.nibble((1 << 32) + 1), Fate::NotSeen as u8);
        assert_eq!(fates.nibble(1 << 32), Fate::Answered as u8);
        assert_eq!(fates.nibble(first), Fate::Forgotten as u8);
    }

    #[test]
    fn what_came_before_the_session_is_not_known() {
        let mut fates = Fates::new(100, 64);
        assert_eq!(fates.arrive(99, usize::MAX), None);
        assert_eq!(fates.nibble(99), Fate::Forgotten as u8);
        assert_eq!(fates.nibble(100), Fate::NotSeen as u8);
        assert_eq!(fates.arrive(u64::MAX, usize::MAX), None);
        assert_eq!(fates.arrive(u64::MAX - 1, usize::MAX), Some(Fate::NotSeen));
        assert_eq!(fates.nibble(100), Fate::Forgotten as u8);
    }

    proptest! {
        /// Against a map that forgets nothing: within the capacity both say the same.
        #[test]
        fn remembers_as_far_back_as_agreed(steps in proptest::collection::vec((0_u64..40, 1_u8..7), 1..400)) {
            let mut fates = Fates::new(5, 64);
            let mut oracle = BTreeMap::new();
            let mut newest = 5;
            for (step, fate) in steps {
                let seq = (newest + step).saturating_sub(20);
                let known = fates.arrive(seq, usize::MAX);
                if known == Some(Fate::NotSeen) {
                    newest = newest.max(seq);
                    let fate = Fate::from_nibble(fate);
                    fates.set(seq, fate);
                    oracle.insert(seq, fate);
                }
            }
            for seq in newest.saturating_sub(20).max(5)..=newest + 1 {
                prop_assert_eq!(fates.window(seq), fates.old_window(seq), "seq {}", seq);
            }
            for seq in newest.saturating_sub(63).max(5)..=newest {
                prop_assert_eq!(Fate::from_nibble(fates.nibble(seq)), oracle.get(&seq).copied().unwrap_or_default());
            }
        }
    }

    #[test]
    fn without_room_it_remembers_less_far_back() {
        let mut fates = Fates::new(0, 1 << 20);
        for (seq, room, bytes) in [(0, 0, 64), (99, 0, 64), (100, 100, 128), (9_999, 1000, 1024)] {
            assert_eq!(fates.arrive(seq, room), Some(Fate::NotSeen));
            fates.set(seq, Fate::Answered);
            assert_eq!((fates.bytes(), fates.nibble(seq)), (bytes, Fate::Answered as u8));
        }
        assert_eq!((fates.arrived(), fates.nibble(100)), (4, Fate::Forgotten as u8));
    }
}
