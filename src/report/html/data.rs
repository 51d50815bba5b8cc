//! What the script looks up: the probes, or their columns where they are many, the seconds and the
//! distribution.
//!
//! Times are whole nanoseconds; what is not known is `null`. Never more than some
//! thousand rows.

use serde_json::{Value, json};

use crate::report::chart::{Drawing, Panel};
use crate::report::digest::{Abscissa, Column, Digest, Miss, Slot};

pub fn json(digest: &Digest, drawing: &Drawing) -> String {
    let data = json!({
        "abscissa": match digest.abscissa { Abscissa::Time => "time", Abscissa::Seq => "seq" },
        "names": Miss::ALL.map(Miss::name),
        "view": drawing.charts(),
        "panels": {
            "rtt": panel(&drawing.rtt),
            "loss": panel(&drawing.loss),
            "throughput": panel(&drawing.throughput),
            "delay": panel(&drawing.delay),
            "cdf": panel(&drawing.cdf),
            "histogram": panel(&drawing.histogram),
        },
        "replies": replies(digest),
        "losses": losses(digest),
        "columns": columns(digest),
        "seconds": seconds(digest),
        "shares": shares(digest),
        "bars": bars(drawing),
    });
    // Inside of a script nothing may look like its end.
    data.to_string().replace('<', "\\u003c")
}

fn panel(panel: &Panel) -> Value {
    json!([panel.left, panel.right, panel.top, panel.bottom, panel.x, panel.y, panel.log])
}

/// Place, RTT, whether it was late.
fn replies(digest: &Digest) -> Value {
    let row = |x: u64, rtt: u64, late: bool| if late { json!([x, rtt, 1]) } else { json!([x, rtt]) };
    match &digest.points {
        Some(points) => points.iter().map(|point| row(point.x, point.rtt, point.late)).collect(),
        None => Value::Null,
    }
}

/// Place and cause.
fn losses(digest: &Digest) -> Value {
    match &digest.marks {
        Some(marks) => marks.iter().map(|mark| json!([mark.x, mark.miss as usize])).collect(),
        None => Value::Null,
    }
}

/// Where the probes are too many to be kept: sent, not in time, median, 99th percentile, slowest.
fn columns(digest: &Digest) -> Value {
    if digest.points.is_some() && digest.marks.is_some() {
        return Value::Null;
    }
    let row = |column: &Column| {
        let at = |share| column.on_time.quantile(share).map(|nanos| nanos.round() as u64);
        json!([column.sent, column.missed(), at(0.5), at(0.99), column.peak.map(|peak| peak.rtt)])
    };
    let rows: Vec<Value> = digest.columns.all().iter().map(row).collect();
    json!({ "width": digest.columns.width(), "rows": rows })
}

/// Sent, not in time, bits a second, mean delay.
fn seconds(digest: &Digest) -> Value {
    let (width, span) = (digest.seconds.width(), digest.seconds.span());
    let row = |(k, slot): (usize, &Slot)| {
        let length = width.min(span - k as u64 * width).max(1);
        json!([slot.sent, slot.missed(), slot.bits / length, slot.delay().map(|nanos| nanos.round() as u64)])
    };
    let rows: Vec<Value> = digest.seconds.all().iter().enumerate().map(row).collect();
    json!({ "width": width, "rows": rows })
}

/// A time, and which share of the probes sent was answered within it.
fn shares(digest: &Digest) -> Value {
    /// Times closer than this are one place on the axis.
    const APART: f64 = 1.004;
    let mut rows: Vec<(u64, f64)> = Vec::new();
    let mut below = 0;
    for (value, count) in digest.rtt.values() {
        below += count;
        let share = below as f64 / digest.sent() as f64;
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
