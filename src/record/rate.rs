//! The results of a rate search, `rate` in `run.json`. Rates are bits a second of IP packets, delays
//! are above those of the idle path.

use serde::{Deserialize, Serialize};

use crate::probe::rate_search::{Confidence, Delays, Kind, LimitedBy, RateResult, Settings, Step};
use crate::time::Duration;

/// The scale of `grade`.
pub const SCALE: &str = "mean added delay of the other flow under push: A+ <5 A <30 B <60 C <200 D <400 F ms";

/// The searches of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// `sequential`: each direction by itself, one after the other; `echo`: both are loaded at once, and the slower
    /// one is found.
    pub mode: String,
    /// Client to server, in sequential mode.
    #[serde(default)]
    pub up: Option<DirectionRate>,
    /// Server to client.
    #[serde(default)]
    pub down: Option<DirectionRate>,
    /// In echo mode, of the slower direction.
    #[serde(default)]
    pub echo: Option<DirectionRate>,
    /// Of the idle path, by both flows.
    pub idle_rtt_p50_us: Option<f64>,
    /// The 95th percentile.
    pub idle_rtt_p95_us: Option<f64>,
    /// The worst of the directions; none if one of them has none.
    pub grade: Option<String>,
    /// The meaning of the grade.
    pub scale: String,
    /// How long it took.
    pub seconds: f64,
    /// Bytes received, headers included.
    pub bytes: u64,
    /// Why the search ended before all of it was measured.
    #[serde(default)]
    pub ended: Option<String>,
}

impl Rate {
    /// The searches, with their names.
    pub fn directions(&self) -> impl Iterator<Item = (&'static str, &DirectionRate)> {
        let all = [("up", &self.up), ("down", &self.down), ("echo", &self.echo)];
        all.into_iter().filter_map(|(name, rate)| Some((name, rate.as_ref()?)))
    }

    /// The worst grade of the directions; none if one of them has none, since that one may be worse.
    pub fn worst_grade(&self) -> Option<String> {
        let grades: Option<Vec<&str>> = self.directions().map(|(_, found)| found.grade.as_deref()).collect();
        worst(grades?.into_iter())
    }
}

/// The result of one search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DirectionRate {
    /// The rate of arrivals while the target queue stands.
    pub bps: f64,
    /// The 95 % interval.
    pub low_bps: f64,
    /// Its upper end.
    pub high_bps: f64,
    /// The same without IP and UDP headers.
    pub payload_bps: f64,
    /// Bytes of UDP payload of a packet.
    pub size: u32,
    /// The queue that was held.
    pub target_queue_us: f64,
    /// The spread of the idle delay.
    pub noise_us: f64,
    /// The share that the path loses without load.
    pub baseline_loss: f64,
    /// `queue`, `loss` or `host`: what set the rate.
    pub kind: String,
    /// From the end of the climb.
    pub settled_s: Option<f64>,
    /// How long it took.
    pub seconds: f64,
    /// Bytes received, headers included.
    pub bytes: u64,
    /// Share of reports in which the queue was empty.
    pub idle_share: f64,
    /// A queue stood before the search began.
    pub busy_before: bool,
    /// Bytes that pass at once before the rate holds.
    pub burst_bytes: Option<f64>,
    /// Why the rate is a lower bound: `client`, `server`, `max_rate`, `max_bytes` or `grant`.
    pub limited_by: Option<String>,
    /// `high`, `medium` or `low`.
    pub confidence: String,
    /// `--max-bytes` ended the search early.
    #[serde(default)]
    pub out_of_bytes: bool,
    /// The end of the search; none if a host was the limit.
    pub pushed: Option<PushedRate>,
    /// The curve; empty likewise.
    pub steps: Vec<StepRate>,
    /// Received in each window of 250 ms.
    pub windows_bps: Vec<f64>,
    /// By the scale; none where a limit kept the load from filling the path.
    pub grade: Option<String>,
}

/// The push at the end of a search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PushedRate {
    /// Rates, loss and delays.
    #[serde(flatten)]
    pub step: StepRate,
    /// Until both flows were idle again.
    pub recovery_s: Option<f64>,
}

/// One rate of the curve, or the push.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepRate {
    /// The rate sent.
    pub offered_bps: f64,
    /// The rate that arrived.
    pub received_bps: f64,
    /// The share that did not arrive.
    pub loss: f64,
    /// Of the flow that loads the path.
    pub own: Option<AddedDelay>,
    /// Of the flow beside it.
    pub other: Option<AddedDelay>,
}

/// Above the idle path's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AddedDelay {
    /// The mean.
    pub mean_us: f64,
    /// The median.
    pub p50_us: f64,
    /// The 95th percentile.
    pub p95_us: f64,
    /// The largest.
    pub max_us: f64,
}

impl From<Delays> for AddedDelay {
    fn from(delays: Delays) -> Self {
        let [mean_us, p50_us, p95_us, max_us] =
            [delays.mean, delays.p50, delays.p95, delays.max].map(Duration::as_micros_f64);
        Self { mean_us, p50_us, p95_us, max_us }
    }
}

impl From<Step> for StepRate {
    fn from(step: Step) -> Self {
        Self {
            offered_bps: step.offered,
            received_bps: step.received,
            loss: step.loss,
            own: step.own.map(AddedDelay::from),
            other: step.other.map(AddedDelay::from),
        }
    }
}

impl DirectionRate {
    /// `size`: bytes of UDP payload of a packet that the search counted with its headers.
    pub fn of(result: &RateResult, settings: &Settings, size: u32) -> Self {
        let recovery_s = result.recovery.map(Duration::as_secs_f64);
        let pushed = result.pushed.map(|step| PushedRate { step: step.into(), recovery_s });
        let fills_the_path = result.limited_by.is_none();
        let other = result.pushed.and_then(|pushed| pushed.other).filter(|_| fills_the_path);
        Self {
            bps: result.rate,
            low_bps: result.interval.0,
            high_bps: result.interval.1,
            payload_bps: result.rate * f64::from(size) / f64::from(settings.packet),
            size,
            target_queue_us: settings.target_queue.as_micros_f64(),
            noise_us: result.noise.as_micros_f64(),
            baseline_loss: result.baseline_loss,
            kind: kind(result.kind()).to_owned(),
            settled_s: result.settled.map(Duration::as_secs_f64),
            seconds: result.seconds.as_secs_f64(),
            bytes: result.bytes,
            idle_share: result.idle_share,
            busy_before: result.busy_before,
            burst_bytes: result.burst,
            limited_by: result.limited_by.map(|limit| limited_by(limit).to_owned()),
            confidence: confidence(result.confidence()).to_owned(),
            out_of_bytes: result.out_of_bytes,
            grade: other.map(|delay| grade(delay.mean.as_millis_f64()).to_owned()),
            pushed,
            steps: result.steps.iter().map(|step| (*step).into()).collect(),
            windows_bps: result.windows.clone(),
        }
    }

    /// Half the interval's width, of the rate.
    pub fn half_width(&self) -> Option<f64> {
        (self.bps > 0.0).then(|| (self.high_bps - self.low_bps) / 2.0 / self.bps)
    }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Queue => "queue",
        Kind::Loss => "loss",
        Kind::Host => "host",
    }
}

fn limited_by(limit: LimitedBy) -> &'static str {
    match limit {
        LimitedBy::Client => "client",
        LimitedBy::Server => "server",
        LimitedBy::MaxRate => "max_rate",
        LimitedBy::MaxBytes => "max_bytes",
        LimitedBy::Grant => "grant",
    }
}

fn confidence(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::High => "high",
        Confidence::Medium => "medium",
        Confidence::Low => "low",
    }
}

const GRADES: [(&str, f64); 6] =
    [("A+", 5.0), ("A", 30.0), ("B", 60.0), ("C", 200.0), ("D", 400.0), ("F", f64::INFINITY)];

/// By `SCALE`.
pub fn grade(added_ms: f64) -> &'static str {
    GRADES.into_iter().find(|(_, below)| added_ms < *below).map_or("F", |(grade, _)| grade)
}

/// The worst of some grades.
fn worst<'a>(grades: impl Iterator<Item = &'a str>) -> Option<String> {
    let rank = |grade: &str| GRADES.iter().position(|(known, _)| *known == grade);
    grades.max_by_key(|grade| rank(grade)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grade_is_that_of_the_scale() {
        let grades = [0.0, 4.9, 5.0, 59.0, 60.0, 250.0, 5_000.0].map(grade);
        assert_eq!(grades, ["A+", "A+", "A", "B", "C", "D", "F"]);
        assert_eq!(worst(["A", "F", "A+"].into_iter()).as_deref(), Some("F"));
        assert_eq!(worst([].into_iter()), None);
    }

    fn found(limited_by: Option<LimitedBy>, added: Duration) -> DirectionRate {
        let delays = Some(Delays { mean: added, p50: added, p95: added, max: added });
        let pushed = Step { offered: 1.2e6, received: 1e6, loss: 0.1, own: delays, other: delays };
        let result = RateResult { rate: 1e6, pushed: Some(pushed), limited_by, ..RateResult::default() };
        DirectionRate::of(&result, &Settings::default(), 1_200)
    }

    #[test]
    fn a_path_that_may_carry_more_has_no_grade() {
        let [short, long] = [1, 250].map(Duration::from_millis);
        let (up, down) = (Some(found(None, short)), Some(found(None, long)));
        let both = Rate { up: up.clone(), down, ..Rate::default() };
        assert_eq!(both.worst_grade().as_deref(), Some("D"));
        use LimitedBy::{Client, Grant, MaxRate, Server};
        for limit in [Client, Server, MaxRate, Grant] {
            let down = found(Some(limit), short);
            assert_eq!(down.grade, None, "{limit:?}");
            let rate = Rate { up: up.clone(), down: Some(down), ..Rate::default() };
            assert_eq!(rate.worst_grade(), None, "down may be worse than up");
        }
    }
}
