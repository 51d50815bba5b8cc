//! Panels C and D: throughput and mean delay by the second, the runs over one another from time zero.

use super::super::axes_frame::{Frame, Key};
use super::super::axis::Axis;
use super::super::clipping;
use super::super::page::Rows;
use super::super::seconds::Slots;
use super::super::sheet::Layer;
use super::{Overlaid, across};
use crate::report::format;
use crate::stats::Slot;

const NANOS: f64 = 1e9;
/// Marks on a line, so that it can be told from the others.
const MARKS: usize = 7;

/// A value that holds from one time to another.
struct Step {
    from: f64,
    to: f64,
    value: f64,
}

pub(super) fn throughput(layer: &mut Layer, runs: &[Overlaid], rows: Rows) {
    let lines = lines(runs, |slot, seconds| Some(slot.bits as f64 / seconds));
    let most = lines.iter().flatten().map(|step| step.value).fold(0.0, f64::max);
    let unit = format::rate_unit(most);
    let y = if most > 0.0 { Axis::linear(0.0, most * 1.05, 4.0, unit) } else { Axis::only_zero() };
    let frame = across(rows).frame(elapsed(runs), y.titled(format!("Rate ({})", unit.name)));
    frame.ground(layer);
    let legend = legend(runs, "on-time replies × size × 16 bit, both ways, by the second of sending");
    frame.heading(layer, "Throughput per second", &legend);
    draw(layer, &frame, runs, &lines);
}

pub(super) fn delay(layer: &mut Layer, runs: &[Overlaid], rows: Rows) {
    let lines = lines(runs, |slot, _| slot.delay());
    let frame = across(rows).frame(elapsed(runs), delay_axis(&lines));
    frame.ground(layer);
    frame.foot(layer);
    let legend = legend(runs, "mean RTT of on-time replies; ends at the upper edge where it leaves the axis");
    frame.heading(layer, "Mean delay per second", &legend);
    if lines.iter().all(Vec::is_empty) {
        frame.empty(layer, "no reply in time");
    }
    draw(layer, &frame, runs, &lines);
}

fn span(runs: &[Overlaid]) -> u64 {
    runs.iter().map(|run| run.sample.seconds().span()).max().unwrap_or(0).max(1)
}

fn elapsed(runs: &[Overlaid]) -> Axis {
    Axis::elapsed(span(runs) as f64 * NANOS, 11.0)
}

/// All runs in steps of about one width, whatever their lengths.
fn slots(run: &Overlaid, span: u64) -> Slots {
    const MOST: u64 = 300;
    let seconds = run.sample.seconds();
    let part = seconds.span() as f64 / span as f64;
    Slots::of(&seconds).at_most(((MOST as f64 * part).ceil() as u64).max(1))
}

fn lines(runs: &[Overlaid], value: impl Fn(&Slot, f64) -> Option<f64>) -> Vec<Vec<Step>> {
    let span = span(runs);
    let line = |run: &Overlaid| {
        let slots = slots(run, span);
        let step = |(k, slot): (usize, &Slot)| {
            let from = k as u64 * slots.width;
            let to = (from + slots.width).min(slots.span);
            let value = value(slot, (to - from) as f64)?;
            Some(Step { from: from as f64 * NANOS, to: to as f64 * NANOS, value })
        };
        slots.all.iter().enumerate().filter_map(step).collect()
    };
    runs.iter().map(line).collect()
}

/// From zero, unless all delays lie far from it; one slow second does not stretch it.
fn delay_axis(lines: &[Vec<Step>]) -> Axis {
    const NARROW: f64 = 0.1;
    let mut values: Vec<f64> = lines.iter().flatten().map(|step| step.value).collect();
    values.sort_by(f64::total_cmp);
    let (Some(least), Some(most)) = (values.first(), values.last()) else { return Axis::blank("Delay") };
    let far = values[(values.len() * 98).div_ceil(100) - 1];
    let (low, high) = clipping::window(*least, far, *most, NARROW);
    Axis::times("Delay", low, high, 5.0)
}

fn draw(layer: &mut Layer, frame: &Frame, runs: &[Overlaid], lines: &[Vec<Step>]) {
    for (k, (run, line)) in runs.iter().zip(lines).enumerate() {
        for stretch in line.chunk_by(|a, b| a.to == b.from) {
            let ends = |step: &Step| [frame.at(step.from, step.value), frame.at(step.to, step.value)];
            layer.line(&stretch.iter().flat_map(ends).collect::<Vec<_>>(), &run.colour, 1.8);
        }
        // The marks of coinciding lines must not overlap.
        let phase = (k as f64 + 0.5) / runs.len() as f64;
        let place = |mark: usize| ((mark as f64 + phase) / MARKS as f64 * line.len() as f64) as usize;
        for step in (0..MARKS.min(line.len())).filter_map(|mark| line.get(place(mark))) {
            layer.mark(run.shape, frame.at((step.from + step.to) / 2.0, step.value), 5.0, &run.colour);
        }
    }
}

fn legend(runs: &[Overlaid], text: &str) -> Vec<Key> {
    let span = span(runs);
    let width = runs.iter().map(|run| slots(run, span).width).max().unwrap_or(1);
    let steps =
        if width > 1 { format!("; steps of {}", format::step(width as f64 * NANOS)) } else { String::new() };
    vec![Key::Words(format!("{text}{steps}"))]
}
