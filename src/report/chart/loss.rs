//! Panel B: the probes that were not answered in time, where they were sent, a lane for each way of
//! it in the order of the path; below them the share of each second.

use plotters::style::Color;

use super::View;
use super::axes_frame::{Frame, Key, SMALL, hand};
use super::axis::{Axis, nice};
use super::hosts;
use super::page::{Area, MARGIN};
use super::panel::{Hover, Panel, Place};
use super::sheet::{Layer, Shape, Sheet};
use crate::probe::{Cause, NotOnTime};
use crate::report::chart_data::{Column, LossMark};
use crate::report::format::{self, percent};
use crate::stats::{OutcomeCounts, Slot};

const GAP: f64 = 8.0;
const BARS: f64 = 54.0;

pub(super) const PANEL: Panel = Panel {
    id: "loss",
    title: "Probes lost or late",
    place: Place::Wide { height },
    note: Some("lanes in the order of the path, as the server told."),
    is_shown: |_| true,
    x: |view| view.probes.clone(),
    draw,
    hover,
};

fn hover(view: &View) -> Hover {
    let Some(marks) = &view.data.marks else { return view.hover_columns() };
    let row = |mark: &LossMark| (mark.x, format!("{}\n{}", view.place(mark.x), mark.reason.name()));
    Hover::Marks(marks.iter().map(row).collect())
}

fn height(view: &View) -> f64 {
    let lanes = lanes(view);
    lanes.len().max(1) as f64 * pitch(&lanes) + GAP + BARS
}

/// The distance between lanes, smaller where there are many.
fn pitch(lanes: &[NotOnTime]) -> f64 {
    if lanes.len() <= 5 { 20.0 } else { 16.0 }
}

fn draw(sheet: &mut Sheet, view: &View, area: Area, heading: &str) {
    let lanes = lanes(view);
    let middle = area.bottom - BARS - GAP;
    let field = Area { bottom: middle, ..area }.frame(view.probes.clone(), Axis::shares());
    let share = Bar::all(view);
    let most = share.iter().filter_map(|bar| bar.worst).fold(0.0, f64::max);
    let bars = Area { top: area.bottom - BARS, ..area }.frame(view.probes.clone(), scale(most));
    sheet.layer("losses", |layer| {
        let colours = layer.colours();
        layer.rect((field.left, field.top), (field.right, field.bottom), &colours.panel);
        field.uprights(layer);
        let legend = [Key::Words(explanation(view))];
        field.heading(layer, heading, &legend);
        bars.ground(layer);
        if !hosts::is_shown(view) {
            bars.foot(layer);
        }
        if lanes.is_empty() {
            let text = match view.summary.sent {
                0 => "no probe was sent",
                _ => "every probe was answered in time",
            };
            layer.text(text, (field.left + 10.0, field.top + 15.0), hand(13.0, colours.muted));
        }
        for (k, reason) in lanes.iter().enumerate() {
            label(layer, &field, field.top + (k as f64 + 0.5) * pitch(&lanes), *reason, view);
        }
        draw_bars(layer, &bars, &share);
    });
    sheet.layer("loss-marks", |layer| match &view.data.marks {
        Some(marks) => draw_marks(layer, &field, &lanes, marks),
        None => draw_shares(layer, &field, &lanes, view),
    });
}

fn lanes(view: &View) -> Vec<NotOnTime> {
    view.data.statistics.outcomes.reasons().map(|(reason, _)| reason).collect()
}

fn explanation(view: &View) -> String {
    let marks = if view.data.marks.is_some() {
        "a mark each, where it was sent"
    } else {
        "lanes: share of the probes, the highest fills the lane"
    };
    let bars = match &view.slots {
        _ if !view.by_second() && view.bins.all.len() == 1 => "the run".to_owned(),
        _ if !view.by_second() => format!("each {}", view.bins.step()),
        slots if slots.width == 1 => "each second".to_owned(),
        slots if slots.crowded() => format!("each {} (line: worst second)", slots.step()),
        slots => format!("each {}", slots.step()),
    };
    format!("{marks} · bars: loss of {bars}, stacked by cause")
}

const fn shape(reason: NotOnTime) -> Shape {
    match reason {
        NotOnTime::NotSent => Shape::Plus,
        NotOnTime::Lost(Cause::Up) => Shape::Up,
        NotOnTime::Lost(Cause::ServerOverflow) => Shape::Dot,
        NotOnTime::Lost(Cause::Refused) => Shape::Square,
        NotOnTime::Lost(Cause::InjectedUp) => Shape::HollowUp,
        NotOnTime::Lost(Cause::InjectedDown) => Shape::HollowDown,
        NotOnTime::Lost(Cause::Down) => Shape::Down,
        NotOnTime::Lost(Cause::ClientOverflow) => Shape::Ring,
        NotOnTime::Lost(Cause::Unknown) => Shape::Cross,
        NotOnTime::Late => Shape::HollowDiamond,
    }
}

fn label(layer: &mut Layer, field: &Frame, y: f64, reason: NotOnTime, view: &View) {
    let colours = layer.colours();
    layer.line(&[(field.left, y), (field.right, y)], &colours.grid, 1.0);
    layer.mark(shape(reason), (MARGIN - 18.0, y), 4.5, &colours.group(reason.group()));
    layer.text(reason.name(), (MARGIN - 7.0, y + 4.0), hand(SMALL, colours.text));
    let count = format::count(view.data.statistics.outcomes.of(reason));
    layer.text(&count, (field.right + 8.0, y + 4.0), hand(SMALL, colours.text));
}

fn draw_marks(layer: &mut Layer, field: &Frame, lanes: &[NotOnTime], marks: &[LossMark]) {
    let (radius, strength) = if marks.len() <= 600 { (5.0, 0.9) } else { (3.6, 0.5) };
    for mark in marks {
        let lane = lanes.iter().position(|reason| *reason == mark.reason).unwrap_or_default();
        let at = (field.at_x(mark.x as f64), field.top + (lane as f64 + 0.5) * pitch(lanes));
        let colour = layer.colours().group(mark.reason.group()).mix(strength);
        layer.mark(shape(mark.reason), at, radius, &colour);
    }
}

/// Too many for a mark each: how large a share of a column's probes, a small bar in the lane.
fn draw_shares(layer: &mut Layer, field: &Frame, lanes: &[NotOnTime], view: &View) {
    let columns = view.columns;
    let width = view.data.columns.width() as f64;
    let share = |column: &Column, reason: NotOnTime| {
        column.outcomes.of(reason) as f64 / column.outcomes.probes().max(1) as f64
    };
    for (lane, reason) in lanes.iter().enumerate() {
        let most = columns.iter().map(|column| share(column, *reason)).fold(0.0, f64::max);
        let floor = field.top + (lane as f64 + 1.0) * pitch(lanes) - 1.0;
        let colour = layer.colours().group(reason.group()).mix(0.85);
        for (k, column) in columns.iter().enumerate() {
            let height = share(column, *reason) / most * (pitch(lanes) - 3.0);
            if height > 0.0 {
                let (left, right) = (field.at_x(k as f64 * width), field.at_x((k + 1) as f64 * width));
                layer.rect((left, floor - height.max(1.0)), (right.max(left + 1.0), floor), &colour);
            }
        }
    }
}

/// A part of the run and its losses.
struct Bar {
    from: f64,
    to: f64,
    /// Of the probes sent.
    shares: Vec<(NotOnTime, f64)>,
    worst: Option<f64>,
}

impl Bar {
    fn all(view: &View) -> Vec<Self> {
        if view.by_second() {
            let slots = &view.slots;
            let (width, crowded) = (slots.width as f64 * 1e9, slots.crowded());
            let bar = |(k, slot): (usize, &Slot)| {
                let worst = slot.worst_loss.filter(|_| crowded);
                Self::new((k as f64 * width, (k + 1) as f64 * width), &slot.outcomes, worst)
            };
            slots.all.iter().enumerate().map(bar).collect()
        } else {
            let bar =
                |bin: &super::bins::Bin| Self::new((bin.from, bin.to), &bin.column.outcomes, bin.loss());
            view.bins.all.iter().map(bar).collect()
        }
    }

    fn new((from, to): (f64, f64), outcomes: &OutcomeCounts, worst: Option<f64>) -> Self {
        let sent = outcomes.reasons().filter(|(reason, _)| *reason != NotOnTime::NotSent);
        let share = |(reason, count)| (reason, count as f64 / outcomes.sent().max(1) as f64);
        Self { from, to, shares: sent.map(share).collect(), worst }
    }
}

fn scale(most: f64) -> Axis {
    let top = if most > 0.0 { nice(most).min(1.0) } else { 1.0 };
    let mut axis = Axis::shares().reaching(top);
    axis.ticks = [0.0, top / 2.0, top].map(|share| (share, percent(share))).to_vec();
    axis.titled("Loss")
}

fn draw_bars(layer: &mut Layer, frame: &Frame, bars: &[Bar]) {
    for bar in bars {
        let (left, right) = (frame.at_x(bar.from), frame.at_x(bar.to));
        // A gap between bars while they are wide enough to have one.
        let gap = if right - left > 6.0 { 1.0 } else { 0.0 };
        let mut sum = 0.0;
        for (reason, share) in &bar.shares {
            let (low, high) = (frame.at_y(sum), frame.at_y(sum + share));
            sum += share;
            let colour = layer.colours().group(reason.group()).mix(0.55);
            layer.rect((left + gap, high), ((right - gap).max(left + gap + 0.5), low), &colour);
        }
        if let Some(worst) = bar.worst.filter(|worst| *worst > sum + 1e-9) {
            let y = frame.at_y(worst);
            let colour = layer.colours().loss;
            layer.line(&[(left, y), (right.max(left + 1.0), y)], &colour, 1.2);
        }
    }
}
