//! The foot of the sheet: what the figures mean and where they come from.

use super::View;
use super::frame::{SMALL, hand};
use super::plan::{MARGIN, WIDTH};
use super::sheet::Layer;
use crate::report::font;
use crate::report::lines::timestamps;

pub fn draw(layer: &mut Layer, view: &View, top: f64) {
    let colours = layer.colours();
    let lines = [
        "RTT: of the first reply to each probe, if it came within the deadline. Percentiles: nearest rank, of \
         those. Loss: share of the probes sent that were not answered in time, late ones included; 95 % Wilson \
         interval."
            .to_owned(),
        "Network RTT: without all the time at the server. Jitter: RFC 3550, of replies in time. B: \
         lanes in the order of the path, as the server told. C: both ways; C, D: by the second of sending. E: \
         lost counts as ∞."
            .to_owned(),
        source(view),
    ];
    for (k, line) in lines.iter().enumerate() {
        let line = font::fit(line, SMALL, false, WIDTH - 2.0 * MARGIN);
        layer.text(&line, (MARGIN, top + 8.0 + k as f64 * 17.0), hand(SMALL, colours.muted));
    }
}

fn source(view: &View) -> String {
    let run = view.run;
    let stamps = timestamps(&run.stamps).replacen('t', "T", 1);
    let from = match run.summary {
        Some(_) if run.stopped_early().is_some() => {
            "the first probes alone: probes.csv stopped at its limit while the run went on"
        }
        Some(_) => "run.json and probes.csv",
        None => "probes.csv alone: the run did not end, and its figures are of what it wrote",
    };
    format!("{stamps}. Drawn from {from}. Command: {}", run.argv.join(" "))
}
