//! The page of a fleet: its targets, the mesh of all monitors that are known, and the past of one target.

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::{Value, json};

use super::LivePage;
use super::mesh::MeshView;
use crate::fleet::{Key, Period, Recent, Snapshot, Span, State, TargetView};
use crate::live::of_fleet;
use crate::net::PageState;
use crate::probe::Cause;
use crate::time::{Duration, Instant};

/// The past of a target, read when somebody asks for it.
pub(crate) type Histories = Arc<dyn Fn(&Key, Span) -> Option<Past> + Send + Sync>;

pub(crate) struct Past {
    /// The oldest first.
    pub periods: Vec<Period>,
    pub now: Instant,
}

pub(crate) struct FleetPage {
    page: LivePage,
    histories: Histories,
}

impl FleetPage {
    pub(crate) fn start(
        address: SocketAddr,
        host_names: &[String],
        histories: Histories,
        now: Snapshot,
    ) -> anyhow::Result<Self> {
        let first = FleetState { now, mesh: Arc::default(), histories: Arc::clone(&histories) };
        let page = LivePage::start(address, host_names, "/api/targets.json", first)?;
        Ok(Self { page, histories })
    }

    pub(crate) fn show(&self, now: Snapshot, mesh: &Arc<MeshView>) {
        self.page.publish(self.state(now, mesh));
    }

    pub(crate) fn finish(self, now: Snapshot, mesh: &Arc<MeshView>) {
        let last = self.state(now, mesh);
        self.page.finish(last);
    }

    fn state(&self, now: Snapshot, mesh: &Arc<MeshView>) -> FleetState {
        FleetState { now, mesh: Arc::clone(mesh), histories: Arc::clone(&self.histories) }
    }
}

struct FleetState {
    now: Snapshot,
    mesh: Arc<MeshView>,
    histories: Histories,
}

impl PageState for FleetState {
    fn state(&self) -> Value {
        let now = &self.now;
        let measuring = now.count(State::Measuring);
        json!({
            "kind": "fleet",
            "source": now.source,
            "labels": now.labels,
            "title": match now.targets.len() {
                1 => "udpecho watches 1 target".to_owned(),
                count => format!("udpecho watches {count} targets"),
            },
            "about": format!("from {}; {measuring} answer", now.source),
            "injects": "",
            "elapsed": now.elapsed.as_secs_f64(),
            "left": null,
            "verdict": self.mesh.verdict.judged(),
            "unmeasured": self.mesh.verdict.unmeasured(),
            "found": !self.mesh.verdict.findings.is_empty(),
            "mesh": self.mesh.version,
            "targets": now.targets.iter().map(target).collect::<Vec<_>>(),
        })
    }

    fn record(&self) -> String {
        self.state().to_string()
    }

    fn metrics(&self) -> String {
        of_fleet(&self.now)
    }

    fn document(&self, path: &[String]) -> Option<String> {
        match path {
            [name] if name == "mesh.json" => Some(self.mesh.document()),
            [name, group, target, span] if name == "past" => {
                let span = Span::ALL.into_iter().find(|known| known.label() == span)?;
                let key = Key { group: group.clone(), target: target.clone() };
                (self.histories)(&key, span).map(|past| document(&key, span, &past))
            }
            _ => None,
        }
    }
}

fn micros(time: Duration) -> f64 {
    time.as_micros_f64()
}

fn target(view: &TargetView) -> Value {
    let figures = &view.figures;
    let range = figures.rtt_range().map(|range| range.map(micros));
    let dialect = view.wanted.group.dialect;
    let told = |cause: Cause| dialect.may_tell(cause).then(|| figures.lost_by(cause));
    let causes = Cause::ALL.map(|cause| (cause.label().to_owned(), told(cause).into()));
    json!({
        "group": view.wanted.key.group,
        "target": view.wanted.key.target,
        "address": view.wanted.address.map(|address| address.to_string()),
        "host": figures.host(),
        "state": figures.state().label(),
        "sent": figures.resolved(),
        "late": figures.late(),
        "lost": figures.lost(),
        "loss": figures.loss_share(),
        "causes": serde_json::Map::from_iter(causes),
        "flows": view.wanted.group.flows,
        "lossy_flows": figures.lossy_flows().map(|flow| json!([flow, figures.flow_port(flow)])).collect::<Vec<_>>(),
        "recent": recent(&view.recent),
        "last_us": figures.last_rtt().map(micros),
        "rtt_us": range,
    })
}

fn recent(recent: &Recent) -> Value {
    let causes = recent.causes().map(|(cause, count)| (cause.to_owned(), count.into()));
    json!({
        "sent": recent.sent,
        "causes": serde_json::Map::from_iter(causes),
        "median_us": recent.median.map(micros),
    })
}

/// Periods with their age at this moment, in seconds.
fn document(key: &Key, span: Span, past: &Past) -> String {
    let period = |period: &Period| {
        let reasons =
            period.reasons.iter().map(|(reason, count)| (reason.label().to_owned(), (*count).into()));
        json!({
            "ago": (past.now - period.start).as_secs_f64(),
            "sent": period.sent,
            "not_on_time": serde_json::Map::from_iter(reasons),
            "rtt_us": period.rtt.map(|rtt| rtt.map(micros)),
        })
    };
    let document = json!({
        "group": key.group,
        "target": key.target,
        "span": span.label(),
        "length": span.length().as_secs_f64(),
        "period": span.period().as_secs_f64(),
        "periods": past.periods.iter().map(period).collect::<Vec<_>>(),
    });
    document.to_string()
}
