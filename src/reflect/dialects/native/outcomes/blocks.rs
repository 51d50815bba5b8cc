//! The outcomes of a session's older probes, in blocks that are found by number.
//!
//! Each slot of a table notes the number of its block: a block with another number reads as absent, so
//! nothing has to be cleared when the window moves, however far. The table grows when two blocks in use
//! need the same slot.

/// Blocks of the same length.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    slots: Box<[Slot]>,
    /// Bytes in all blocks.
    outcomes: usize,
}

#[derive(Debug, Default)]
struct Slot {
    number: u64,
    /// Empty if there is no block.
    outcomes: Box<[u8]>,
}

impl Blocks {
    /// Bytes of memory that they take.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.slots) + self.outcomes
    }

    pub(super) fn get(&self, number: u64) -> Option<&[u8]> {
        let slot = self.slots.get(self.index(number))?;
        (slot.number == number && !slot.outcomes.is_empty()).then_some(&*slot.outcomes)
    }

    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut [u8]> {
        let index = self.index(number);
        let slot = self.slots.get_mut(index)?;
        (slot.number == number && !slot.outcomes.is_empty()).then_some(&mut *slot.outcomes)
    }

    /// The number of the other block in the slot of this one.
    pub(super) fn occupant(&self, number: u64) -> Option<u64> {
        let slot = self.slots.get(self.index(number))?;
        (slot.number != number && !slot.outcomes.is_empty()).then_some(slot.number)
    }

    /// Bytes by which the table has to grow so that each of both blocks has a slot.
    pub(super) fn growth(&self, number: u64, other: u64) -> usize {
        (slots_for(number, other) - self.slots.len()) * size_of::<Slot>()
    }

    /// Grows the table so that each of both blocks has a slot.
    pub(super) fn separate(&mut self, number: u64, other: u64) {
        let slots = (0..slots_for(number, other)).map(|_| Slot::default()).collect();
        for slot in std::mem::replace(&mut self.slots, slots) {
            if !slot.outcomes.is_empty() {
                let index = self.index(slot.number);
                self.slots[index] = slot;
            }
        }
    }

    /// Puts a block into its slot; returns the block that was there.
    pub(super) fn put(&mut self, number: u64, outcomes: Box<[u8]>) -> Option<Box<[u8]>> {
        if self.slots.is_empty() {
            self.slots = Box::new([Slot::default()]);
        }
        self.outcomes += outcomes.len();
        let slot = &mut self.slots[self.index(number)];
        let before = std::mem::replace(slot, Slot { number, outcomes });
        self.outcomes -= before.outcomes.len();
        (!before.outcomes.is_empty()).then_some(before.outcomes)
    }

    /// Takes the block with the lowest number.
    pub(super) fn take_lowest(&mut self) -> Option<(u64, Box<[u8]>)> {
        let with_block = self.slots.iter_mut().filter(|slot| !slot.outcomes.is_empty());
        let slot = with_block.min_by_key(|slot| slot.number)?;
        self.outcomes -= slot.outcomes.len();
        Some((slot.number, std::mem::take(&mut slot.outcomes)))
    }

    fn index(&self, number: u64) -> usize {
        // Lengths are powers of two.
        number as usize & self.slots.len().saturating_sub(1)
    }
}

/// Slots of the smallest table in which the two have different slots.
fn slots_for(number: u64, other: u64) -> usize {
    1 << ((number ^ other).trailing_zeros() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_found_by_its_number_alone() {
        let mut blocks = Blocks::default();
        assert_eq!(blocks.put(5, Box::new([1; 64])), None);
        assert_eq!(blocks.get(5), Some(&[1; 64][..]));
        assert_eq!((blocks.get(4), blocks.get(1), blocks.occupant(4)), (None, None, Some(5)));
        assert_eq!(blocks.put(9, Box::new([2; 64])).as_deref(), Some(&[1; 64][..]));
        assert_eq!((blocks.get(5), blocks.bytes()), (None, 64 + size_of::<Slot>()));
    }

    #[test]
    fn the_table_grows_until_two_blocks_have_a_slot_each() {
        let mut blocks = Blocks::default();
        blocks.put(0, Box::new([1; 64]));
        assert_eq!(blocks.growth(8, 0), 15 * size_of::<Slot>());
        blocks.separate(8, 0);
        assert_eq!(blocks.put(8, Box::new([2; 64])), None);
        assert_eq!((blocks.get(0), blocks.get(8)), (Some(&[1; 64][..]), Some(&[2; 64][..])));
        assert_eq!(blocks.bytes(), 128 + 16 * size_of::<Slot>());
        assert_eq!(blocks.take_lowest(), Some((0, Box::from([1; 64]))));
        assert_eq!(blocks.take_lowest(), Some((8, Box::from([2; 64]))));
        assert_eq!(blocks.take_lowest(), None);
    }
}
