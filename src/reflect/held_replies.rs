//! Replies that wait for their time, with the bytes they will carry. Memory is what bounds how many
//! can wait, so what is kept of each is packed.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};

use crate::endpoints::Endpoints;
use crate::impair::HoldQueue;
use crate::time::{Duration, Instant};

/// What is known of a reply to be held, or of one whose time has come. What its header will say of the
/// probe still stands in its bytes, which are kept with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    pub path: Endpoints,
    pub received: Instant,
    pub hold: Duration,
    pub kind: HeldKind,
    /// How many replies leave after this one.
    pub extra_copies: u8,
    /// One has left already.
    pub is_copy: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldKind {
    /// A native probe; its header is rewritten into its reply's when it leaves.
    Native { corrupted: bool },
    /// The bytes as they are.
    Verbatim,
}

/// All that is held, in at most so many bytes of memory. Of two that are due at once the first held leaves first.
pub struct HeldReplies {
    queue: HoldQueue<Packed>,
    /// Bytes of the datagrams, as the allocator has them.
    datagrams: usize,
    /// The most that were held at once: the queue keeps the memory for them.
    most: usize,
    capacity: usize,
}

impl HeldReplies {
    const EACH: usize = HoldQueue::<Packed>::BYTES_AT_MOST;
    /// An empty queue gives back its memory if that is more than this part of the capacity.
    const KEPT: usize = 16;

    pub fn new(capacity: usize) -> Self {
        Self { queue: HoldQueue::new(), datagrams: 0, most: 0, capacity }
    }

    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Bytes of memory that the replies held now take.
    pub fn bytes(&self) -> usize {
        self.queue.len() * Self::EACH + self.datagrams
    }

    pub fn next_due(&self) -> Option<Instant> {
        self.queue.next_due()
    }

    /// Holds a reply until it is due; false if there is no room for it.
    pub fn offer(&mut self, held: Held, datagram: &[u8]) -> bool {
        if self.queue.is_empty() && self.most * Self::EACH > self.capacity / Self::KEPT {
            *self = Self::new(self.capacity);
        }
        let grows = if self.queue.len() < self.most { 0 } else { Self::EACH };
        let has_room = self.taken() + grows + allocated(datagram.len()) <= self.capacity;
        if has_room {
            self.push(held, datagram);
        }
        has_room
    }

    /// Bytes of memory taken, for what is held and for what was held before.
    fn taken(&self) -> usize {
        self.most * Self::EACH + self.datagrams
    }

    fn push(&mut self, held: Held, datagram: &[u8]) {
        self.datagrams += allocated(datagram.len());
        self.queue.push(held.received + held.hold, Packed::new(held, datagram.into()));
        self.most = self.most.max(self.queue.len());
    }

    /// Takes the next that is due, its bytes written to `buffer`. Of one with further copies these stay.
    pub fn pop_due(&mut self, now: Instant, buffer: &mut [u8]) -> Option<(Held, usize)> {
        let (due, packed) = self.queue.pop_due(now)?;
        let length = packed.datagram.len();
        buffer[..length].copy_from_slice(&packed.datagram);
        self.datagrams -= allocated(length);
        let held = packed.unpack(due);
        if let Some(extra_copies) = held.extra_copies.checked_sub(1) {
            self.push(Held { extra_copies, is_copy: true, ..held }, &buffer[..length]);
        }
        Some((held, length))
    }
}

/// Bytes that an allocator takes for so many: its own, and up to a multiple of 16.
const fn allocated(length: usize) -> usize {
    if length == 0 { 0 } else { (length + 8).next_multiple_of(16) }
}

/// A held reply without what its due time and its bytes tell already.
struct Packed {
    datagram: Box<[u8]>,
    hold: Duration,
    /// IPv4 addresses as IPv6 has them.
    remote: [u8; 16],
    local: [u8; 16],
    scope: u32,
    port: u16,
    flags: u8,
    extra_copies: u8,
}

impl Packed {
    const REMOTE_V4: u8 = 1;
    const LOCAL_V4: u8 = 2;
    const NO_LOCAL: u8 = 4;
    const NATIVE: u8 = 8;
    const CORRUPTED: u8 = 16;
    const COPY: u8 = 32;

    fn new(held: Held, datagram: Box<[u8]>) -> Self {
        let Endpoints { remote, local } = held.path;
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        let (native, corrupted) = match held.kind {
            HeldKind::Native { corrupted } => (true, corrupted),
            HeldKind::Verbatim => (false, false),
        };
        Self {
            datagram,
            hold: held.hold,
            remote: mapped(remote.ip()),
            local: mapped(local.unwrap_or(Ipv6Addr::UNSPECIFIED.into())),
            scope: if let SocketAddr::V6(v6) = remote { v6.scope_id() } else { 0 },
            port: remote.port(),
            flags: flag(remote.is_ipv4(), Self::REMOTE_V4)
                | flag(local.is_some_and(|ip| ip.is_ipv4()), Self::LOCAL_V4)
                | flag(local.is_none(), Self::NO_LOCAL)
                | flag(native, Self::NATIVE)
                | flag(corrupted, Self::CORRUPTED)
                | flag(held.is_copy, Self::COPY),
            extra_copies: held.extra_copies,
        }
    }

    fn unpack(&self, due: Instant) -> Held {
        let has = |flag| self.flags & flag != 0;
        let remote = match unmapped(self.remote, has(Self::REMOTE_V4)) {
            IpAddr::V4(ip) => SocketAddr::new(ip.into(), self.port),
            IpAddr::V6(ip) => SocketAddrV6::new(ip, self.port, 0, self.scope).into(),
        };
        let local = (!has(Self::NO_LOCAL)).then(|| unmapped(self.local, has(Self::LOCAL_V4)));
        let native = HeldKind::Native { corrupted: has(Self::CORRUPTED) };
        Held {
            path: Endpoints { remote, local },
            received: due - self.hold,
            hold: self.hold,
            kind: if has(Self::NATIVE) { native } else { HeldKind::Verbatim },
            extra_copies: self.extra_copies,
            is_copy: has(Self::COPY),
        }
    }
}

fn mapped(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}

fn unmapped(octets: [u8; 16], is_v4: bool) -> IpAddr {
    let ip = Ipv6Addr::from(octets);
    ip.to_ipv4_mapped().filter(|_| is_v4).map_or(ip.into(), IpAddr::from)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path() -> impl Strategy<Value = Endpoints> {
        let remote =
            prop_oneof![
                (any::<[u8; 4]>(), any::<u16>()).prop_map(|(ip, port)| SocketAddr::from((ip, port))),
                (any::<[u8; 16]>(), any::<u16>(), any::<u32>())
                    .prop_map(|(ip, port, scope)| SocketAddrV6::new(ip.into(), port, 0, scope).into()),
                // As a socket of both families has its IPv4 clients.
                any::<[u8; 4]>().prop_map(|ip| SocketAddr::new(IpAddr::from(mapped(ip.into())), 9)),
            ];
        let local = prop_oneof![
            any::<[u8; 4]>().prop_map(IpAddr::from),
            any::<[u8; 16]>().prop_map(IpAddr::from),
            any::<[u8; 4]>().prop_map(|ip| IpAddr::from(mapped(ip.into()))),
        ];
        (remote, proptest::option::of(local)).prop_map(|(remote, local)| Endpoints { remote, local })
    }

    fn held() -> impl Strategy<Value = Held> {
        let times = (0..1_i64 << 40, 0..1_i64 << 30);
        let kind = prop_oneof![
            Just(HeldKind::Verbatim),
            any::<bool>().prop_map(|corrupted| HeldKind::Native { corrupted })
        ];
        (path(), times, kind, 0_u8..3, any::<bool>()).prop_map(
            |(path, (received, hold), kind, extra_copies, is_copy)| {
                let (received, hold) = (Instant::from_nanos(received), Duration::from_nanos(hold));
                Held { path, received, hold, kind, extra_copies, is_copy }
            },
        )
    }

    fn datagram() -> impl Strategy<Value = Vec<u8>> {
        (0..200_usize).prop_flat_map(|length| proptest::collection::vec(any::<u8>(), length))
    }

    proptest! {
        #[test]
        fn what_is_held_comes_out_as_it_was_in_the_order_of_its_time(
            replies in proptest::collection::vec((held(), datagram()), 1..40),
        ) {
            let mut queue = HeldReplies::new(usize::MAX);
            let mut expected = Vec::new();
            for (held, datagram) in &replies {
                prop_assert!(queue.offer(*held, datagram));
                for left in (0..=held.extra_copies).rev() {
                    let is_copy = held.is_copy || left < held.extra_copies;
                    expected.push((Held { extra_copies: left, is_copy, ..*held }, datagram.clone()));
                }
            }
            prop_assert_eq!(queue.len(), replies.len());
            let sum = replies.iter().map(|(_, datagram)| datagram.len()).sum::<usize>();
            prop_assert!(queue.bytes() >= sum + 64 * replies.len(), "{} bytes for {sum}", queue.bytes());
            expected.sort_by_key(|(held, _)| held.received + held.hold);
            let mut buffer = [0; 256];
            for (held, datagram) in expected {
                let due = held.received + held.hold;
                prop_assert_eq!(queue.next_due(), Some(due));
                prop_assert_eq!(queue.pop_due(due - Duration::from_nanos(1), &mut buffer), None);
                prop_assert_eq!(queue.pop_due(due, &mut buffer), Some((held, datagram.len())));
                prop_assert_eq!(&buffer[..datagram.len()], &datagram[..]);
            }
            prop_assert_eq!((queue.len(), queue.bytes(), queue.next_due()), (0, 0, None));
        }
    }

    #[test]
    fn what_goes_back_as_it_is_keeps_its_order() {
        let mut queue = HeldReplies::new(usize::MAX);
        let path = Endpoints { remote: SocketAddr::from(([127, 0, 0, 1], 9)), local: None };
        let (received, hold, kind) = (Instant::ZERO, Duration::from_millis(10), HeldKind::Verbatim);
        let lengths = [100, 60, 1, 71, 200, 48];
        for length in lengths {
            let held = Held { path, received, hold, kind, extra_copies: 0, is_copy: false };
            assert!(queue.offer(held, &vec![7; length]));
        }
        let mut buffer = [0; 256];
        let out = std::iter::from_fn(|| Some(queue.pop_due(received + hold, &mut buffer)?.1));
        assert_eq!(out.collect::<Vec<_>>(), lengths);
    }

    #[test]
    fn the_memory_taken_stays_within_the_capacity() {
        let mut queue = HeldReplies::new(100_000);
        let path = Endpoints { remote: SocketAddr::from(([127, 0, 0, 1], 9)), local: None };
        let mut buffer = [0; 2048];
        for length in [64, 1400, 64, 300] {
            let kind = HeldKind::Native { corrupted: false };
            let hold = Duration::from_millis(10);
            let held = Held { path, received: Instant::ZERO, hold, kind, extra_copies: 0, is_copy: false };
            let count = (0..10_000).take_while(|_| queue.offer(held, &vec![7; length])).count();
            assert!(
                (100_000 / (length + 150)..100_000 / (length + 64)).contains(&count),
                "{count} of {length}"
            );
            assert!(queue.taken() <= 100_000);
            while queue.pop_due(Instant::ZERO + hold, &mut buffer).is_some() {}
            assert_eq!(queue.bytes(), 0);
        }
    }

    /// What a held reply costs besides its bytes: this, and what the queue and the allocator add.
    #[test]
    fn a_held_reply_is_small() {
        let packed = size_of::<Packed>();
        assert!(packed <= 64, "{packed} bytes");
    }
}
