//! The two packets in their open and authenticated forms.

use std::ops::Range;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::super::fields::{get_u16, get_u32, get_u64, put_u16, put_u32, put_u64};
use super::TWAMP_LIGHT_MIN;
use super::error_estimate::ErrorEstimate;
use super::timestamp::Timestamp;

/// The form of a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Without authentication.
    #[default]
    Open,
    /// With an HMAC, and fields at other offsets.
    Authenticated,
}

/// A sender's packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Counts from 0, modulo 2^32.
    pub seq: u32,
    /// When it leaves.
    pub sent: Timestamp,
    /// The error of the clock that `sent` was read from.
    pub error: ErrorEstimate,
    /// Tells sessions with the same addresses and ports apart; zero for none.
    pub ssid: u16,
}

/// A reflector's packet; `None` for the fields that its device did not send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The reflector's own number, or that of the request.
    pub seq: u32,
    /// When the reflector sent it.
    pub sent: Timestamp,
    /// How far its timestamps may be wrong.
    pub error: ErrorEstimate,
    /// Tells sessions with the same addresses and ports apart; zero for none.
    pub ssid: u16,
    /// When the request arrived.
    pub received: Option<Timestamp>,
    /// The request's.
    pub echoed: Option<Echoed>,
    /// The TTL or hop limit that the request arrived with.
    pub ttl: Option<u8>,
    /// The traffic class that it arrived with (RFC 7750).
    pub tos: Option<u8>,
}

/// The fields that a reflector copies from the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Echoed {
    /// Its sequence number.
    pub seq: u32,
    /// When it left.
    pub sent: Timestamp,
    /// How far its timestamps may be wrong.
    pub error: ErrorEstimate,
}

/// Where the fields of a form stand.
struct Layout {
    base: usize,
    sent: usize,
    error: usize,
    ssid: usize,
    received: usize,
    sender_seq: usize,
    sender_sent: usize,
    sender_error: usize,
    ttl: usize,
    /// Only the open form has room for it.
    tos: Option<usize>,
}

const OPEN: Layout = Layout {
    base: 44,
    sent: 4,
    error: 12,
    ssid: 14,
    received: 16,
    sender_seq: 24,
    sender_sent: 28,
    sender_error: 36,
    ttl: 40,
    tos: Some(41),
};

const AUTHENTICATED: Layout = Layout {
    base: 112,
    sent: 16,
    error: 24,
    ssid: 26,
    received: 32,
    sender_seq: 48,
    sender_sent: 64,
    sender_error: 72,
    ttl: 80,
    tos: None,
};

/// In the authenticated form: the HMAC of all before it.
const HMAC: Range<usize> = 96..112;

impl Mode {
    fn layout(self) -> &'static Layout {
        match self {
            Self::Open => &OPEN,
            Self::Authenticated => &AUTHENTICATED,
        }
    }

    /// The length of a packet without TLVs.
    pub fn base(self) -> usize {
        self.layout().base
    }
}

impl Request {
    /// Writes the base of the packet, `mode.base()` octets; an HMAC and TLVs are the caller's.
    pub fn emit(&self, mode: Mode, buffer: &mut [u8]) {
        let layout = mode.layout();
        buffer[..layout.base].fill(0);
        put_u32(buffer, 0..4, self.seq);
        put_u16(buffer, layout.error..layout.error + 2, self.error.to_bits());
        put_u16(buffer, layout.ssid..layout.ssid + 2, self.ssid);
        self.sent.emit(mode, buffer);
    }

    /// From a packet of a STAMP sender or, in the open form, of a TWAMP sender, whose padding begins where
    /// the SSID stands.
    pub fn parse(mode: Mode, packet: &[u8]) -> Option<Self> {
        let layout = mode.layout();
        let shortest = if mode == Mode::Open { TWAMP_LIGHT_MIN } else { layout.base };
        let has_ssid = packet.len() >= layout.base;
        (packet.len() >= shortest).then(|| Self {
            seq: get_u32(packet, 0..4),
            sent: timestamp(packet, layout.sent),
            error: estimate(packet, layout.error),
            ssid: if has_ssid { get_u16(packet, layout.ssid..layout.ssid + 2) } else { 0 },
        })
    }

    /// Whether it may be a reply of another reflector: receive time and send time are within ten seconds
    /// of each other, which zeros or random padding are not. To answer it could go on for ever.
    pub fn resembles_reply(mode: Mode, packet: &[u8]) -> bool {
        let layout = mode.layout();
        // The reply of a TWAMP reflector may be shorter than the base.
        if packet.len() < layout.received + 8 {
            return false;
        }
        let [sent, received] = [layout.sent, layout.received].map(|at| get_u32(packet, at..at + 4));
        let apart = sent.wrapping_sub(received).cast_signed();
        received != 0 && apart.unsigned_abs() <= 10
    }
}

impl Timestamp {
    /// Writes the time of sending into a request or a reply: the last thing before it leaves.
    pub fn emit(self, mode: Mode, buffer: &mut [u8]) {
        let at = mode.layout().sent;
        put_u64(buffer, at..at + 8, self.0);
    }
}

impl Reply {
    /// Writes the base of the packet over that of the request; an HMAC and TLVs are the caller's.
    pub fn emit(&self, mode: Mode, buffer: &mut [u8]) {
        let layout = mode.layout();
        buffer[..layout.base].fill(0);
        put_u32(buffer, 0..4, self.seq);
        put_u16(buffer, layout.error..layout.error + 2, self.error.to_bits());
        put_u16(buffer, layout.ssid..layout.ssid + 2, self.ssid);
        if let Some(received) = self.received {
            put_u64(buffer, layout.received..layout.received + 8, received.0);
        }
        if let Some(echoed) = self.echoed {
            put_u32(buffer, layout.sender_seq..layout.sender_seq + 4, echoed.seq);
            put_u64(buffer, layout.sender_sent..layout.sender_sent + 8, echoed.sent.0);
            put_u16(buffer, layout.sender_error..layout.sender_error + 2, echoed.error.to_bits());
        }
        // RFC 5357: 255 where the reflector could not read it.
        buffer[layout.ttl] = self.ttl.unwrap_or(u8::MAX);
        if let (Some(at), Some(tos)) = (layout.tos, self.tos) {
            buffer[at] = tos;
        }
        self.sent.emit(mode, buffer);
    }

    /// Reads the reply of any device, from 14 octets on; `tos` is there where it is not zero.
    pub fn parse(mode: Mode, packet: &[u8]) -> Option<Self> {
        let layout = mode.layout();
        let shortest = if mode == Mode::Open { TWAMP_LIGHT_MIN } else { layout.base };
        if packet.len() < shortest {
            return None;
        }
        let has = |end: usize| packet.len() >= end;
        Some(Self {
            seq: get_u32(packet, 0..4),
            sent: timestamp(packet, layout.sent),
            error: estimate(packet, layout.error),
            ssid: if has(layout.ssid + 2) { get_u16(packet, layout.ssid..layout.ssid + 2) } else { 0 },
            received: has(layout.received + 8).then(|| timestamp(packet, layout.received)),
            echoed: has(layout.sender_error + 2).then(|| Echoed {
                seq: get_u32(packet, layout.sender_seq..layout.sender_seq + 4),
                sent: timestamp(packet, layout.sender_sent),
                error: estimate(packet, layout.sender_error),
            }),
            ttl: packet.get(layout.ttl).copied(),
            tos: layout.tos.and_then(|at| packet.get(at)).copied().filter(|tos| *tos != 0),
        })
    }
}

/// The key of the authenticated form.
#[derive(Clone)]
pub struct HmacKey(Hmac<Sha256>);

impl HmacKey {
    /// HMAC-SHA-256 with a secret of any length, cut to 128 bits.
    pub fn new(secret: &[u8]) -> Self {
        Self(Hmac::new_from_slice(secret).expect("a key may have any length"))
    }

    /// Signs the base of an authenticated packet: the last thing before it leaves.
    pub fn sign(&self, packet: &mut [u8]) {
        let tag = self.tag(&[&packet[..HMAC.start]]);
        packet[HMAC].copy_from_slice(&tag);
    }

    /// Whether the HMAC of an authenticated packet's base is right; takes as long wherever it differs.
    pub fn verifies(&self, packet: &[u8]) -> bool {
        packet
            .get(HMAC)
            .is_some_and(|tag| self.hash(&[&packet[..HMAC.start]]).verify_truncated_left(tag).is_ok())
    }

    /// Whether this is the value of an HMAC TLV over these parts.
    pub(super) fn verifies_parts(&self, parts: &[&[u8]], tag: &[u8]) -> bool {
        self.hash(parts).verify_truncated_left(tag).is_ok()
    }

    /// The value of an HMAC TLV: over the sequence number and all TLVs before it.
    pub fn tag(&self, parts: &[&[u8]]) -> [u8; 16] {
        let whole = self.hash(parts).finalize().into_bytes();
        let mut tag = [0; 16];
        tag.copy_from_slice(&whole[..16]);
        tag
    }

    fn hash(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        let mut keyed = self.0.clone();
        parts.iter().for_each(|part| keyed.update(part));
        keyed
    }
}

impl std::fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HmacKey(secret)")
    }
}

fn timestamp(packet: &[u8], at: usize) -> Timestamp {
    Timestamp(get_u64(packet, at..at + 8))
}

fn estimate(packet: &[u8], at: usize) -> ErrorEstimate {
    ErrorEstimate::from_bits(get_u16(packet, at..at + 2))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::timestamp::Format;
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits.chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    }

    fn request() -> Request {
        Request {
            seq: 7,
            sent: Timestamp(0xEEAB_0781_30E5_BDBD),
            error: ErrorEstimate::from_bits(0x8301),
            ssid: 0xBEEF,
        }
    }

    const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    /// Another implementation accepted these octets.
    #[test]
    fn the_open_request_has_the_octets_of_rfc_8972() {
        let mut packet = [0xFF; 44];
        request().emit(Mode::Open, &mut packet);
        let expected = [bytes("00000007 eeab078130e5bdbd 8301 beef"), vec![0; 28]].concat();
        assert_eq!(packet[..], expected[..]);
        assert_eq!(Request::parse(Mode::Open, &packet), Some(request()));
    }

    #[test]
    fn the_authenticated_request_ends_with_its_hmac() {
        let key = HmacKey::new(&bytes(KEY));
        let mut packet = [0xFF; 112];
        request().emit(Mode::Authenticated, &mut packet);
        key.sign(&mut packet);
        let expected = [
            bytes("00000007"),
            vec![0; 12],
            bytes("eeab078130e5bdbd 8301 beef"),
            vec![0; 68],
            bytes("95c1fd86355d7369ee319497dff2af84"),
        ]
        .concat();
        assert_eq!(packet[..], expected[..]);
        assert!(key.verifies(&packet));
        packet[30] ^= 1;
        assert!(!key.verifies(&packet));
        assert!(!key.verifies(&packet[..100]));
    }

    fn reply() -> Reply {
        Reply {
            seq: 3,
            sent: Timestamp::from_unix(1_795_831_200_000_000_500, Format::Ntp),
            error: ErrorEstimate::from_bits(0x0587),
            ssid: 0xBEEF,
            received: Some(Timestamp::from_unix(1_795_831_200_000_000_000, Format::Ntp)),
            echoed: Some(Echoed { seq: 7, sent: request().sent, error: request().error }),
            ttl: Some(61),
            tos: Some(0xB8),
        }
    }

    #[test]
    fn a_reply_is_read_as_it_was_written_in_both_forms() {
        for mode in [Mode::Open, Mode::Authenticated] {
            let mut packet = vec![0xFF; mode.base()];
            reply().emit(mode, &mut packet);
            let tos = if mode == Mode::Open { reply().tos } else { None };
            assert_eq!(Reply::parse(mode, &packet), Some(Reply { tos, ..reply() }));
        }
    }

    /// Devices are known that answer with 14, 38 and 41 octets.
    #[test]
    fn a_short_reply_tells_what_it_has() {
        let mut packet = [0; 44];
        reply().emit(Mode::Open, &mut packet);
        let of = |length: usize| Reply::parse(Mode::Open, &packet[..length]);
        assert_eq!(of(41), Some(Reply { tos: None, ..reply() }));
        assert_eq!(of(38), Some(Reply { tos: None, ttl: None, ..reply() }));
        let bare = Reply { ssid: 0, received: None, echoed: None, ttl: None, tos: None, ..reply() };
        assert_eq!(of(14), Some(bare));
        assert_eq!(of(13), None);
    }

    /// Reflectors are told from senders, which fill these octets with zeros or at random.
    #[test]
    fn a_reply_that_comes_back_as_a_request_is_recognised() {
        for mode in [Mode::Open, Mode::Authenticated] {
            let mut packet = vec![0; mode.base()];
            reply().emit(mode, &mut packet);
            assert!(Request::resembles_reply(mode, &packet), "{mode:?}");
            request().emit(mode, &mut packet);
            assert!(!Request::resembles_reply(mode, &packet), "{mode:?}");
        }
        let padded = [&bytes("00000007 eeab078130e5bdbd 8301")[..], &[0x5A; 60]].concat();
        assert!(!Request::resembles_reply(Mode::Open, &padded));
        assert_eq!(Request::parse(Mode::Open, &padded[..14]), Some(Request { ssid: 0, ..request() }));
    }

    proptest! {
        #[test]
        fn any_octets_are_survived(packet in proptest::collection::vec(any::<u8>(), 0..200)) {
            for mode in [Mode::Open, Mode::Authenticated] {
                prop_assert_eq!(Request::parse(mode, &packet).is_some(), packet.len() >= if mode == Mode::Open { 14 } else { 112 });
                Reply::parse(mode, &packet);
                Request::resembles_reply(mode, &packet);
            }
            HmacKey::new(b"key").verifies(&packet);
        }
    }
}
