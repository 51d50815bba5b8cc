//! The page of a run.

use std::net::SocketAddr;

use serde_json::{Map, Value, json};

use super::{PageState, Web};
use crate::live::{RunInfo, RunModel, RunSnapshot, metrics};
use crate::net::Clock;
use crate::probe::Event;
use crate::record::{Fold, Run, Summary};
use crate::report::Miss;
use crate::stats::Second;
use crate::time::{Duration, Instant};

pub struct PingPage {
    live: RunModel,
    web: Web,
    next: Instant,
}

impl PingPage {
    /// Seconds and events that the page shows.
    const SECONDS: usize = 120;
    const EVENTS: usize = 8;

    pub fn start(address: SocketAddr, names: &[String], run: &Run, clock: Clock) -> anyhow::Result<Self> {
        let live = RunModel::new(RunInfo::of(&run.config));
        let first = issue(live.now(), run, Summary::default(), false);
        let web = Web::start(address, names, "/api/run.json", first, clock)?;
        Ok(Self { live, web, next: Instant::ZERO })
    }

    pub fn event(&mut self, event: &Event) {
        self.live.event(event);
    }

    pub fn second(&mut self, second: &Second) {
        self.live.second(second);
    }

    /// Time has passed; so many probes are in the engine, if it said so.
    pub fn tick(&mut self, now: Instant, in_engine: Option<usize>, run: &Run, fold: &Fold) {
        self.live.tick(now, in_engine);
        if now >= self.next {
            self.next = now + Web::PERIOD;
            self.web.post(issue(self.live.now(), run, fold.summary(), false));
        }
    }

    /// The run is over, and this is all of it.
    pub fn finish(self, run: &Run) {
        let summary = run.summary.clone().unwrap_or_default();
        self.web.post(issue(self.live.now(), run, summary, true));
        self.web.finish();
    }
}

fn issue(now: &RunSnapshot, run: &Run, summary: Summary, over: bool) -> PageState {
    let info = &now.info;
    let end = match (info.count, info.length) {
        (Some(count), _) => format!("{count} probes"),
        (None, Some(length)) => format!("for {length}"),
        (None, None) => "until interrupted".to_owned(),
    };
    let secs = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
    let from = now.seconds.len().saturating_sub(PingPage::SECONDS);
    let state = json!({
        "kind": "ping",
        "title": format!("{} · {}", info.host, info.address),
        "about": format!("{} bytes {}, {end}", info.size, info.pace),
        "injects": now.injects,
        "elapsed": secs(now.elapsed).unwrap_or(0.0),
        "left": secs(now.left()),
        "in_flight": now.in_flight(),
        "stride": now.bins.stride(),
        "bins": now.bins.last(usize::MAX).map(|(_, bin)| {
            let mut misses: Map<String, Value> = Miss::ALL
                .into_iter()
                .filter(|miss| bin.missed(*miss) > 0)
                .map(|miss| (miss.name().to_owned(), bin.missed(miss).into()))
                .collect();
            if bin.open > 0 {
                misses.insert("open".to_owned(), bin.open.into());
            }
            let micros = |time: Duration| time.as_micros_f64().round();
            json!({
                "at": bin.at.as_secs_f64(),
                "mean": bin.mean().map(micros),
                "slowest": bin.mean().map(|_| micros(bin.slowest)),
                "misses": misses,
            })
        }).collect::<Vec<_>>(),
        "seconds": now.seconds.iter().skip(from).map(|second| json!({
            "second": second.second,
            "sent": second.sent,
            "ok": second.ok,
            "late": second.late,
            "lost": second.lost,
            "throughput_bps": second.throughput_bps(),
            "delay_mean_us": second.delay.map(|delay| delay.mean.as_micros_f64()),
        })).collect::<Vec<_>>(),
        "summary": &summary,
        "events": run.events.iter().rev().take(PingPage::EVENTS).collect::<Vec<_>>(),
    });
    let run = Run { summary: Some(summary), ..run.clone() };
    let record = serde_json::to_string(&run).unwrap_or_default();
    PageState { state, record, metrics: metrics::of_run(now), over }
}
