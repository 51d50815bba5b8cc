//! The storage of held items: each has an id until it leaves, and free ids are used again.
//!
//! It grows by one chunk of 1,024 items, so that growing never moves items: with a million of them
//! that would stop the server for longer than a typical hold.

use std::num::NonZeroU32;

const CHUNK: usize = 1024;

pub(super) struct Slab<T> {
    chunks: Vec<Vec<Cell<T>>>,
    /// The head of the list of free ids.
    free: Option<SlotId>,
    len: usize,
}

pub(super) struct Cell<T> {
    link: Link,
    item: Option<T>,
}

/// The next id of the list that contains this one, and a note of that list's owner.
#[derive(Clone, Copy)]
pub(super) struct Link {
    pub(super) next: Option<SlotId>,
    pub(super) note: u32,
}

impl Link {
    const NONE: Self = Self { next: None, note: 0 };
}

/// An index plus one, so that an `Option` of it takes four bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SlotId(NonZeroU32);

impl SlotId {
    fn new(index: usize) -> Self {
        let index = u32::try_from(index + 1).ok().and_then(NonZeroU32::new);
        Self(index.expect("fewer than four billion items are held"))
    }

    /// The chunk, and the cell in it.
    const fn split(self) -> (usize, usize) {
        let index = self.0.get() as usize - 1;
        (index / CHUNK, index % CHUNK)
    }
}

impl<T> Slab<T> {
    pub(super) const fn new() -> Self {
        Self { chunks: Vec::new(), free: None, len: 0 }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn insert(&mut self, item: T) -> SlotId {
        let id = self.free.unwrap_or_else(|| self.append());
        let cell = self.cell_mut(id);
        cell.item = Some(item);
        self.free = cell.link.next;
        self.len += 1;
        id
    }

    pub(super) fn remove(&mut self, id: SlotId) -> Option<T> {
        let next = self.free;
        let cell = self.cell_mut(id);
        let item = cell.item.take()?;
        cell.link = Link { next, note: 0 };
        self.free = Some(id);
        self.len -= 1;
        Some(item)
    }

    pub(super) fn link(&self, id: SlotId) -> Link {
        self.cell(id).link
    }

    pub(super) fn set_link(&mut self, id: SlotId, link: Link) {
        self.cell_mut(id).link = link;
    }

    fn cell(&self, id: SlotId) -> &Cell<T> {
        let (chunk, at) = id.split();
        &self.chunks[chunk][at]
    }

    fn cell_mut(&mut self, id: SlotId) -> &mut Cell<T> {
        let (chunk, at) = id.split();
        &mut self.chunks[chunk][at]
    }

    /// The next id that there never was; every other one is taken.
    fn append(&mut self) -> SlotId {
        let id = SlotId::new(self.len);
        let (chunk, _) = id.split();
        if chunk == self.chunks.len() {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        self.chunks[chunk].push(Cell { link: Link::NONE, item: None });
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_place_is_taken_again() {
        let mut slab = Slab::new();
        let ids: Vec<SlotId> = (0..3_000).map(|item| slab.insert(item)).collect();
        assert!(ids.iter().enumerate().all(|(index, &id)| id == SlotId::new(index)));
        assert_eq!(slab.remove(ids[7]), Some(7));
        assert_eq!(slab.remove(ids[7]), None);
        assert_eq!(slab.remove(ids[2_999]), Some(2_999));
        let again = [1, 2, 3].map(|item| slab.insert(item));
        assert_eq!(again, [ids[2_999], ids[7], SlotId::new(3_000)]);
        assert_eq!(slab.len(), 3_001);
    }
}
