//! Thresholds of a run: a line for each that is not met, with its name and by how much.

use super::format::{milliseconds, percent, percent_bare};
use crate::record::Summary;
use crate::time::Duration;
use crate::units::{Interval, Probability};

/// The most that is allowed; None is not checked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Thresholds {
    /// All that was not on time, over sent.
    pub loss: Option<Probability>,
    /// Of the RTT.
    pub p99: Option<Interval>,
    /// Of RFC 3550, at the end of the run.
    pub jitter: Option<Interval>,
    /// Reordered replies over replies.
    pub reordering: Option<Probability>,
}

impl Thresholds {
    /// A line for each that is not met. An unknown value does not meet its threshold: a test must not
    /// pass because no reply came.
    pub fn breaches(&self, summary: &Summary) -> Vec<String> {
        let p99 = summary.rtt_us.as_ref().map(|rtt| rtt.p99);
        let jitter = summary.rtp_jitter_us;
        let lines = [
            self.loss.and_then(|most| share("loss", "--fail-loss", summary.loss_share, most)),
            self.p99.and_then(|most| time("the RTT's p99", "--fail-p99", p99, most)),
            self.jitter.and_then(|most| time("jitter (RFC 3550)", "--fail-jitter", jitter, most)),
            self.reordering
                .and_then(|most| share("reordering", "--fail-reorder", summary.reordered_share, most)),
        ];
        lines.into_iter().flatten().collect()
    }
}

fn share(what: &str, flag: &str, value: Option<f64>, most: Probability) -> Option<String> {
    let Some(value) = value else { return Some(unknown(what, &format!("{flag} {most}"))) };
    let over = value - most.get();
    (over > 0.0).then(|| {
        format!("{what} {} exceeds {flag} {most} by {} percentage points", percent(value), percent_bare(over))
    })
}

fn time(what: &str, flag: &str, value: Option<f64>, most: Interval) -> Option<String> {
    let Some(value) = value else { return Some(unknown(what, &format!("{flag} {most}"))) };
    let value = Duration::from_secs_f64(value / 1e6);
    let over = value - most.get();
    (over > Duration::ZERO)
        .then(|| format!("{what} {} exceeds {flag} {most} by {}", milliseconds(value), milliseconds(over)))
}

fn unknown(what: &str, flag: &str) -> String {
    format!("{what} is unknown, as there were too few replies: {flag} is not met")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::{Outcome, Resolved};
    use crate::stats::RunStatistics;

    /// Of a hundred probes, a hundredth of a second apart, ten are lost; the others take 10 ms, but
    /// for the last two: 80 ms.
    fn summary() -> Summary {
        let mut run = RunStatistics::new();
        for seq in 0..100 {
            let lost = seq % 10 == 0;
            let rtt = Duration::from_millis(if seq >= 98 { 80 } else { 10 });
            let due = Duration::from_millis(10) * seq;
            run.push(&probe(seq as u64, due, (!lost).then_some(rtt)), |_| {});
        }
        Summary::of(&run)
    }

    fn probe(seq: u64, due: Duration, rtt: Option<Duration>) -> Resolved {
        Resolved {
            due,
            sent: Some(due),
            outcome: if rtt.is_some() { Outcome::Ok } else { Outcome::Lost },
            rtt,
            copies: u32::from(rtt.is_some()),
            ..Resolved::unanswered(seq)
        }
    }

    fn share(text: &str) -> Option<Probability> {
        Some(text.parse().unwrap())
    }

    fn time(text: &str) -> Option<Interval> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn each_breach_says_which_and_by_how_much() {
        let all =
            Thresholds { loss: share("1%"), p99: time("50ms"), jitter: time("1ms"), reordering: share("0%") };
        // One step of 70 ms among equals moves the jitter by a sixteenth of it.
        assert_eq!(
            all.breaches(&summary()),
            [
                "loss 10 % exceeds --fail-loss 1% by 9 percentage points",
                "the RTT's p99 80.0 ms exceeds --fail-p99 50ms by 30.0 ms",
                "jitter (RFC 3550) 4.10 ms exceeds --fail-jitter 1ms by 3.10 ms",
            ]
        );
    }

    #[test]
    fn a_value_at_its_threshold_meets_it() {
        let just = Thresholds { loss: share("10%"), p99: time("80ms"), ..Thresholds::default() };
        assert!(just.breaches(&summary()).is_empty());
        let barely = Thresholds { loss: share("9.99%"), p99: time("79.999999ms"), ..Thresholds::default() };
        assert_eq!(barely.breaches(&summary()).len(), 2);
        assert!(Thresholds::default().breaches(&summary()).is_empty());
    }

    #[test]
    fn an_unknown_value_does_not_meet_its_threshold() {
        let mut run = RunStatistics::new();
        run.push(&probe(0, Duration::ZERO, None), |_| {});
        let all =
            Thresholds { loss: share("100%"), p99: time("1s"), jitter: time("1s"), reordering: share("1%") };
        let breaches = all.breaches(&Summary::of(&run));
        assert_eq!(breaches.len(), 3, "{breaches:?}");
        assert_eq!(
            breaches[0],
            "the RTT's p99 is unknown, as there were too few replies: --fail-p99 1s is not met"
        );
    }
}
