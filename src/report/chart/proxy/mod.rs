//! The picture of a proxy's run: for each direction what became of its datagrams over time, and how long the proxy
//! kept those that passed, the wait at the bottleneck apart.

mod fates;
mod head;
mod holds;

use super::axes_frame::{Frame, SMALL, hand};
use super::axis::Axis;
use super::page::{Area, LEFT, MARGIN, RIGHT, WIDTH};
use super::sheet::Sheet;
use super::theme::Theme;
use crate::record::RecordedProxy;
use crate::report::proxy_data::{Bin, ProxyData};

/// Room above a panel for its heading, and below it for the labels of the time.
const HEADING: f64 = 40.0;
const FOOT: f64 = 30.0;
const FATES: f64 = 130.0;
const HOLDS: f64 = 130.0;

/// Draws the run: what was asked, figures, panels.
pub fn proxy(run: &RecordedProxy, data: &ProxyData, theme: Theme) -> String {
    draw(run, data, theme, true)
}

/// The panels alone, for a page that has the rest as text.
pub(in crate::report) fn proxy_panels(run: &RecordedProxy, data: &ProxyData, theme: Theme) -> String {
    draw(run, data, theme, false)
}

/// The title of the picture and of the page.
pub(in crate::report) fn proxy_title(run: &RecordedProxy) -> String {
    head::title(run)
}

/// When it ran, for how long, and with which seed.
pub(in crate::report) fn proxy_parameters(run: &RecordedProxy, data: &ProxyData) -> String {
    head::parameters(run, data)
}

/// A panel's name, its height and what draws it.
type Panel<'a> = (String, f64, Box<dyn Fn(&mut Sheet, Frame, &str) + 'a>);

fn draw(run: &RecordedProxy, data: &ProxyData, theme: Theme, with_head: bool) -> String {
    let mut top = if with_head { head::height(run) } else { 4.0 };
    let mut panels: Vec<Panel> = Vec::new();
    for (direction, name) in ["up, toward the server", "down, toward the client"].iter().enumerate() {
        let height = FATES + fates::lanes_height(data, direction);
        let draw = move |sheet: &mut Sheet, frame: Frame, name: &str| {
            fates::draw(sheet, data, direction, frame, name);
        };
        panels.push((format!("Datagrams {name}"), height, Box::new(draw)));
        let draw = move |sheet: &mut Sheet, frame: Frame, name: &str| {
            holds::draw(sheet, data, direction, frame, name);
        };
        panels.push((format!("Time in the proxy, {name}"), HOLDS, Box::new(draw)));
    }
    let heights: f64 = panels.iter().map(|(_, height, _)| HEADING + height + FOOT).sum();
    let height = top + heights + if with_head { 46.0 } else { 4.0 };
    let mut sheet = Sheet::new(WIDTH, height, theme.colours());
    sheet.layer("page", |layer| {
        let page = layer.colours().page;
        layer.rect((0.0, 0.0), (WIDTH, height), &page);
    });
    if with_head {
        sheet.layer("header", |layer| head::draw(layer, run, data));
        sheet.layer("footer", |layer| {
            let muted = layer.colours().muted;
            let note = format!(
                "Each datagram at the time of its arrival, in bins of {}. Drawn from run.json and \
                 datagrams.csv. Command: {}",
                crate::report::format::step(data.bin.as_nanos() as f64),
                run.argv.join(" ")
            );
            let note = crate::report::font::fit(&note, SMALL, false, WIDTH - 2.0 * MARGIN);
            layer.text(&note, (MARGIN, height - 18.0), hand(SMALL, muted));
        });
    }
    for (letter, (name, height, draw)) in ('A'..).zip(panels) {
        let area = Area { left: LEFT, right: RIGHT, top: top + HEADING, bottom: top + HEADING + height };
        draw(&mut sheet, area.frame(time_axis(data), Axis::blank("")), &format!("{letter} {name}"));
        top = area.bottom + FOOT;
    }
    sheet.finish(&head::title(run))
}

fn time_axis(data: &ProxyData) -> Axis {
    Axis::elapsed(data.end.max(data.bin).as_nanos() as f64, 14.0)
}

/// The labels of the time, without a title: the unit stands with the last.
fn time_labels(layer: &mut super::sheet::Layer, frame: &Frame) {
    let text = layer.colours().text;
    let unit = frame.x.title.rsplit('(').next().unwrap_or_default().trim_end_matches(')').to_owned();
    let last = frame.x.ticks.len().saturating_sub(1);
    for (at, (value, label)) in frame.x.ticks.iter().enumerate() {
        let label = if at == last { format!("{label} {unit}") } else { label.clone() };
        layer.text(&label, (frame.at_x(*value), frame.bottom + 18.0), hand(13.0, text).centre());
    }
}

/// The outline of a value that holds for the length of each bin, in the frame's pixels.
fn steps(data: &ProxyData, bins: &[Bin], frame: &Frame, value: impl Fn(&Bin) -> f64) -> Vec<(f64, f64)> {
    let width = data.bin.as_nanos() as f64;
    let both = bins.iter().enumerate().flat_map(|(at, bin)| {
        let y = frame.at_y(value(bin));
        [(frame.at_x(at as f64 * width), y), (frame.at_x((at + 1) as f64 * width), y)]
    });
    both.collect()
}

/// The same as the ground below it.
fn ground(mut outline: Vec<(f64, f64)>, frame: &Frame) -> Vec<(f64, f64)> {
    if let (Some(first), Some(last)) = (outline.first().copied(), outline.last().copied()) {
        outline.insert(0, (first.0, frame.bottom));
        outline.push((last.0, frame.bottom));
    }
    outline
}
