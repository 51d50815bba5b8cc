//! The foot of the picture: definitions, and where the figures come from.

use super::View;
use super::axes_frame::{SMALL, hand};
use super::page::{MARGIN, WIDTH};
use super::sheet::Layer;
use crate::report::font;
use crate::report::ping_lines::timestamps;
use crate::report::summary::duplicates;

pub(super) fn draw(layer: &mut Layer, view: &View, notes: &str, top: f64) {
    let colours = layer.colours();
    let lines = [
        "RTT: of the first reply to each probe, if it came within the deadline. Percentiles: nearest rank, of \
         those. Loss: share of the probes sent that were lost or late, with its 95 % Wilson interval."
            .to_owned(),
        format!("Network RTT: without all the time at the server. Jitter: RFC 3550, of replies in time. {notes}"),
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
    let copies = match view.summary.duplicates {
        0 => String::new(),
        _ => format!("{}. ", duplicates(&view.summary)),
    };
    format!("{copies}{stamps}. Drawn from {from}. Command: {}", run.argv.join(" "))
}
