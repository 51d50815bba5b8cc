//! Axes that one outlier cannot stretch: where they end, and the marks for what lies beyond.

use super::axes_frame::{Frame, SMALL, hand};
use super::axis::Axis;
use super::sheet::{Layer, Shape};
use crate::record::Distribution;
use crate::report::chart_data::Column;
use crate::report::font;
use crate::report::format;

/// How far beyond the 99th percentile an axis goes.
const BEYOND: f64 = 1.6;

/// Something above the axis: its place, its value, and how many it stands for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Above {
    pub x: f64,
    pub value: f64,
    pub count: u64,
    pub late: bool,
}

/// From where to where an axis goes: from zero to a little above the greatest value, unless that
/// lies far out.
///
/// Where all values lie so far from zero that their spread is less than `narrow` of them, the axis
/// begins near the least: on an axis from zero they would be a line.
pub(super) fn window(least: f64, p99: f64, most: f64, narrow: f64) -> (f64, f64) {
    let spread = p99 - least;
    if spread < p99 * narrow && spread > p99 * SAME {
        return (least - spread * 0.1, (least + spread * BEYOND).min(most + spread * 0.05));
    }
    (0.0, (most * 1.05).min(p99 * BEYOND))
}

/// Closer values are drawn as equal.
const SAME: f64 = 0.002;

/// The axis of the RTTs.
pub(super) fn axis(columns: &[Column], on_time: Option<&Distribution>) -> Axis {
    const NARROW: f64 = 0.15;
    let slowest = columns.iter().filter_map(|column| column.peak).map(|peak| peak.rtt).max();
    let Some(slowest) = slowest.map(|rtt| rtt as f64) else { return Axis::blank("RTT") };
    let (low, high) = match on_time {
        Some(rtt) => window(rtt.min * 1e3, rtt.p99 * 1e3, slowest, NARROW),
        None => (0.0, slowest * 1.05),
    };
    Axis::times("RTT", low, high, 7.0)
}

/// Values of the columns above the axis.
pub(super) fn above(columns: &[Column], top: f64) -> Vec<Above> {
    let beyond = |column: &Column| -> u64 {
        let buckets = column.on_time.buckets().chain(column.late.buckets());
        buckets.filter(|(floor, ..)| *floor as f64 > top).map(|(.., count)| count).sum()
    };
    let peaks = columns.iter().filter_map(|column| Some((column.peak?, column)));
    peaks
        .filter(|(peak, _)| peak.rtt as f64 > top)
        .map(|(peak, column)| Above {
            x: peak.x as f64,
            value: peak.rtt as f64,
            count: beyond(column).max(1),
            late: peak.late,
        })
        .collect()
}

/// A triangle for each at the upper edge, and below them the greatest values, with the number of
/// the neighbours for which a label has no room.
pub(super) fn draw(layer: &mut Layer, frame: &Frame, above: &[Above]) {
    const EDGE: f64 = 8.0;
    const APART: f64 = 5.0;
    let colour = layer.colours().clipped;
    let mut last = f64::NEG_INFINITY;
    for item in above {
        let x = frame.at_x(item.x);
        if x - last >= APART {
            layer.mark(Shape::Up, (x, frame.top + EDGE), 4.5, &colour);
            last = x;
        }
    }
    for label in labels(frame, above) {
        let text_colour = layer.colours().text;
        backing(layer, (label.left, frame.top + 27.0), &label.text, SMALL);
        layer.text(&label.text, (label.left, frame.top + 27.0), hand(SMALL, text_colour));
    }
}

/// Ground under a text that stands among marks.
pub(super) fn backing(layer: &mut Layer, (left, base): (f64, f64), text: &str, size: f64) {
    use plotters::style::Color;
    let ground = layer.colours().panel.mix(0.82);
    let right = left + font::width(text, size, false);
    layer.rect((left - 3.0, base - size * 0.95), (right + 3.0, base + size * 0.3), &ground);
}

struct Label {
    left: f64,
    text: String,
}

fn labels(frame: &Frame, above: &[Above]) -> Vec<Label> {
    const FEW: usize = 12;
    let gap = if above.len() <= FEW { 10.0 } else { 100.0 };
    // The greatest first: its label replaces those that would overlap it.
    let mut groups: Vec<(f64, f64, Above)> = Vec::new();
    let mut order: Vec<&Above> = above.iter().collect();
    order.sort_by(|a, b| b.value.total_cmp(&a.value).then(a.x.total_cmp(&b.x)));
    for item in order {
        let width = font::width(&text(item, 9_999), SMALL, false);
        let left = (frame.at_x(item.x) - width / 2.0).clamp(frame.left + 4.0, frame.right - width - 4.0);
        let right = left + width;
        match groups.iter_mut().find(|(l, r, _)| left < *r + gap && right > *l - gap) {
            Some((.., first)) => first.count += item.count,
            None => groups.push((left, right, *item)),
        }
    }
    let place = |(left, right, item): (f64, f64, Above)| {
        let text = text(&item, item.count);
        Label { left: (left + right) / 2.0 - font::width(&text, SMALL, false) / 2.0, text }
    };
    groups.into_iter().map(place).collect()
}

fn text(item: &Above, count: u64) -> String {
    let late = if item.late { " late" } else { "" };
    let more = if count > 1 { format!(" +{}", format::count(count - 1)) } else { String::new() };
    format!("{}{late}{more}", format::time(item.value))
}
