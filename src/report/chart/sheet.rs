//! Paper and pens: lines, marks and text in pixels, written by plotters' SVG backend in layers.
//!
//! plotters places things on whole units, so a unit here is a tenth of a pixel. A layer becomes a
//! group with a name, for tests and for editing the drawing.

use std::fmt::Write as _;

use plotters::backend::SVGBackend;
use plotters::prelude::DrawingBackend;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{
    Color, FontDesc, FontFamily, FontStyle, FontTransform, RGBAColor, ShapeStyle, TextStyle,
};

use super::Colours;
use crate::report::font;

/// Units in a pixel.
pub(super) const FINE: f64 = 10.0;
/// plotters divides the size of a font by this on the way to SVG.
const FONT_FACTOR: f64 = 1.24;
/// plotters centres a text by half an `ex`, and `ex` is half the size of the font.
const CENTRE: f64 = 0.25;

pub(super) struct Sheet {
    width: f64,
    height: f64,
    colours: Colours,
    layers: String,
}

impl Sheet {
    pub(super) fn new(width: f64, height: f64, colours: Colours) -> Self {
        Self { width, height, colours, layers: String::new() }
    }

    /// Paints a group of its own, above those before it.
    pub(super) fn layer(&mut self, name: &str, paint: impl FnOnce(&mut Layer)) {
        let mut svg = String::new();
        let size = ((self.width * FINE) as u32, (self.height * FINE) as u32);
        let mut layer = Layer { backend: SVGBackend::with_string(&mut svg, size), colours: self.colours };
        paint(&mut layer);
        layer.backend.present().expect("a string takes all that is written");
        drop(layer);
        let body = svg.split_once('\n').map_or("", |(_, rest)| rest);
        let body = body.trim_end().strip_suffix("</svg>").unwrap_or(body);
        write!(self.layers, "<g id=\"{name}\">\n{body}</g>\n").expect("a string takes all");
    }

    pub(super) fn finish(self, title: &str) -> String {
        let (width, height) = (self.width, self.height);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {} {}\" role=\"img\">\n<title>{}</title>\n{}</svg>\n",
            width * FINE,
            height * FINE,
            escape(&printable(title)),
            self.layers
        )
    }
}

/// The shape of a mark: each meaning has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Dot,
    Ring,
    Square,
    Up,
    HollowUp,
    Down,
    HollowDown,
    HollowDiamond,
    Cross,
    Plus,
}

/// How a line of text looks and which of its points is given.
#[derive(Clone, Copy)]
pub(super) struct Hand {
    pub size: f64,
    pub bold: bool,
    pub colour: RGBAColor,
    pub anchor: HPos,
    pub upwards: bool,
}

pub(super) struct Layer<'a> {
    backend: SVGBackend<'a>,
    colours: Colours,
}

impl Layer<'_> {
    pub(super) fn colours(&self) -> Colours {
        self.colours
    }

    pub(super) fn rect(&mut self, from: (f64, f64), to: (f64, f64), colour: &impl Color) {
        let (a, b) = (unit(from), unit(to));
        let corners = ((a.0.min(b.0), a.1.min(b.1)), (a.0.max(b.0), a.1.max(b.1)));
        done(self.backend.draw_rect(corners.0, corners.1, &colour.to_rgba(), true));
    }

    pub(super) fn line(&mut self, points: &[(f64, f64)], colour: &impl Color, width: f64) {
        if points.len() < 2 {
            return;
        }
        done(self.backend.draw_path(points.iter().map(|p| unit(*p)), &pen(colour, width)));
    }

    /// A straight line of dashes.
    pub(super) fn dashes(&mut self, from: (f64, f64), to: (f64, f64), colour: &impl Color, width: f64) {
        const DASH: f64 = 6.0;
        const GAP: f64 = 4.0;
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length = dx.hypot(dy);
        let at = |s: f64| (from.0 + dx * s / length, from.1 + dy * s / length);
        let mut start = 0.0;
        while start < length {
            self.line(&[at(start), at((start + DASH).min(length))], colour, width);
            start += DASH + GAP;
        }
    }

    pub(super) fn area(&mut self, points: &[(f64, f64)], colour: &impl Color) {
        done(self.backend.fill_polygon(points.iter().map(|p| unit(*p)), &colour.to_rgba()));
    }

    /// One element for each mark, so that marks can be counted.
    pub(super) fn mark(&mut self, shape: Shape, at: (f64, f64), radius: f64, colour: &impl Color) {
        let (x, y, r) = (at.0, at.1, radius);
        let stroke = (radius * 0.4).clamp(1.0, 1.6);
        let triangle = |r: f64| [(x, y - r), (x + r, y + r * 0.8), (x - r, y + r * 0.8), (x, y - r)];
        match shape {
            Shape::Dot => {
                done(self.backend.draw_circle(unit(at), (r * FINE).round() as u32, &colour.to_rgba(), true))
            }
            Shape::Ring => {
                done(self.backend.draw_circle(
                    unit(at),
                    (r * FINE).round() as u32,
                    &pen(colour, stroke),
                    false,
                ));
            }
            Shape::Square => self.rect((x - r, y - r), (x + r, y + r), colour),
            Shape::Up => self.area(&triangle(r), colour),
            Shape::HollowUp => self.line(&triangle(r), colour, stroke),
            Shape::Down => self.area(&triangle(-r), colour),
            Shape::HollowDown => self.line(&triangle(-r), colour, stroke),
            Shape::HollowDiamond => {
                self.line(&[(x, y - r), (x + r, y), (x, y + r), (x - r, y), (x, y - r)], colour, stroke);
            }
            Shape::Cross => {
                let arms = [(x - r, y - r), (x + r, y + r), (x, y), (x - r, y + r), (x + r, y - r)];
                self.line(&arms, colour, stroke);
            }
            Shape::Plus => {
                let arms = [(x - r, y), (x + r, y), (x, y), (x, y - r), (x, y + r)];
                self.line(&arms, colour, stroke);
            }
        }
    }

    /// One line of text; `at` is on its base line.
    pub(super) fn text(&mut self, text: &str, at: (f64, f64), hand: Hand) {
        let shift = CENTRE * hand.size;
        let at = if hand.upwards { (at.0 - shift, at.1) } else { (at.0, at.1 - shift) };
        let style = if hand.bold { FontStyle::Bold } else { FontStyle::Normal };
        let size = hand.size * FINE * FONT_FACTOR;
        let mut font = FontDesc::new(FontFamily::Name(font::FAMILY), size, style);
        if hand.upwards {
            font = font.transform(FontTransform::Rotate270);
        }
        let style = TextStyle::from(font).color(&hand.colour).pos(Pos::new(hand.anchor, VPos::Center));
        done(self.backend.draw_text(&printable(text), &style, unit(at)));
    }
}

fn unit(point: (f64, f64)) -> (i32, i32) {
    ((point.0 * FINE).round() as i32, (point.1 * FINE).round() as i32)
}

fn pen(colour: &impl Color, width: f64) -> ShapeStyle {
    ShapeStyle { color: colour.to_rgba(), filled: false, stroke_width: (width * FINE).round() as u32 }
}

fn done<E: std::fmt::Debug>(result: Result<(), E>) {
    result.expect("a string takes all that is written");
}

/// XML forbids control characters, and bidirectional marks would reverse the text around them.
fn printable(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if c.is_control() || turns(c) || c as u32 >= 0xFFFE { '?' } else { c }).collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
