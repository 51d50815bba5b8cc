//! Throughput and mean delay by the second.
//!
//! A second is a step, not a point: its value holds for all of it. Nothing sent means throughput 0
//! and no delay, so the delay's line is broken there.

use plotters::style::Color;

use super::View;
use super::axes_frame::{Frame, Key};
use super::axis::{Axis, CLOCK_STEPS};
use super::clipping::{self, Above};
use super::page::Area;
use super::panel::{Hover, Panel, Place};
use super::sheet::{Layer, Sheet};
use crate::report::format;
use crate::stats::{SecondHistory, Slot, joined};

const NANOS: f64 = 1e9;
/// Of the vertical axes.
const STEPS: f64 = 4.0;

/// The run's seconds, joined by round numbers until each is wide enough to be seen.
pub(super) struct Slots {
    /// Seconds in a slot.
    pub width: u64,
    /// Seconds in the run.
    pub span: u64,
    pub all: Vec<Slot>,
}

impl Slots {
    /// More steps could not be told apart.
    const MOST: u64 = 300;

    pub(super) fn of(seconds: &SecondHistory) -> Self {
        let slots = Self { width: seconds.width(), span: seconds.span(), all: seconds.slots().to_vec() };
        slots.at_most(Self::MOST)
    }

    /// Whether a second has enough probes for a share of losses.
    pub(super) fn crowded(&self) -> bool {
        const ENOUGH: u64 = 5;
        let sums =
            self.all.iter().fold((0, 0), |sum, slot| (sum.0 + slot.outcomes.sent(), sum.1 + slot.busy));
        sums.0 >= ENOUGH * sums.1
    }

    /// The width in words.
    pub(super) fn step(&self) -> String {
        format::step(self.width as f64 * NANOS)
    }

    /// The same in wider slots.
    pub(super) fn at_most(&self, most: u64) -> Self {
        let fits = |step: &u64| *step * most >= self.span && step.is_multiple_of(self.width);
        let steps = CLOCK_STEPS.into_iter().filter(|step| *step >= NANOS).map(|step| (step / NANOS) as u64);
        let width = steps.into_iter().find(fits).unwrap_or(self.width);
        let group = (width / self.width) as usize;
        Self { width, span: self.span, all: self.all.chunks(group).map(joined).collect() }
    }
}

/// A step: its value over its seconds, and the extremes of a single second.
struct Step {
    from: f64,
    to: f64,
    value: f64,
    low: f64,
    high: f64,
}

pub(super) const THROUGHPUT: Panel = Panel {
    id: "throughput",
    title: "Throughput per second",
    place: Place::Lower { column: 0 },
    note: Some("both ways, by the second of sending."),
    is_shown: |_| true,
    x: |view| view.seconds.clone(),
    draw: throughput,
    hover,
};

pub(super) const DELAY: Panel = Panel {
    id: "delay",
    title: "Mean delay per second",
    place: Place::Lower { column: 0 },
    note: None,
    draw: delay,
    ..THROUGHPUT
};

fn hover(view: &View) -> Hover {
    let slots = &view.slots;
    let row = |(k, slot): (u64, &Slot)| {
        let (from, to) = (k * slots.width, ((k + 1) * slots.width).min(slots.span));
        let title =
            if to - from == 1 { format!("second {to}") } else { format!("seconds {} to {to}", from + 1) };
        let text = format!(
            "{title}\n{} sent, {} lost or late\n{}\nmean delay {}",
            slot.outcomes.sent(),
            slot.outcomes.lost_or_late(),
            format::bit_rate(slot.bits as f64 / (to - from) as f64),
            slot.delay().map_or("–".to_owned(), format::time)
        );
        (from as f64 * NANOS, to as f64 * NANOS, text)
    };
    Hover::Steps((0..).zip(&slots.all).map(row).collect())
}

fn throughput(sheet: &mut Sheet, view: &View, area: Area, heading: &str) {
    sheet.layer("throughput", |layer| draw_throughput(layer, view, area, heading));
}

fn delay(sheet: &mut Sheet, view: &View, area: Area, heading: &str) {
    sheet.layer("delay", |layer| draw_delay(layer, view, area, heading));
}

fn draw_throughput(layer: &mut Layer, view: &View, area: Area, heading: &str) {
    let steps = steps(view, |slot, seconds| {
        let (low, high) = slot.bits_range.unwrap_or_default();
        let low = if (slot.busy as f64) < seconds { 0.0 } else { low };
        Some((slot.bits as f64 / seconds, low, high))
    });
    let most = steps.iter().map(|step| step.high.max(step.value)).fold(0.0, f64::max);
    let unit = format::rate_unit(most);
    let y = if most > 0.0 { Axis::linear(0.0, most * 1.05, STEPS, unit) } else { Axis::only_zero() };
    let y = y.titled(format!("Rate ({})", unit.name));
    let frame = area.frame(view.seconds.clone(), y);
    let colour = layer.colours().reply;
    frame.ground(layer);
    let legend = legend(layer, view, "replies in time × size × 16 bit");
    frame.heading(layer, heading, &legend);
    range(layer, &frame, view, &steps);
    if let (Some(first), Some(last)) = (steps.first(), steps.last()) {
        let line = outline(&frame, &steps);
        let mut area = line.clone();
        area.extend([frame.at(last.to, 0.0), frame.at(first.from, 0.0)]);
        if view.slots.width == 1 {
            layer.area(&area, &colour.mix(0.22));
        }
        layer.line(&line, &colour, 2.0);
    }
}

fn draw_delay(layer: &mut Layer, view: &View, area: Area, heading: &str) {
    let steps = steps(view, |slot, _| {
        let (low, high) = slot.delay_range?;
        Some((slot.delay()?, low, high))
    });
    let frame = area.frame(view.seconds.clone(), delay_axis(&steps));
    let colour = layer.colours().reply;
    frame.ground(layer);
    frame.foot(layer);
    let legend = legend(layer, view, "mean RTT of the replies in time");
    frame.heading(layer, heading, &legend);
    if steps.is_empty() {
        frame.empty(layer, "no reply in time");
    }
    range(layer, &frame, view, &steps);
    // A value above the axis has a mark at its edge, no line along it.
    let top = frame.y.high();
    let shown = |step: &Step| step.value <= top;
    for stretch in steps.chunk_by(|a, b| a.to == b.from && shown(a) && shown(b)).filter(|all| shown(&all[0]))
    {
        layer.line(&outline(&frame, stretch), &colour, 2.0);
    }
    let above = steps.iter().filter(|step| step.high > top).map(|step| Above {
        x: (step.from + step.to) / 2.0,
        value: step.high,
        count: 1,
        late: false,
    });
    clipping::draw(layer, &frame, &above.collect::<Vec<_>>());
}

/// The seconds that have a value.
fn steps(view: &View, value: impl Fn(&Slot, f64) -> Option<(f64, f64, f64)>) -> Vec<Step> {
    let (slots, ranged) = (&view.slots, ranged(view));
    let step = |(k, slot): (usize, &Slot)| {
        let from = k as u64 * slots.width;
        let to = (from + slots.width).min(slots.span);
        let (value, low, high) = value(slot, (to - from) as f64)?;
        let (low, high) = if ranged { (low, high) } else { (value, value) };
        Some(Step { from: from as f64 * NANOS, to: to as f64 * NANOS, value, low, high })
    };
    slots.all.iter().enumerate().filter_map(step).collect()
}

fn outline(frame: &Frame, steps: &[Step]) -> Vec<(f64, f64)> {
    steps.iter().flat_map(|step| [frame.at(step.from, step.value), frame.at(step.to, step.value)]).collect()
}

/// Whether steps join seconds whose extremes say more than their mean. With a probe a second, the
/// least would be nothing and the greatest that probe.
fn ranged(view: &View) -> bool {
    view.slots.width > 1 && view.slots.crowded()
}

/// From the least of a step's seconds to the greatest.
fn range(layer: &mut Layer, frame: &Frame, view: &View, steps: &[Step]) {
    if !ranged(view) {
        return;
    }
    let colour = layer.colours().band.mix(0.45);
    for step in steps {
        layer.rect(frame.at(step.from, step.high), frame.at(step.to, step.low), &colour);
    }
}

/// The axis is for the means: a single slow second of a long run gets a mark above it.
fn delay_axis(steps: &[Step]) -> Axis {
    const NARROW: f64 = 0.1;
    let mut means: Vec<f64> = steps.iter().map(|step| step.value).collect();
    means.sort_by(f64::total_cmp);
    let most = steps.iter().map(|step| step.high).fold(0.0, f64::max);
    let least = steps.iter().map(|step| step.low).fold(most, f64::min);
    // Of few steps the 99th percentile is the greatest; some medians are far enough then, but of a
    // handful none is an exception.
    let far = match means.len() {
        0 => return Axis::blank("Delay"),
        1..30 => most,
        30..100 => most.min(means[means.len() / 2] * 4.0),
        n => means[(n * 99).div_ceil(100) - 1],
    };
    let (low, high) = clipping::window(least, far, most, NARROW);
    Axis::times("Delay", low, high, STEPS)
}

/// The legend: of seconds, or of steps that join them.
fn legend(layer: &Layer, view: &View, text: &str) -> Vec<Key> {
    if view.slots.width == 1 {
        return vec![Key::Words(text.to_owned())];
    }
    let colours = layer.colours();
    let mut keys = vec![Key::Line(colours.reply.to_rgba(), format!("mean of {}", view.slots.step()))];
    if ranged(view) {
        keys.push(Key::Patch(colours.band.mix(0.45), "least to greatest".to_owned()));
    }
    keys
}
