//! The TLVs of a request, answered in place (RFC 8972 section 4).

use crate::reflect::incoming::Incoming;
use crate::reflect::wall_clock::WallClock;
use crate::wire::stamp::{
    ClassOfService, DirectMeasurement, FollowUp, HmacKey, TimestampInfo, TlvKind, Understood, answer_tlvs,
    refuse_tlvs, sign_tlvs, verifies_tlvs,
};

/// The values of a reflector's answers.
pub(super) struct Answers {
    pub traffic_class: Option<u8>,
    pub info: TimestampInfo,
    /// None for a reply that copies the number of its request.
    pub session: Option<OfSession>,
}

/// The state of a session that TLVs tell: its packets so far, and its reply before.
pub(super) struct OfSession {
    pub received: u32,
    pub reflected: u32,
    pub last_reply: FollowUp,
}

const BY_NTP: u8 = 1;
const FREE_RUNNING: u8 = 5;
const SOFTWARE: u8 = 2;

/// The kernel and this program stamp in software alike.
pub(super) fn timestamp_info(clock: &WallClock) -> TimestampInfo {
    let source = if clock.synchronized { BY_NTP } else { FREE_RUNNING };
    TimestampInfo { clock_in: source, method_in: SOFTWARE, clock_out: source, method_out: SOFTWARE }
}

/// The method of the time that a follow-up tells.
pub(super) const FOLLOW_UP_METHOD: u8 = SOFTWARE;

/// Answers the TLVs behind the base of the packet, whose own number is written already.
pub(super) fn answer(packet: &mut Incoming, base: usize, answers: &Answers, key: Option<&HmacKey>) {
    let length = packet.length;
    let datagram = &mut packet.buffer[..length];
    match key {
        Some(_) if datagram.len() == base => {}
        // Checked before the number changed.
        Some(key) => {
            answer_tlvs(&mut datagram[base..], |kind, value| fill(answers, kind, value, true));
            sign_tlvs(key, datagram, base);
        }
        None => answer_tlvs(&mut datagram[base..], |kind, value| fill(answers, kind, value, false)),
    }
}

/// Whether the HMAC of the TLVs is right; marks them if not.
pub(super) fn verify(datagram: &mut [u8], base: usize, key: &HmacKey) -> bool {
    let verified = verifies_tlvs(key, datagram, base);
    if !verified {
        refuse_tlvs(&mut datagram[base..]);
    }
    verified
}

fn fill(answers: &Answers, kind: TlvKind, value: &mut [u8], keyed: bool) -> Understood {
    let mut write = |bytes: Option<&[u8]>| match bytes {
        None => Understood::No,
        Some(bytes) if bytes.len() == value.len() => {
            value.copy_from_slice(bytes);
            Understood::Yes
        }
        Some(_) => Understood::Malformed,
    };
    let session = answers.session.as_ref();
    match kind {
        TlvKind::ExtraPadding => Understood::Yes,
        TlvKind::Hmac if keyed => Understood::Yes,
        TlvKind::TimestampInfo => write(Some(&answers.info.emit())),
        TlvKind::ClassOfService => {
            let Some(class) = answers.traffic_class else { return Understood::No };
            let Some(asked) = ClassOfService::parse(value) else { return Understood::Malformed };
            let told = ClassOfService {
                dscp_received: class >> 2,
                ecn_received: class & 3,
                // The reply has the class of its request, whatever was asked for.
                refused: u8::from(asked.dscp_back != class >> 2),
                ..asked
            };
            value.copy_from_slice(&told.emit());
            Understood::Yes
        }
        TlvKind::DirectMeasurement => {
            let Some(session) = session else { return Understood::No };
            let Some(asked) = DirectMeasurement::parse(value) else { return Understood::Malformed };
            let told =
                DirectMeasurement { received: session.received, reflected: session.reflected, ..asked };
            value.copy_from_slice(&told.emit());
            Understood::Yes
        }
        TlvKind::FollowUp => write(session.map(|session| session.last_reply.emit()).as_ref().map(|v| &v[..])),
        TlvKind::Hmac | TlvKind::Other(_) => Understood::No,
    }
}
