//! Clients by slot. A slot whose client is gone is taken again.

use crate::time::{Duration, Instant};

pub(super) struct Slots<T> {
    slots: Vec<Option<T>>,
    free: Vec<u32>,
    /// Of a dialect that looks through all slots once a second.
    next_sweep: Instant,
    next_searched: u32,
}

impl<T> Slots<T> {
    const SWEEP: Duration = Duration::from_secs(1);
    const SEARCHED: u32 = 64;

    pub(super) fn new() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), next_sweep: Instant::ZERO, next_searched: 0 }
    }

    /// As many as have been taken at once, the free ones included.
    pub(super) fn len(&self) -> u32 {
        self.slots.len() as u32
    }

    pub(super) fn insert(&mut self, item: T) -> u32 {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() as u32 - 1
        });
        self.slots[slot as usize] = Some(item);
        slot
    }

    pub(super) fn at(&self, slot: u32) -> Option<&T> {
        self.slots.get(slot as usize)?.as_ref()
    }

    pub(super) fn at_mut(&mut self, slot: u32) -> Option<&mut T> {
        self.slots.get_mut(slot as usize)?.as_mut()
    }

    pub(super) fn remove(&mut self, slot: u32) -> Option<T> {
        let item = self.slots.get_mut(slot as usize)?.take()?;
        self.free.push(slot);
        Some(item)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().flatten()
    }

    /// The next 64 slots, round robin, so that a search is always as much work.
    pub(super) fn search(&mut self) -> Vec<u32> {
        let (from, all) = (self.next_searched, self.len());
        let count = all.min(Self::SEARCHED);
        self.next_searched = (from + count) % all.max(1);
        (from..from + count).map(|at| at % all).collect()
    }

    /// When to sweep next; never while there is nothing.
    pub(super) fn next_sweep(&self) -> Option<Instant> {
        (self.free.len() < self.slots.len()).then_some(self.next_sweep)
    }

    /// Removes those that are over, and returns them.
    pub(super) fn sweep(&mut self, now: Instant, is_over: impl Fn(&T) -> bool) -> Vec<T> {
        self.next_sweep = now + Self::SWEEP;
        let over = |slot: &u32| self.at(*slot).is_some_and(&is_over);
        let over: Vec<u32> = (0..self.len()).filter(over).collect();
        over.into_iter().filter_map(|slot| self.remove(slot)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_slot_is_taken_again_and_a_sweep_removes_what_is_over() {
        let mut slots = Slots::new();
        assert_eq!(slots.next_sweep(), None);
        assert_eq!([5, 6, 7].map(|item| slots.insert(item)), [0, 1, 2]);
        assert_eq!((slots.remove(1), slots.remove(1), slots.remove(9)), (Some(6), None, None));
        assert_eq!(slots.at(1), None);
        assert_eq!(slots.at_mut(2), Some(&mut 7));
        assert_eq!((slots.insert(8), slots.len()), (1, 3));
        let now = Instant::from_nanos(1);
        assert_eq!(slots.sweep(now, |item| *item != 7), [5, 8]);
        assert_eq!(slots.next_sweep(), Some(now + Slots::<u8>::SWEEP));
        assert_eq!(slots.iter().collect::<Vec<_>>(), [&7]);
        assert_eq!(slots.sweep(now, |_| true), [7]);
        assert_eq!((slots.next_sweep(), slots.insert(9)), (None, 2));
    }

    #[test]
    fn searches_go_through_all_slots_64_at_a_time() {
        let mut slots = Slots::<u32>::new();
        assert!(slots.search().is_empty());
        (0..3).for_each(|item| _ = slots.insert(item));
        assert_eq!(slots.search(), [0, 1, 2]);
        (3..100).for_each(|item| _ = slots.insert(item));
        assert_eq!(slots.search(), (0..64).collect::<Vec<_>>());
        assert_eq!(slots.search(), (64..100).chain(0..28).collect::<Vec<_>>());
        assert_eq!(slots.search().first(), Some(&28));
    }
}
