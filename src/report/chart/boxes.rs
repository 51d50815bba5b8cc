//! A row of figures, each in a box with its name and what it rests on.

use super::axes_frame::{SMALL, hand};
use super::page::{MARGIN, Rows, WIDTH};
use super::sheet::Layer;
use crate::report::font;

pub(super) struct Cell {
    pub name: &'static str,
    pub value: String,
    pub note: String,
    pub alarming: bool,
    /// Its part of the width.
    pub share: f64,
}

impl Cell {
    pub(super) fn new(name: &'static str, value: String, note: impl Into<String>) -> Self {
        Self { name, value, note: note.into(), alarming: false, share: 1.0 }
    }
}

/// Across the page, from this margin.
pub(super) fn draw(layer: &mut Layer, cells: &[Cell], from: f64, (top, bottom): Rows) {
    const GAP: f64 = 6.0;
    let shares: f64 = cells.iter().map(|cell| cell.share).sum();
    let part = (WIDTH - MARGIN - from + GAP) / shares;
    let mut left = from;
    for cell in cells {
        let right = left + part * cell.share - GAP;
        draw_cell(layer, cell, (left, top), (right, bottom));
        left = right + GAP;
    }
}

fn draw_cell(layer: &mut Layer, cell: &Cell, (left, top): (f64, f64), (right, bottom): (f64, f64)) {
    const VALUE: f64 = 19.0;
    let colours = layer.colours();
    layer.rect((left, top), (right, bottom), &colours.grid);
    layer.rect((left + 1.0, top + 1.0), (right - 1.0, bottom - 1.0), &colours.panel);
    let (middle, room) = ((left + right) / 2.0, right - left - 12.0);
    layer.text(cell.name, (middle, top + 19.0), hand(13.0, colours.muted).centre());
    let size = (room / font::width(&cell.value, 1.0, true)).min(VALUE);
    let colour = if cell.alarming { colours.loss } else { colours.text };
    layer.text(&cell.value, (middle, top + 43.0), hand(size, colour).bold().centre());
    layer.text(&cell.note, (middle, top + 62.0), hand(SMALL, colours.muted).centre());
}
