//! The page of a run.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::{Value, json};

use super::LivePage;
use crate::live::{Bin, RunInfo, RunModel, RunSnapshot, histogram, metrics};
use crate::net::PageState;
use crate::probe::{Cause, Event, Knows, NotOnTime};
use crate::record::{Run, Summary};
use crate::stats::{Quantiles, RunStatistics, Second};
use crate::time::{Duration, Instant};

pub(crate) struct PingPage {
    model: RunModel,
    page: LivePage,
    next: Instant,
}

impl PingPage {
    /// Seconds and events on the page.
    const SECONDS: usize = 600;
    const EVENTS: usize = 8;

    pub(crate) fn start(address: SocketAddr, host_names: &[String], run: &Run) -> anyhow::Result<Self> {
        let model = RunModel::new(RunInfo::of(&run.config));
        let first = PingState::new(&model, run, Summary::default());
        let page = LivePage::start(address, host_names, "/api/run.json", first)?;
        Ok(Self { model, page, next: Instant::ZERO })
    }

    pub(crate) fn event(&mut self, event: &Event) {
        self.model.event(event);
    }

    pub(crate) fn second(&mut self, second: &Second) {
        self.model.second(second);
    }

    /// Time has passed; the engine holds this many probes, if it said so.
    pub(crate) fn tick(
        &mut self,
        now: Instant,
        in_engine: Option<usize>,
        run: &Run,
        statistics: &RunStatistics,
    ) {
        self.model.tick(now, in_engine);
        if now >= self.next {
            self.next = now + LivePage::PERIOD;
            self.page.publish(PingState::new(&self.model, run, Summary::of(statistics)));
        }
    }

    /// The run is over, and this is all of it.
    pub(crate) fn finish(self, run: &Run) {
        let summary = run.summary.clone().unwrap_or_default();
        self.page.finish(PingState::new(&self.model, run, summary));
    }
}

struct PingState {
    now: RunSnapshot,
    /// With the summary so far; what the dialect does not tell is null.
    run: Run,
}

impl PingState {
    fn new(model: &RunModel, run: &Run, summary: Summary) -> Self {
        let now = model.now().clone();
        let summary = Some(summary.narrowed_to(now.knows));
        Self { now, run: Run { summary, ..run.clone() } }
    }
}

impl PageState for PingState {
    fn state(&self) -> Value {
        let Self { now, run } = self;
        let knows = now.knows;
        let info = &now.info;
        let end = match (info.count, info.length) {
            (Some(count), _) => format!("{count} probes"),
            (None, Some(length)) => format!("for {length}"),
            (None, None) => "until interrupted".to_owned(),
        };
        let secs = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
        let from = now.seconds.len().saturating_sub(PingPage::SECONDS);
        json!({
            "kind": "ping",
            "title": format!("{} · {}", info.host, info.address),
            "about": format!("{} bytes {}, {end}", info.size, info.pace),
            "injects": now.injects,
            "elapsed": secs(now.elapsed).unwrap_or(0.0),
            "left": secs(now.left()),
            "in_flight": now.in_flight(),
            "stride": now.bins.stride(),
            "lanes": lanes(knows),
            "bins": now.bins.last(usize::MAX).map(|(seq, found)| bin(seq, found)).collect::<Vec<_>>(),
            "histogram": bars(&now.rtt),
            "seconds": now.seconds.iter().skip(from).map(second).collect::<Vec<_>>(),
            "summary": run.summary,
            "events": run.events.iter().rev().take(PingPage::EVENTS).collect::<Vec<_>>(),
        })
    }

    fn record(&self) -> String {
        serde_json::to_string(&self.run).unwrap_or_default()
    }

    fn metrics(&self) -> String {
        metrics::of_run(&self.now)
    }
}

/// Bars of equal width in time or, where the slowest reply took many times as long as the fastest, in
/// its logarithm.
fn bars(rtt: &Quantiles) -> Value {
    const BARS: usize = 60;
    const WIDE: f64 = 30.0;
    let ratio = rtt.min().zip(rtt.max()).map(|(min, max)| max.as_micros_f64() / min.as_micros_f64());
    let log = ratio.is_some_and(|ratio| ratio > WIDE);
    let bars = histogram(rtt, BARS, log);
    let bars = bars.iter().map(|bar| json!([bar.from.as_micros_f64(), bar.to.as_micros_f64(), bar.count]));
    json!({ "log": log, "bars": bars.collect::<Vec<_>>() })
}

/// A bin whose first probe has this number; without `not_on_time` if all its replies were on time.
fn bin(seq: u64, bin: &Bin) -> Value {
    let reasons = bin.outcomes.reasons().map(|(reason, count)| (reason.label(), count));
    let open = (bin.open > 0).then_some((OPEN, bin.open.into()));
    let not_on_time: BTreeMap<&str, u64> = reasons.chain(open).collect();
    let micros = |time: Duration| time.as_micros_f64().round();
    let mut value = json!({
        "seq": seq,
        "at": bin.at.as_secs_f64(),
        "mean": bin.mean().map(micros),
        "slowest": bin.mean().map(|_| micros(bin.slowest)),
    });
    if !not_on_time.is_empty() {
        value["not_on_time"] = json!(not_on_time);
    }
    value
}

fn second(second: &Second) -> Value {
    json!({
        "second": second.second,
        "sent": second.outcomes.sent(),
        "ok": second.outcomes.on_time,
        "late": second.outcomes.late(),
        "lost": second.outcomes.lost(),
        "throughput_bps": second.throughput_bps(),
        "delay_mean_us": second.delay.map(|delay| delay.mean.as_micros_f64()),
    })
}

/// Past its deadline, and the cause is not known yet.
const OPEN: &str = "open";

/// The lanes of the losses and the reasons in each: label, name and group; those that the dialect can tell.
fn lanes(knows: Knows) -> Value {
    use Cause::{ClientOverflow, Down, InjectedDown, InjectedUp, Refused, ServerOverflow, Unknown, Up};
    use NotOnTime::{Late, Lost, NotSent};
    let lane = |lane: &str, reasons: &[NotOnTime]| {
        let is_told = |reason: &&NotOnTime| !matches!(reason, Lost(cause) if !knows.tells(*cause));
        let reasons = reasons.iter().filter(is_told);
        let reasons = reasons.map(|reason| json!([reason.label(), reason.name(), reason.group().label()]));
        json!({ "name": lane, "reasons": reasons.collect::<Vec<_>>() })
    };
    let mut unknown = lane("unknown", &[Lost(Unknown)]);
    if let Some(reasons) = unknown["reasons"].as_array_mut() {
        reasons.push(json!([OPEN, "not known yet", NotOnTime::Lost(Unknown).group().label()]));
    }
    json!([
        lane("up", &[Lost(Up), Lost(InjectedUp)]),
        lane("server", &[Lost(Refused), Lost(ServerOverflow)]),
        lane("down", &[Lost(Down), Lost(InjectedDown)]),
        lane("client", &[Lost(ClientOverflow), Late, NotSent]),
        unknown,
    ])
}
