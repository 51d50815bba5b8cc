//! Notes on a doubtful measurement, and what would help.

use super::super::format::counted;
use super::ms;
use crate::probe::Cause;
use crate::record::{Run, Summary};

pub(super) fn advice(run: &Run, summary: &Summary) -> Vec<String> {
    let mut advice = Vec::new();
    if let Some(error) = &summary.schedule_error_us
        && error.p99 >= 1000.0
    {
        advice.push(format!(
            "sends were late by {} ms at p99: use --timer busy, or a longer interval",
            ms(error.p99)
        ));
    }
    if summary.missed > 0 && summary.missed * 1000 >= summary.sent {
        advice.push(format!(
            "{} probes were sent after the next was due; \"rtt from due time\" (-v) includes the delay",
            summary.missed
        ));
    }
    if run.events.iter().any(|event| event.kind == "suspended") {
        advice.push("this host was suspended or stalled; probes due meanwhile were skipped".to_owned());
    }
    if run.events.iter().any(|event| event.kind == "not_clean") {
        advice.push(
            "the server says that it injects nothing, but it dropped or held probes by injection".to_owned(),
        );
    }
    if summary.impossible_times > 0 {
        advice.push(format!(
            "the server's times in {} are impossible (damaged on the way?) and count in no figure",
            counted(summary.impossible_times, "reply", "replies")
        ));
    }
    if run.stamps.client_receive == "program" {
        advice.push("no kernel timestamps: the time until this program woke up is in the RTT".to_owned());
    }
    if summary.late > 0 && run.config.poisson_seed.is_some() && run.config.deadline_us.is_none() {
        advice.push("each random interval was its probe's deadline; -W gives them all the same".to_owned());
    } else if summary.late * 2 > summary.sent {
        advice.push("most replies came after the deadline; a larger -W would count them".to_owned());
    }
    if summary.causes.contains_key(&Cause::ClientOverflow) {
        advice.push(format!("this host dropped replies; a lower rate would not{}", larger_buffer(run)));
    }
    if summary.causes.contains_key(&Cause::ServerOverflow) {
        advice.push("the server's host dropped probes; a lower rate would not".to_owned());
    }
    if summary.corrupted > Some(0) {
        advice.push("replies came back corrupted: something on the path is broken".to_owned());
    }
    if let Some(clock) = run.clock.as_ref().filter(|clock| clock.steps > 0) {
        let times = if clock.steps == 1 { "once".to_owned() } else { format!("{} times", clock.steps) };
        advice.push(format!("a clock was set {times}; one-way delays are from then on"));
    }
    advice
}

/// Where the system gave less room for replies than was asked for.
fn larger_buffer(run: &Run) -> String {
    let clamped = run.environment.receive_buffer.filter(|buffer| buffer.bytes < buffer.asked);
    clamped.map_or(String::new(), |buffer| {
        format!(
            ", nor a larger net.core.rmem_max: the system gave {} of {} bytes of receive buffer",
            buffer.bytes, buffer.asked
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{bad, good, lines, run, spread};
    use super::super::{Detail, summary};
    use crate::record::{Event, ReceiveBuffer, Summary};

    #[test]
    fn what_makes_a_measurement_doubtful_is_said() {
        let mut run = run();
        run.environment.receive_buffer = Some(ReceiveBuffer { bytes: 212_992, asked: 4_194_304 });
        run.stamps.client_receive = "program".to_owned();
        run.events.push(Event { at_us: 1.0, kind: "suspended".to_owned(), text: String::new() });
        run.events.push(Event { at_us: 2.0, kind: "not_clean".to_owned(), text: String::new() });
        let said = summary(&run, &bad(), &[], Detail::Usual).join(" ");
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in [
            "nor a larger net.core.rmem_max: the system gave 212992 of 4194304 bytes",
            "note: no kernel timestamps: the time until this program woke up is in the RTT",
            "note: this host was suspended or stalled",
            "note: the server says that it injects nothing, but it dropped or held probes by injection",
        ] {
            assert!(said.contains(part), "'{part}' is not in: {said}");
        }
        let few = Summary { rtt_us: spread(9.0, 10.0, 20.0, 21.0, 20), ..good() };
        assert!(lines(&few, Detail::Usual).iter().any(|line| line.ends_with("n=20: p99 is the maximum")));
        assert!(!lines(&good(), Detail::Usual).iter().any(|line| line.starts_with("note")));
    }

    #[test]
    fn late_replies_of_random_intervals_are_explained() {
        let mut run = run();
        run.config.poisson_seed = Some(1);
        let said = summary(&run, &bad(), &[], Detail::Usual).join(" ");
        assert!(said.contains("each random interval was its probe's deadline"), "{said}");
    }
}
