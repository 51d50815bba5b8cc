//! A Run in, bytes out: what people read of a run. Pure and deterministic: no clock, no files, no
//! system fonts; the same run gives the same bytes on every machine.
//!
//! [`ChartData`] takes the probes one by one and keeps the data of a picture, in memory that does not
//! grow with the run; [`chart::svg`] draws it; [`png::rasterise`] turns the drawing into pixels.

pub mod chart;
mod chart_data;
pub mod compare;
mod font;
mod html;
mod injection;
mod lines;
pub mod png;
mod quantity;
mod summary;
mod thresholds;

pub use chart::Theme;
pub use chart_data::ChartData;
pub use html::html;
pub use injection::injection;
pub use lines::{Reply, header, not_sent, outstanding, overdue, reply, timestamps};
pub use quantity::{bit_rate, bytes_on_the_wire, folded, milliseconds, milliseconds_bare, percent, wrapped};

pub use summary::{Detail, SECONDS_IN_TABLE, interim, second_line, summary};
pub use thresholds::Thresholds;
