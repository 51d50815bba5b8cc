//! Where each part of the picture lies.

use super::page::{Area, LEFT, MARGIN, Rows, WIDTH};
use super::panel::{Panel, Place};
use super::{View, header};

pub(super) struct Layout {
    pub key_figures: Rows,
    /// In the order of the panels.
    pub panels: Vec<Area>,
    pub footer: f64,
}

/// Room above a panel for its heading.
const HEADING: f64 = 34.0;
/// Room below a panel for its labels and the title of its axis.
const FOOT: f64 = 46.0;
/// The lower part and its columns.
const LOWER: Rows = (796.0, 1084.0);
const COLUMNS: [(f64, f64); 3] = [(LEFT, 654.0), (754.0, 1134.0), (1216.0, WIDTH - MARGIN)];

impl Layout {
    pub(super) fn new(view: &View, panels: &[Panel]) -> Self {
        let head = header::height(view);
        let key_figures = (head, head + 70.0);
        let mut bottom = LOWER.0 - HEADING - 4.0 - FOOT;
        let mut areas = vec![Area::wide((key_figures.1 + HEADING + 6.0, bottom)); panels.len()];
        for (panel, area) in panels.iter().zip(&mut areas).rev() {
            match panel.place {
                Place::Main => area.bottom = bottom,
                Place::Wide { height } => {
                    *area = Area::wide((bottom - height(view), bottom));
                    bottom = area.top - HEADING;
                }
                Place::Lower { .. } => {}
            }
        }
        for (column, (left, right)) in COLUMNS.into_iter().enumerate() {
            let is_in = |panel: &Panel| matches!(panel.place, Place::Lower { column: c } if c == column);
            let count = panels.iter().filter(|panel| is_in(panel)).count() as f64;
            let pitch = (LOWER.1 - LOWER.0 + HEADING) / count;
            let inside = panels.iter().zip(&mut areas).filter(|(panel, _)| is_in(panel));
            for (k, (_, area)) in inside.enumerate() {
                let top = LOWER.0 + k as f64 * pitch;
                *area = Area { left, right, top, bottom: top + pitch - HEADING };
            }
        }
        Self { key_figures, panels: areas, footer: LOWER.1 + FOOT + 6.0 }
    }
}
