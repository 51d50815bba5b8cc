//! A Run in, bytes out. Pure and deterministic: no clock, no files, no system fonts; the same run
//! gives the same bytes on every machine.
//!
//! A [`Digest`] takes the probes one by one and keeps what a picture needs, in memory that does not
//! grow with the run; [`chart::svg`] draws it; [`png::rasterise`] turns the drawing into pixels.

pub mod chart;
mod digest;
mod figures;
mod font;
pub mod png;

pub use chart::Theme;
pub use digest::Digest;
