//! A reflector's answers to TLVs (RFC 8972), summed up over a run.

use serde::{Deserialize, Serialize};

use crate::time::Duration;
use crate::wire::stamp::{ClassOfService, DirectMeasurement, TimestampInfo, TlvKind};

/// By TLV; none of those that were not asked for or never answered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TlvAnswers {
    /// TLVs that were sent and never answered, by the names of the command line.
    pub unanswered: Vec<String>,
    /// DSCP and ECN on both ways.
    pub class_of_service: Option<ClassSeen>,
    /// How the reflector keeps its clock and takes its times, by its last answer.
    pub timestamp_info: Option<ClockSeen>,
    /// Packets by the counters of both ends.
    pub direct_measurement: Option<PacketsSeen>,
    /// How much later than they tell replies left.
    pub follow_up: Option<LeftLater>,
}

/// The answers to Class of Service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClassSeen {
    /// The DSCP that requests left with, and replies were to come back with.
    pub sent_dscp: u8,
    /// With which requests arrived at the reflector.
    pub up: Vec<ClassCount>,
    /// With which replies arrived here; empty where this host does not tell.
    pub down: Vec<ClassCount>,
    /// Replies for which the reflector refused the DSCP.
    pub refused: u64,
}

/// The packets of one class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassCount {
    /// 0 to 63.
    pub dscp: u8,
    /// 0 to 3; 3 is congestion experienced.
    pub ecn: u8,
    /// Packets.
    pub count: u64,
}

/// The answer to Timestamp Information.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClockSeen {
    /// The source of the clock that stamps requests: NTP, PTP, SSU/BITS, GNSS, free-running or unknown.
    pub clock_in: String,
    /// Where it takes that time: hardware, software, control plane or unknown.
    pub method_in: String,
    /// The same of replies.
    pub clock_out: String,
    /// The same of replies.
    pub method_out: String,
}

/// The last answer to Direct Measurement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacketsSeen {
    /// By this sender.
    pub sent: u32,
    /// Of these, by the reflector.
    pub received: u32,
    /// By the reflector.
    pub reflected: u32,
}

/// From the time that a reply bears until it left, by Follow-Up Telemetry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LeftLater {
    /// Replies.
    pub n: u64,
    /// The shortest.
    pub min_us: f64,
    /// Over all of them.
    pub mean_us: f64,
    /// The longest.
    pub max_us: f64,
}

impl ClassSeen {
    /// Takes an answer, and the traffic class with which its reply arrived.
    pub(super) fn add(&mut self, answer: ClassOfService, arrived: Option<u8>) {
        self.sent_dscp = answer.dscp_back;
        count(&mut self.up, answer.dscp_received, answer.ecn_received);
        if let Some(class) = arrived {
            count(&mut self.down, class >> 2, class & 3);
        }
        self.refused += u64::from(answer.refused != 0);
    }
}

fn count(classes: &mut Vec<ClassCount>, dscp: u8, ecn: u8) {
    match classes.iter_mut().find(|class| (class.dscp, class.ecn) == (dscp, ecn)) {
        Some(class) => class.count += 1,
        None => classes.push(ClassCount { dscp, ecn, count: 1 }),
    }
}

impl From<TimestampInfo> for ClockSeen {
    fn from(info: TimestampInfo) -> Self {
        Self {
            clock_in: clock(info.clock_in),
            method_in: method(info.method_in),
            clock_out: clock(info.clock_out),
            method_out: method(info.method_out),
        }
    }
}

/// RFC 8972 section 4.3.
fn clock(code: u8) -> String {
    match code {
        1 => "NTP",
        2 => "PTP",
        3 => "SSU/BITS",
        4 => "GNSS",
        5 => "free-running",
        _ => "unknown",
    }
    .to_owned()
}

fn method(code: u8) -> String {
    match code {
        1 => "hardware",
        2 => "software",
        3 => "control plane",
        _ => "unknown",
    }
    .to_owned()
}

impl From<DirectMeasurement> for PacketsSeen {
    fn from(counters: DirectMeasurement) -> Self {
        let DirectMeasurement { sent, received, reflected } = counters;
        Self { sent, received, reflected }
    }
}

impl LeftLater {
    pub(super) fn add(&mut self, later: Duration) {
        let later = later.as_micros_f64();
        self.min_us = if self.n == 0 { later } else { self.min_us.min(later) };
        self.max_us = if self.n == 0 { later } else { self.max_us.max(later) };
        self.n += 1;
        self.mean_us += (later - self.mean_us) / self.n as f64;
    }
}

impl TlvAnswers {
    /// Notes which of these were never answered.
    pub(super) fn finish(&mut self, sent: &[TlvKind]) {
        let is_answered = |kind: &TlvKind| match kind {
            TlvKind::ClassOfService => self.class_of_service.is_some(),
            TlvKind::TimestampInfo => self.timestamp_info.is_some(),
            TlvKind::DirectMeasurement => self.direct_measurement.is_some(),
            TlvKind::FollowUp => self.follow_up.is_some(),
            _ => true,
        };
        let unanswered = sent.iter().filter(|kind| !is_answered(kind));
        self.unanswered = unanswered.map(|kind| name(*kind).to_owned()).collect();
    }
}

/// As `--tlv` has it.
fn name(kind: TlvKind) -> &'static str {
    match kind {
        TlvKind::ClassOfService => "cos",
        TlvKind::TimestampInfo => "time",
        TlvKind::DirectMeasurement => "direct",
        TlvKind::FollowUp => "follow-up",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_counted_apart_and_delays_are_averaged() {
        let mut classes = ClassSeen::default();
        for (received, arrived) in [(46, Some(0xB8)), (0, Some(0xB9)), (0, None)] {
            let answer =
                ClassOfService { dscp_back: 46, dscp_received: received, ecn_received: 0, refused: 1 };
            classes.add(answer, arrived);
        }
        let class = |dscp, ecn, count| ClassCount { dscp, ecn, count };
        assert_eq!(classes.up, [class(46, 0, 1), class(0, 0, 2)]);
        assert_eq!(classes.down, [class(46, 0, 1), class(46, 1, 1)]);
        assert_eq!((classes.sent_dscp, classes.refused), (46, 3));
        let mut later = LeftLater::default();
        [3, 1, 2].into_iter().for_each(|micros| later.add(Duration::from_micros(micros)));
        assert_eq!(later, LeftLater { n: 3, min_us: 1.0, mean_us: 2.0, max_us: 3.0 });
    }

    #[test]
    fn what_was_asked_and_not_answered_is_named() {
        let mut answers =
            TlvAnswers { class_of_service: Some(ClassSeen::default()), ..TlvAnswers::default() };
        answers.finish(&[TlvKind::ClassOfService, TlvKind::FollowUp, TlvKind::DirectMeasurement]);
        assert_eq!(answers.unanswered, ["follow-up", "direct"]);
    }
}
