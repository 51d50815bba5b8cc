//! Panel B: each figure's difference from the first run with its interval, as a share of the first
//! run's value, so that all share one axis.

use plotters::style::{Color, RGBColor};

use super::super::axes_frame::{Frame, Key, SMALL, hand};
use super::super::axis::Axis;
use super::super::page::{MARGIN, Rows, WIDTH};
use super::super::sheet::Layer;
use super::Overlaid;
use crate::report::compare::{Change, Changes, Figure, Margin, Verdict, factor};
use crate::report::format::plain;

const LEFT: f64 = 944.0;
/// Where the verdicts stand.
const VERDICTS: f64 = 168.0;
/// The axis reaches no further than this; beyond it there is an arrow.
const FURTHEST: f64 = 2.0;
/// Marks of the axis, to either side of zero.
const MARKS: [f64; 8] = [0.01, 0.05, 0.1, 0.2, 0.5, 1.0, 1.5, 2.0];

/// A line for each run in a row for each figure.
pub(super) fn height(changes: &[Changes]) -> f64 {
    let rows: usize = figures(changes).len();
    rows as f64 * (16.0 * changes.len() as f64 + 12.0) + 16.0
}

fn figures(changes: &[Changes]) -> Vec<Figure> {
    let mut figures: Vec<Figure> = Vec::new();
    for change in changes.iter().flat_map(|changes| &changes.0) {
        if change.figure != Figure::Throughput && !figures.contains(&change.figure) {
            figures.push(change.figure);
        }
    }
    figures
}

pub(super) fn draw(
    layer: &mut Layer,
    runs: &[Overlaid],
    changes: &[Changes],
    margin: Margin,
    (top, bottom): Rows,
) {
    let colours = layer.colours();
    let right = WIDTH - MARGIN - VERDICTS;
    let frame = Frame { left: LEFT, right, top, bottom, x: axis(changes), y: Axis::blank("") };
    frame.ground(layer);
    frame.foot(layer);
    let figures = figures(changes);
    let row = (bottom - top) / figures.len().max(1) as f64;
    for (k, figure) in figures.iter().enumerate() {
        let reach = changes.iter().flat_map(|changes| &changes.0).find(|change| change.figure == *figure);
        let reach = bent(reach.and_then(relative_margin).unwrap_or(0.0)).min(frame.x.high());
        let from = top + k as f64 * row;
        layer.rect((frame.at_x(-reach), from), (frame.at_x(reach), from + row), &colours.band.mix(0.25));
    }
    layer.line(&[frame.at(0.0, 0.0), frame.at(0.0, 1.0)], &colours.text, 1.2);
    let said = format!("the margin: {} %, and {} of delay", plain(margin.share * 100.0), margin.time_text());
    let legend = [Key::Patch(colours.band.mix(0.25), said)];
    frame.heading(layer, "Difference from A", &legend);
    for (k, figure) in figures.iter().enumerate() {
        let middle = top + (k as f64 + 0.5) * row;
        layer.text(&figure.name(), (LEFT - 8.0, middle + 4.5), hand(13.0, colours.text).right());
        let theirs = runs.iter().skip(1).zip(changes);
        let found = theirs.filter_map(|(run, all)| Some((run, all.0.iter().find(|c| c.figure == *figure)?)));
        let found: Vec<_> = found.collect();
        let step = ((row - 8.0) / found.len().max(1) as f64).min(22.0);
        for (j, (run, change)) in found.iter().enumerate() {
            let y = middle + (j as f64 - (found.len() - 1) as f64 / 2.0) * step;
            whisker(layer, &frame, run, change, y);
        }
    }
}

/// Labels are no closer than this part of the way from zero to the end.
const APART: f64 = 0.27;

/// Square roots, so that a tenth can be seen beside twice as much.
fn bent(relative: f64) -> f64 {
    relative.abs().sqrt().copysign(relative)
}

fn axis(changes: &[Changes]) -> Axis {
    let ends = changes.iter().flat_map(|changes| &changes.0).filter_map(relative);
    let furthest = ends.map(|(_, low, high)| high.max(-low)).fold(0.1, f64::max);
    let last = MARKS.into_iter().find(|mark| *mark >= furthest).unwrap_or(FURTHEST);
    let mut shown = vec![last];
    for mark in MARKS.into_iter().rev().filter(|mark| *mark < last) {
        let gap = bent(shown[shown.len() - 1]) - bent(mark);
        if gap > bent(last) * APART && bent(mark) > bent(last) * APART {
            shown.push(mark);
        }
    }
    let tick = |mark: f64, sign: &str| {
        (bent(if sign == "−" { -mark } else { mark }), format!("{sign}{} %", plain(mark * 100.0)))
    };
    let both = shown.into_iter().flat_map(|mark| [tick(mark, "−"), tick(mark, "+")]);
    let ticks = both.chain([(0.0, "0".to_owned())]).collect();
    Axis::between(bent(-last), bent(last), ticks)
        .titled("Difference and its interval, as a share of A's value (square-root scale)")
}

/// The difference and its interval as shares of what it was; none of nothing.
fn relative(change: &Change) -> Option<(f64, f64, f64)> {
    let before = change.before.filter(|before| *before > 0.0)?;
    let (low, high) = change.interval?;
    Some((change.relative()?, low / before, high / before))
}

/// The margin as a share of what it was.
fn relative_margin(change: &Change) -> Option<f64> {
    change.before.filter(|before| *before > 0.0).map(|before| change.margin / before)
}

fn whisker(layer: &mut Layer, frame: &Frame, run: &Overlaid, change: &Change, y: f64) {
    let colours = layer.colours();
    let sure = matches!(change.verdict, Verdict::Worse | Verdict::Better);
    let colour = if sure { colours.text } else { colours.muted };
    layer.text(&verdict(change), (frame.right + 10.0, y + 4.0), hand(SMALL, colour));
    let Some((estimate, low, high)) = relative(change) else { return };
    let [estimate, low, high] = [estimate, low, high].map(bent);
    layer.line(&[(frame.at_x(low), y), (frame.at_x(high), y)], &run.colour, 2.0);
    let (left, right) = (frame.x.low(), frame.x.high());
    if low < left {
        arrow(layer, (frame.left, y), 9.0, run.colour);
    }
    if high > right {
        arrow(layer, (frame.right, y), -9.0, run.colour);
    }
    if (left..=right).contains(&estimate) {
        layer.mark(run.shape, (frame.at_x(estimate), y), 5.0, &run.colour);
    }
}

/// An arrow head with its tip here, and its back this far to the right.
fn arrow(layer: &mut Layer, (x, y): (f64, f64), back: f64, colour: RGBColor) {
    layer.area(&[(x, y), (x + back, y - 5.0), (x + back, y + 5.0)], &colour);
}

fn verdict(change: &Change) -> String {
    let absolute = || change.difference().filter(|d| *d != 0.0).map(|d| change.figure.more(d));
    let difference = change.relative().map(factor).or_else(absolute).filter(|_| change.interval.is_some());
    format!("{} {}", change.verdict.word(), difference.unwrap_or_default())
}
