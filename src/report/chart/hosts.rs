//! The load of the hosts, where the record has it: how busy each host was, on the axis of the
//! probes. A busy second is a block as high as the lane, with its reason beside it; the processor's
//! use is the area behind.

use plotters::style::Color;

use super::View;
use super::axes_frame::{Frame, Key, SMALL, hand};
use super::axis::Axis;
use super::page::{Area, MARGIN};
use super::panel::{Hover, Panel, Place};
use super::sheet::{Layer, Sheet};
use crate::host::{Figures, Summary, ranked};
use crate::report::chart_data::XAxis;
use crate::report::font;
use crate::report::format::percent;
use crate::stats::Slot;

const GAP: f64 = 6.0;

pub(super) const PANEL: Panel = Panel {
    id: "hosts",
    title: "Load of the hosts",
    place: Place::Wide { height },
    note: None,
    is_shown,
    x: |view| view.probes.clone(),
    draw,
    hover,
};

pub(super) fn is_shown(view: &View) -> bool {
    view.run.hosts.as_ref().is_some_and(|hosts| hosts.each().next().is_some())
}

/// One host, cut at the slots of the panels by second.
struct Lane {
    name: String,
    summary: Summary,
    stretches: Vec<Stretch>,
}

/// Some seconds of one host, on the axis of the probes.
struct Stretch {
    from: f64,
    to: f64,
    /// Mean over the seconds in which it is known.
    cpu: Option<f64>,
    /// `None` if no second of it was recorded.
    summary: Option<Summary>,
}

impl Stretch {
    fn new((from, to): (f64, f64), seconds: &[&Figures]) -> Self {
        let known: Vec<f64> = seconds.iter().filter_map(|figures| figures.cpu_share).collect();
        let cpu = (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64);
        Self { from, to, cpu, summary: Summary::of(seconds.iter().copied()) }
    }

    fn busy(&self) -> Option<&Summary> {
        self.summary.as_ref().filter(|summary| summary.is_busy())
    }
}

impl Lane {
    fn all(view: &View) -> Vec<Self> {
        let places = places(view);
        let hosts = view.run.hosts.iter().flat_map(|hosts| hosts.each());
        let lane = |(name, seconds): (&str, &[Figures])| {
            let mut slots = vec![Vec::new(); places.len()];
            for figures in seconds.iter().filter(|figures| figures.second > 0) {
                if let Some(slot) = slots.get_mut(((figures.second - 1) / view.slots.width) as usize) {
                    slot.push(figures);
                }
            }
            let stretches = places.iter().zip(&slots).map(|(ends, slot)| Stretch::new(*ends, slot));
            Some(Self {
                name: format!("{name}'s host"),
                summary: Summary::of_record(seconds)?,
                stretches: stretches.collect(),
            })
        };
        hosts.filter_map(lane).collect()
    }
}

/// The ends of each slot of seconds on the axis of the probes, which may be one of numbers.
fn places(view: &View) -> Vec<(f64, f64)> {
    let slots = &view.slots;
    let by_number = view.data.axis == XAxis::Seq;
    let mut sent = 0;
    let place = |(k, slot): (u64, &Slot)| {
        let (from, to) = if by_number {
            let from = sent;
            sent += slot.outcomes.probes();
            (from as f64, sent as f64)
        } else {
            (k as f64 * slots.width as f64 * 1e9, (k + 1) as f64 * slots.width as f64 * 1e9)
        };
        (from.min(view.probes.high()), to.min(view.probes.high()))
    };
    (0..).zip(&slots.all).map(place).collect()
}

fn height(view: &View) -> f64 {
    let lanes = Lane::all(view);
    lanes.len() as f64 * (lane_height(&lanes) + GAP) - GAP
}

/// Quiet hosts take little of the other panels' room.
fn lane_height(lanes: &[Lane]) -> f64 {
    if lanes.iter().any(|lane| lane.summary.is_busy()) { 34.0 } else { 20.0 }
}

fn draw(sheet: &mut Sheet, view: &View, area: Area, heading: &str) {
    let lanes = Lane::all(view);
    let whole = area.frame(view.probes.clone(), Axis::shares());
    sheet.layer("hosts", |layer| {
        let colours = layer.colours();
        let legend = [
            Key::Patch(colours.p99.to_rgba(), busy_key(view)),
            Key::Patch(colours.muted.mix(CPU).to_rgba(), "CPU use of all cores, 0 to 100 %".to_owned()),
        ];
        whole.heading(layer, heading, &legend);
        whole.foot(layer);
        for (k, lane) in lanes.iter().enumerate() {
            let top = area.top + k as f64 * (lane_height(&lanes) + GAP);
            let bottom = top + lane_height(&lanes);
            let frame = Area { top, bottom, ..area }.frame(view.probes.clone(), Axis::shares());
            draw_lane(layer, &frame, lane);
        }
    });
}

/// How much of the processor's colour is seen.
const CPU: f64 = 0.3;

fn busy_key(view: &View) -> String {
    if view.slots.width == 1 {
        "busy second".to_owned()
    } else {
        format!("busy seconds, share of each {}", view.slots.step())
    }
}

fn draw_lane(layer: &mut Layer, frame: &Frame, lane: &Lane) {
    let colours = layer.colours();
    layer.rect((frame.left, frame.top), (frame.right, frame.bottom), &colours.panel);
    frame.uprights(layer);
    for stretch in &lane.stretches {
        let (left, right) = (frame.at_x(stretch.from), frame.at_x(stretch.to));
        if let Some(cpu) = stretch.cpu {
            layer.rect((left, frame.at_y(cpu)), (right, frame.bottom), &colours.muted.mix(CPU));
        }
        if let Some(busy) = stretch.busy() {
            let top = frame.at_y((busy.busy as f64 / busy.seconds as f64).max(0.1));
            layer.rect((left, top), (right.max(left + 1.5), frame.bottom), &colours.p99);
        }
    }
    let middle = (frame.top + frame.bottom) / 2.0 + 4.5;
    layer.text(&lane.name, (MARGIN - 18.0, middle), hand(SMALL, colours.text));
    let summary = &lane.summary;
    let counted = match (summary.busy, summary.seconds) {
        (0, _) => "not busy".to_owned(),
        (busy, seconds @ ..1000) => format!("busy {busy} of {seconds} s"),
        (busy, seconds) => format!("busy {} of it", percent(busy as f64 / seconds as f64)),
    };
    layer.text(&counted, (frame.right + 8.0, middle), hand(SMALL, colours.text));
    draw_reasons(layer, frame, lane, middle);
}

/// The reasons beside the blocks, where they have room before the next block.
fn draw_reasons(layer: &mut Layer, frame: &Frame, lane: &Lane, y: f64) {
    const PAD: f64 = 5.0;
    let blocks = blocks(lane);
    let colour = layer.colours().text;
    let mut free_from = frame.left;
    for (k, block) in blocks.iter().enumerate() {
        let (left, right) = (frame.at_x(block.from), frame.at_x(block.to).max(frame.at_x(block.from) + 1.5));
        let free_to = blocks.get(k + 1).map_or(frame.right, |next| frame.at_x(next.from));
        let place = |text: &String| {
            let width = font::width(text, SMALL, false) + 2.0 * PAD;
            let before = || (free_from + width <= left).then_some(left - width + PAD);
            Some((text.clone(), if right + width <= free_to { right + PAD } else { before()? }, width))
        };
        let placed = block.texts.iter().find_map(place);
        free_from = right;
        if let Some((text, x, width)) = placed {
            layer.text(&text, (x, y), hand(SMALL, colour));
            free_from = right.max(x + width);
        }
    }
}

/// Busy stretches that touch each other.
struct Block {
    from: f64,
    to: f64,
    /// The two most frequent reasons, and the first alone for less room.
    texts: [String; 2],
}

fn blocks(lane: &Lane) -> Vec<Block> {
    let runs = lane.stretches.chunk_by(|a, b| a.busy().is_some() == b.busy().is_some());
    let block = |run: &[Stretch]| {
        let all = run.iter().filter_map(Stretch::busy).flat_map(|busy| &busy.reasons);
        let reasons: Vec<String> = ranked(all.copied()).iter().take(2).map(ToString::to_string).collect();
        let texts = [reasons.join(", "), reasons.first()?.clone()];
        Some(Block { from: run.first()?.from, to: run.last()?.to, texts })
    };
    runs.filter_map(block).collect()
}

fn hover(view: &View) -> Hover {
    let lanes = Lane::all(view);
    let slots = &view.slots;
    let row = |(k, (from, to)): (usize, (f64, f64))| {
        let (first, last) = (k as u64 * slots.width + 1, ((k as u64 + 1) * slots.width).min(slots.span));
        let title = match first == last {
            true => format!("second {first}"),
            false => format!("seconds {first} to {last}"),
        };
        let told = lanes.iter().map(|lane| {
            let stretch = &lane.stretches[k];
            let summary = stretch.summary.as_ref().map_or("not recorded".to_owned(), Summary::to_string);
            let cpu = stretch.cpu.map_or(String::new(), |cpu| format!("\nCPU {}", percent(cpu)));
            format!("{}: {summary}{cpu}", lane.name)
        });
        (from, to, std::iter::once(title).chain(told).collect::<Vec<_>>().join("\n"))
    };
    Hover::Steps(places(view).into_iter().enumerate().map(row).collect())
}
