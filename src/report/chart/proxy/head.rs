//! The mappings with their impairments, and the figures of both directions.

use crate::record::RecordedProxy;
use crate::report::chart::axes_frame::hand;
use crate::report::chart::boxes::{self, Cell};
use crate::report::chart::page::{MARGIN, WIDTH};
use crate::report::chart::sheet::Layer;
use crate::report::font;
use crate::report::format::{count, percent, span, time};
use crate::report::proxy_data::{ProxyData, Totals, lost_names};

const LINE: f64 = 14.0;
const ROW: f64 = 70.0;
/// Mappings whose lines are shown.
const MAPPINGS: usize = 4;

/// `m1, 127.0.0.1:5300 to 192.0.2.53:53`.
pub(super) fn title(run: &RecordedProxy) -> String {
    let shown = run.mappings.iter().take(3).map(|of| format!("{} to {}", of.name, of.to));
    let more = if run.mappings.len() > 3 { ", …" } else { "" };
    format!("udpecho proxy: {}{more}", shown.collect::<Vec<_>>().join(", "))
}

pub(super) fn parameters(run: &RecordedProxy, data: &ProxyData) -> String {
    let mut parts = vec![format!("started {}", run.started)];
    parts.push(format!("last datagram after {}", span(data.end.as_nanos() as f64)));
    parts.extend(run.mappings.first().map(|mapping| format!("seed {}", mapping.seed)));
    if run.end.is_none() {
        parts.push("it was killed: this is what it had written by then".to_owned());
    }
    parts.join(" · ")
}

/// The lines of each mapping: both directions in one if they are the same.
pub(super) fn lines(run: &RecordedProxy) -> Vec<String> {
    let of_one = |mapping: &crate::record::RecordedMapping| {
        let (name, up, down) = (&mapping.name, &mapping.up.line, &mapping.down.line);
        match up == down {
            true => vec![format!("{name} up and down: {up}")],
            false => vec![format!("{name} up: {up}"), format!("{name} down: {down}")],
        }
    };
    let mut lines: Vec<String> = run.mappings.iter().take(MAPPINGS).flat_map(of_one).collect();
    if run.mappings.len() > MAPPINGS {
        lines.push(format!("and {} further mappings", run.mappings.len() - MAPPINGS));
    }
    lines
}

pub(super) fn height(run: &RecordedProxy) -> f64 {
    84.0 + lines(run).len() as f64 * 21.0 + 2.0 * (ROW + 8.0) + 8.0
}

pub(super) fn draw(layer: &mut Layer, run: &RecordedProxy, data: &ProxyData) {
    let (colours, room) = (layer.colours(), WIDTH - 2.0 * MARGIN);
    let version = format!("udpecho {}", run.udpecho);
    let title = font::fit(&title(run), 22.0, true, room - font::width(&version, LINE, false) - 24.0);
    layer.text(&title, (MARGIN, 44.0), hand(22.0, colours.text).bold());
    layer.text(&version, (WIDTH - MARGIN, 44.0), hand(LINE, colours.muted).right());
    let parameters = font::fit(&parameters(run, data), LINE, false, room);
    layer.text(&parameters, (MARGIN, 70.0), hand(LINE, colours.muted));
    let mut y = 94.0;
    for line in lines(run) {
        layer.text(&font::fit(&line, LINE, false, room), (MARGIN, y), hand(LINE, colours.text));
        y += 21.0;
    }
    for (direction, name) in data.directions.iter().zip(["up", "down"]) {
        layer.text(name, (MARGIN, y + ROW / 2.0 + 5.0), hand(16.0, colours.text).bold());
        boxes::draw(layer, &cells(&direction.totals), MARGIN + 70.0, (y, y + ROW));
        y += ROW + 8.0;
    }
}

fn cells(totals: &Totals) -> Vec<Cell> {
    let unknown = || "–".to_owned();
    let hold = |name, share| Cell::new(name, totals.hold(share).map_or_else(unknown, time), "");
    let lost = totals.not_passed();
    let causes = totals.lost.iter().zip(lost_names()).filter(|(count, _)| **count > 0);
    let causes: Vec<String> =
        causes.map(|(number, name)| format!("{} {}", count(*number), name.replace('_', " "))).collect();
    let share = (totals.arrived > 0).then(|| percent(lost as f64 / totals.arrived as f64));
    let copies =
        if totals.copies > 0 { format!("and {} copies", count(totals.copies)) } else { String::new() };
    vec![
        Cell::new("arrived", count(totals.arrived), ""),
        Cell::new("passed", count(totals.passed), copies),
        Cell {
            alarming: lost > 0,
            share: 1.7,
            ..Cell::new("dropped", share.unwrap_or_else(unknown), causes.join(", "))
        },
        hold("held p50", 0.5),
        hold("held p99", 0.99),
        hold("held max", 1.0),
        Cell::new(
            "longest queue",
            totals.queue_max.map_or_else(unknown, |wait| time(wait.as_nanos() as f64)),
            if totals.queue_max.is_none() { "no rate limit" } else { "" },
        ),
    ]
}
