//! A panel's frame: where its axes lie on the sheet, its grid, its labels, its heading and legend.

use plotters::style::text_anchor::HPos;
use plotters::style::{Color, RGBAColor, RGBColor};

use super::axis::Axis;
use super::sheet::{Hand, Layer, Shape};
use crate::report::font;

/// The least size of any text.
pub(super) const SMALL: f64 = 12.0;
const LABEL: f64 = 13.0;
const TITLE: f64 = 16.0;

#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub left: f64,
    pub right: f64,
    pub top: f64,
    pub bottom: f64,
    pub x: Axis,
    pub y: Axis,
}

impl Frame {
    pub(super) fn at_x(&self, value: f64) -> f64 {
        self.left + self.x.place(value) * (self.right - self.left)
    }

    pub(super) fn at_y(&self, value: f64) -> f64 {
        self.bottom - self.y.place(value) * (self.bottom - self.top)
    }

    pub(super) fn at(&self, x: f64, y: f64) -> (f64, f64) {
        (self.at_x(x), self.at_y(y))
    }

    pub(super) fn width(&self) -> f64 {
        self.right - self.left
    }

    /// The ground, the grid and the labels of the vertical axis.
    pub(super) fn ground(&self, layer: &mut Layer) {
        self.ground_titled(layer, 34.0);
    }

    /// The same with the title of the vertical axis at `x`.
    pub(super) fn ground_titled(&self, layer: &mut Layer, x: f64) {
        let colours = layer.colours();
        layer.rect((self.left, self.top), (self.right, self.bottom), &colours.panel);
        self.uprights(layer);
        for (value, label) in &self.y.ticks {
            let y = self.at_y(*value);
            layer.line(&[(self.left, y), (self.right, y)], &colours.grid, 1.0);
            layer.text(label, (self.left - 8.0, y + 4.5), hand(LABEL, colours.text).right());
        }
        let middle = (self.top + self.bottom) / 2.0;
        layer.text(&self.y.title, (x, middle), hand(14.0, colours.text).centre().upwards());
    }

    /// The grid of the horizontal axis.
    pub(super) fn uprights(&self, layer: &mut Layer) {
        for (value, _) in &self.x.ticks {
            let x = self.at_x(*value);
            layer.line(&[(x, self.top), (x, self.bottom)], &layer.colours().grid, 1.0);
        }
    }

    /// The labels and the title of the horizontal axis.
    pub(super) fn foot(&self, layer: &mut Layer) {
        let colours = layer.colours();
        for (value, label) in &self.x.ticks {
            layer.text(label, (self.at_x(*value), self.bottom + 19.0), hand(LABEL, colours.text).centre());
        }
        let middle = (self.left + self.right) / 2.0;
        layer.text(&self.x.title, (middle, self.bottom + 37.0), hand(14.0, colours.text).centre());
    }

    /// The panel's letter and name above it, its legend at the right.
    pub(super) fn heading(&self, layer: &mut Layer, name: &str, legend: &[Key]) {
        let colours = layer.colours();
        layer.text(name, (self.left, self.top - 11.0), hand(TITLE, colours.text).bold());
        legend_at(layer, (self.right, self.top - 11.0), legend);
    }

    /// A sentence in the middle of a panel that has nothing to show.
    pub(super) fn empty(&self, layer: &mut Layer, text: &str) {
        let at = ((self.left + self.right) / 2.0, (self.top + self.bottom) / 2.0 + 5.0);
        layer.text(text, at, hand(TITLE, layer.colours().muted).centre());
    }
}

/// An entry of a legend.
pub(super) enum Key {
    Mark(Shape, RGBAColor, String),
    Line(RGBAColor, String),
    Thin(RGBAColor, String),
    Dashes(RGBAColor, String),
    Patch(RGBAColor, String),
    Words(String),
}

impl Key {
    fn text(&self) -> &str {
        match self {
            Self::Mark(_, _, text)
            | Self::Line(_, text)
            | Self::Thin(_, text)
            | Self::Dashes(_, text)
            | Self::Patch(_, text)
            | Self::Words(text) => text,
        }
    }

    fn glyph_width(&self) -> f64 {
        match self {
            Self::Mark(..) => 16.0,
            Self::Line(..) | Self::Thin(..) | Self::Dashes(..) => 30.0,
            Self::Patch(..) => 22.0,
            Self::Words(_) => 0.0,
        }
    }

    fn draw_glyph(&self, layer: &mut Layer, (x, y): (f64, f64)) {
        let y = y - 4.5;
        match self {
            Self::Mark(shape, colour, _) => layer.mark(*shape, (x + 6.0, y), 4.5, colour),
            Self::Line(colour, _) => layer.line(&[(x, y), (x + 24.0, y)], colour, 2.2),
            Self::Thin(colour, _) => layer.line(&[(x, y), (x + 24.0, y)], colour, 1.2),
            Self::Dashes(colour, _) => layer.dashes((x, y), (x + 26.0, y), colour, 1.6),
            Self::Patch(colour, _) => layer.rect((x, y - 6.0), (x + 16.0, y + 6.0), colour),
            Self::Words(_) => {}
        }
    }
}

fn legend_at(layer: &mut Layer, (right, y): (f64, f64), keys: &[Key]) {
    const GAP: f64 = 18.0;
    let colours = layer.colours();
    let mut x = right;
    for key in keys.iter().rev() {
        x -= font::width(key.text(), LABEL, false);
        layer.text(key.text(), (x, y), hand(LABEL, colours.muted));
        x -= key.glyph_width();
        key.draw_glyph(layer, (x, y));
        x -= GAP;
    }
}

/// An upright text from the left, of this size.
pub(super) fn hand(size: f64, colour: RGBColor) -> Hand {
    Hand { size, bold: false, colour: colour.to_rgba(), anchor: HPos::Left, upwards: false }
}

impl Hand {
    pub(super) fn bold(self) -> Self {
        Self { bold: true, ..self }
    }

    pub(super) fn right(self) -> Self {
        Self { anchor: HPos::Right, ..self }
    }

    pub(super) fn centre(self) -> Self {
        Self { anchor: HPos::Center, ..self }
    }

    pub(super) fn upwards(self) -> Self {
        Self { upwards: true, ..self }
    }
}
