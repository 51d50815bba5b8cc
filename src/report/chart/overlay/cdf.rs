//! Panel A: which share of the probes each run answered within a time; a lost probe counts as infinity.

use super::super::axes_frame::{Frame, Key};
use super::super::axis::Axis;
use super::super::page::{LEFT, Rows};
use super::super::sheet::Layer;
use super::Overlaid;
use crate::record::Distribution;
use crate::report::format;

const WIDTH: f64 = 640.0;
/// Marks on each line.
const MARKS: usize = 5;

pub(super) fn draw(layer: &mut Layer, runs: &[Overlaid], (top, bottom): Rows) {
    let y = Axis::shares().titled("Share of probes sent");
    let frame = Frame { left: LEFT, right: LEFT + WIDTH, top, bottom, x: axis(runs), y };
    frame.ground(layer);
    frame.foot(layer);
    let legend = [Key::Words("RTT; a curve ends at the share answered in time".to_owned())];
    frame.heading(layer, "CDF (lost counts as ∞)", &legend);
    if runs.iter().all(|run| run.sample.statistics.rtt.n() == 0) {
        frame.empty(layer, "no reply in time");
    }
    for (k, run) in runs.iter().enumerate() {
        // The marks of coinciding curves must not overlap.
        let phase = (k as f64 + 0.5) / runs.len() as f64;
        curve(layer, &frame, run, phase);
    }
}

fn axis(runs: &[Overlaid]) -> Axis {
    let all: Vec<Distribution> =
        runs.iter().filter_map(|run| Distribution::of(&run.sample.statistics.rtt)).collect();
    let Some(first) = all.first() else { return Axis::blank("RTT") };
    let least = all.iter().map(|d| d.min).fold(f64::INFINITY, f64::min);
    let most = all.iter().map(|d| d.max).fold(0.0, f64::max);
    let unit = format::time_unit(first.p50 * 1e3);
    // A nanosecond is the least there is.
    Axis::logarithmic((least * 1e3).max(1.0), (most * 1e3).max(2.0), unit, 14)
        .titled(format!("RTT ({}, log)", unit.name))
}

/// A staircase with at most a step for each half pixel.
fn curve(layer: &mut Layer, frame: &Frame, run: &Overlaid, phase: f64) {
    let shares: Vec<f64> = (0..MARKS).map(|mark| (mark as f64 + phase) / MARKS as f64).collect();
    let times = &run.sample.statistics.rtt;
    let (sent, replies) = (run.sample.statistics.outcomes.sent() as f64, times.n() as f64);
    let mut line = vec![(frame.left, frame.bottom)];
    let (mut below, mut marks) = (0.0, Vec::new());
    for step in times.cumulative() {
        let x = (frame.at_x(step.value.as_nanos() as f64) * 2.0).round() / 2.0;
        let passed = |share: &&f64| below < **share * replies && **share * replies <= step.count as f64;
        marks.extend(shares.iter().filter(passed).map(|share| (x, frame.at_y(share * replies / sent))));
        below = step.count as f64;
        let (last, y) = (line[line.len() - 1], frame.at_y(below / sent));
        if x > last.0 {
            line.extend([(x, last.1), (x, y)]);
        } else {
            let end = line.len() - 1;
            line[end].1 = y;
        }
    }
    if replies > 0.0 {
        line.push((frame.right, line[line.len() - 1].1));
        layer.line(&line, &run.colour, 2.0);
    }
    marks.into_iter().for_each(|at| layer.mark(run.shape, at, 5.0, &run.colour));
}
