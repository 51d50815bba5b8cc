//! Reads what the reflector answers in TLVs.

use std::collections::BTreeMap;

use crate::probe::tlv_answers::TlvAnswers;
use crate::time::Duration;
use crate::wire::stamp::{
    ClassOfService, DirectMeasurement, FollowUp, Timestamp, TimestampInfo, Tlv, TlvKind, tlvs,
};

#[derive(Debug, Default)]
pub(super) struct Answers {
    so_far: TlvAnswers,
    /// The traffic class with which the next datagram came.
    pub class: Option<u8>,
    /// When recent replies left by their own word, by the reflector's number: a later one may correct it.
    told: BTreeMap<u32, i64>,
}

impl Answers {
    const REMEMBERED: usize = 64;

    /// Takes the TLVs of a reply with this number, which left at `left` (nanoseconds) by its own word. `read` turns a
    /// time of the reflector into nanoseconds.
    pub(super) fn take(
        &mut self,
        tail: &[u8],
        (number, left): (u32, Option<i64>),
        read: impl Fn(Timestamp) -> Option<i64>,
    ) {
        for tlv in answered(tail) {
            let so_far = &mut self.so_far;
            match tlv.kind {
                TlvKind::ClassOfService => {
                    if let Some(answer) = ClassOfService::parse(tlv.value) {
                        let seen = so_far.class_of_service.get_or_insert_default();
                        seen.add(answer, self.class);
                    }
                }
                TlvKind::TimestampInfo => {
                    let info = TimestampInfo::parse(tlv.value).map(Into::into);
                    so_far.timestamp_info = info.or(so_far.timestamp_info.take());
                }
                TlvKind::DirectMeasurement => {
                    let counters = DirectMeasurement::parse(tlv.value).map(Into::into);
                    so_far.direct_measurement = counters.or(so_far.direct_measurement);
                }
                TlvKind::FollowUp => self.follow_up(tlv.value, &read),
                _ => {}
            }
        }
        if let Some(left) = left {
            self.told.insert(number, left);
            if self.told.len() > Self::REMEMBERED {
                self.told.pop_first();
            }
        }
    }

    /// The first reply has none to tell of: its time is zero.
    fn follow_up(&mut self, value: &[u8], read: impl Fn(Timestamp) -> Option<i64>) {
        let Some(answer) = FollowUp::parse(value) else { return };
        let later = self.so_far.follow_up.get_or_insert_default();
        if let (Some(told), Some(left)) = (self.told.get(&answer.seq), read(answer.sent)) {
            later.add(Duration::from_nanos(left - told));
        }
    }

    /// All of the run; none where no TLV was sent.
    pub(super) fn finish(&mut self, sent: &[TlvKind]) -> Option<TlvAnswers> {
        let mut answers = std::mem::take(&mut self.so_far);
        answers.finish(sent);
        (!sent.is_empty()).then_some(answers)
    }
}

/// The reflector's count of requests, where a reply has it.
pub(super) fn requests_counted(tail: &[u8]) -> Option<u32> {
    let counted = answered(tail).find(|tlv| tlv.kind == TlvKind::DirectMeasurement)?;
    DirectMeasurement::parse(counted.value).map(|counted| counted.received)
}

fn answered(tail: &[u8]) -> impl Iterator<Item = Tlv<'_>> {
    tlvs(tail).filter(|tlv| !tlv.unrecognized && !tlv.malformed && !tlv.wrong_hmac)
}
