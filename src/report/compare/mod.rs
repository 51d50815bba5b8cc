//! Runs in, differences out: what changed against the first run.
//!
//! A [`Sample`] takes the probes of a run; [`changes`] holds each against the first; a [`Headline`]
//! says so in a sentence, [`table`] in 80 columns, [`Document`] in JSON.

mod change;
mod document;
mod figure;
mod headline;
mod margin;
mod sample;
mod table;

pub use change::{Change, Changes, Verdict, changes};
pub use document::Document;
pub use figure::{Figure, factor};
pub use headline::{Headline, regression};
pub use margin::{Margin, MarginPart};
pub use sample::Sample;
pub use table::{letter, table};
