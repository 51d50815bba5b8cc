//! Panel A: the RTT of every probe where it was sent, the median and its bands, and what lies above.

use plotters::style::Color;

use super::View;
use super::axes_frame::{Frame, Key, SMALL, hand};
use super::axis::Axis;
use super::bins::{Bins, Quantiles};
use super::clipping::{self, backing};
use super::page::Area;
use super::panel::{Hover, Panel, Place};
use super::sheet::{Layer, Shape, Sheet};
use crate::report::chart_data::{Column, Point, XAxis};
use crate::report::font;
use crate::report::format;
use crate::report::load::load_period;
use crate::stats::joined;

/// One of a bin's quantiles.
type Edge = fn(Quantiles) -> f64;

/// The bands' edges as lines, and how strong.
const OUTLINES: [(Edge, f64); 4] = [(|q| q.p10, 0.4), (|q| q.p25, 0.75), (|q| q.p75, 0.75), (|q| q.p90, 0.4)];

pub(super) const PANEL: Panel = Panel {
    id: "rtt",
    title: "RTT per probe",
    place: Place::Main,
    note: None,
    is_shown: |_| true,
    x: |view| view.probes.clone(),
    draw,
    hover,
};

fn hover(view: &View) -> Hover {
    let Some(points) = &view.data.points else { return view.hover_columns() };
    let row = |point: &Point| {
        let late = if point.late { "\nlate" } else { "" };
        let text = format!("{}\nRTT {}{late}", view.place(point.x), format::time(point.rtt as f64));
        (point.x, point.rtt, text)
    };
    Hover::Points { y: (view.rtt.low(), view.rtt.high()), rows: points.iter().map(row).collect() }
}

fn draw(sheet: &mut Sheet, view: &View, area: Area, heading: &str) {
    let frame = area.frame(view.probes.clone(), view.rtt.clone());
    let columns = view.columns;
    sheet.layer("rtt", |layer| {
        frame.ground(layer);
        frame.heading(layer, heading, &legend(layer, view, columns));
        if view.summary.ok == 0 {
            frame.empty(layer, "no reply in time");
        }
        if view.data.points.is_some() {
            bands(layer, &frame, &view.bins);
        }
    });
    match &view.data.points {
        Some(points) => {
            sheet.layer("replies", |layer| dots(layer, &frame, points));
            sheet.layer("late-replies", |layer| late_dots(layer, &frame, points));
        }
        None => {
            sheet.layer("replies", |layer| density(layer, &frame, view, columns));
            sheet.layer("late-replies", |layer| late_cells(layer, &frame, view, columns));
        }
    }
    sheet.layer("rtt-lines", |layer| {
        if view.data.points.is_none() {
            for (edge, strength) in OUTLINES {
                steps(layer, &frame, &view.bins, edge, strength, 1.0);
            }
        }
        steps(layer, &frame, &view.bins, |q| q.p50, 1.0, 2.0);
        interval(layer, &frame, view, columns);
        quantiles(layer, &frame, view);
        clipping::draw(layer, &frame, &clipping::above(columns, frame.y.high()));
        knee(layer, &frame, view);
        events(layer, &frame, view);
    });
}

fn legend(layer: &Layer, view: &View, columns: &[Column]) -> Vec<Key> {
    let colours = layer.colours();
    let reply = colours.reply.to_rgba();
    let mut keys = vec![match view.data.points {
        Some(_) => Key::Mark(Shape::Dot, reply, "reply in time".to_owned()),
        None => Key::Patch(reply.mix(0.6), "replies in time".to_owned()),
    }];
    if view.summary.late > 0 {
        keys.push(Key::Mark(Shape::HollowDiamond, colours.p99.to_rgba(), "late".to_owned()));
    }
    if view.bins.all.iter().any(|bin| bin.quantiles.is_some()) {
        let names = ("p25–p75".to_owned(), format!("p10–p90 ({})", extent(view)));
        keys.push(Key::Line(colours.median.to_rgba(), "median".to_owned()));
        keys.extend(match view.data.points {
            Some(_) => {
                [Key::Patch(colours.band.mix(0.45), names.0), Key::Patch(colours.band.mix(0.22), names.1)]
            }
            None => {
                [Key::Thin(colours.median.mix(0.75), names.0), Key::Thin(colours.median.mix(0.4), names.1)]
            }
        });
    }
    if view.run.config.decay.is_some() {
        keys.push(Key::Line(colours.interval.to_rgba(), "interval (right axis)".to_owned()));
    }
    if !clipping::above(columns, view.rtt.high()).is_empty() {
        keys.push(Key::Mark(Shape::Up, colours.clipped.to_rgba(), "above the axis".to_owned()));
    }
    keys
}

/// The extent of a bin.
fn extent(view: &View) -> String {
    match view.bins.all.len() {
        1 => "whole run".to_owned(),
        _ => format!("bins of {}", view.bins.step()),
    }
}

/// Filled under dots; over a density, which shows the spread already, they are lines.
fn bands(layer: &mut Layer, frame: &Frame, bins: &Bins) {
    let colour = layer.colours().band;
    let edges: [(Edge, Edge, f64); 2] = [(|q| q.p10, |q| q.p90, 0.22), (|q| q.p25, |q| q.p75, 0.30)];
    for (low, high, strength) in edges {
        for (bin, quantiles) in bins.all.iter().filter_map(|bin| Some((bin, bin.quantiles?))) {
            for (from, to) in &bin.covered {
                let corners = (frame.at(*from, high(quantiles)), frame.at(*to, low(quantiles)));
                layer.rect(corners.0, corners.1, &colour.mix(strength));
            }
        }
    }
}

/// A quantile as steps that hold for their bin, broken where there are no replies.
fn steps(layer: &mut Layer, frame: &Frame, bins: &Bins, edge: Edge, strength: f64, width: f64) {
    let colour = layer.colours().median.mix(strength);
    let mut line: Vec<(f64, f64)> = Vec::new();
    let mut end = f64::NAN;
    for (bin, quantiles) in bins.all.iter().filter_map(|bin| Some((bin, bin.quantiles?))) {
        for (from, to) in &bin.covered {
            if *from != end {
                layer.line(&std::mem::take(&mut line), &colour, width);
            }
            line.extend([frame.at(*from, edge(quantiles)), frame.at(*to, edge(quantiles))]);
            end = *to;
        }
    }
    layer.line(&line, &colour, width);
}

fn dots(layer: &mut Layer, frame: &Frame, points: &[Point]) {
    let (radius, strength) = match points.len() {
        0..=300 => (3.4, 0.75),
        301..=1500 => (2.6, 0.6),
        _ => (2.2, 0.45),
    };
    let colour = layer.colours().reply.mix(strength);
    for point in points.iter().filter(|point| !point.late && point.rtt as f64 <= frame.y.high()) {
        layer.mark(Shape::Dot, frame.at(point.x as f64, point.rtt as f64), radius, &colour);
    }
}

fn late_dots(layer: &mut Layer, frame: &Frame, points: &[Point]) {
    let colour = layer.colours().p99;
    let radius = if points.len() <= 300 { 4.5 } else { 3.5 };
    for point in points.iter().filter(|point| point.late && point.rtt as f64 <= frame.y.high()) {
        layer.mark(Shape::HollowDiamond, frame.at(point.x as f64, point.rtt as f64), radius, &colour);
    }
}

/// Counts of cells of whole columns by rows of `ROW` pixels, in `LEVELS` strengths: a square root
/// keeps single replies visible beside thousands.
fn density(layer: &mut Layer, frame: &Frame, view: &View, columns: &[Column]) {
    const ROW: f64 = 3.0;
    const LEVELS: f64 = 8.0;
    let cells = Cells::new(frame, view, columns);
    let rows = ((frame.bottom - frame.top) / ROW).ceil() as usize;
    let counted: Vec<Vec<f64>> = cells.groups.iter().map(|group| count_rows(frame, group, rows)).collect();
    let most = counted.iter().flatten().copied().fold(0.0, f64::max);
    let colour = layer.colours().reply;
    for (k, rows) in counted.iter().enumerate() {
        let (left, right) = cells.edges(frame, k);
        let level =
            |count: &f64| if *count < 0.5 { 0 } else { ((count / most).sqrt() * LEVELS).ceil() as u32 };
        let mut row = 0;
        for run in rows.chunk_by(|a, b| level(a) == level(b)) {
            let (from, to) = (row as f64 * ROW, (row + run.len()) as f64 * ROW);
            row += run.len();
            let level = level(&run[0]);
            if level > 0 {
                let strength = 0.28 + 0.62 * f64::from(level) / LEVELS;
                let top = (frame.bottom - to).max(frame.top);
                layer.rect((left, top), (right, frame.bottom - from), &colour.mix(strength));
            }
        }
    }
}

/// Replies in each row of pixels from the bottom; a bucket that spans rows is shared among them, or
/// else rows would be striped by how many buckets they happen to hold.
fn count_rows(frame: &Frame, group: &Column, rows: usize) -> Vec<f64> {
    let mut counts = vec![0.0; rows];
    let row = (frame.y.high() - frame.y.low()) / rows as f64;
    for (floor, width, count) in group.on_time.buckets() {
        let low = (floor as f64 - frame.y.low()).max(0.0) / row;
        let high = low + width as f64 / row;
        let touched = low as usize..(high.ceil() as usize).min(rows);
        for (k, sum) in counts.iter_mut().enumerate().take(touched.end).skip(touched.start) {
            let overlap = high.min(k as f64 + 1.0) - low.max(k as f64);
            *sum += count as f64 * overlap / (high - low);
        }
    }
    counts
}

/// One diamond for all late replies within its own size.
fn late_cells(layer: &mut Layer, frame: &Frame, view: &View, columns: &[Column]) {
    const SIZE: f64 = 9.0;
    let colour = layer.colours().p99;
    let width = view.data.columns.width() as f64;
    let mut taken = std::collections::BTreeSet::new();
    for (k, column) in columns.iter().enumerate() {
        for (floor, width_of, _) in column.late.buckets() {
            let value = floor as f64 + width_of as f64 / 2.0;
            if value > frame.y.high() {
                continue;
            }
            let (x, y) = frame.at((k as f64 + 0.5) * width, value);
            if taken.insert(((x / SIZE) as i64, (y / SIZE) as i64)) {
                layer.mark(Shape::HollowDiamond, (x, y), 3.5, &colour);
            }
        }
    }
}

/// Columns joined to be a few pixels wide.
struct Cells {
    groups: Vec<Column>,
    width: f64,
}

impl Cells {
    fn new(frame: &Frame, view: &View, columns: &[Column]) -> Self {
        const WIDE: f64 = 3.0;
        let width = view.data.columns.width() as f64;
        let pixels = width / frame.x.high() * frame.width();
        let group = (WIDE / pixels).ceil().max(1.0) as usize;
        Self { groups: columns.chunks(group).map(joined).collect(), width: width * group as f64 }
    }

    fn edges(&self, frame: &Frame, k: usize) -> (f64, f64) {
        (frame.at_x(k as f64 * self.width), frame.at_x((k + 1) as f64 * self.width))
    }
}

/// The dashed lines of p50 and p99.
fn quantiles(layer: &mut Layer, frame: &Frame, view: &View) {
    let Some(rtt) = &view.summary.rtt_us else { return };
    let colours = layer.colours();
    let (y50, y99) = (frame.at_y(rtt.p50 * 1e3), frame.at_y(rtt.p99 * 1e3));
    // Labels keep a line's distance, whatever the values.
    let base99 = (y99 + 4.5).min(y50 + 4.5 - 17.0);
    let lines = [(rtt.p50, y50, y50 + 4.5, colours.p50, "p50"), (rtt.p99, y99, base99, colours.p99, "p99")];
    for (value, y, base, colour, name) in lines {
        layer.dashes((frame.left, y), (frame.right, y), &colour, 1.4);
        let text = format!("{name} {}", format::time(value * 1e3));
        // The right margin is the interval's where there is one.
        if view.run.config.decay.is_some() {
            let left = frame.left + 8.0;
            backing(layer, (left, base - 9.0), &text, SMALL);
            layer.text(&text, (left, base - 9.0), hand(SMALL, colours.text));
        } else {
            layer.text(&text, (frame.right + 5.0, base), hand(SMALL, colours.text).bold());
        }
    }
}

/// In a run that decays, the interval on an axis of its own at the right.
fn interval(layer: &mut Layer, frame: &Frame, view: &View, columns: &[Column]) {
    if view.run.config.decay.is_none() {
        return;
    }
    let points: Vec<(f64, f64)> = columns
        .iter()
        .enumerate()
        .filter_map(|(k, column)| Some((k as f64, column.interval.filter(|nanos| *nanos > 0)? as f64)))
        .collect();
    let Some(most) = points.iter().map(|(_, nanos)| *nanos).reduce(f64::max) else { return };
    let least = points.iter().map(|(_, nanos)| *nanos).fold(most, f64::min);
    let unit = format::time_unit(most);
    let scale = Frame { y: Axis::logarithmic(least, most, unit, 14), ..frame.clone() };
    let width = view.data.columns.width() as f64;
    let colours = layer.colours();
    for pair in points.windows(2) {
        let line = [scale.at(pair[0].0 * width, pair[0].1), scale.at(pair[1].0 * width, pair[1].1)];
        layer.line(&line, &colours.interval, 1.6);
    }
    for (value, label) in &scale.y.ticks {
        let y = scale.at_y(*value);
        layer.line(&[(frame.right, y), (frame.right + 5.0, y)], &colours.interval, 1.0);
        layer.text(label, (frame.right + 9.0, y + 4.5), hand(13.0, colours.text));
    }
    let middle = (frame.top + frame.bottom) / 2.0;
    let title = format!("Interval ({}, log)", unit.name);
    layer.text(&title, (frame.right + 88.0, middle), hand(14.0, colours.text).centre().upwards());
}

fn knee(layer: &mut Layer, frame: &Frame, view: &View) {
    let Some(knee) = view.summary.knee else { return };
    let reached = |column: &Column| column.interval.is_some_and(|ns| ns as f64 <= knee.interval_us * 1e3);
    let Some(column) = view.columns.iter().position(reached) else { return };
    let colours = layer.colours();
    let x = frame.at_x((column as u64 * view.data.columns.width()) as f64);
    layer.dashes((x, frame.top), (x, frame.bottom), &colours.median, 1.6);
    let interval = format::time(knee.interval_us * 1e3);
    let text = format!("knee: every {interval}, {}", format::bit_rate(knee.throughput_bps));
    let width = font::width(&text, 13.0, true);
    let left = if x + 8.0 + width < frame.right { x + 8.0 } else { x - 8.0 - width };
    let base = frame.top + 48.0;
    layer.rect((left - 3.0, base - 14.0), (left + width + 3.0, base + 5.0), &colours.panel.mix(0.85));
    layer.text(&text, (left, base), hand(13.0, colours.text).bold());
}

/// Events of the run: the server restarted, a clock was set, a load was on for a part of it.
fn events(layer: &mut Layer, frame: &Frame, view: &View) {
    if view.data.axis == XAxis::Seq {
        return;
    }
    let colours = layer.colours();
    let mut free = frame.left;
    let load = view.run.load.as_ref().and_then(load_period);
    let load = load.into_iter().flat_map(|(from, until)| [(from, "load on"), (until, "load off")]);
    let named = view.run.events.iter().map(|event| (event.at_us, event.kind.as_str()));
    let mut marks: Vec<(f64, &str)> = named.chain(load).filter(|(at, _)| *at >= 0.0).collect();
    marks.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (at, name) in marks {
        let x = frame.at_x(at * 1e3).min(frame.right);
        layer.dashes((x, frame.top), (x, frame.bottom), &colours.muted, 1.0);
        let width = font::width(name, SMALL, false);
        let left = (x + 5.0).min(frame.right - width - 4.0);
        if left >= free {
            let at = (left, frame.bottom - 8.0);
            backing(layer, at, name, SMALL);
            layer.text(name, at, hand(SMALL, colours.text));
            free = left + width + 8.0;
        }
    }
}
