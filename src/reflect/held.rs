//! Replies that wait for their time, with the bytes they will carry. Memory is what bounds how many
//! can wait, so what is kept of each is packed.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};

use super::Path;
use crate::impair::HoldQueue;
use crate::time::{Duration, Instant};

/// A reply to be held, or one whose time has come. What its header will say of the probe still
/// stands in its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub path: Path,
    pub received: Instant,
    pub hold: Duration,
    pub kind: HeldKind,
    /// How many replies leave after this one.
    pub extra_copies: u8,
    /// One has left already.
    pub is_copy: bool,
    pub datagram: Box<[u8]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldKind {
    /// A native probe; its header is rewritten into its reply's when it leaves.
    Native { corrupted: bool },
    /// The bytes as they are.
    Verbatim,
}

/// All that is held, at most so many bytes.
pub struct HeldReplies {
    queue: HoldQueue<Packed>,
    bytes: usize,
    capacity: usize,
}

impl HeldReplies {
    pub fn new(capacity: usize) -> Self {
        Self { queue: HoldQueue::new(), bytes: 0, capacity }
    }

    pub fn len(&self) -> usize {
        self.queue.len()
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn next_due(&self) -> Option<Instant> {
        self.queue.next_due()
    }

    /// Whether there is room for so many bytes more.
    pub fn has_room(&self, length: usize) -> bool {
        self.bytes + length <= self.capacity
    }

    pub fn push(&mut self, held: Held) {
        self.bytes += held.datagram.len();
        self.queue.push(held.received + held.hold, Packed::from(held));
    }

    /// Takes the next that is due. Of one with further copies these stay.
    pub fn pop_due(&mut self, now: Instant) -> Option<Held> {
        let (due, packed) = self.queue.pop_due(now)?;
        let held = packed.unpack(due);
        self.bytes -= held.datagram.len();
        if let Some(extra_copies) = held.extra_copies.checked_sub(1) {
            self.push(Held { extra_copies, is_copy: true, ..held.clone() });
        }
        Some(held)
    }
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

    fn unpack(self, due: Instant) -> Held {
        let has = |flag| self.flags & flag != 0;
        let remote = match unmapped(self.remote, has(Self::REMOTE_V4)) {
            IpAddr::V4(ip) => SocketAddr::new(ip.into(), self.port),
            IpAddr::V6(ip) => SocketAddrV6::new(ip, self.port, 0, self.scope).into(),
        };
        let local = (!has(Self::NO_LOCAL)).then(|| unmapped(self.local, has(Self::LOCAL_V4)));
        let native = HeldKind::Native { corrupted: has(Self::CORRUPTED) };
        Held {
            path: Path { remote, local },
            received: due - self.hold,
            hold: self.hold,
            kind: if has(Self::NATIVE) { native } else { HeldKind::Verbatim },
            extra_copies: self.extra_copies,
            is_copy: has(Self::COPY),
            datagram: self.datagram,
        }
    }
}

impl From<Held> for Packed {
    fn from(held: Held) -> Self {
        let Path { remote, local } = held.path;
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        let (native, corrupted) = match held.kind {
            HeldKind::Native { corrupted } => (true, corrupted),
            HeldKind::Verbatim => (false, false),
        };
        Self {
            datagram: held.datagram,
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

    fn path() -> impl Strategy<Value = Path> {
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
        (remote, proptest::option::of(local)).prop_map(|(remote, local)| Path { remote, local })
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_out_as_it_was(
            path in path(), received in 0..1_i64 << 60, hold in 0..1_i64 << 42, native: bool, corrupted: bool,
            extra_copies: u8, is_copy: bool, datagram in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            let kind = if native { HeldKind::Native { corrupted } } else { HeldKind::Verbatim };
            let (received, hold) = (Instant::from_nanos(received), Duration::from_nanos(hold));
            let held = Held { path, received, hold, kind, extra_copies, is_copy, datagram: datagram.into() };
            prop_assert_eq!(Packed::from(held.clone()).unpack(received + hold), held);
        }
    }

    /// What a held reply costs besides its bytes: this, and what the queue and the allocator add.
    #[test]
    fn a_held_reply_is_small() {
        assert!(size_of::<Packed>() <= 64, "{} bytes", size_of::<Packed>());
    }
}
