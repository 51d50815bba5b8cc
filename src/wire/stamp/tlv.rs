//! The optional parts behind the base of a packet (RFC 8972 section 4).
//!
//! ```text
//! +-+-+-+---------+---------------+-------------------------------+
//! |U|M|I| zero    |     type      |            length             |   U: not understood
//! +-+-+-+---------+---------------+-------------------------------+   M: malformed
//! |                            value ...                          |   I: its HMAC is wrong
//! +---------------------------------------------------------------+
//! ```
//!
//! A sender sets U; a reflector clears it where it understood the type.

use super::super::fields::{get_u16, get_u32, get_u64, put_u16, put_u32, put_u64};
use super::packet::HmacKey;
use super::timestamp::Timestamp;

const HEADER: usize = 4;
const UNRECOGNIZED: u8 = 0x80;
const MALFORMED: u8 = 0x40;
const WRONG_HMAC: u8 = 0x20;

/// The types that this program writes or answers; others are kept by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlvKind {
    /// Type 1: makes a packet longer.
    ExtraPadding,
    /// Type 3: how the reflector stamps.
    TimestampInfo,
    /// Type 4: DSCP and ECN on the way.
    ClassOfService,
    /// Type 5: counts of packets.
    DirectMeasurement,
    /// Type 7: when the last reply really left.
    FollowUp,
    /// Type 8: authenticates the TLVs.
    Hmac,
    /// Any other type.
    Other(u8),
}

impl TlvKind {
    fn from_number(number: u8) -> Self {
        match number {
            1 => Self::ExtraPadding,
            3 => Self::TimestampInfo,
            4 => Self::ClassOfService,
            5 => Self::DirectMeasurement,
            7 => Self::FollowUp,
            8 => Self::Hmac,
            other => Self::Other(other),
        }
    }

    fn number(self) -> u8 {
        match self {
            Self::ExtraPadding => 1,
            Self::TimestampInfo => 3,
            Self::ClassOfService => 4,
            Self::DirectMeasurement => 5,
            Self::FollowUp => 7,
            Self::Hmac => 8,
            Self::Other(number) => number,
        }
    }
}

/// One of them, as it was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tlv<'a> {
    /// Its type.
    pub kind: TlvKind,
    /// The reflector does not know the type.
    pub unrecognized: bool,
    /// Its length is not that of its type.
    pub malformed: bool,
    /// Its HMAC is wrong.
    pub wrong_hmac: bool,
    /// Its octets.
    pub value: &'a [u8],
}

/// The TLVs behind the base of a packet, up to the first that does not fit, which is padding or damage.
pub fn tlvs(mut tail: &[u8]) -> impl Iterator<Item = Tlv<'_>> {
    std::iter::from_fn(move || {
        let (header, rest) = tail.split_at_checked(HEADER)?;
        let (value, behind) = rest.split_at_checked(usize::from(get_u16(header, 2..4)))?;
        tail = behind;
        Some(Tlv {
            kind: TlvKind::from_number(header[1]),
            unrecognized: header[0] & UNRECOGNIZED != 0,
            malformed: header[0] & MALFORMED != 0,
            wrong_hmac: header[0] & WRONG_HMAC != 0,
            value,
        })
    })
}

/// How a reflector takes one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Understood {
    /// The value was filled in or needs nothing.
    Yes,
    /// The reflector does not know the type.
    No,
    /// The length is not that of its type.
    Malformed,
}

/// Answers the TLVs of a request in place: `fill` completes each value. One that overruns the packet is
/// marked, and what follows it is left as it came. Padding, recognised by a header that no sender writes
/// (U clear), is not touched.
pub fn answer_tlvs(tail: &mut [u8], mut fill: impl FnMut(TlvKind, &mut [u8]) -> Understood) {
    let mut at = 0;
    while let Some(header) = tail.get(at..at + HEADER) {
        if header[0] & UNRECOGNIZED == 0 {
            return;
        }
        let (kind, length) = (TlvKind::from_number(header[1]), usize::from(get_u16(header, 2..4)));
        let value = at + HEADER..at + HEADER + length;
        let Some(understood) = tail.get_mut(value.clone()).map(|value| fill(kind, value)) else {
            tail[at] |= MALFORMED;
            return;
        };
        tail[at] = match understood {
            Understood::Yes => 0,
            Understood::No => UNRECOGNIZED,
            Understood::Malformed => MALFORMED,
        };
        at = value.end;
    }
}

/// Where the HMAC TLV of a packet begins, if one is there and nothing but padding precedes or follows what it covers.
fn hmac_at(tail: &[u8]) -> Option<usize> {
    let mut at = 0;
    tlvs(tail).find_map(|tlv| {
        let begins = at;
        at += HEADER + tlv.value.len();
        (tlv.kind == TlvKind::Hmac).then_some(begins)
    })
}

/// Whether the HMAC of the TLVs behind the base of a packet is right. Padding alone needs none.
pub fn verifies_tlvs(key: &HmacKey, packet: &[u8], base: usize) -> bool {
    let tail = &packet[base..];
    let Some(at) = hmac_at(tail) else {
        return tlvs(tail).all(|tlv| tlv.kind == TlvKind::ExtraPadding);
    };
    let value = tail.get(at + HEADER..).and_then(|rest| rest.first_chunk::<16>());
    value.is_some_and(|value| key.verifies_parts(&[&packet[..4], &tail[..at]], value))
}

/// Writes the HMAC TLV of a packet anew, if it has one.
pub fn sign_tlvs(key: &HmacKey, packet: &mut [u8], base: usize) {
    let Some(at) = hmac_at(&packet[base..]).map(|at| base + at) else { return };
    let tag = key.tag(&[&packet[..4], &packet[base..at]]);
    if let Some(value) = packet.get_mut(at + HEADER..at + HEADER + tag.len()) {
        value.copy_from_slice(&tag);
    }
}

/// Marks all TLVs as not verified.
pub fn refuse_tlvs(tail: &mut [u8]) {
    let mut at = 0;
    while let Some(header) = tail.get_mut(at..at + HEADER) {
        header[0] |= WRONG_HMAC;
        at += HEADER + usize::from(get_u16(header, 2..4));
    }
}

/// Appends TLVs to a request.
#[derive(Debug)]
pub struct TlvWriter<'a> {
    buffer: &'a mut [u8],
    base: usize,
    length: usize,
}

impl<'a> TlvWriter<'a> {
    /// Behind the base of the packet in `buffer`.
    pub fn new(buffer: &'a mut [u8], base: usize) -> Self {
        Self { buffer, base, length: base }
    }

    /// The length of the packet so far.
    pub fn length(&self) -> usize {
        self.length
    }

    /// False if there is no room for it.
    pub fn push(&mut self, kind: TlvKind, value: &[u8]) -> bool {
        let end = self.length + HEADER + value.len();
        let (Ok(length), true) = (u16::try_from(value.len()), end <= self.buffer.len()) else { return false };
        let tlv = &mut self.buffer[self.length..end];
        tlv[..2].copy_from_slice(&[UNRECOGNIZED, kind.number()]);
        put_u16(tlv, 2..4, length);
        tlv[HEADER..].copy_from_slice(value);
        self.length = end;
        true
    }

    /// Padding that makes the packet `size` octets long; none if less than a header is missing.
    pub fn pad_to(&mut self, size: usize, fill: u8) {
        if let Some(missing) = size.checked_sub(self.length + HEADER) {
            let start = self.length;
            let Ok(length) = u16::try_from(missing) else { return };
            let Some(tlv) = self.buffer.get_mut(start..start + HEADER + missing) else { return };
            tlv[..2].copy_from_slice(&[UNRECOGNIZED, TlvKind::ExtraPadding.number()]);
            put_u16(tlv, 2..4, length);
            tlv[HEADER..].fill(fill);
            self.length = start + HEADER + missing;
        }
    }

    /// An HMAC over the sequence number and the TLVs so far.
    pub fn sign(&mut self, key: &HmacKey) -> bool {
        let tag = key.tag(&[&self.buffer[..4], &self.buffer[self.base..self.length]]);
        self.push(TlvKind::Hmac, &tag)
    }
}

/// The DSCP and ECN that the reflector received, and the DSCP that it was asked to reply with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClassOfService {
    /// For the reply, by the sender.
    pub dscp_back: u8,
    /// As received, by the reflector.
    pub dscp_received: u8,
    /// As received, by the reflector.
    pub ecn_received: u8,
    /// 0: the reply has the DSCP asked for; else the reflector refused it.
    pub refused: u8,
}

impl ClassOfService {
    /// The value as it stands in a packet.
    pub fn emit(self) -> [u8; 4] {
        let bits = u32::from(self.dscp_back & 0x3F) << 26
            | u32::from(self.dscp_received & 0x3F) << 20
            | u32::from(self.ecn_received & 3) << 18
            | u32::from(self.refused & 3) << 16;
        bits.to_be_bytes()
    }

    /// The lower two octets are not zero in the wild.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let bits = u32::from_be_bytes(value.try_into().ok()?);
        let field = |shift: u32, mask: u8| (bits >> shift).to_le_bytes()[0] & mask;
        Some(Self {
            dscp_back: field(26, 0x3F),
            dscp_received: field(20, 0x3F),
            ecn_received: field(18, 3),
            refused: field(16, 3),
        })
    }
}

/// Counters of packets: they tell the loss of each direction whatever the numbering of replies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DirectMeasurement {
    /// By the sender.
    pub sent: u32,
    /// By the reflector.
    pub received: u32,
    /// By the reflector.
    pub reflected: u32,
}

impl DirectMeasurement {
    /// The value as it stands in a packet.
    pub fn emit(self) -> [u8; 12] {
        let mut value = [0; 12];
        put_u32(&mut value, 0..4, self.sent);
        put_u32(&mut value, 4..8, self.received);
        put_u32(&mut value, 8..12, self.reflected);
        value
    }

    /// `None` if the length is not that of the type.
    pub fn parse(value: &[u8]) -> Option<Self> {
        (value.len() == 12).then(|| Self {
            sent: get_u32(value, 0..4),
            received: get_u32(value, 4..8),
            reflected: get_u32(value, 8..12),
        })
    }
}

/// How the reflector's clock is kept and where it takes its times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimestampInfo {
    /// 1 NTP, 2 PTP, 3 SSU/BITS, 4 GNSS, 5 free-running.
    pub clock_in: u8,
    /// 1 hardware, 2 software, 3 control plane.
    pub method_in: u8,
    /// The source of the clock of the reply.
    pub clock_out: u8,
    /// Where the reply is stamped.
    pub method_out: u8,
}

impl TimestampInfo {
    /// The value as it stands in a packet.
    pub fn emit(self) -> [u8; 4] {
        [self.clock_in, self.method_in, self.clock_out, self.method_out]
    }

    /// `None` if the length is not that of the type.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let &[clock_in, method_in, clock_out, method_out] = value else { return None };
        Some(Self { clock_in, method_in, clock_out, method_out })
    }
}

/// When the reflector's reply before this one really left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FollowUp {
    /// The number of that reply.
    pub seq: u32,
    /// By the sender.
    pub sent: Timestamp,
    /// Where it was stamped.
    pub method: u8,
}

impl FollowUp {
    /// The value as it stands in a packet.
    pub fn emit(self) -> [u8; 16] {
        let mut value = [0; 16];
        put_u32(&mut value, 0..4, self.seq);
        put_u64(&mut value, 4..12, self.sent.0);
        value[12] = self.method;
        value
    }

    /// `None` if the length is not that of the type.
    pub fn parse(value: &[u8]) -> Option<Self> {
        (value.len() == 16).then(|| Self {
            seq: get_u32(value, 0..4),
            sent: Timestamp(get_u64(value, 4..12)),
            method: value[12],
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SEQ: [u8; 4] = [0, 0, 0, 7];

    fn packet() -> [u8; 256] {
        let mut buffer = [0; 256];
        buffer[..4].copy_from_slice(&SEQ);
        buffer
    }

    /// The octets of another implementation.
    #[test]
    fn a_class_of_service_and_its_hmac_have_known_octets() {
        let key: Vec<u8> = (0..2).flat_map(|_| (0..16).map(|n| n * 0x11)).collect();
        let mut buffer = packet();
        let mut writer = TlvWriter::new(&mut buffer, 44);
        let asked = ClassOfService { dscp_back: 46, dscp_received: 0, ecn_received: 0, refused: 0 };
        assert!(writer.push(TlvKind::ClassOfService, &asked.emit()));
        assert!(writer.sign(&HmacKey::new(&key)));
        assert_eq!(writer.length(), 72);
        assert_eq!(buffer[44..52], [0x80, 4, 0, 4, 0xB8, 0, 0, 0]);
        assert_eq!(buffer[52..56], [0x80, 8, 0, 0x10]);
        let hmac: [u8; 16] = 0x9100_39cc_4c3e_e030_1f3b_bba0_4394_2a70_u128.to_be_bytes();
        assert_eq!(buffer[56..72], hmac);
    }

    #[test]
    fn what_is_written_is_read_and_padding_gives_the_size() {
        let mut buffer = packet();
        let mut writer = TlvWriter::new(&mut buffer, 44);
        let counters = DirectMeasurement { sent: 9, received: 8, reflected: 7 };
        assert!(writer.push(TlvKind::DirectMeasurement, &counters.emit()));
        writer.pad_to(142, 0);
        assert_eq!(writer.length(), 142);
        let read: Vec<Tlv> = tlvs(&buffer[44..142]).collect();
        assert_eq!(read.len(), 2);
        assert_eq!(DirectMeasurement::parse(read[0].value), Some(counters));
        assert!(read[0].unrecognized && !read[0].malformed);
        assert_eq!((read[1].kind, read[1].value.len()), (TlvKind::ExtraPadding, 142 - 44 - 16 - 4));
    }

    #[test]
    fn a_reflector_clears_the_mark_of_what_it_understood() {
        let mut tail = [[0x80, 4, 0, 4, 0xB8, 0, 0, 0], [0x80, 200, 0, 4, 1, 2, 3, 4]].concat();
        tail.extend([0x80, 5, 0, 2, 9, 9]);
        answer_tlvs(&mut tail, |kind, value| match kind {
            TlvKind::ClassOfService => {
                let asked = ClassOfService::parse(value).unwrap();
                value.copy_from_slice(&ClassOfService { dscp_received: 10, ecn_received: 1, ..asked }.emit());
                Understood::Yes
            }
            TlvKind::DirectMeasurement if value.len() != 12 => Understood::Malformed,
            _ => Understood::No,
        });
        let marks: Vec<(bool, bool)> = tlvs(&tail).map(|tlv| (tlv.unrecognized, tlv.malformed)).collect();
        assert_eq!(marks, [(false, false), (true, false), (false, true)]);
        let first = tlvs(&tail).next().and_then(|tlv| ClassOfService::parse(tlv.value));
        let expected = ClassOfService { dscp_back: 46, dscp_received: 10, ecn_received: 1, refused: 0 };
        assert_eq!(first, Some(expected));
    }

    #[test]
    fn what_overruns_the_packet_is_marked_and_the_rest_left_alone() {
        let mut tail = [0x80, 4, 0, 200, 1, 2, 3, 4];
        answer_tlvs(&mut tail, |_, _| Understood::Yes);
        assert_eq!(tail, [0xC0, 4, 0, 200, 1, 2, 3, 4]);
        let mut padding = [0x5A; 20];
        answer_tlvs(&mut padding, |_, _| Understood::Yes);
        assert_eq!(padding, [0x5A; 20]);
    }

    #[test]
    fn the_reserved_octets_of_a_class_of_service_are_ignored() {
        let parsed = ClassOfService::parse(&[0xB8, 0, 0x30, 0]).unwrap();
        assert_eq!((parsed.dscp_back, parsed.refused), (46, 0));
    }

    proptest! {
        #[test]
        fn any_octets_are_survived_and_keep_their_length(mut tail in proptest::collection::vec(any::<u8>(), 0..300)) {
            let bytes: usize = tlvs(&tail).map(|tlv| tlv.value.len() + HEADER).sum();
            prop_assert!(bytes <= tail.len());
            answer_tlvs(&mut tail, |_, value| { value.fill(0); Understood::Yes });
            for tlv in tlvs(&tail) {
                ClassOfService::parse(tlv.value);
                DirectMeasurement::parse(tlv.value);
                TimestampInfo::parse(tlv.value);
                FollowUp::parse(tlv.value);
            }
        }
    }
}
