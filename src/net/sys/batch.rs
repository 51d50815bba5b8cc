//! Datagrams in their buffers: what one call receives, and what one call is to send.
//!
//! By GRO the kernel delivers a train: datagrams of one sender, equally long except for the last, packed one behind the
//! other. By GSO it takes one, so equal neighbours on the way out are joined here.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use crate::endpoints::Endpoints;
use crate::reflect::SocketMark;
use crate::relay::Header;
use crate::time::Instant;

/// Kernels take and deliver no more datagrams as one train.
const LONGEST_TRAIN: usize = 64;

/// Buffers for datagrams that are received, and sent, with one system call.
pub struct Batch {
    bytes: Vec<u8>,
    stride: usize,
    pub(super) arrivals: Vec<Arrival>,
    pub(super) arrived: usize,
    /// The last call received as much as it could: more may wait.
    pub(super) filled: bool,
    /// Buffers taken by `next_buffer`.
    written: usize,
    pub(super) outgoing: Vec<Outgoing>,
    pub(super) pieces: Vec<Range<usize>>,
}

/// A datagram that was received, or a train of them.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    pub path: Endpoints,
    pub length: usize,
    /// The length of each datagram of a train except the last; of a single one its own.
    pub segment: usize,
    /// When the kernel received it, by the wall clock.
    pub stamp: Option<Instant>,
    pub ttl: Option<u8>,
    pub tos: Option<u8>,
    /// In the error queue: the code of an ICMP error about a datagram to `path.remote`.
    pub icmp_error: Option<i32>,
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
pub(super) struct Outgoing {
    pub path: Endpoints,
    /// A field that is not None differs from the socket's own.
    pub header: Header,
    pub length: usize,
    pub segment: usize,
    pub segments: usize,
    /// Where its pieces begin; they end where the next one's begin.
    pub first_piece: usize,
}

impl Outgoing {
    const LONGEST: usize = 65_000;

    fn takes(&self, path: Endpoints, header: Header, length: usize) -> bool {
        let whole = self.length == self.segments * self.segment;
        whole
            && length <= self.segment
            && length > 0
            && self.segments < LONGEST_TRAIN
            && self.length + length <= Self::LONGEST
            && path == self.path
            && header == self.header
    }
}

impl Batch {
    /// Takes `capacity` datagrams of `longest` bytes.
    pub fn new(capacity: usize, longest: usize) -> Self {
        // Buffers a power of two apart would share the same few lines of the processor's cache.
        let stride = longest.next_multiple_of(64) + 64;
        let nowhere = Endpoints { remote: SocketAddr::new(IpAddr::from([0; 4]), 0), local: None };
        let socket = SocketMark::default();
        let none = Arrival {
            path: nowhere,
            length: 0,
            segment: 0,
            stamp: None,
            ttl: None,
            tos: None,
            icmp_error: None,
            socket,
        };
        Self {
            bytes: vec![0; stride * capacity],
            stride,
            arrivals: vec![none; capacity],
            arrived: 0,
            filled: false,
            written: 0,
            outgoing: Vec::with_capacity(capacity),
            pieces: Vec::with_capacity(capacity),
        }
    }

    pub(crate) fn capacity(&self) -> usize {
        self.arrivals.len()
    }

    /// Bytes of the longest datagram that fits.
    pub fn longest(&self) -> usize {
        self.stride - 64
    }

    /// How many arrivals there are.
    pub fn arrived(&self) -> usize {
        self.arrived
    }

    /// Whether the last call received as many as fit: there may be more.
    pub fn was_filled(&self) -> bool {
        self.filled
    }

    /// The metadata of a datagram of the last call.
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

    /// The bytes at this place of the receive buffer.
    pub fn bytes(&self, place: Range<usize>) -> &[u8] {
        &self.bytes[place]
    }

    /// The buffer of a datagram: a single one has it all, one in a train its own bytes.
    pub fn room(&mut self, index: usize, place: &Range<usize>) -> &mut [u8] {
        let Arrival { length, segment, .. } = self.arrivals[index];
        let end = if length > segment { place.end } else { (index + 1) * self.stride };
        &mut self.bytes[place.start..end]
    }

    pub(super) fn buffers(&mut self) -> impl Iterator<Item = &mut [u8]> {
        self.bytes.chunks_exact_mut(self.stride)
    }

    /// Queues the bytes at this place; behind a neighbour of the same path and length they become one train.
    pub fn queue(&mut self, path: Endpoints, place: Range<usize>) {
        self.queue_with(path, Header::default(), place);
    }

    /// The same with another IP header than the socket's own.
    pub fn queue_with(&mut self, path: Endpoints, header: Header, place: Range<usize>) {
        let length = place.len();
        match self.outgoing.last_mut() {
            Some(outgoing) if outgoing.takes(path, header, length) => {
                outgoing.length += length;
                outgoing.segments += 1;
                match self.pieces.last_mut() {
                    Some(piece) if piece.end == place.start => piece.end = place.end,
                    _ => self.pieces.push(place),
                }
            }
            _ => {
                let first_piece = self.pieces.len();
                let segment = length;
                self.outgoing.push(Outgoing { path, header, length, segment, segments: 1, first_piece });
                self.pieces.push(place);
            }
        }
    }

    /// Whether something waits to be sent.
    pub fn has_outgoing(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// The address that a datagram is for, counted as they were queued.
    pub fn remote_of(&self, ordinal: usize) -> Option<SocketAddr> {
        let mut ends = 0;
        let outgoing = self.outgoing.iter().find(|outgoing| {
            ends += outgoing.segments;
            ordinal < ends
        });
        outgoing.map(|outgoing| outgoing.path.remote)
    }

    /// How many datagrams the longest queued train has.
    pub fn longest_train(&self) -> u64 {
        self.outgoing.iter().map(|outgoing| outgoing.segments as u64).max().unwrap_or(1)
    }

    /// Forgets what waits to be sent.
    pub fn clear_outgoing(&mut self) {
        self.clear_queue();
        self.written = 0;
    }

    /// The same, but what was written keeps its buffers.
    pub(crate) fn clear_queue(&mut self) {
        self.outgoing.clear();
        self.pieces.clear();
    }

    /// Whether every buffer is written.
    pub fn is_full(&self) -> bool {
        self.written == self.capacity()
    }

    /// The buffer for one more datagram, which `queue_written` then queues.
    pub fn next_buffer(&mut self) -> &mut [u8] {
        &mut self.bytes[self.written * self.stride..][..self.stride]
    }

    /// Queues what was written into the last buffer handed out.
    pub fn queue_written(&mut self, path: Endpoints, length: usize) {
        self.queue_written_with(path, Header::default(), length);
    }

    pub(crate) fn queue_written_with(&mut self, path: Endpoints, header: Header, length: usize) {
        let place = self.keep_written(length);
        self.queue_with(path, header, place);
    }

    /// Keeps what was written into the last buffer handed out, to be queued later; returns where it stands.
    pub(crate) fn keep_written(&mut self, length: usize) -> Range<usize> {
        let start = self.written * self.stride;
        self.written += 1;
        start..start + length
    }

    /// The buffer of the datagram that was written as the `index`-th.
    pub fn written(&mut self, index: usize) -> &mut [u8] {
        &mut self.bytes[index * self.stride..][..self.stride]
    }

    pub(super) fn pieces_of(&self, outgoing: usize) -> &[Range<usize>] {
        let end = self.outgoing.get(outgoing + 1).map_or(self.pieces.len(), |next| next.first_piece);
        &self.pieces[self.outgoing[outgoing].first_piece..end]
    }

    /// The datagrams of a train one by one.
    pub(super) fn segments_of(&self, outgoing: usize) -> impl Iterator<Item = Range<usize>> {
        let segment = self.outgoing[outgoing].segment;
        self.pieces_of(outgoing).iter().flat_map(move |piece| {
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

    fn outgoing(batch: &Batch) -> Vec<(u16, usize, usize, Vec<Range<usize>>)> {
        (0..batch.outgoing.len())
            .map(|index| {
                let outgoing = &batch.outgoing[index];
                let port = outgoing.path.remote.port();
                (port, outgoing.segments, outgoing.length, batch.pieces_of(index).to_vec())
            })
            .collect()
    }

    #[test]
    fn equal_neighbours_to_one_address_become_a_train_and_a_shorter_one_ends_it() {
        let mut batch = Batch::new(4, 1000);
        for place in [0..100, 100..200, 300..400, 400..450, 450..550] {
            batch.queue(path(1), place);
        }
        batch.queue(path(2), 550..650);
        assert_eq!(
            outgoing(&batch),
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
        batch.queue(path(1), 10..10);
        batch.queue(path(1), 20..20);
        assert_eq!(outgoing(&batch), [(1, 1, 0, vec![10..10]), (1, 1, 0, vec![20..20])]);
        assert_eq!(batch.segments_of(0).collect::<Vec<_>>(), [10..10]);
    }

    #[test]
    fn a_train_grows_no_longer_than_kernels_take() {
        let mut batch = Batch::new(4, 1000);
        for k in 0..65 {
            batch.queue(path(1), k * 10..k * 10 + 10);
        }
        batch.queue(path(2), 0..40_000);
        batch.queue(path(2), 0..40_000);
        let counts: Vec<usize> = batch.outgoing.iter().map(|outgoing| outgoing.segments).collect();
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
