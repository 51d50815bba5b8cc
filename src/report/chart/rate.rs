//! The picture of a rate search. For each direction, left: delay and loss against the offered rate, with the
//! answer and its interval. Right: the rate that was asked for and received over time, and the queue.

use plotters::style::{Color, RGBColor};

use super::axes_frame::{Frame, Key, SMALL, hand};
use super::axis::Axis;
use super::page::{Area, MARGIN, WIDTH};
use super::sheet::{Layer, Shape, Sheet};
use super::theme::Theme;
use crate::record::rate::{AddedDelay, DirectionRate, StepRate};
use crate::record::{RateSample, Run};
use crate::report::format::{bit_rate, milliseconds, rate_unit, time_unit};
use crate::report::rate::without_steps;
use crate::report::{folded, font, rate_lines};
use crate::time::Duration;

/// Of the text above the panels.
const LINE: f64 = 22.0;
const HEADING: f64 = 46.0;
const UPPER: f64 = 250.0;
const GAP: f64 = 20.0;
const LOWER: f64 = 110.0;
const FOOT: f64 = 56.0;
const BLOCK: f64 = HEADING + UPPER + GAP + LOWER + FOOT;
/// The panels' own edges: the curve at the left, the time at the right.
const CURVE: (f64, f64) = (134.0, 740.0);
const TIME: (f64, f64) = (890.0, WIDTH - MARGIN);
/// Shorter delays are drawn at the lower edge.
const LEAST_DELAY: f64 = 1e5;

/// Draws the searches of a run; `samples` are the rows of its `rate.csv`.
pub fn rate(run: &Run, samples: &[RateSample], theme: Theme) -> String {
    let lines: Vec<String> = rate_lines(run).iter().flat_map(|line| folded(line, 150)).collect();
    let directions: Vec<_> = run.rate.iter().flat_map(|rate| rate.directions()).collect();
    let top = 70.0 + LINE * lines.len() as f64;
    let height = top + BLOCK * directions.len() as f64 + 20.0;
    let mut sheet = Sheet::new(WIDTH, height, theme.colours());
    sheet.layer("page", |layer| {
        let page = layer.colours().page;
        layer.rect((0.0, 0.0), (WIDTH, height), &page);
    });
    let title = format!("Rate and delay under load: {}", run.config.host);
    sheet.layer("header", |layer| head(layer, &title, &run.started, &lines));
    for (index, (name, found)) in directions.into_iter().enumerate() {
        let top = top + BLOCK * index as f64 + HEADING;
        let own: Vec<&RateSample> = samples.iter().filter(|sample| sample.direction == name).collect();
        sheet.layer(&format!("{name} curve"), |layer| curve(layer, name, found, top));
        sheet.layer(&format!("{name} time"), |layer| timeline(layer, found, &own, top));
    }
    sheet.finish(&title)
}

fn head(layer: &mut Layer, title: &str, started: &str, lines: &[String]) {
    let colours = layer.colours();
    layer.text(title, (MARGIN, 44.0), hand(24.0, colours.text).bold());
    layer.text(started, (WIDTH - MARGIN, 44.0), hand(SMALL, colours.muted).right());
    for (k, line) in lines.iter().enumerate() {
        let line = font::fit(line, 15.0, false, WIDTH - 2.0 * MARGIN);
        layer.text(&line, (MARGIN, 76.0 + LINE * k as f64), hand(15.0, colours.text));
    }
}

/// The curve, with the push at its end.
fn points(found: &DirectionRate) -> Vec<&StepRate> {
    found.steps.iter().chain(found.pushed.iter().map(|pushed| &pushed.step)).collect()
}

fn curve(layer: &mut Layer, name: &str, found: &DirectionRate, top: f64) {
    let points = points(found);
    let area = |top: f64, height: f64| Area { left: CURVE.0, right: CURVE.1, top, bottom: top + height };
    let offered = || offered_axis(found, &points);
    let frame = area(top, UPPER).frame(offered(), delay_axis(&points));
    let colours = layer.colours();
    frame.ground(layer);
    let legend = [
        Key::Mark(Shape::Dot, colours.reply.to_rgba(), "loaded flow".to_owned()),
        Key::Mark(Shape::Ring, colours.loss.to_rgba(), "other flow".to_owned()),
    ];
    frame.heading(layer, &format!("{name}: added delay, p50 to p95"), &legend);
    answer(layer, &frame, found);
    if points.is_empty() {
        frame.empty(layer, without_steps(found));
    }
    delays(layer, &frame, &points, Shape::Dot, colours.reply, |point| point.own);
    delays(layer, &frame, &points, Shape::Ring, colours.loss, |point| point.other);
    let most = points.iter().map(|point| point.loss).fold(0.01, f64::max);
    let ticks = [0.0, most / 2.0, most].map(|share| (share, format!("{:.1} %", share * 100.0)));
    let losses = Axis::between(0.0, most * 1.1, ticks.to_vec()).titled("Loss");
    let frame = area(top + UPPER + GAP, LOWER).frame(offered(), losses);
    frame.ground(layer);
    frame.foot(layer);
    answer(layer, &frame, found);
    let line: Vec<_> = points.iter().map(|point| frame.at(point.offered_bps, point.loss)).collect();
    layer.line(&line, &colours.loss, 1.8);
    line.into_iter().for_each(|at| layer.mark(Shape::Square, at, 4.0, &colours.loss));
}

fn offered_axis(found: &DirectionRate, points: &[&StepRate]) -> Axis {
    // Without steps the axis spans the rates that they would have had.
    let alone = [0.5, 1.2].map(|share| share * found.bps).into_iter().filter(|_| points.is_empty());
    let offered = points.iter().map(|point| point.offered_bps).chain([found.bps]).chain(alone);
    let rates = || offered.clone().filter(|rate| *rate > 0.0);
    let (low, high) = (rates().fold(f64::INFINITY, f64::min), rates().fold(0.0, f64::max));
    if high <= 0.0 {
        return Axis::blank("Offered rate");
    }
    let unit = rate_unit(high);
    let title = format!("Offered rate ({}, logarithmic)", unit.name);
    Axis::logarithmic(low * 0.9, high * 1.1, unit, 8).titled(title)
}

fn delay_axis(points: &[&StepRate]) -> Axis {
    let delays = points.iter().flat_map(|point| [point.own, point.other]).flatten();
    let most = delays.map(|delay| delay.p95_us.max(delay.p50_us) * 1e3).fold(LEAST_DELAY * 100.0, f64::max);
    let unit = time_unit(most);
    let title = format!("Added delay ({}, log.)", unit.name);
    Axis::logarithmic(LEAST_DELAY, most * 1.3, unit, 8).titled(title)
}

/// The answer with its interval, as an upright band.
fn answer(layer: &mut Layer, frame: &Frame, found: &DirectionRate) {
    if found.bps <= 0.0 {
        return;
    }
    let colours = layer.colours();
    let (low, high) = (frame.at_x(found.low_bps.max(1.0)), frame.at_x(found.high_bps));
    layer.rect((low, frame.top), (high.max(low + 2.0), frame.bottom), &colours.p50.mix(0.35));
    if frame.bottom - frame.top > LOWER {
        let queue = milliseconds(Duration::from_secs_f64(found.target_queue_us / 1e6));
        let rate = bit_rate(found.bps);
        let text =
            if found.limited_by.is_some() { format!("at least {rate}") } else { format!("{rate}, +{queue}") };
        layer.text(&text, (low - 8.0, frame.top + 18.0), hand(14.0, colours.text).right().bold());
    }
}

fn delays(
    layer: &mut Layer,
    frame: &Frame,
    points: &[&StepRate],
    shape: Shape,
    colour: RGBColor,
    of: impl Fn(&StepRate) -> Option<AddedDelay>,
) {
    let marks: Vec<_> = points
        .iter()
        .filter_map(|point| {
            of(point).map(|delay| (point.offered_bps, delay.p50_us * 1e3, delay.p95_us * 1e3))
        })
        .collect();
    let line: Vec<_> = marks.iter().map(|(offered, p50, _)| frame.at(*offered, *p50)).collect();
    layer.line(&line, &colour.mix(0.5), 1.4);
    for (offered, p50, p95) in marks {
        layer.line(&[frame.at(offered, p50), frame.at(offered, p95)], &colour, 1.4);
        layer.mark(shape, frame.at(offered, p50), 5.0, &colour);
    }
}

fn timeline(layer: &mut Layer, found: &DirectionRate, samples: &[&RateSample], top: f64) {
    let colours = layer.colours();
    let area = |top: f64, height: f64| Area { left: TIME.0, right: TIME.1, top, bottom: top + height };
    // The directions follow one another: each begins at zero.
    let begin = samples.first().map_or(0.0, |sample| sample.time);
    let end = samples.iter().map(|sample| sample.time - begin).fold(1e9, f64::max);
    // Arrivals that a busy host saw all at once are no rate: they end at the upper edge.
    let most = samples.iter().map(|sample| sample.asked).fold(found.bps.max(1.0), f64::max);
    let unit = rate_unit(most);
    let rates = Axis::linear(0.0, most * 1.15, 5.0, unit).titled(format!("Rate ({})", unit.name));
    let frame = area(top, UPPER).frame(Axis::elapsed(end, 10.0), rates);
    frame.ground_titled(layer, TIME.0 - 84.0);
    let legend = [
        Key::Thin(colours.muted.to_rgba(), "asked for".to_owned()),
        Key::Line(colours.reply.to_rgba(), "received".to_owned()),
    ];
    frame.heading(layer, "Rate over time", &legend);
    let line = |of: &dyn Fn(&RateSample) -> Option<f64>, frame: &Frame| -> Vec<(f64, f64)> {
        samples.iter().filter_map(|sample| Some(frame.at(sample.time - begin, of(sample)?))).collect()
    };
    layer.line(&line(&|sample| Some(sample.asked), &frame), &colours.muted, 1.0);
    let edge = most * 1.15;
    layer.line(&line(&|sample| Some(sample.received?.min(edge)), &frame), &colours.reply, 2.0);
    phases(layer, &frame, samples, begin);
    let queues = || samples.iter().flat_map(|sample| [sample.own, sample.other]).flatten();
    let most = queues().fold(1e6, f64::max);
    let frame =
        area(top + UPPER + GAP, LOWER).frame(Axis::elapsed(end, 10.0), Axis::times("Queue", 0.0, most, 3.0));
    frame.ground_titled(layer, TIME.0 - 84.0);
    frame.foot(layer);
    layer.line(&line(&|sample| sample.own, &frame), &colours.reply, 1.8);
    layer.line(&line(&|sample| sample.other, &frame), &colours.loss, 1.2);
}

/// The names of the phases along the upper edge, where each begins.
fn phases(layer: &mut Layer, frame: &Frame, samples: &[&RateSample], begin: f64) {
    let colours = layer.colours();
    let mut free_from = frame.left;
    for group in samples.chunk_by(|a, b| a.phase == b.phase) {
        let Some(first) = group.first() else { continue };
        let x = frame.at_x(first.time - begin);
        layer.dashes((x, frame.top), (x, frame.bottom), &colours.muted.mix(0.6), 1.0);
        if x >= free_from {
            layer.text(&first.phase, (x + 4.0, frame.top + 14.0), hand(SMALL, colours.muted));
            free_from = x + 8.0 + font::width(&first.phase, SMALL, false);
        }
    }
}
