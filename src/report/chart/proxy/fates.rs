//! The fates of the datagrams of one direction: how many arrived and passed, and below them a lane for each cause of
//! loss, marked where it struck.

use plotters::style::{Color, RGBColor};

use super::{ground, steps, time_labels};
use crate::report::chart::axes_frame::{Frame, Key, SMALL, hand};
use crate::report::chart::axis::Axis;
use crate::report::chart::sheet::{Layer, Sheet};
use crate::report::chart::theme::Colours;
use crate::report::format::{Unit, count, percent};
use crate::report::proxy_data::{LOST, ProxyData, lost_names};

const PITCH: f64 = 19.0;
/// Between the counts and the lanes.
const GAP: f64 = 8.0;
/// The least height of a mark, and the greatest.
const MARK: (f64, f64) = (4.0, 15.0);

/// Below the counts.
pub(super) fn lanes_height(data: &ProxyData, direction: usize) -> f64 {
    match lanes(data, direction).len() {
        0 => 0.0,
        count => GAP + count as f64 * PITCH,
    }
}

/// The causes that struck.
fn lanes(data: &ProxyData, direction: usize) -> Vec<usize> {
    let lost = &data.directions[direction].totals.lost;
    (0..LOST).filter(|cause| lost[*cause] > 0).collect()
}

pub(super) fn draw(sheet: &mut Sheet, data: &ProxyData, direction: usize, frame: Frame, name: &str) {
    let totals = &data.directions[direction].totals;
    let bins = data.used(direction);
    let seconds = data.bin.as_secs_f64();
    let most = bins.iter().map(|bin| bin.arrived).max().unwrap_or(0) as f64 / seconds;
    let field =
        Frame { bottom: frame.bottom - lanes_height(data, direction), y: rates(most), ..frame.clone() };
    sheet.layer("fates", |layer| {
        let colours = layer.colours();
        field.ground_titled(layer, field.left - 62.0);
        if totals.arrived == 0 {
            field.heading(layer, name, &[]);
            field.empty(layer, "no datagram arrived");
            return time_labels(layer, &frame);
        }
        let passed = steps(data, bins, &field, |bin| bin.passed as f64 / seconds);
        layer.area(&ground(passed.clone(), &field), &colours.reply.mix(0.30));
        layer.line(&passed, &colours.reply, 1.6);
        if totals.not_passed() > 0 {
            let arrived = steps(data, bins, &field, |bin| bin.arrived as f64 / seconds);
            layer.line(&arrived, &colours.text, 1.2);
        }
        field.heading(layer, name, &legend(&colours, totals.arrived, totals.passed));
        for (lane, cause) in lanes(data, direction).into_iter().enumerate() {
            let y = field.bottom + GAP + (lane as f64 + 0.5) * PITCH;
            draw_lane(layer, data, (direction, cause), &frame, y);
        }
        time_labels(layer, &frame);
    });
}

fn legend(colours: &Colours, arrived: u64, passed: u64) -> Vec<Key> {
    let line = Key::Thin(colours.text.to_rgba(), format!("arrived {}", count(arrived)));
    let patch = Key::Patch(colours.reply.mix(0.45), format!("passed {}", count(passed)));
    if arrived > passed { vec![line, patch] } else { vec![patch] }
}

/// A mark is as high as the share of the bin's arrivals that it stands for, and never too small to see.
fn draw_lane(layer: &mut Layer, data: &ProxyData, (direction, cause): (usize, usize), frame: &Frame, y: f64) {
    let (colours, totals) = (layer.colours(), &data.directions[direction].totals);
    let colour = colour(&colours, cause);
    layer.line(&[(frame.left, y + PITCH / 2.0), (frame.right, y + PITCH / 2.0)], &colours.grid, 1.0);
    let name = lost_names()[cause].replace('_', " ");
    layer.text(&name, (frame.left - 8.0, y + 4.5), hand(13.0, colours.text).right());
    let share = totals.lost[cause] as f64 / totals.arrived as f64;
    let counted = format!("{} ({})", count(totals.lost[cause]), percent(share));
    layer.text(&counted, (frame.right + 8.0, y + 4.5), hand(SMALL, colours.muted));
    let width = data.bin.as_nanos() as f64;
    for (at, bin) in data.used(direction).iter().enumerate().filter(|(_, bin)| bin.lost[cause] > 0) {
        let part = bin.lost[cause] as f64 / bin.arrived as f64;
        let height = MARK.0 + (MARK.1 - MARK.0) * part;
        let left = frame.at_x(at as f64 * width);
        let right = frame.at_x((at + 1) as f64 * width).max(left + 1.5);
        layer.rect((left, y - height / 2.0), (right, y + height / 2.0), &colour);
    }
}

/// In the order of `lost_names`: lost, queue, mtu, outage, nat, down, limit, send error.
fn colour(colours: &Colours, cause: usize) -> RGBColor {
    let all = [
        colours.loss,
        colours.p99,
        colours.clipped,
        colours.text,
        colours.p50,
        colours.muted,
        colours.band,
        colours.loss,
    ];
    all[cause]
}

/// Datagrams a second.
fn rates(most: f64) -> Axis {
    let unit = if most >= 10_000.0 {
        Unit { name: "1,000 datagrams/s", size: 1e3 }
    } else {
        Unit { name: "datagrams/s", size: 1.0 }
    };
    match most > 0.0 {
        true => Axis::linear(0.0, most, 4.0, unit).titled(unit.name),
        false => Axis::only_zero(),
    }
}
