//! Datagrams in their buffers: what one call receives, and what one call is to send.
//!
//! A system may hand over a train: datagrams of one sender, equally long but for the last, packed
//! one behind the other. And it may take one, so neighbours on the way out are coupled here.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use crate::endpoints::Endpoints;
use crate::reflect::SocketMark;
use crate::time::Instant;

/// Datagrams that kernels take, and give, as one train at most.
const LONGEST_TRAIN: usize = 64;

pub struct Batch {
    bytes: Vec<u8>,
    stride: usize,
    pub(super) arrivals: Vec<Arrival>,
    pub(super) arrived: usize,
    /// The last call received as much as it could: there may be more.
    pub(super) filled: bool,
    /// Buffers taken by `spare`.
    written: usize,
    pub(super) letters: Vec<Letter>,
    pub(super) pieces: Vec<Range<usize>>,
}

/// A datagram that was received, or a train of them.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    pub path: Endpoints,
    pub length: usize,
    /// The length of each datagram of a train but the last; of a single one its own.
    pub segment: usize,
    /// When the kernel received it, in ns of the time of day.
    pub stamp: Option<Instant>,
    pub ttl: Option<u8>,
    /// The socket as this was queued.
    pub socket: SocketMark,
}

impl Arrival {
    pub fn datagrams(&self) -> u64 {
        self.length.div_ceil(self.segment.max(1)).max(1) as u64
    }
}

/// A datagram to be sent, or a train of them.
#[derive(Clone, Copy, Debug)]
pub struct Letter {
    pub path: Endpoints,
    pub length: usize,
    pub segment: usize,
    pub segments: usize,
    /// Where its pieces begin; they end where the next one's begin.
    pub first_piece: usize,
}

impl Letter {
    const LONGEST: usize = 65_000;

    fn takes(&self, path: Endpoints, length: usize) -> bool {
        let whole = self.length == self.segments * self.segment;
        whole
            && length <= self.segment
            && length > 0
            && self.segments < LONGEST_TRAIN
            && self.length + length <= Self::LONGEST
            && path == self.path
    }
}

impl Batch {
    pub fn new(capacity: usize, longest: usize) -> Self {
        // Buffers a power of two apart would share the same few lines of the processor's cache.
        let stride = longest.next_multiple_of(64) + 64;
        let nowhere = Endpoints { remote: SocketAddr::new(IpAddr::from([0; 4]), 0), local: None };
        let socket = SocketMark::default();
        let none = Arrival { path: nowhere, length: 0, segment: 0, stamp: None, ttl: None, socket };
        Self {
            bytes: vec![0; stride * capacity],
            stride,
            arrivals: vec![none; capacity],
            arrived: 0,
            filled: false,
            written: 0,
            letters: Vec::with_capacity(capacity),
            pieces: Vec::with_capacity(capacity),
        }
    }

    pub fn capacity(&self) -> usize {
        self.arrivals.len()
    }

    /// How many arrivals there are.
    pub fn arrived(&self) -> usize {
        self.arrived
    }

    pub fn was_filled(&self) -> bool {
        self.filled
    }

    pub fn arrival(&self, index: usize) -> &Arrival {
        &self.arrivals[index]
    }

    /// Where the datagrams of an arrival stand in `bytes`.
    pub fn datagrams(&self, index: usize) -> impl Iterator<Item = Range<usize>> + use<> {
        let Arrival { length, segment, .. } = self.arrivals[index];
        let start = index * self.stride;
        let count = self.arrivals[index].datagrams() as usize;
        (0..count).map(move |k| start + k * segment..start + ((k + 1) * segment).min(length))
    }

    pub fn bytes(&self, place: Range<usize>) -> &[u8] {
        &self.bytes[place]
    }

    /// The room of a datagram: of a single one its whole buffer, of one in a train its own bytes.
    pub fn room(&mut self, index: usize, place: &Range<usize>) -> &mut [u8] {
        let Arrival { length, segment, .. } = self.arrivals[index];
        let end = if length > segment { place.end } else { (index + 1) * self.stride };
        &mut self.bytes[place.start..end]
    }

    pub(super) fn buffers(&mut self) -> impl Iterator<Item = &mut [u8]> {
        self.bytes.chunks_exact_mut(self.stride)
    }

    /// Has the bytes at this place leave; behind a neighbour to the same address as its train.
    pub fn post(&mut self, path: Endpoints, place: Range<usize>) {
        let length = place.len();
        match self.letters.last_mut() {
            Some(letter) if letter.takes(path, length) => {
                letter.length += length;
                letter.segments += 1;
                match self.pieces.last_mut() {
                    Some(piece) if piece.end == place.start => piece.end = place.end,
                    _ => self.pieces.push(place),
                }
            }
            _ => {
                let first_piece = self.pieces.len();
                self.letters.push(Letter { path, length, segment: length, segments: 1, first_piece });
                self.pieces.push(place);
            }
        }
    }

    pub fn has_letters(&self) -> bool {
        !self.letters.is_empty()
    }

    /// The path of the first one that is posted, if there is any.
    pub fn first_path(&self) -> Option<Endpoints> {
        self.letters.first().map(|letter| letter.path)
    }

    /// Whom a datagram is for, counted as they were posted.
    pub fn remote_of(&self, ordinal: usize) -> Option<SocketAddr> {
        let mut ends = 0;
        let letter = self.letters.iter().find(|letter| {
            ends += letter.segments;
            ordinal < ends
        });
        letter.map(|letter| letter.path.remote)
    }

    /// The datagrams of the longest one that is posted.
    pub fn longest_train(&self) -> u64 {
        self.letters.iter().map(|letter| letter.segments as u64).max().unwrap_or(1)
    }

    pub fn clear_letters(&mut self) {
        self.letters.clear();
        self.pieces.clear();
        self.written = 0;
    }

    /// Whether there is no room for another datagram of one's own.
    pub fn is_full(&self) -> bool {
        self.written == self.capacity()
    }

    /// Room for one more datagram to send, which `commit` then posts.
    pub fn spare(&mut self) -> &mut [u8] {
        &mut self.bytes[self.written * self.stride..][..self.stride]
    }

    pub fn commit(&mut self, path: Endpoints, length: usize) {
        let start = self.written * self.stride;
        self.written += 1;
        self.post(path, start..start + length);
    }

    /// The whole room of the datagram that was committed as the `index`-th.
    pub fn committed(&mut self, index: usize) -> &mut [u8] {
        &mut self.bytes[index * self.stride..][..self.stride]
    }

    pub(super) fn pieces_of(&self, letter: usize) -> &[Range<usize>] {
        let end = self.letters.get(letter + 1).map_or(self.pieces.len(), |next| next.first_piece);
        &self.pieces[self.letters[letter].first_piece..end]
    }

    /// The datagrams of a letter one by one.
    pub(super) fn segments_of(&self, letter: usize) -> impl Iterator<Item = Range<usize>> {
        let segment = self.letters[letter].segment;
        self.pieces_of(letter).iter().flat_map(move |piece| {
            let count = piece.len().div_ceil(segment.max(1)).max(1);
            (0..count)
                .map(move |k| piece.start + k * segment..(piece.start + (k + 1) * segment).min(piece.end))
        })
    }
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "places are ranges")]
mod tests {
    use super::*;

    fn path(port: u16) -> Endpoints {
        Endpoints { remote: SocketAddr::from(([127, 0, 0, 1], port)), local: None }
    }

    fn letters(batch: &Batch) -> Vec<(u16, usize, usize, Vec<Range<usize>>)> {
        (0..batch.letters.len())
            .map(|index| {
                let letter = &batch.letters[index];
                let port = letter.path.remote.port();
                (port, letter.segments, letter.length, batch.pieces_of(index).to_vec())
            })
            .collect()
    }

    #[test]
    fn equal_neighbours_to_one_address_become_a_train_and_a_shorter_one_ends_it() {
        let mut batch = Batch::new(4, 1000);
        for place in [0..100, 100..200, 300..400, 400..450, 450..550] {
            batch.post(path(1), place);
        }
        batch.post(path(2), 550..650);
        assert_eq!(
            letters(&batch),
            [(1, 4, 350, vec![0..200, 300..450]), (1, 1, 100, vec![450..550]), (2, 1, 100, vec![550..650])]
        );
        let ports = (0..7).map(|ordinal| batch.remote_of(ordinal).map(|remote| remote.port()));
        assert_eq!(ports.collect::<Vec<_>>(), [Some(1), Some(1), Some(1), Some(1), Some(1), Some(2), None]);
        let singles: Vec<_> = batch.segments_of(0).collect();
        assert_eq!(singles, [0..100, 100..200, 300..400, 400..450]);
    }

    #[test]
    fn empty_datagrams_leave_one_by_one() {
        let mut batch = Batch::new(4, 1000);
        batch.post(path(1), 10..10);
        batch.post(path(1), 20..20);
        assert_eq!(letters(&batch), [(1, 1, 0, vec![10..10]), (1, 1, 0, vec![20..20])]);
        assert_eq!(batch.segments_of(0).collect::<Vec<_>>(), [10..10]);
    }

    #[test]
    fn a_train_grows_no_longer_than_kernels_take() {
        let mut batch = Batch::new(4, 1000);
        for k in 0..65 {
            batch.post(path(1), k * 10..k * 10 + 10);
        }
        batch.post(path(2), 0..40_000);
        batch.post(path(2), 0..40_000);
        let counts: Vec<usize> = batch.letters.iter().map(|letter| letter.segments).collect();
        assert_eq!(counts, [64, 1, 1, 1]);
    }

    #[test]
    fn a_train_that_arrived_falls_into_its_datagrams() {
        let mut batch = Batch::new(2, 1000);
        let places = |batch: &Batch| batch.datagrams(1).collect::<Vec<_>>();
        let stride = batch.stride;
        batch.arrivals[1] = Arrival { length: 250, segment: 100, ..batch.arrivals[1] };
        assert_eq!(
            places(&batch),
            [stride..stride + 100, stride + 100..stride + 200, stride + 200..stride + 250]
        );
        assert_eq!(batch.room(1, &(stride..stride + 100)).len(), 100);
        batch.arrivals[1] = Arrival { length: 250, segment: 250, ..batch.arrivals[1] };
        assert_eq!(places(&batch), [stride..stride + 250]);
        assert_eq!(batch.room(1, &(stride..stride + 250)).len(), stride);
        batch.arrivals[1] = Arrival { length: 0, segment: 0, ..batch.arrivals[1] };
        assert_eq!(places(&batch), [stride..stride]);
    }
}
