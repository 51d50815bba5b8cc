//! The key figures, each in a box with its name and what it rests on.

use super::View;
use super::boxes::{self, Cell};
use super::page::{MARGIN, Rows};
use super::sheet::Layer;
use crate::record::Distribution;
use crate::report::format::{self, percent};

pub(super) fn draw(layer: &mut Layer, view: &View, rows: Rows) {
    boxes::draw(layer, &cells(view), MARGIN, rows);
}

fn cells(view: &View) -> Vec<Cell> {
    let rtt = view.summary.rtt_us.as_ref();
    let quantile = |name, value: fn(&Distribution) -> f64, needs: u64| {
        let text = rtt.map(|rtt| format::time(value(rtt) * 1e3));
        let note = rtt.filter(|rtt| rtt.n < needs).map(|rtt| format!("n={}: maximum", rtt.n));
        Cell::new(name, text.unwrap_or_else(unknown), note.unwrap_or_default())
    };
    let seq = view.data.statistics.slowest.map(|seq| format!("seq {seq}"));
    vec![
        counts(view),
        loss(view),
        Cell { name: "p50", ..quantile("p50", |rtt| rtt.p50, 0) },
        quantile("p90", |rtt| rtt.p90, 10),
        quantile("p99", |rtt| rtt.p99, 100),
        Cell { note: seq.unwrap_or_default(), ..quantile("max", |rtt| rtt.max, 0) },
        quantile("min", |rtt| rtt.min, 0),
        mean(rtt),
        network(view),
        Cell::new(
            "jitter",
            view.summary.rtp_jitter_us.map_or_else(unknown, |us| format::time(us * 1e3)),
            "RFC 3550",
        ),
    ]
}

fn counts(view: &View) -> Cell {
    let figures = &view.summary;
    let value = format!("{} / {}", format::count(figures.sent), format::count(figures.ok));
    let mut notes = vec![format!("{} late", format::count(figures.late))];
    if figures.duplicates > 0 {
        notes.push(format!("{} duplicates", format::count(figures.duplicates)));
    }
    if figures.send_errors > 0 {
        notes.push(format!("{} not sent", format::count(figures.send_errors)));
    }
    Cell { share: 1.5, ..Cell::new("sent / answered in time", value, notes.join(", ")) }
}

fn loss(view: &View) -> Cell {
    let note = view.summary.loss_interval.map(|[low, high]| {
        let low = percent(low);
        format!("95 % CI {}–{}", low.trim_end_matches(" %"), percent(high))
    });
    Cell {
        alarming: view.summary.loss_share.is_some_and(|loss| loss > 0.0),
        share: 1.15,
        ..Cell::new(
            "lost or late",
            view.summary.loss_share.map_or_else(unknown, percent),
            note.unwrap_or_default(),
        )
    }
}

/// Mean and deviation in one unit.
fn mean(rtt: Option<&Distribution>) -> Cell {
    let Some(rtt) = rtt else { return Cell::new("mean ± σ", unknown(), "") };
    let unit = format::time_unit(rtt.mean * 1e3);
    let digits = |micros: f64| format::digits(micros * 1e3 / unit.size, unit);
    let value = match rtt.stddev {
        Some(stddev) => format!("{} ± {} {}", digits(rtt.mean), digits(stddev), unit.name),
        None => format!("{} {}", digits(rtt.mean), unit.name),
    };
    let note = if rtt.stddev.is_some() { "" } else { "n=1: no σ" };
    Cell { share: 1.35, ..Cell::new("mean ± σ", value, note) }
}

fn network(view: &View) -> Cell {
    let value = view.summary.net_rtt_us.as_ref().map(|net| format::time(net.p50 * 1e3));
    let note = match (&value, &view.summary.rtt_us) {
        (Some(_), _) => "without server time",
        (None, Some(_)) => "server does not say",
        (None, None) => "",
    };
    Cell { share: 1.1, ..Cell::new("network RTT p50", value.unwrap_or_else(unknown), note) }
}

fn unknown() -> String {
    "–".to_owned()
}
