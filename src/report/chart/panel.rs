//! A panel: the picture and the page draw, letter, place and explain each panel of the list
//! in `mod.rs` by this alone.

use serde_json::{Value, json};

use super::View;
use super::axis::Axis;
use super::page::Area;
use super::sheet::Sheet;

#[derive(Clone, Copy)]
pub(super) struct Panel {
    /// Its name in page data and tests.
    pub id: &'static str,
    pub title: &'static str,
    pub place: Place,
    /// A definition for the footer.
    pub note: Option<&'static str>,
    /// Whether this run has anything for it.
    pub is_shown: fn(&View) -> bool,
    /// The horizontal axis.
    pub x: fn(&View) -> Axis,
    /// Draws it; the heading begins with its letter.
    pub draw: fn(&mut Sheet, &View, Area, &str),
    pub hover: fn(&View) -> Hover,
}

/// Where a panel lies. Panels of the same place lie below each other, in the order of the list.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// Across the page, with all height that the others leave.
    Main,
    /// Across the page.
    Wide { height: fn(&View) -> f64 },
    /// In this column of the lower part.
    Lower { column: usize },
}

/// What the page shows of the values under the pointer. Times are nanoseconds.
pub(crate) enum Hover {
    /// The nearest point: x, y and text; `y` are the ends of the vertical axis.
    Points { y: (f64, f64), rows: Vec<(u64, u64, String)> },
    /// The nearest mark: x and text.
    Marks(Vec<(u64, String)>),
    /// The step that holds from one x to another.
    Steps(Vec<(f64, f64, String)>),
}

impl Hover {
    /// The place on the axis stands first in each row, then the text.
    pub(crate) fn json(self) -> Value {
        match self {
            Self::Points { y, rows } => {
                let rows: Vec<Value> = rows.into_iter().map(|(x, y, text)| json!([x, text, y])).collect();
                json!({ "kind": "points", "y": y, "rows": rows })
            }
            Self::Marks(rows) => json!({ "kind": "marks", "rows": rows }),
            Self::Steps(rows) => {
                let whole = |nanos: f64| nanos.round() as u64;
                let row = |(from, to, text)| json!([whole(from), text, whole(to)]);
                json!({ "kind": "steps", "rows": rows.into_iter().map(row).collect::<Vec<_>>() })
            }
        }
    }
}
