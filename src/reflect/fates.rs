//! What became of each of a session's newest probes, as far back as was agreed.
//!
//! A probe takes the same time whatever number it has: the window of numbers moves without clearing
//! what it leaves behind, and memory is taken by the block of numbers, for blocks of which a probe
//! arrived. Without a key a number may be corrupted, so one probe alone moves the window by half of
//! it at most, and back not at all. A number out of the window is noted; a second one near it, the next
//! to arrive, moves the window there.

use super::blocks::Blocks;
use crate::wire::native::ProbeStatus;

/// The fates of the probes in a window of numbers.
#[derive(Debug)]
pub struct Fates {
    /// Those of the block of numbers that the newest probe is in. Empty if there was no memory for it.
    newest: Box<[u8]>,
    /// Numbers below it are forgotten.
    oldest: u64,
    /// One more than the largest number in the window.
    next: u64,
    /// Bit k: the probe `next - 1 - k` was counted. It saves most replies 32 looks into the blocks.
    recent: u64,
    /// The length of a block and that of the window, as powers of two.
    block_bits: u8,
    window_bits: u8,
    /// Whether `aside` notes a number out of the window.
    has_outlier: bool,
    /// Different probes that came, and those dropped on purpose.
    probes: u64,
    dropped: u64,
    /// The first number expected.
    first: u64,
    /// Allocated when it is needed: many sessions are short and in order.
    aside: Option<Box<Aside>>,
}

#[derive(Debug, Default)]
struct Aside {
    blocks: Blocks,
    /// The last number out of the window, and what became of its probe.
    outlier: u64,
    outlier_fate: u8,
}

/// How far ahead of the newest number one probe is believed to be.
#[derive(Clone, Copy, Debug)]
pub enum Trust {
    /// The key vouches for its number.
    Sealed,
    /// As many probes may have been sent since the last one came.
    Within(u64),
}

/// What an arriving probe is to its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// In the window; what was known of it before.
    Known(ProbeStatus),
    /// Too old to be remembered.
    Forgotten,
    /// So far from the window that its number may be corrupted; it moves nothing.
    Outlier,
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
fn progress(fate: ProbeStatus) -> u8 {
    match fate {
        ProbeStatus::NotSeen | ProbeStatus::Forgotten => 0,
        ProbeStatus::DroppedUp
        | ProbeStatus::DroppedDown
        | ProbeStatus::Refused
        | ProbeStatus::SendFailed => 1,
        ProbeStatus::Held => 2,
        ProbeStatus::Answered => 3,
    }
}

/// Whether a probe with this fate is one that arrived, as clients are told.
fn is_counted(fate: ProbeStatus) -> bool {
    !matches!(fate, ProbeStatus::NotSeen | ProbeStatus::DroppedUp | ProbeStatus::Forgotten)
}

/// Takes over the fate unless a copy of the probe fared better: a duplicate that is refused or dropped
/// does not undo the reply to the original. Returns what was known before, if it changed.
fn improve(place: &mut u8, fate: ProbeStatus) -> Option<ProbeStatus> {
    let before = ProbeStatus::from_nibble(*place);
    let improves = progress(fate) > progress(before);
    if improves {
        *place = *place & SEEN_TWICE | fate as u8;
    }
    improves.then_some(before)
}

impl Fates {
    const SHORTEST_BLOCK_BITS: u32 = 6;
    pub fn new(first_seq: u64, window: u32) -> Self {
        let window_bits = window.next_power_of_two().ilog2();
        // Twice the square root: neither a block nor the table of all of them is large.
        let block_bits = (window_bits / 2 + 1).max(Self::SHORTEST_BLOCK_BITS).min(window_bits);
        Self {
            newest: Box::default(),
            oldest: first_seq,
            next: first_seq,
            recent: 0,
            block_bits: block_bits as u8,
            window_bits: window_bits as u8,
            has_outlier: false,
            probes: 0,
            dropped: 0,
            first: first_seq,
            aside: None,
        }
    }

    /// Bytes of memory that it takes.
    pub fn bytes(&self) -> usize {
        let aside = self.aside.as_ref().map_or(0, |aside| size_of::<Aside>() + aside.blocks.bytes());
        self.newest.len() + aside
    }

    /// Whether more memory may be needed when this probe arrives.
    pub fn may_grow(&self, seq: u64) -> bool {
        self.newest.is_empty() || self.block_of(seq) != self.block_of(self.next - 1)
    }

    /// Notes that the probe arrived, with room for so many bytes more to remember it by.
    pub fn arrive(&mut self, seq: u64, trust: Trust, room: usize) -> Arrival {
        let limit = self.bytes().saturating_add(room);
        if seq == u64::MAX || (seq < self.oldest && !self.is_out_of_window(seq, trust)) {
            return Arrival::Forgotten;
        }
        if self.is_out_of_window(seq, trust) && !self.is_near_outlier(seq, trust) {
            return self.note_outlier(seq);
        }
        if let Some((outlier, fate)) = self.take_outlier()
            && self.is_out_of_window(seq, trust)
        {
            self.move_window(outlier.min(seq), outlier.max(seq) + 1, limit);
            self.note(outlier, limit);
            self.set(outlier, ProbeStatus::from_nibble(fate));
        } else if seq >= self.next {
            self.advance(seq + 1, limit);
        }
        Arrival::Known(self.note(seq, limit))
    }

    /// Sets the fate of a probe that arrived. One that was dropped on the way up does not count.
    pub fn set(&mut self, seq: u64, fate: ProbeStatus) {
        if let Some(place) = self.outlier_mut(seq) {
            improve(place, fate);
            return;
        }
        let Some(before) = self.place_mut(seq).and_then(|place| improve(place, fate)) else { return };
        if before == ProbeStatus::NotSeen {
            self.probes += 1;
        }
        if is_counted(fate) && !is_counted(before) {
            let age = self.next - 1 - seq;
            self.recent |= 1_u64.checked_shl(age.min(64) as u32).unwrap_or(0);
        }
        if matches!(fate, ProbeStatus::DroppedUp | ProbeStatus::DroppedDown) {
            self.dropped += 1;
        }
    }

    /// The nibble that the truth carries.
    pub fn nibble(&self, seq: u64) -> u8 {
        if let Some(aside) = self.aside.as_ref().filter(|aside| self.has_outlier && aside.outlier == seq) {
            aside.outlier_fate
        } else if seq < self.oldest {
            ProbeStatus::Forgotten as u8
        } else {
            self.place(seq).copied().unwrap_or(ProbeStatus::NotSeen as u8)
        }
    }

    pub fn tally(&self) -> Tally {
        Tally { numbers: self.next - self.first, probes: self.probes, dropped: self.dropped }
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
            let fate = ProbeStatus::from_nibble(self.nibble(seq - 1 - k));
            window |= u32::from(is_counted(fate)) << k;
        }
        window
    }

    /// Gives back the memory of all outcomes; returns how much that was.
    pub fn forget(&mut self) -> usize {
        let bytes = self.bytes();
        self.oldest = self.next;
        self.newest = Box::default();
        self.aside = None;
        self.has_outlier = false;
        bytes
    }

    fn length(&self) -> u64 {
        1 << self.window_bits
    }

    const fn block_of(&self, seq: u64) -> u64 {
        seq >> self.block_bits
    }

    const fn at(&self, seq: u64) -> usize {
        seq as usize & ((1 << self.block_bits) - 1)
    }

    /// How far one probe may move the window.
    fn reach(&self, within: u64) -> u64 {
        within.min(self.length() / 2)
    }

    fn is_out_of_window(&self, seq: u64, trust: Trust) -> bool {
        match trust {
            Trust::Sealed => false,
            Trust::Within(_) if seq < self.next => {
                seq < self.first.max(self.next.saturating_sub(self.length()))
            }
            Trust::Within(within) => seq - self.next >= self.reach(within),
        }
    }

    fn is_near_outlier(&self, seq: u64, trust: Trust) -> bool {
        let Some(aside) = self.aside.as_ref().filter(|_| self.has_outlier) else { return false };
        let Trust::Within(within) = trust else { return false };
        seq != aside.outlier && seq.abs_diff(aside.outlier) <= self.reach(within)
    }

    fn note_outlier(&mut self, seq: u64) -> Arrival {
        let is_known = self.has_outlier;
        self.has_outlier = true;
        let aside = self.aside.get_or_insert_default();
        if is_known && aside.outlier == seq {
            aside.outlier_fate |= SEEN_TWICE;
        } else {
            (aside.outlier, aside.outlier_fate) = (seq, ProbeStatus::NotSeen as u8);
        }
        Arrival::Outlier
    }

    fn take_outlier(&mut self) -> Option<(u64, u8)> {
        let aside = self.aside.as_ref().filter(|_| self.has_outlier)?;
        self.has_outlier = false;
        Some((aside.outlier, aside.outlier_fate))
    }

    fn outlier_mut(&mut self, seq: u64) -> Option<&mut u8> {
        let aside = self.aside.as_mut().filter(|aside| self.has_outlier && aside.outlier == seq)?;
        Some(&mut aside.outlier_fate)
    }

    fn place(&self, seq: u64) -> Option<&u8> {
        let place = self.at(seq);
        if !(self.oldest..self.next).contains(&seq) {
            return None;
        }
        if self.block_of(seq) == self.block_of(self.next - 1) {
            return self.newest.get(place);
        }
        self.aside.as_ref()?.blocks.get(self.block_of(seq))?.get(place)
    }

    fn place_mut(&mut self, seq: u64) -> Option<&mut u8> {
        let (block, place) = (self.block_of(seq), self.at(seq));
        if !(self.oldest..self.next).contains(&seq) {
            return None;
        }
        if block == self.block_of(self.next - 1) {
            return self.newest.get_mut(place);
        }
        self.aside.as_mut()?.blocks.get_mut(block)?.get_mut(place)
    }

    /// Notes a probe in the window; returns what was known of it before.
    fn note(&mut self, seq: u64, limit: usize) -> ProbeStatus {
        if self.place(seq).is_none() {
            self.remember_block(self.block_of(seq), limit);
        }
        let Some(place) = self.place_mut(seq) else {
            self.probes += 1;
            return ProbeStatus::NotSeen;
        };
        let before = ProbeStatus::from_nibble(*place);
        if before != ProbeStatus::NotSeen {
            *place |= SEEN_TWICE;
        }
        before
    }

    /// Moves the window to another place, so that it reaches from one number to the other.
    fn move_window(&mut self, first: u64, next: u64, limit: usize) {
        if first < self.next {
            // What is known of larger numbers is not known of those to come.
            self.forget();
            (self.first, self.oldest, self.next, self.recent) = (first, first, first, 0);
        }
        self.advance(next, limit);
    }

    fn advance(&mut self, next: u64, limit: usize) {
        let block = self.block_of(next - 1);
        let before = self.block_of(self.next.saturating_sub(1));
        self.recent = self.recent.checked_shl((next - self.next).min(64) as u32).unwrap_or(0);
        self.next = next;
        self.oldest = self.oldest.max(next.saturating_sub(self.length()));
        if block != before && !self.newest.is_empty() {
            let newest = std::mem::take(&mut self.newest);
            // A slot costs less than a block, for which there was room.
            if let Some(again) = self.put_aside(before, newest, limit) {
                self.newest = again;
                self.newest.fill(ProbeStatus::NotSeen as u8);
            }
        }
    }

    /// Takes memory for a block, from the oldest one if there is no more; without any, what came
    /// so far is forgotten.
    fn remember_block(&mut self, number: u64, limit: usize) {
        let is_newest = number == self.block_of(self.next - 1);
        let Some(block) = self.take_memory(number, limit) else {
            self.forget_below((number + 1) << self.block_bits);
            return;
        };
        if is_newest {
            self.newest = block;
        } else {
            self.put_aside(number, block, limit);
        }
    }

    fn take_memory(&mut self, number: u64, limit: usize) -> Option<Box<[u8]>> {
        let length = 1 << self.block_bits;
        if self.bytes() + length + size_of::<Aside>() <= limit {
            return Some(vec![ProbeStatus::NotSeen as u8; length].into_boxed_slice());
        }
        let (lowest, mut block) = self.aside.as_mut()?.blocks.take_lowest()?;
        if lowest > number {
            self.aside.as_mut()?.blocks.put(lowest, block);
            return None;
        }
        self.forget_below((lowest + 1) << self.block_bits);
        block.fill(ProbeStatus::NotSeen as u8);
        Some(block)
    }

    /// Puts a block among the older ones. Returns one that is needed no more, if it took its slot.
    fn put_aside(&mut self, number: u64, block: Box<[u8]>, limit: usize) -> Option<Box<[u8]>> {
        let oldest = self.block_of(self.oldest);
        let room = limit.saturating_sub(self.bytes());
        let blocks = &mut self.aside.get_or_insert_default().blocks;
        let Some(rival) = blocks.rival(number).filter(|rival| *rival >= oldest) else {
            return blocks.put(number, block);
        };
        if blocks.growth(number, rival) <= room {
            blocks.part(number, rival);
            return blocks.put(number, block);
        }
        let returned = if rival < number { blocks.put(number, block) } else { Some(block) };
        self.forget_below((rival.min(number) + 1) << self.block_bits);
        returned
    }

    fn forget_below(&mut self, seq: u64) {
        self.oldest = self.oldest.max(seq.min(self.next));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const NEAR: Trust = Trust::Within(32);
    const NEW: Arrival = Arrival::Known(ProbeStatus::NotSeen);

    #[test]
    fn counts_what_arrives_and_shows_the_last_32() {
        let mut fates = Fates::new(0, 64);
        for seq in [0, 1, 3] {
            assert_eq!(fates.arrive(seq, NEAR, usize::MAX), NEW);
            fates.set(seq, ProbeStatus::Answered);
        }
        assert_eq!(fates.arrive(4, NEAR, usize::MAX), NEW);
        fates.set(4, ProbeStatus::DroppedUp);
        assert_eq!(fates.window(5), 0b11010);
        assert_eq!(fates.arrive(3, NEAR, usize::MAX), Arrival::Known(ProbeStatus::Answered));
        assert_eq!(fates.nibble(3), ProbeStatus::Answered as u8 | SEEN_TWICE);
    }

    /// A count of 32 bits goes on at zero; numbers have 64.
    #[test]
    fn two_to_the_32_probes_are_no_end() {
        let first = (1 << 32) - 40;
        let mut fates = Fates::new(first, 64);
        for seq in (first..first + 80).filter(|seq| seq % 4 != 1) {
            assert_eq!(fates.arrive(seq, NEAR, usize::MAX), NEW);
            fates.set(seq, ProbeStatus::Answered);
            assert_eq!(fates.window(seq), fates.old_window(seq), "seq {seq}");
        }
        assert_eq!(fates.nibble((1 << 32) + 1), ProbeStatus::NotSeen as u8);
        assert_eq!(fates.nibble(1 << 32), ProbeStatus::Answered as u8);
        assert_eq!(fates.nibble(first), ProbeStatus::Forgotten as u8);
    }

    #[test]
    fn what_came_before_the_session_is_not_known() {
        let mut fates = Fates::new(100, 64);
        assert_eq!(fates.arrive(99, NEAR, usize::MAX), Arrival::Outlier);
        assert_eq!(fates.nibble(98), ProbeStatus::Forgotten as u8);
        assert_eq!(fates.nibble(100), ProbeStatus::NotSeen as u8);
        assert_eq!(fates.arrive(99, Trust::Sealed, usize::MAX), Arrival::Forgotten);
        assert_eq!(fates.arrive(u64::MAX, Trust::Sealed, usize::MAX), Arrival::Forgotten);
        assert_eq!(fates.arrive(u64::MAX - 1, Trust::Sealed, usize::MAX), NEW);
        assert_eq!(fates.nibble(100), ProbeStatus::Forgotten as u8);
    }

    /// A number that one probe bears alone moves nothing; a second one near it moves the window there.
    #[test]
    fn two_probes_in_a_row_move_the_window_where_they_are() {
        for far in [1_u64 << 40, 1 << 62] {
            let mut fates = Fates::new(1000, 64);
            let mut answer = |seq| {
                let arrival = fates.arrive(seq, NEAR, usize::MAX);
                fates.set(seq, ProbeStatus::Answered);
                (arrival, fates.nibble(seq), fates.tally().probes)
            };
            let answered = ProbeStatus::Answered as u8;
            assert_eq!(answer(1000), (NEW, answered, 1));
            assert_eq!(answer(far), (Arrival::Outlier, answered, 1));
            assert_eq!(answer(1001), (NEW, answered, 2));
            assert_eq!(answer(far + 1), (Arrival::Outlier, answered, 2));
            assert_eq!(answer(far + 1), (Arrival::Outlier, answered | SEEN_TWICE, 2));
            assert_eq!(answer(far + 3), (NEW, answered, 4));
            // And back, as after two that were corrupted alike.
            assert_eq!(answer(1002), (Arrival::Outlier, answered, 4));
            assert_eq!(answer(1003), (NEW, answered, 6));
            assert_eq!((fates.nibble(far + 3), fates.nibble(1002)), (0, answered));
        }
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
                if fates.arrive(seq, Trust::Sealed, usize::MAX) == NEW {
                    newest = newest.max(seq);
                    let fate = ProbeStatus::from_nibble(fate);
                    fates.set(seq, fate);
                    oracle.insert(seq, fate);
                }
            }
            for seq in newest.saturating_sub(20).max(5)..=newest + 1 {
                prop_assert_eq!(fates.window(seq), fates.old_window(seq), "seq {}", seq);
            }
            for seq in newest.saturating_sub(63).max(5)..=newest {
                prop_assert_eq!(ProbeStatus::from_nibble(fates.nibble(seq)), oracle.get(&seq).copied().unwrap_or_default());
            }
        }
    }

    /// However far its number is ahead, a probe takes a block and a table of bounded length.
    #[test]
    fn a_probe_takes_a_block_and_not_the_span() {
        let mut fates = Fates::new(0, 1 << 22);
        for k in 0..1000 {
            let before = fates.bytes();
            assert_eq!(fates.arrive(k * 1_234_567, Trust::Sealed, usize::MAX), NEW);
            assert!(fates.bytes() <= before + (32 << 10), "{} bytes more", fates.bytes() - before);
        }
        assert!(fates.bytes() < 1000 * 5000, "{}", fates.bytes());
    }

    #[test]
    fn without_room_it_remembers_less_far_back() {
        for room in [0, 300, 1000, 100_000] {
            let mut fates = Fates::new(0, 1 << 12);
            for seq in 0..100_000 {
                let left = room - fates.bytes().min(room);
                assert_eq!(fates.arrive(seq, NEAR, left), NEW);
                fates.set(seq, ProbeStatus::Answered);
                // What is put aside takes its slot.
                assert!(fates.bytes() <= room + 128, "{} bytes", fates.bytes());
            }
            let back = (0..100_000)
                .rev()
                .take_while(|seq| fates.nibble(*seq) == ProbeStatus::Answered as u8)
                .count();
            let expected = match room {
                0 => 0..=0,
                300 => 32..=256,
                1000 => 500..=1000,
                _ => 4096..=4096,
            };
            assert!(expected.contains(&back), "{back} with {room} bytes");
            assert_eq!(fates.nibble(0), ProbeStatus::Forgotten as u8);
            assert_eq!(fates.tally().probes, 100_000);
        }
    }
}
