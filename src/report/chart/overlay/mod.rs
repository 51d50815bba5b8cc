//! The picture of a comparison: the runs' key figures, their distributions over one another, their
//! differences with intervals, and their seconds over one another.
//!
//! A run has a colour, and a mark of its own on its lines, so that colour is never the only carrier.

mod cdf;
mod differences;
mod key;
mod seconds;

use plotters::style::RGBColor;

use super::axes_frame::{SMALL, hand};
use super::page::{Area, MARGIN, Rows, WIDTH};
use super::sheet::{Layer, Shape, Sheet};
use super::{Colours, Theme};
use crate::report::compare::{Changes, Headline, Margin, Sample, letter};
use crate::report::font;

/// Draws the runs; `changes` are those of all but the first.
pub fn overlay(samples: &[Sample], changes: &[Changes], margin: Margin, theme: Theme) -> String {
    let plan = Plan::new(samples, changes);
    let mut sheet = Sheet::new(WIDTH, plan.height, theme.colours());
    let theirs: Vec<Overlaid> = samples.iter().enumerate().map(|(k, s)| Overlaid::new(k, s, theme)).collect();
    sheet.layer("page", |layer| {
        let page = layer.colours().page;
        layer.rect((0.0, 0.0), (WIDTH, plan.height), &page);
    });
    sheet.layer("key", |layer| key::draw(layer, &theirs, plan.key));
    sheet.layer("headlines", |layer| headlines(layer, changes, plan.headlines));
    sheet.layer("distribution", |layer| cdf::draw(layer, &theirs, plan.distribution));
    sheet.layer("differences", |layer| {
        differences::draw(layer, &theirs, changes, margin, plan.distribution);
    });
    sheet.layer("throughput", |layer| seconds::throughput(layer, &theirs, plan.throughput));
    sheet.layer("delay", |layer| seconds::delay(layer, &theirs, plan.delay));
    sheet.layer("footer", |layer| footer(layer, plan.footer));
    sheet.finish("udpecho compare")
}

/// A run, its colour and its mark.
struct Overlaid<'a> {
    letter: char,
    sample: &'a Sample,
    colour: RGBColor,
    shape: Shape,
}

impl<'a> Overlaid<'a> {
    fn new(index: usize, sample: &'a Sample, theme: Theme) -> Self {
        let (colour, shape) = look(index, theme.colours());
        Self { letter: letter(index), sample, colour, shape }
    }
}

/// The reference run is black on white, or white on black.
fn look(index: usize, colours: Colours) -> (RGBColor, Shape) {
    let looks = [
        (colours.median, Shape::Dot),
        (colours.loss, Shape::Square),
        (colours.reply, Shape::Up),
        (colours.p50, Shape::HollowDiamond),
        (colours.p99, Shape::Down),
        (colours.clipped, Shape::Cross),
        (colours.band, Shape::Ring),
        (colours.muted, Shape::Plus),
    ];
    looks[index % looks.len()]
}

struct Plan {
    key: Rows,
    headlines: Rows,
    distribution: Rows,
    throughput: Rows,
    delay: Rows,
    footer: f64,
    height: f64,
}

impl Plan {
    fn new(samples: &[Sample], changes: &[Changes]) -> Self {
        let mut y = 60.0;
        let mut rows = |space: f64, height: f64| {
            y += space;
            let top = y;
            y += height;
            (top, y)
        };
        let key = rows(0.0, key::height(samples.len()));
        let headlines = rows(6.0, LINE * changes.len() as f64);
        let distribution = rows(50.0, differences::height(changes).max(340.0));
        let throughput = rows(94.0, 190.0);
        let delay = rows(44.0, 190.0);
        let footer = delay.1 + 66.0;
        Self { key, headlines, distribution, throughput, delay, footer, height: footer + 48.0 }
    }
}

/// To the margin: nothing stands beside these panels.
const fn across(rows: Rows) -> Area {
    Area { right: WIDTH - MARGIN, ..Area::wide(rows) }
}

/// The height of a headline.
const LINE: f64 = 24.0;
const SIZE: f64 = 15.0;

/// The verdict on each run but the first.
fn headlines(layer: &mut Layer, changes: &[Changes], (top, _): Rows) {
    let colour = layer.colours().text;
    for (k, changes) in changes.iter().enumerate() {
        let said = Headline::of(letter(k + 1), changes).to_string();
        let line = font::fit(&said, SIZE, true, WIDTH - 2.0 * MARGIN);
        layer.text(&line, (MARGIN, top + 17.0 + k as f64 * LINE), hand(SIZE, colour).bold());
    }
}

fn footer(layer: &mut Layer, top: f64) {
    let lines = [
        "Loss: of the probes sent, all not answered in time, late ones included. Percentiles: nearest rank, \
         of the replies in time. Network: RTT without all the time at the server. Mean |IPDV|: mean \
         absolute difference of the RTTs of neighbours.",
        "Intervals: 95 % for all of them together (loss: Newcombe; percentiles: Woodruff; means: Student's t \
         over blocks), widened where neighbouring probes resemble each other.",
    ];
    for (k, line) in lines.iter().enumerate() {
        let line = font::fit(line, SMALL, false, WIDTH - 2.0 * MARGIN);
        let colour = layer.colours().muted;
        layer.text(&line, (MARGIN, top + k as f64 * 18.0), hand(SMALL, colour));
    }
}
