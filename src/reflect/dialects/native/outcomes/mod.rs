//! The outcomes of a session's newest probes, as many as the handshake agreed on.
//!
//! A probe costs the same whatever its sequence number: the window of numbers moves without clearing
//! what it leaves behind, and memory is allocated in blocks of numbers, for blocks with a probe only.
//! Without a key a number may be corrupted, so one probe moves the window forward by at most half of it,
//! and never back. A number outside the window is noted as an outlier; if the next probe is near it, the
//! window moves there.

mod blocks;

use crate::wire::native::ProbeStatus;
use blocks::Blocks;

#[derive(Debug)]
pub(super) struct OutcomeHistory {
    /// The block of the newest probe. Empty if there was no memory for it.
    newest: Box<[u8]>,
    /// Numbers below it are forgotten.
    oldest: u64,
    /// One more than the largest number in the window.
    next: u64,
    /// Bit k: the probe `next - 1 - k` counts as received. Saves most replies 32 lookups in the blocks.
    recent: u64,
    /// The length of a block and that of the window, as powers of two.
    block_bits: u8,
    window_bits: u8,
    /// Whether `older` notes an outlier.
    has_outlier: bool,
    /// Different probes received, and those that the injection dropped.
    probes: u64,
    dropped: u64,
    /// The first number expected.
    first: u64,
    /// Allocated when it is needed: many sessions are short and in order.
    older: Option<Box<Older>>,
}

#[derive(Debug, Default)]
struct Older {
    blocks: Blocks,
    /// The last number outside the window, and the status of its probe.
    outlier: u64,
    outlier_status: u8,
}

/// How far ahead of the newest number the number of one probe is believed to be.
#[derive(Clone, Copy, Debug)]
pub(super) enum MaxJump {
    /// Any distance: the key authenticates the number.
    Unlimited,
    /// The number of probes that the client may have sent since its last one arrived.
    Probes(u64),
}

/// How an arriving probe relates to the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Noted {
    /// In the window; its status before.
    Known(ProbeStatus),
    /// Older than the window.
    TooOld,
    /// So far ahead or behind that its number may be corrupted; the window did not move.
    Outlier,
}

/// Counts over a whole session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tally {
    /// Sequence numbers so far, those that did not arrive included.
    pub numbers: u64,
    /// Different probes received.
    pub probes: u64,
    /// Probes that the injection dropped.
    pub dropped: u64,
}

/// Set in a status byte once a second copy of the probe arrived.
const DUPLICATE: u8 = 8;

/// How near a probe with this status came to its reply.
fn rank(status: ProbeStatus) -> u8 {
    match status {
        ProbeStatus::NotSeen | ProbeStatus::Forgotten => 0,
        ProbeStatus::DroppedUp
        | ProbeStatus::DroppedDown
        | ProbeStatus::Refused
        | ProbeStatus::SendFailed => 1,
        ProbeStatus::Held => 2,
        ProbeStatus::Answered => 3,
    }
}

/// Whether the server tells clients that a probe with this status arrived.
fn counts_as_received(status: ProbeStatus) -> bool {
    !matches!(status, ProbeStatus::NotSeen | ProbeStatus::DroppedUp | ProbeStatus::Forgotten)
}

/// Sets the status unless a copy of the probe has a higher rank: a duplicate that is refused or dropped
/// does not undo the reply to the original. Returns the status before, if it changed.
fn raise(entry: &mut u8, status: ProbeStatus) -> Option<ProbeStatus> {
    let before = ProbeStatus::from_nibble(*entry);
    let rises = rank(status) > rank(before);
    if rises {
        *entry = *entry & DUPLICATE | status as u8;
    }
    rises.then_some(before)
}

impl OutcomeHistory {
    const SHORTEST_BLOCK_BITS: u32 = 6;

    pub(super) fn new(first_seq: u64, window: u32) -> Self {
        let window_bits = window.next_power_of_two().ilog2();
        // A block is twice the square root of the window: neither a block nor the table of blocks is large.
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
            older: None,
        }
    }

    /// Bytes of memory that it takes besides its own size.
    pub(super) fn bytes(&self) -> usize {
        let older = self.older.as_ref().map_or(0, |older| size_of::<Older>() + older.blocks.bytes());
        self.newest.len() + older
    }

    /// Whether this probe may need more memory.
    pub(super) fn may_grow(&self, seq: u64) -> bool {
        self.newest.is_empty() || self.block_of(seq) != self.block_of(self.next - 1)
    }

    /// Notes that the probe arrived; `room` is how many more bytes of memory it may take.
    pub(super) fn arrive(&mut self, seq: u64, max_jump: MaxJump, room: usize) -> Noted {
        let limit = self.bytes().saturating_add(room);
        if seq == u64::MAX || (seq < self.oldest && !self.is_out_of_window(seq, max_jump)) {
            return Noted::TooOld;
        }
        if self.is_out_of_window(seq, max_jump) && !self.is_near_outlier(seq, max_jump) {
            return self.note_outlier(seq);
        }
        if let Some((outlier, status)) = self.take_outlier()
            && self.is_out_of_window(seq, max_jump)
        {
            self.move_window(outlier.min(seq), outlier.max(seq) + 1, limit);
            self.mark_received(outlier, limit);
            self.set(outlier, ProbeStatus::from_nibble(status));
        } else if seq >= self.next {
            self.advance(seq + 1, limit);
        }
        Noted::Known(self.mark_received(seq, limit))
    }

    /// Sets the status of a probe that arrived.
    pub(super) fn set(&mut self, seq: u64, status: ProbeStatus) {
        if let Some(entry) = self.outlier_mut(seq) {
            raise(entry, status);
            return;
        }
        let Some(before) = self.entry_mut(seq).and_then(|entry| raise(entry, status)) else { return };
        if before == ProbeStatus::NotSeen {
            self.probes += 1;
        }
        if counts_as_received(status) && !counts_as_received(before) {
            let age = self.next - 1 - seq;
            self.recent |= 1_u64.checked_shl(age.min(64) as u32).unwrap_or(0);
        }
        if matches!(status, ProbeStatus::DroppedUp | ProbeStatus::DroppedDown) {
            self.dropped += 1;
        }
    }

    /// The status as `Outcomes` carries it.
    pub(super) fn nibble(&self, seq: u64) -> u8 {
        if let Some(older) = self.older.as_ref().filter(|older| self.has_outlier && older.outlier == seq) {
            older.outlier_status
        } else if seq < self.oldest {
            ProbeStatus::Forgotten as u8
        } else {
            self.entry(seq).copied().unwrap_or(ProbeStatus::NotSeen as u8)
        }
    }

    pub(super) fn tally(&self) -> Tally {
        Tally { numbers: self.next - self.first, probes: self.probes, dropped: self.dropped }
    }

    /// Bit k: the probe `seq - 1 - k` counts as received.
    pub(super) fn received_before(&self, seq: u64) -> u32 {
        match self.next.checked_sub(seq) {
            Some(age @ 0..=32) => (self.recent >> age) as u32,
            _ => self.received_before_by_entry(seq),
        }
    }

    fn received_before_by_entry(&self, seq: u64) -> u32 {
        let mut window = 0;
        for k in 0..u64::from(u32::BITS).min(seq) {
            let status = ProbeStatus::from_nibble(self.nibble(seq - 1 - k));
            window |= u32::from(counts_as_received(status)) << k;
        }
        window
    }

    /// Frees the memory of all outcomes.
    pub(super) fn forget(&mut self) {
        self.oldest = self.next;
        self.newest = Box::default();
        self.older = None;
        self.has_outlier = false;
    }

    fn length(&self) -> u64 {
        1 << self.window_bits
    }

    const fn block_of(&self, seq: u64) -> u64 {
        seq >> self.block_bits
    }

    const fn offset_of(&self, seq: u64) -> usize {
        seq as usize & ((1 << self.block_bits) - 1)
    }

    /// How far one probe may move the window forward.
    fn max_move(&self, probes: u64) -> u64 {
        probes.min(self.length() / 2)
    }

    fn is_out_of_window(&self, seq: u64, max_jump: MaxJump) -> bool {
        match max_jump {
            MaxJump::Unlimited => false,
            MaxJump::Probes(_) if seq < self.next => {
                seq < self.first.max(self.next.saturating_sub(self.length()))
            }
            MaxJump::Probes(probes) => seq - self.next >= self.max_move(probes),
        }
    }

    fn is_near_outlier(&self, seq: u64, max_jump: MaxJump) -> bool {
        let Some(older) = self.older.as_ref().filter(|_| self.has_outlier) else { return false };
        let MaxJump::Probes(probes) = max_jump else { return false };
        seq != older.outlier && seq.abs_diff(older.outlier) <= self.max_move(probes)
    }

    fn note_outlier(&mut self, seq: u64) -> Noted {
        let is_known = self.has_outlier;
        self.has_outlier = true;
        let older = self.older.get_or_insert_default();
        if is_known && older.outlier == seq {
            older.outlier_status |= DUPLICATE;
        } else {
            (older.outlier, older.outlier_status) = (seq, ProbeStatus::NotSeen as u8);
        }
        Noted::Outlier
    }

    fn take_outlier(&mut self) -> Option<(u64, u8)> {
        let older = self.older.as_ref().filter(|_| self.has_outlier)?;
        self.has_outlier = false;
        Some((older.outlier, older.outlier_status))
    }

    fn outlier_mut(&mut self, seq: u64) -> Option<&mut u8> {
        let older = self.older.as_mut().filter(|older| self.has_outlier && older.outlier == seq)?;
        Some(&mut older.outlier_status)
    }

    fn entry(&self, seq: u64) -> Option<&u8> {
        let offset = self.offset_of(seq);
        if !(self.oldest..self.next).contains(&seq) {
            return None;
        }
        if self.block_of(seq) == self.block_of(self.next - 1) {
            return self.newest.get(offset);
        }
        self.older.as_ref()?.blocks.get(self.block_of(seq))?.get(offset)
    }

    fn entry_mut(&mut self, seq: u64) -> Option<&mut u8> {
        let (block, offset) = (self.block_of(seq), self.offset_of(seq));
        if !(self.oldest..self.next).contains(&seq) {
            return None;
        }
        if block == self.block_of(self.next - 1) {
            return self.newest.get_mut(offset);
        }
        self.older.as_mut()?.blocks.get_mut(block)?.get_mut(offset)
    }

    /// Marks a probe in the window as received; returns its status before.
    fn mark_received(&mut self, seq: u64, limit: usize) -> ProbeStatus {
        if self.entry(seq).is_none() {
            self.allocate_block(self.block_of(seq), limit);
        }
        let Some(entry) = self.entry_mut(seq) else {
            self.probes += 1;
            return ProbeStatus::NotSeen;
        };
        let before = ProbeStatus::from_nibble(*entry);
        if before != ProbeStatus::NotSeen {
            *entry |= DUPLICATE;
        }
        before
    }

    /// Moves the window so that it covers the numbers from `first` to below `next`.
    fn move_window(&mut self, first: u64, next: u64, limit: usize) {
        if first < self.next {
            // The window moves back: outcomes of larger numbers are not those of the probes to come.
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
            // A slot of the table costs less than a block, for which there was room.
            if let Some(again) = self.store_older(before, newest, limit) {
                self.newest = again;
                self.newest.fill(ProbeStatus::NotSeen as u8);
            }
        }
    }

    /// Allocates a block, or reuses the oldest one at the limit; without either, all numbers so far are
    /// forgotten.
    fn allocate_block(&mut self, number: u64, limit: usize) {
        let is_newest = number == self.block_of(self.next - 1);
        let Some(block) = self.memory_for(number, limit) else {
            self.forget_below((number + 1) << self.block_bits);
            return;
        };
        if is_newest {
            self.newest = block;
        } else {
            self.store_older(number, block, limit);
        }
    }

    fn memory_for(&mut self, number: u64, limit: usize) -> Option<Box<[u8]>> {
        let length = 1 << self.block_bits;
        if self.bytes() + length + size_of::<Older>() <= limit {
            return Some(vec![ProbeStatus::NotSeen as u8; length].into_boxed_slice());
        }
        let (lowest, mut block) = self.older.as_mut()?.blocks.take_lowest()?;
        if lowest > number {
            self.older.as_mut()?.blocks.put(lowest, block);
            return None;
        }
        self.forget_below((lowest + 1) << self.block_bits);
        block.fill(ProbeStatus::NotSeen as u8);
        Some(block)
    }

    /// Stores a block among the older ones. Returns a block that is no longer needed, if there is one.
    fn store_older(&mut self, number: u64, block: Box<[u8]>, limit: usize) -> Option<Box<[u8]>> {
        let oldest = self.block_of(self.oldest);
        let room = limit.saturating_sub(self.bytes());
        let blocks = &mut self.older.get_or_insert_default().blocks;
        let Some(occupant) = blocks.occupant(number).filter(|occupant| *occupant >= oldest) else {
            return blocks.put(number, block);
        };
        if blocks.growth(number, occupant) <= room {
            blocks.separate(number, occupant);
            return blocks.put(number, block);
        }
        let returned = if occupant < number { blocks.put(number, block) } else { Some(block) };
        self.forget_below((occupant.min(number) + 1) << self.block_bits);
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

    const NEAR: MaxJump = MaxJump::Probes(32);
    const NEW: Noted = Noted::Known(ProbeStatus::NotSeen);

    #[test]
    fn shows_which_of_the_last_32_probes_arrived() {
        let mut history = OutcomeHistory::new(0, 64);
        for seq in [0, 1, 3] {
            assert_eq!(history.arrive(seq, NEAR, usize::MAX), NEW);
            history.set(seq, ProbeStatus::Answered);
        }
        assert_eq!(history.arrive(4, NEAR, usize::MAX), NEW);
        history.set(4, ProbeStatus::DroppedUp);
        assert_eq!(history.received_before(5), 0b11010);
        assert_eq!(history.arrive(3, NEAR, usize::MAX), Noted::Known(ProbeStatus::Answered));
        assert_eq!(history.nibble(3), ProbeStatus::Answered as u8 | DUPLICATE);
    }

    #[test]
    fn numbers_go_on_beyond_two_to_the_32() {
        let first = (1 << 32) - 40;
        let mut history = OutcomeHistory::new(first, 64);
        for seq in (first..first + 80).filter(|seq| seq % 4 != 1) {
            assert_eq!(history.arrive(seq, NEAR, usize::MAX), NEW);
            history.set(seq, ProbeStatus::Answered);
            assert_eq!(history.received_before(seq), history.received_before_by_entry(seq), "seq {seq}");
        }
        assert_eq!(history.nibble((1 << 32) + 1), ProbeStatus::NotSeen as u8);
        assert_eq!(history.nibble(1 << 32), ProbeStatus::Answered as u8);
        assert_eq!(history.nibble(first), ProbeStatus::Forgotten as u8);
    }

    #[test]
    fn numbers_before_the_session_are_forgotten() {
        let mut history = OutcomeHistory::new(100, 64);
        assert_eq!(history.arrive(99, NEAR, usize::MAX), Noted::Outlier);
        assert_eq!(history.nibble(98), ProbeStatus::Forgotten as u8);
        assert_eq!(history.nibble(100), ProbeStatus::NotSeen as u8);
        assert_eq!(history.arrive(99, MaxJump::Unlimited, usize::MAX), Noted::TooOld);
        assert_eq!(history.arrive(u64::MAX, MaxJump::Unlimited, usize::MAX), Noted::TooOld);
        assert_eq!(history.arrive(u64::MAX - 1, MaxJump::Unlimited, usize::MAX), NEW);
        assert_eq!(history.nibble(100), ProbeStatus::Forgotten as u8);
    }

    /// One outlier alone moves nothing.
    #[test]
    fn two_outliers_in_a_row_move_the_window_to_them() {
        for far in [1_u64 << 40, 1 << 62] {
            let mut history = OutcomeHistory::new(1000, 64);
            let mut answer = |seq| {
                let arrival = history.arrive(seq, NEAR, usize::MAX);
                history.set(seq, ProbeStatus::Answered);
                (arrival, history.nibble(seq), history.tally().probes)
            };
            let answered = ProbeStatus::Answered as u8;
            assert_eq!(answer(1000), (NEW, answered, 1));
            assert_eq!(answer(far), (Noted::Outlier, answered, 1));
            assert_eq!(answer(1001), (NEW, answered, 2));
            assert_eq!(answer(far + 1), (Noted::Outlier, answered, 2));
            assert_eq!(answer(far + 1), (Noted::Outlier, answered | DUPLICATE, 2));
            assert_eq!(answer(far + 3), (NEW, answered, 4));
            // And back, as after two probes with the same corruption.
            assert_eq!(answer(1002), (Noted::Outlier, answered, 4));
            assert_eq!(answer(1003), (NEW, answered, 6));
            assert_eq!((history.nibble(far + 3), history.nibble(1002)), (0, answered));
        }
    }

    proptest! {
        /// Against a map that forgets nothing: within the window both agree.
        #[test]
        fn remembers_as_far_back_as_agreed(steps in proptest::collection::vec((0_u64..40, 1_u8..7), 1..400)) {
            let mut history = OutcomeHistory::new(5, 64);
            let mut oracle = BTreeMap::new();
            let mut newest = 5;
            for (step, status) in steps {
                let seq = (newest + step).saturating_sub(20);
                if history.arrive(seq, MaxJump::Unlimited, usize::MAX) == NEW {
                    newest = newest.max(seq);
                    let status = ProbeStatus::from_nibble(status);
                    history.set(seq, status);
                    oracle.insert(seq, status);
                }
            }
            for seq in newest.saturating_sub(20).max(5)..=newest + 1 {
                prop_assert_eq!(history.received_before(seq), history.received_before_by_entry(seq), "seq {}", seq);
            }
            for seq in newest.saturating_sub(63).max(5)..=newest {
                prop_assert_eq!(ProbeStatus::from_nibble(history.nibble(seq)), oracle.get(&seq).copied().unwrap_or_default());
            }
        }
    }

    /// However far ahead its number is, a probe takes one block and a table of bounded length.
    #[test]
    fn a_probe_takes_a_block_and_not_the_span() {
        let mut history = OutcomeHistory::new(0, 1 << 22);
        for k in 0..1000 {
            let before = history.bytes();
            assert_eq!(history.arrive(k * 1_234_567, MaxJump::Unlimited, usize::MAX), NEW);
            assert!(history.bytes() <= before + (32 << 10), "{} bytes more", history.bytes() - before);
        }
        assert!(history.bytes() < 1000 * 5000, "{}", history.bytes());
    }

    #[test]
    fn without_room_it_remembers_less_far_back() {
        for room in [0, 300, 1000, 100_000] {
            let mut history = OutcomeHistory::new(0, 1 << 12);
            for seq in 0..100_000 {
                let left = room - history.bytes().min(room);
                assert_eq!(history.arrive(seq, NEAR, left), NEW);
                history.set(seq, ProbeStatus::Answered);
                // A stored block takes its slot.
                assert!(history.bytes() <= room + 128, "{} bytes", history.bytes());
            }
            let back = (0..100_000)
                .rev()
                .take_while(|seq| history.nibble(*seq) == ProbeStatus::Answered as u8)
                .count();
            let expected = match room {
                0 => 0..=0,
                300 => 32..=256,
                1000 => 500..=1000,
                _ => 4096..=4096,
            };
            assert!(expected.contains(&back), "{back} with {room} bytes");
            assert_eq!(history.nibble(0), ProbeStatus::Forgotten as u8);
            assert_eq!(history.tally().probes, 100_000);
        }
    }
}
