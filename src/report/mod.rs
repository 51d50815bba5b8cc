//! A Run in, bytes out: what people read of a run. Pure and deterministic: no clock, no files, no
//! system fonts; the same run gives the same bytes on every machine.
//!
//! [`ChartData`] takes the probes one by one and keeps the data of a picture, in memory that does not
//! grow with the run; [`chart::svg`] draws it; [`png::rasterise`] turns the drawing into pixels.

#[cfg(feature = "report")]
pub mod chart;
#[cfg(feature = "report")]
mod chart_data;
pub mod compare;
#[cfg(feature = "report")]
mod font;
#[cfg(feature = "report")]
mod html;
mod injection;
mod lines;
#[cfg(feature = "report")]
pub mod png;
mod quantity;
mod summary;
mod thresholds;

#[cfg(feature = "report")]
pub use chart::Theme;
#[cfg(feature = "report")]
pub use chart_data::ChartData;
#[cfg(feature = "report")]
pub use html::html;
pub use injection::injection;
pub use lines::{Reply, header, not_sent, outstanding, overdue, reply, timestamps};
pub use quantity::{bit_rate, bytes_on_the_wire, folded, milliseconds, milliseconds_bare, percent, wrapped};

pub use summary::{Detail, SECONDS_IN_TABLE, interim, second_line, summary};
pub use thresholds::Thresholds;
