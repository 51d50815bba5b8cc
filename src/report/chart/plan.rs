//! Where each part of the sheet lies. The sheet has one size; what the other parts leave is panel A's.

use super::axis::Axis;
use super::frame::Frame;
use super::{View, header, loss};

pub const WIDTH: f64 = 1600.0;
pub const HEIGHT: f64 = 1200.0;
/// The page's margin; the panels' own leave room for their labels.
pub const MARGIN: f64 = 48.0;
pub const LEFT: f64 = 134.0;
pub const RIGHT: f64 = 1458.0;

/// Top and bottom.
pub type Rows = (f64, f64);

/// What a panel's axes enclose.
#[derive(Clone, Copy)]
pub struct Area {
    pub left: f64,
    pub right: f64,
    pub top: f64,
    pub bottom: f64,
}

impl Area {
    /// Across the sheet.
    pub const fn wide((top, bottom): Rows) -> Self {
        Self { left: LEFT, right: RIGHT, top, bottom }
    }

    pub fn frame(self, x: Axis, y: Axis) -> Frame {
        let Self { left, right, top, bottom } = self;
        Frame { left, right, top, bottom, x, y }
    }
}

pub struct Plan {
    pub strip: Rows,
    pub rtt: Area,
    pub loss: Area,
    pub throughput: Area,
    pub delay: Area,
    pub cdf: Area,
    pub histogram: Area,
    pub footer: f64,
}

/// Room above a panel for its heading.
const HEADING: f64 = 34.0;
/// Room below a panel for its labels and the title of its axis.
const FOOT: f64 = 46.0;
/// The lower panels: throughput above delay, beside them the distribution twice.
const LOWER: Rows = (796.0, 1084.0);
/// How high each of two panels above one another is.
const HALF: f64 = 127.0;

impl Plan {
    pub fn new(view: &View) -> Self {
        let head = header::height(view);
        let strip = (head, head + 70.0);
        let bottom = LOWER.0 - HEADING - 4.0 - FOOT;
        let loss = (bottom - loss::height(view), bottom);
        let rtt = (strip.1 + HEADING + 6.0, loss.0 - HEADING);
        let lower = |left, right| Area { left, right, top: LOWER.0, bottom: LOWER.1 };
        let seconds = lower(LEFT, 654.0);
        Self {
            strip,
            rtt: Area::wide(rtt),
            loss: Area::wide(loss),
            throughput: Area { bottom: seconds.top + HALF, ..seconds },
            delay: Area { top: seconds.bottom - HALF, ..seconds },
            cdf: lower(754.0, 1134.0),
            histogram: lower(1216.0, WIDTH - MARGIN),
            footer: LOWER.1 + FOOT + 6.0,
        }
    }
}
