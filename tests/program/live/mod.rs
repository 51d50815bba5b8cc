//! The live views of a run and a server: terminal, full screen, page and metrics, seen through a
//! pseudo-terminal with a screen parser, a browser and a Prometheus.
#![cfg(unix)]

mod browser;
mod full_screen;
#[cfg(target_os = "linux")]
mod priority;
mod screen;
pub mod terminal;
pub(crate) mod web;
