//! The distribution: which share of the probes was answered within a time; a lost probe counts as infinity.

use plotters::style::{Color, RGBColor};

use super::View;
use super::axes_frame::{Frame, Key, SMALL, hand};
use super::axis::Axis;
use super::clipping::backing;
use super::page::Area;
use super::panel::{Hover, Panel, Place};
use super::sheet::{Layer, Shape};
use crate::report::font;
use crate::report::format::{self, percent};
use crate::stats::Quantiles;

pub(super) const PANEL: Panel = Panel {
    id: "cdf",
    title: "CDF",
    place: Place::Lower { column: 1 },
    note: Some("lost counts as ∞."),
    is_shown: |_| true,
    x: axis,
    draw: |sheet, view, area, heading| {
        sheet.layer("distribution", |layer| draw(layer, view, area, heading));
    },
    hover,
};

fn hover(view: &View) -> Hover {
    /// Closer times share one place on the axis.
    const APART: f64 = 1.004;
    let (steps, end) = (view.data.statistics.rtt.cumulative(), axis(view).high());
    let mut rows: Vec<(f64, f64, u64)> = vec![(0.0, end, 0)];
    for step in &steps {
        let from = step.value.as_nanos() as f64;
        match rows.last_mut() {
            Some(last) if from < last.0 * APART => last.2 = step.count,
            Some(last) => {
                last.1 = from;
                rows.push((from, end, step.count));
            }
            None => {}
        }
    }
    let sent = view.summary.sent.max(1) as f64;
    let text = |(from, to, count): (f64, f64, u64)| {
        let share = percent(count as f64 / sent);
        (from, to, format!("within {}\n{share} answered", format::time(from)))
    };
    Hover::Steps(rows.into_iter().map(text).collect())
}

fn draw(layer: &mut Layer, view: &View, area: Area, heading: &str) {
    let frame = area.frame(axis(view), Axis::shares().titled("Share of probes sent"));
    let colours = layer.colours();
    frame.ground_titled(layer, frame.left - 62.0);
    frame.foot(layer);
    let mut legend: Vec<Key> = loss_line(layer, &frame, view).into_iter().collect();
    legend.push(Key::Line(colours.reply.to_rgba(), "RTT".to_owned()));
    if view.summary.net_rtt_us.is_some() {
        legend.push(Key::Thin(colours.p50.to_rgba(), "network".to_owned()));
    }
    frame.heading(layer, heading, &legend);
    if view.summary.ok == 0 {
        frame.empty(layer, "no reply in time");
        return;
    }
    // The thin line above the thick one: both show where they coincide.
    curve(layer, &frame, view, &view.data.statistics.rtt, colours.reply, 3.0);
    curve(layer, &frame, view, &view.data.statistics.net_rtt, colours.p50, 1.4);
    quantiles(layer, &frame, view);
}

/// Of the times.
fn axis(view: &View) -> Axis {
    let (rtt, net) = (&view.summary.rtt_us, &view.summary.net_rtt_us);
    let Some(median) = rtt.as_ref().map(|rtt| rtt.p50 * 1e3) else { return Axis::blank("RTT") };
    let ends = [rtt, net].into_iter().flatten().map(|d| (d.min * 1e3, d.max * 1e3));
    // A nanosecond is the least there is; two values apart make an axis.
    let ends = ends.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))).unwrap_or((1e6, 1e9));
    let (low, high) = (ends.0.max(1.0), ends.1.max(2.0));
    let unit = format::time_unit(median);
    Axis::logarithmic(low, high, unit, 9).titled(format!("RTT ({}, log)", unit.name))
}

/// A staircase with at most a step for each half pixel.
fn curve(layer: &mut Layer, frame: &Frame, view: &View, times: &Quantiles, colour: RGBColor, width: f64) {
    if times.n() == 0 {
        return;
    }
    let sent = view.summary.sent as f64;
    let mut line = vec![(frame.left, frame.bottom)];
    for step in times.cumulative() {
        let x = (frame.at_x(step.value.as_nanos() as f64) * 2.0).round() / 2.0;
        let y = frame.at_y(step.count as f64 / sent);
        let last = line[line.len() - 1];
        if x > last.0 {
            line.extend([(x, last.1), (x, y)]);
        } else {
            let end = line.len() - 1;
            line[end].1 = y;
        }
    }
    line.push((frame.right, line[line.len() - 1].1));
    layer.line(&line, &colour, width);
}

/// The height that the curve ends at, and its entry in the legend.
fn loss_line(layer: &mut Layer, frame: &Frame, view: &View) -> Option<Key> {
    let loss = view.summary.loss_share.filter(|loss| *loss > 0.0)?;
    let colour = layer.colours().loss;
    let y = frame.at_y(1.0 - loss);
    layer.dashes((frame.left, y), (frame.right, y), &colour, 1.4);
    Some(Key::Dashes(colour.to_rgba(), format!("loss {}", percent(loss))))
}

/// Dots at p50, p90 and p99 of the replies, with labels that keep their distance: under the curve
/// while it has room there, else over its end.
fn quantiles(layer: &mut Layer, frame: &Frame, view: &View) {
    const APART: f64 = 17.0;
    /// A curve that ends lower has no room for labels under it.
    const LOW: f64 = 0.25;
    let Some(rtt) = &view.summary.rtt_us else { return };
    let colours = layer.colours();
    let answered = 1.0 - view.summary.loss_share.unwrap_or_default();
    let dots = [("p99", rtt.p99, 0.99), ("p90", rtt.p90, 0.9), ("p50", rtt.p50, 0.5)]
        .map(|(name, micros, share)| (name, micros, frame.at(micros * 1e3, share * answered)));
    let low = answered < LOW;
    let over = [3.0, 2.0, 1.0].map(|k| frame.at_y(answered) - k * APART + 5.0);
    if low {
        for ((.., at), base) in dots.iter().zip(over) {
            layer.line(&[*at, (at.0, base - 4.0)], &colours.muted, 1.0);
        }
    }
    dots.iter().for_each(|(.., at)| layer.mark(Shape::Dot, *at, 4.5, &colours.p99));
    let mut least = frame.top + 15.0;
    for ((name, micros, at), over) in dots.into_iter().zip(over) {
        let text = format!("{name} {}", format::time(micros * 1e3));
        let width = font::width(&text, SMALL, false);
        let (before, behind) = (at.0 - 10.0 - width, at.0 + 10.0);
        // Over the curve the names stand before their lines, for those of slower ones are behind.
        let turned = behind + width > frame.right - 4.0 || (low && before > frame.left);
        let left = if turned { before } else { behind };
        let beside = if turned { at.1 - 6.0 } else { at.1 + 16.0 };
        let base = if low { over } else { beside.max(least) };
        least = base + APART;
        backing(layer, (left, base), &text, SMALL);
        layer.text(&text, (left, base), hand(SMALL, colours.text));
    }
}
