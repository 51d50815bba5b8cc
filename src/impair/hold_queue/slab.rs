//! Where held items lie: each keeps its place until it leaves, and the places of those that left
//! are taken again.
//!
//! It grows by one chunk at a time, so that growing never moves what is held: at a million items
//! that would stop the server for longer than many a reply is held.

use std::num::NonZeroU32;

const CHUNK: usize = 1024;

pub(super) struct Slab<T> {
    chunks: Vec<Vec<Cell<T>>>,
    /// The first of the list of free places.
    free: Option<Place>,
    len: usize,
}

pub(super) struct Cell<T> {
    link: Link,
    item: Option<T>,
}

/// What a place is to others: the next one in the list that it is in, and a note of the list's.
#[derive(Clone, Copy)]
pub(super) struct Link {
    pub(super) next: Option<Place>,
    pub(super) note: u32,
}

impl Link {
    const NONE: Self = Self { next: None, note: 0 };
}

/// An index, stored so that no place takes no more room than one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place(NonZeroU32);

impl Place {
    fn new(index: usize) -> Self {
        let index = u32::try_from(index + 1).ok().and_then(NonZeroU32::new);
        Self(index.expect("fewer than four thousand million items are held"))
    }

    /// Its chunk, and its cell in that.
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

    pub(super) fn insert(&mut self, item: T) -> Place {
        let place = self.free.unwrap_or_else(|| self.append());
        let cell = self.cell_mut(place);
        cell.item = Some(item);
        self.free = cell.link.next;
        self.len += 1;
        place
    }

    pub(super) fn remove(&mut self, place: Place) -> Option<T> {
        let next = self.free;
        let cell = self.cell_mut(place);
        let item = cell.item.take()?;
        cell.link = Link { next, note: 0 };
        self.free = Some(place);
        self.len -= 1;
        Some(item)
    }

    pub(super) fn link(&self, place: Place) -> Link {
        self.cell(place).link
    }

    pub(super) fn set_link(&mut self, place: Place, link: Link) {
        self.cell_mut(place).link = link;
    }

    fn cell(&self, place: Place) -> &Cell<T> {
        let (chunk, at) = place.split();
        &self.chunks[chunk][at]
    }

    fn cell_mut(&mut self, place: Place) -> &mut Cell<T> {
        let (chunk, at) = place.split();
        &mut self.chunks[chunk][at]
    }

    /// The next place that there never was; every other one is taken.
    fn append(&mut self) -> Place {
        let place = Place::new(self.len);
        let (chunk, _) = place.split();
        if chunk == self.chunks.len() {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        self.chunks[chunk].push(Cell { link: Link::NONE, item: None });
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_place_is_taken_again() {
        let mut slab = Slab::new();
        let places: Vec<Place> = (0..3_000).map(|item| slab.insert(item)).collect();
        assert!(places.iter().enumerate().all(|(index, &place)| place == Place::new(index)));
        assert_eq!(slab.remove(places[7]), Some(7));
        assert_eq!(slab.remove(places[7]), None);
        assert_eq!(slab.remove(places[2_999]), Some(2_999));
        let again = [1, 2, 3].map(|item| slab.insert(item));
        assert_eq!(again, [places[2_999], places[7], Place::new(3_000)]);
        assert_eq!(slab.len(), 3_001);
    }
}
