//! What is seen of a run while it goes on: on a terminal, on a page, by Prometheus. Nobody has to
//! look: a pseudo-terminal and a screen's parser, a browser and a scraper do.
#![cfg(unix)]

#[path = "../common/mod.rs"]
mod common;

mod eyes;
mod full_screen;
#[cfg(target_os = "linux")]
mod priority;
mod screen;
mod terminal;
mod web;
