//! The wheel: the head of a list of items for each slot of time, and a bitmap of the slots in use.

use super::slab::{Link, SlotId};
use crate::time::Instant;

/// The width of a slot is 2^13 ns, 8.2 µs.
const WIDTH_BITS: u32 = 13;

/// The horizon is 65,536 slots or 0.54 s, a little more than the classic delay. A fuzzer makes a wheel
/// for each input, so its wheel is small.
pub(super) const SLOTS: i64 = if cfg!(fuzzing) { 1 << 12 } else { 1 << 16 };

const WORDS: usize = SLOTS as usize / 64;

pub(super) struct Wheel {
    /// Allocated on first use. A slot is valid only if the bitmap marks it as occupied.
    slots: Vec<Slot>,
    /// A bit for each slot.
    occupied: Box<[u64]>,
    /// A bit for each word of `occupied`.
    words: [u64; WORDS / 64],
}

#[derive(Clone, Copy, Default)]
struct Slot {
    first: Option<SlotId>,
    /// When its soonest item is due, from the slot's start.
    soonest: u32,
}

/// The tick that contains this time.
pub(super) const fn tick_of(due: Instant) -> i64 {
    due.as_nanos() >> WIDTH_BITS
}

/// The time at this offset in a tick.
pub(super) fn due_at(tick: i64, note: u32) -> Instant {
    Instant::from_nanos((tick << WIDTH_BITS) + i64::from(note))
}

impl Wheel {
    pub(super) fn new() -> Self {
        Self { slots: Vec::new(), occupied: vec![0; WORDS].into(), words: [0; WORDS / 64] }
    }

    /// Puts an id at the head of its slot's list. Returns its link: to the former head, with the time
    /// from the slot's start as its note.
    pub(super) fn link(&mut self, due: Instant, id: SlotId) -> Link {
        if self.slots.is_empty() {
            self.slots.resize(SLOTS as usize, Slot::default());
        }
        let at = slot_of(tick_of(due));
        let note = (due.as_nanos() & ((1 << WIDTH_BITS) - 1)) as u32;
        let (word, bit) = (at / 64, 1 << (at % 64));
        let is_occupied = self.occupied[word] & bit != 0;
        let was = if is_occupied { self.slots[at] } else { Slot { first: None, soonest: note } };
        self.slots[at] = Slot { first: Some(id), soonest: was.soonest.min(note) };
        self.occupied[word] |= bit;
        self.words[word / 64] |= 1 << (word % 64);
        Link { next: was.first, note }
    }

    /// Empties the slot of this tick and returns the head of its list.
    pub(super) fn take(&mut self, tick: i64) -> Option<SlotId> {
        let at = slot_of(tick);
        let (word, bit) = (at / 64, 1 << (at % 64));
        if self.occupied[word] & bit == 0 {
            return None;
        }
        self.occupied[word] &= !bit;
        if self.occupied[word] == 0 {
            self.words[word / 64] &= !(1 << (word % 64));
        }
        self.slots[at].first
    }

    /// When the soonest item is due. All items are due in the `SLOTS` ticks after this one.
    pub(super) fn soonest_after(&self, tick: i64) -> Option<Instant> {
        let tick = self.occupied_after(tick)?;
        Some(due_at(tick, self.slots[slot_of(tick)].soonest))
    }

    /// The first of the `SLOTS` ticks after this one with an item.
    fn occupied_after(&self, tick: i64) -> Option<i64> {
        let from = slot_of(tick + 1);
        let at = self.occupied_from(from).or_else(|| self.occupied_from(0))?;
        Some(tick + 1 + slot_of(at as i64 - from as i64) as i64)
    }

    /// The first occupied slot from this one to the last.
    fn occupied_from(&self, from: usize) -> Option<usize> {
        let word = from / 64;
        let rest = self.occupied[word] & (!0 << (from % 64));
        if rest != 0 {
            return Some(word * 64 + rest.trailing_zeros() as usize);
        }
        let word = self.word_from(word + 1)?;
        Some(word * 64 + self.occupied[word].trailing_zeros() as usize)
    }

    fn word_from(&self, from: usize) -> Option<usize> {
        let mut mask = !0 << (from % 64);
        for (at, words) in self.words.iter().enumerate().skip(from / 64) {
            let rest = words & mask;
            if rest != 0 {
                return Some(at * 64 + rest.trailing_zeros() as usize);
            }
            mask = !0;
        }
        None
    }
}

const fn slot_of(tick: i64) -> usize {
    tick.rem_euclid(SLOTS) as usize
}

#[cfg(test)]
mod tests {
    use super::super::slab::Slab;
    use super::*;

    #[test]
    fn the_soonest_is_found_around_the_turn() {
        let mut wheel = Wheel::new();
        let id = Slab::new().insert(());
        assert_eq!(wheel.soonest_after(5), None);
        let now = SLOTS - 3;
        for (tick, note) in [(now + SLOTS, 9), (now + 70, 8), (now + 70, 5), (now + 70, 7), (now + 2, 8_191)]
        {
            assert_eq!(wheel.link(due_at(tick, note), id).note, note);
        }
        for (tick, note) in [(now + 2, 8_191), (now + 70, 5), (now + SLOTS, 9)] {
            assert_eq!(wheel.soonest_after(now), Some(due_at(tick, note)));
            assert_eq!(wheel.take(tick), Some(id));
            assert_eq!(wheel.take(tick), None);
        }
        assert_eq!(wheel.soonest_after(now), None);
    }

    #[test]
    fn a_link_names_the_former_head_of_the_slot() {
        let mut wheel = Wheel::new();
        let mut slab = Slab::new();
        let ids = [(); 3].map(|()| slab.insert(()));
        let next = ids.map(|id| wheel.link(due_at(-4, 0), id).next);
        assert_eq!(next, [None, Some(ids[0]), Some(ids[1])]);
        assert_eq!(wheel.take(-4), Some(ids[2]));
        assert_eq!(wheel.link(due_at(-4, 0), ids[0]).next, None);
    }
}
