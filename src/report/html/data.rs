//! What the script looks up: the probes, or their columns where they are many, the seconds and the
//! distribution.
//!
//! Times are whole nanoseconds; what is not known is `null`. Never more than some
//! thousand rows.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::probe::NotOnTime;
use crate::report::chart::{Drawing, Panel};
use crate::report::chart_data::{ChartData, Column, XAxis};
use crate::stats::Slot;

pub fn json(data: &ChartData, drawing: &Drawing) -> String {
    let page = json!({
        "axis": match data.axis { XAxis::Time => "time", XAxis::Seq => "seq" },
        "names": NotOnTime::ALL.map(|reason| (reason.label(), reason.name())).into_iter().collect::<BTreeMap<_, _>>(),
        "view": drawing.charts(),
        "panels": {
            "rtt": panel(&drawing.rtt),
            "loss": panel(&drawing.loss),
            "throughput": panel(&drawing.throughput),
            "delay": panel(&drawing.delay),
            "cdf": panel(&drawing.cdf),
            "histogram": panel(&drawing.histogram),
        },
        "replies": replies(data),
        "losses": losses(data),
        "columns": columns(data),
        "seconds": seconds(data),
        "shares": shares(data),
        "bars": bars(drawing),
    });
    // Inside of a script nothing may look like its end.
    page.to_string().replace('<', "\\u003c")
}

fn panel(panel: &Panel) -> Value {
    json!([panel.left, panel.right, panel.top, panel.bottom, panel.x, panel.y, panel.log])
}

/// Place, RTT, whether it was late.
fn replies(data: &ChartData) -> Value {
    let row = |x: u64, rtt: u64, late: bool| if late { json!([x, rtt, 1]) } else { json!([x, rtt]) };
    match &data.points {
        Some(points) => points.iter().map(|point| row(point.x, point.rtt, point.late)).collect(),
        None => Value::Null,
    }
}

/// Place and cause.
fn losses(data: &ChartData) -> Value {
    match &data.marks {
        Some(marks) => marks.iter().map(|mark| json!([mark.x, mark.reason.label()])).collect(),
        None => Value::Null,
    }
}

/// Where the probes are too many to be kept: sent, not in time, median, 99th percentile, slowest.
fn columns(data: &ChartData) -> Value {
    if data.points.is_some() && data.marks.is_some() {
        return Value::Null;
    }
    let row = |column: &Column| {
        let at = |share| column.on_time.quantile(share).map(|nanos| nanos.round() as u64);
        json!([
            column.outcomes.sent(),
            column.outcomes.lost_or_late(),
            at(0.5),
            at(0.99),
            column.peak.map(|peak| peak.rtt)
        ])
    };
    let rows: Vec<Value> = data.columns.cells().iter().map(row).collect();
    json!({ "width": data.columns.width(), "rows": rows })
}

/// Sent, not in time, bits a second, mean delay.
fn seconds(data: &ChartData) -> Value {
    let history = data.seconds();
    let (width, span) = (history.width(), history.span());
    let row = |(k, slot): (usize, &Slot)| {
        let length = width.min(span - k as u64 * width).max(1);
        let delay = slot.delay().map(|nanos| nanos.round() as u64);
        json!([slot.outcomes.sent(), slot.outcomes.lost_or_late(), slot.bits / length, delay])
    };
    let rows: Vec<Value> = history.slots().iter().enumerate().map(row).collect();
    json!({ "width": width, "rows": rows })
}

/// A time, and which share of the probes sent was answered within it.
fn shares(data: &ChartData) -> Value {
    /// Times closer than this are one place on the axis.
    const APART: f64 = 1.004;
    let mut rows: Vec<(u64, f64)> = Vec::new();
    let sent = data.statistics.outcomes.sent();
    for step in data.statistics.rtt.cumulative() {
        let value = step.value.as_nanos().max(0) as u64;
        let share = step.count as f64 / sent as f64;
        match rows.last_mut() {
            Some(last) if (value as f64) < last.0 as f64 * APART => last.1 = share,
            _ => rows.push((value, share)),
        }
    }
    json!(rows)
}

/// From, to, how many.
fn bars(drawing: &Drawing) -> Value {
    let whole = |nanos: f64| nanos.round() as u64;
    drawing.bars.iter().map(|(from, to, count)| json!([whole(*from), to.map(whole), count])).collect()
}
