//! The answers of a STAMP reflector in TLVs.

use super::super::format::{counted, milliseconds};
use super::micros;
use crate::probe::{ClassCount, ClassSeen, ClockSeen, LeftLater, TlvAnswers};
use crate::record::Run;

pub(super) fn answers(run: &Run) -> Vec<String> {
    let Some(answers) = &run.tlvs else { return Vec::new() };
    let TlvAnswers { unanswered, class_of_service, timestamp_info, direct_measurement, follow_up } = answers;
    let mut lines: Vec<String> = class_of_service.iter().flat_map(classes).collect();
    lines.extend(timestamp_info.as_ref().map(clock));
    lines.extend(direct_measurement.map(|seen| {
        format!(
            "direct measurement: of {} {} reached the reflector, which reflected {}",
            counted(seen.sent.into(), "request", "requests"),
            seen.received,
            seen.reflected
        )
    }));
    lines.extend(follow_up.map(left_later));
    if !unanswered.is_empty() {
        lines.push(format!("TLVs that the reflector does not answer: {}", unanswered.join(", ")));
    }
    lines
}

fn classes(seen: &ClassSeen) -> [String; 2] {
    let dscp = seen.sent_dscp;
    let up = format!("DSCP up: sent as {dscp}, {}", arrived(&seen.up, dscp, ("request", "requests"), true));
    let down = match seen.refused {
        _ if seen.down.is_empty() => "unknown, this host does not tell it".to_owned(),
        0 => arrived(&seen.down, dscp, ("reply", "replies"), true),
        refused => format!(
            "refused by the reflector for {}, {}",
            counted(refused, "reply", "replies"),
            arrived(&seen.down, dscp, ("reply", "replies"), false)
        ),
    };
    [up, format!("DSCP down: asked for {dscp}, {down}")]
}

/// `arrived as 46 in 15 requests, 0 in 5: changed on the way`. Packets leave here without ECN.
fn arrived(classes: &[ClassCount], sent: u8, (one, many): (&str, &str), left_so: bool) -> String {
    let each = classes.iter().map(|class| {
        let ecn = if class.ecn == 0 { String::new() } else { format!(" with ECN {}", class.ecn) };
        format!("{}{ecn} in {}", class.dscp, counted(class.count, one, many))
    });
    let is_changed = left_so && classes.iter().any(|class| (class.dscp, class.ecn) != (sent, 0));
    let changed = if is_changed { ": changed on the way" } else { "" };
    format!("arrived as {}{changed}", each.collect::<Vec<_>>().join(", "))
}

fn clock(seen: &ClockSeen) -> String {
    let one = |clock: &str, method: &str| format!("{clock}, stamps by {method}");
    let received = one(&seen.clock_in, &seen.method_in);
    let sent = one(&seen.clock_out, &seen.method_out);
    if received == sent {
        format!("the reflector's clock: {received}")
    } else {
        format!("the reflector's clock: {received} when receiving; {sent} when sending")
    }
}

fn left_later(later: LeftLater) -> String {
    if later.n == 0 {
        return "follow-up: answered, for no reply that came".to_owned();
    }
    let [min, mean, max] = [later.min_us, later.mean_us, later.max_us].map(|us| milliseconds(micros(us)));
    format!("follow-up: replies left {mean} after the time that they bear on average ({min} to {max})")
}

#[cfg(test)]
mod tests {
    use super::super::fixtures;
    use super::*;
    use crate::probe::PacketsSeen;

    fn said(answers: TlvAnswers) -> Vec<String> {
        super::answers(&Run { tlvs: Some(answers), ..fixtures::run() })
    }

    fn class(dscp: u8, ecn: u8, count: u64) -> ClassCount {
        ClassCount { dscp, ecn, count }
    }

    #[test]
    fn a_dscp_that_is_bleached_on_the_way_is_said_by_direction() {
        let classes = ClassSeen { sent_dscp: 46, up: vec![class(46, 0, 20)], down: vec![], refused: 0 };
        let lines = |classes: ClassSeen| {
            said(TlvAnswers { class_of_service: Some(classes), ..TlvAnswers::default() })
        };
        assert_eq!(
            lines(classes.clone()),
            [
                "DSCP up: sent as 46, arrived as 46 in 20 requests",
                "DSCP down: asked for 46, unknown, this host does not tell it"
            ]
        );
        let down = vec![class(46, 0, 15), class(0, 1, 5)];
        let bleached = ClassSeen { down, up: vec![class(0, 0, 20)], ..classes };
        assert_eq!(
            lines(bleached.clone()),
            [
                "DSCP up: sent as 46, arrived as 0 in 20 requests: changed on the way",
                "DSCP down: asked for 46, arrived as 46 in 15 replies, 0 with ECN 1 in 5 replies: changed on the way"
            ]
        );
        let refused = lines(ClassSeen { refused: 20, ..bleached });
        assert!(
            refused[1].starts_with("DSCP down: asked for 46, refused by the reflector for 20 replies, arr")
        );
        assert!(!refused[1].contains("changed"), "{}", refused[1]);
    }

    #[test]
    fn clocks_counters_and_follow_ups_are_said_and_what_was_not_answered() {
        let clock = ClockSeen {
            clock_in: "NTP".to_owned(),
            method_in: "hardware".to_owned(),
            clock_out: "NTP".to_owned(),
            method_out: "software".to_owned(),
        };
        let answers = TlvAnswers {
            unanswered: vec!["cos".to_owned()],
            timestamp_info: Some(clock),
            direct_measurement: Some(PacketsSeen { sent: 22, received: 20, reflected: 20 }),
            follow_up: Some(LeftLater { n: 9, min_us: 3.0, mean_us: 12.0, max_us: 50.0 }),
            ..TlvAnswers::default()
        };
        assert_eq!(
            said(answers),
            [
                "the reflector's clock: NTP, stamps by hardware when receiving; NTP, stamps by software when sending",
                "direct measurement: of 22 requests 20 reached the reflector, which reflected 20",
                "follow-up: replies left 0.012 ms after the time that they bear on average (0.003 ms to 0.050 ms)",
                "TLVs that the reflector does not answer: cos",
            ]
        );
    }
}
