//! The histogram: how many replies took how long; counts on a log axis, so that single ones show.

use super::View;
use super::axes_frame::{SMALL, hand};
use super::axis::{Axis, nice};
use super::clipping;
use super::page::Area;
use super::panel::{Hover, Panel, Place};
use super::sheet::Layer;
use crate::report::format::{self, plain};

const BARS: f64 = 36.0;
/// Bars from zero on would be few where the spread is less than this part of the values.
const NARROW: f64 = 0.5;

pub(super) const PANEL: Panel = Panel {
    id: "histogram",
    title: "Histogram",
    place: Place::Lower { column: 2 },
    note: None,
    is_shown: |_| true,
    x: |view| Bars::of(view).axis(),
    draw: |sheet, view, area, heading| sheet.layer("histogram", |layer| draw(layer, view, area, heading)),
    hover,
};

fn hover(view: &View) -> Hover {
    let bars = Bars::of(view);
    let end = bars.axis().high();
    let row = |(from, to, count): (f64, Option<f64>, u64)| {
        let to_text = to.map_or("and more".to_owned(), |to| format!("to {}", format::time(to)));
        let text = format!("{} {to_text}\n{} replies in time", format::time(from), format::count(count));
        (from, to.unwrap_or(end), text)
    };
    Hover::Steps(bars.all().map(row).collect())
}

fn draw(layer: &mut Layer, view: &View, area: Area, heading: &str) {
    let bars = Bars::of(view);
    let most = bars.counts.iter().copied().max().unwrap_or_default().max(bars.beyond);
    let (x, y) = (bars.axis(), Axis::log_counts(most).titled("Replies (log)"));
    let frame = area.frame(x, y);
    let colours = layer.colours();
    frame.ground_titled(layer, frame.left - 58.0);
    frame.foot(layer);
    frame.heading(layer, heading, &[]);
    if view.summary.ok == 0 {
        frame.empty(layer, "no reply in time");
        return;
    }
    for (from, to, count) in bars.all().filter(|(.., count)| *count > 0) {
        let y = frame.at_y(count as f64);
        if let Some(to) = to {
            let (left, right) = (frame.at_x(from), frame.at_x(to));
            layer.rect((left + 0.8, y), (right - 0.8, frame.bottom), &colours.reply);
        } else {
            let left = frame.at_x(from + bars.step * 0.5);
            layer.rect((left, y), (frame.right, frame.bottom), &colours.clipped);
            let middle = (left + frame.right) / 2.0;
            layer.text(&format::count(count), (middle, y - 5.0), hand(SMALL, colours.text).centre());
        }
    }
}

/// Bars of one round width, and how many replies lie beyond the last.
struct Bars {
    low: f64,
    step: f64,
    counts: Vec<u64>,
    beyond: u64,
}

impl Bars {
    fn of(view: &View) -> Self {
        let (low, high) = match &view.summary.rtt_us {
            Some(rtt) => clipping::window(rtt.min * 1e3, rtt.p99 * 1e3, rtt.max * 1e3, NARROW),
            None => (0.0, 1.0),
        };
        // No bar is narrower than a nanosecond, the least that a clock counts.
        let step = nice((high - low) / BARS).max(1.0);
        let low = (low / step).floor() * step;
        let bars = ((high - low) / step).ceil().max(1.0) as usize;
        let mut counts = vec![0; bars];
        let mut beyond = 0;
        let mut below = 0;
        for times in view.data.statistics.rtt.cumulative() {
            let place = ((times.value.as_nanos() as f64 - low) / step).max(0.0) as usize;
            *counts.get_mut(place).unwrap_or(&mut beyond) += times.count - below;
            below = times.count;
        }
        Self { low, step, counts, beyond }
    }

    fn high(&self) -> f64 {
        self.low + self.counts.len() as f64 * self.step
    }

    /// From, to and count; values beyond the last bar have no end.
    fn all(&self) -> impl Iterator<Item = (f64, Option<f64>, u64)> + '_ {
        let from = |k: usize| self.low + k as f64 * self.step;
        let bars = self.counts.iter().enumerate().map(move |(k, count)| (from(k), Some(from(k + 1)), *count));
        bars.chain((self.beyond > 0).then(|| (self.high(), None, self.beyond)))
    }

    fn axis(&self) -> Axis {
        if self.counts.iter().sum::<u64>() + self.beyond == 0 {
            return Axis::blank("RTT");
        }
        let unit = format::time_unit(self.high());
        let title = match self.beyond {
            0 => format!("RTT ({})", unit.name),
            _ => {
                let high = plain(self.high() / unit.size);
                format!("RTT ({}); last bar: {high} and more", unit.name)
            }
        };
        let tail = if self.beyond > 0 { 2.5 } else { 0.0 };
        let ticked = Axis::linear(self.low, self.high(), 6.0, unit);
        ticked.cut(self.low, self.high()).reaching(self.high() + tail * self.step).titled(title)
    }
}
