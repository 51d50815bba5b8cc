//! The wheel itself: for each slot of time the first of a list of items, and a map of the slots
//! that have any.

use super::slab::{Link, Place};
use crate::time::Instant;

/// The width of a slot is 2^13 ns, 8.2 µs.
const WIDTH_BITS: u32 = 13;

/// So many slots make the horizon, 0.54 s: a little more than the classic delay. A fuzzer makes a
/// wheel for each of its inputs, and gets a small one.
pub(super) const SLOTS: i64 = if cfg!(fuzzing) { 1 << 12 } else { 1 << 16 };

const WORDS: usize = SLOTS as usize / 64;

pub(super) struct Wheel {
    /// None until one is needed. What a slot says counts only where the map says that it is occupied.
    slots: Vec<Slot>,
    /// A bit for each slot.
    occupied: Box<[u64]>,
    /// A bit for each word of the map.
    words: [u64; WORDS / 64],
}

#[derive(Clone, Copy, Default)]
struct Slot {
    first: Option<Place>,
    /// When its soonest item is due, from the slot's begin.
    soonest: u32,
}

/// The number of the slot's width of time in which this is.
pub(super) const fn tick_of(due: Instant) -> i64 {
    due.as_nanos() >> WIDTH_BITS
}

/// What is due so long after the begin of this tick.
pub(super) fn due_at(tick: i64, note: u32) -> Instant {
    Instant::from_nanos((tick << WIDTH_BITS) + i64::from(note))
}

impl Wheel {
    pub(super) fn new() -> Self {
        Self { slots: Vec::new(), occupied: vec![0; WORDS].into(), words: [0; WORDS / 64] }
    }

    /// Makes a place the first of the list of its slot; gives the link that it is to have: to the one
    /// that was the first, with the time from the slot's begin as its note.
    pub(super) fn link(&mut self, due: Instant, place: Place) -> Link {
        if self.slots.is_empty() {
            self.slots.resize(SLOTS as usize, Slot::default());
        }
        let at = slot_of(tick_of(due));
        let note = (due.as_nanos() & ((1 << WIDTH_BITS) - 1)) as u32;
        let (word, bit) = (at / 64, 1 << (at % 64));
        let is_occupied = self.occupied[word] & bit != 0;
        let was = if is_occupied { self.slots[at] } else { Slot { first: None, soonest: note } };
        self.slots[at] = Slot { first: Some(place), soonest: was.soonest.min(note) };
        self.occupied[word] |= bit;
        self.words[word / 64] |= 1 << (word % 64);
        Link { next: was.first, note }
    }

    /// Empties the slot of this tick, and gives the first of its list.
    pub(super) fn take(&mut self, tick: i64) -> Option<Place> {
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

    /// When the soonest item is due, all being due in the `SLOTS` ticks after this one.
    pub(super) fn soonest_after(&self, tick: i64) -> Option<Instant> {
        let tick = self.occupied_after(tick)?;
        Some(due_at(tick, self.slots[slot_of(tick)].soonest))
    }

    /// The first of the `SLOTS` ticks after this one in which something is due.
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
        let place = Slab::new().insert(());
        assert_eq!(wheel.soonest_after(5), None);
        let now = SLOTS - 3;
        for (tick, note) in [(now + SLOTS, 9), (now + 70, 8), (now + 70, 5), (now + 70, 7), (now + 2, 8_191)]
        {
            assert_eq!(wheel.link(due_at(tick, note), place).note, note);
        }
        for (tick, note) in [(now + 2, 8_191), (now + 70, 5), (now + SLOTS, 9)] {
            assert_eq!(wheel.soonest_after(now), Some(due_at(tick, note)));
            assert_eq!(wheel.take(tick), Some(place));
            assert_eq!(wheel.take(tick), None);
        }
        assert_eq!(wheel.soonest_after(now), None);
    }

    #[test]
    fn a_slot_hands_back_the_one_before() {
        let mut wheel = Wheel::new();
        let mut slab = Slab::new();
        let places = [(); 3].map(|()| slab.insert(()));
        let next = places.map(|place| wheel.link(due_at(-4, 0), place).next);
        assert_eq!(next, [None, Some(places[0]), Some(places[1])]);
        assert_eq!(wheel.take(-4), Some(places[2]));
        assert_eq!(wheel.link(due_at(-4, 0), places[0]).next, None);
    }
}
