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
mod format;
#[cfg(feature = "report")]
mod html;
mod injection;
mod load;
mod ping_lines;
#[cfg(feature = "report")]
pub mod png;
mod proxy_data;
mod proxy_lines;
mod rate;
mod summary;
mod thresholds;
mod unknown;
mod wrap;

#[cfg(feature = "report")]
pub use chart::Theme;
#[cfg(feature = "report")]
pub use chart_data::ChartData;
#[cfg(feature = "net")]
pub(crate) use format::counted;
pub(crate) use format::milliseconds_bare;
pub use format::{bit_rate, milliseconds, percent};
#[cfg(feature = "report")]
pub use html::{html, proxy_html, rate_html};
pub use injection::injection;
pub use load::load_header;
pub use ping_lines::{Reply, bytes_on_the_wire, header, not_sent, outstanding, overdue, reply, timestamps};
pub use rate::{rate_lines, rate_table};

pub use proxy_data::ProxyData;
pub use proxy_lines::proxy_lines;
pub use summary::{Detail, SECONDS_IN_TABLE, interim, second_line, summary};
pub use thresholds::Thresholds;
pub use unknown::unknown;
pub use wrap::{folded, wrapped};
