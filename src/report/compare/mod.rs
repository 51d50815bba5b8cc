//! Runs in, differences out: what changed against the first run.
//!
//! A [`Sample`] takes the probes of a run; [`changes`] holds each against the first; a [`Headline`]
//! says so in a sentence, [`table`] in 80 columns, [`Document`] in JSON. The same for rate searches, by direction:
//! [`RateSample`], [`rate_changes`], [`rate_comparison`].

mod change;
mod document;
mod figure;
mod headline;
mod margin;
mod rates;
mod rates_document;
mod rates_table;
mod sample;
mod table;

pub use change::{Change, Changes, Verdict, changes};
pub use document::{Document, SCHEMA};
pub use figure::{Figure, factor};
pub use headline::{Headline, regression};
pub use margin::{Margin, MarginPart};
pub use rates::{RateChange, RateSample, rate_changes};
pub use rates_table::rate_comparison;
pub use sample::Sample;
pub use table::{letter, table};
