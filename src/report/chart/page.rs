//! The page: its size, its margins, and the areas on it.

use super::axes_frame::Frame;
use super::axis::Axis;

pub(super) const WIDTH: f64 = 1600.0;
pub(super) const HEIGHT: f64 = 1200.0;
/// The panels' own margins leave room for their labels.
pub(super) const MARGIN: f64 = 48.0;
pub(super) const LEFT: f64 = 134.0;
pub(super) const RIGHT: f64 = 1458.0;

/// Top and bottom.
pub(super) type Rows = (f64, f64);

/// The rectangle within a panel's axes.
#[derive(Clone, Copy)]
pub(super) struct Area {
    pub left: f64,
    pub right: f64,
    pub top: f64,
    pub bottom: f64,
}

impl Area {
    /// Across the page.
    pub(super) const fn wide((top, bottom): Rows) -> Self {
        Self { left: LEFT, right: RIGHT, top, bottom }
    }

    pub(super) fn frame(self, x: Axis, y: Axis) -> Frame {
        let Self { left, right, top, bottom } = self;
        Frame { left, right, top, bottom, x, y }
    }
}
