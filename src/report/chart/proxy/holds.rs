//! How long the proxy kept the datagrams of one direction that passed: the mean and the longest of each bin, and the
//! longest wait at the bottleneck.

use plotters::style::Color;

use super::{ground, steps, time_labels};
use crate::report::chart::axes_frame::{Frame, Key};
use crate::report::chart::axis::Axis;
use crate::report::chart::sheet::Sheet;
use crate::report::proxy_data::{Bin, ProxyData};

pub(super) fn draw(sheet: &mut Sheet, data: &ProxyData, direction: usize, frame: Frame, name: &str) {
    let bins = data.used(direction);
    let most = bins.iter().map(|bin| bin.hold_max).max().unwrap_or_default().as_nanos() as f64;
    let y = if most > 0.0 { Axis::times("held", 0.0, most, 4.0) } else { Axis::only_zero() };
    let frame = Frame { y, ..frame };
    sheet.layer("holds", |layer| {
        let colours = layer.colours();
        frame.ground_titled(layer, frame.left - 62.0);
        if most == 0.0 {
            frame.heading(layer, name, &[]);
            frame.empty(layer, "no datagram was held");
            return time_labels(layer, &frame);
        }
        let mut legend = Vec::new();
        if data.directions[direction].totals.queue_max.is_some() {
            let wait = steps(data, bins, &frame, |bin| bin.queue_max.as_nanos() as f64);
            layer.area(&ground(wait, &frame), &colours.p99.mix(0.35));
            legend.push(Key::Patch(colours.p99.mix(0.5), "longest wait at the bottleneck".to_owned()));
        }
        for run in runs(bins) {
            let shown = |value: &dyn Fn(&Bin) -> f64| {
                let mut points = steps(data, &bins[run.clone()], &frame, value);
                let by = frame.at_x(run.start as f64 * data.bin.as_nanos() as f64) - frame.left;
                points.iter_mut().for_each(|point| point.0 = (point.0 + by).min(frame.right));
                points
            };
            layer.line(&shown(&|bin| bin.hold_max.as_nanos() as f64), &colours.muted, 1.1);
            layer.line(&shown(&|bin| bin.hold_mean().unwrap_or_default()), &colours.reply, 2.0);
        }
        legend.push(Key::Thin(colours.muted.to_rgba(), "longest".to_owned()));
        legend.push(Key::Line(colours.reply.to_rgba(), "mean of those that passed".to_owned()));
        frame.heading(layer, name, &legend);
        time_labels(layer, &frame);
    });
}

/// Bins in a row in which something passed: between them there is nothing to draw.
fn runs(bins: &[Bin]) -> Vec<std::ops::Range<usize>> {
    let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
    for at in (0..bins.len()).filter(|at| bins[*at].passed > 0) {
        match runs.last_mut().filter(|run| run.end == at) {
            Some(run) => run.end = at + 1,
            None => runs.push(at..at + 1),
        }
    }
    runs
}
