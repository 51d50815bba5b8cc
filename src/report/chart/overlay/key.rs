//! The key: a colour for each run, and its main figures.

use super::super::axes_frame::hand;
use super::super::page::{MARGIN, Rows};
use super::super::sheet::Layer;
use super::Overlaid;
use crate::record::Distribution;
use crate::report::font;
use crate::report::format::{self, percent};

const ROW: f64 = 27.0;
const SIZE: f64 = 15.0;

/// The columns of figures and where they end.
const ENDS: [(&str, f64); 7] = [
    ("sent", 1000.0),
    ("loss", 1085.0),
    ("p50", 1170.0),
    ("p90", 1255.0),
    ("p99", 1340.0),
    ("network p50", 1445.0),
    ("mean |IPDV|", 1552.0),
];

pub(super) fn height(runs: usize) -> f64 {
    24.0 + ROW * runs as f64
}

pub(super) fn draw(layer: &mut Layer, runs: &[Overlaid], (top, _): Rows) {
    let colours = layer.colours();
    layer.text("udpecho compare", (MARGIN, top - 16.0), hand(26.0, colours.text).bold());
    for (name, end) in &ENDS {
        layer.text(name, (*end, top + 14.0), hand(13.0, colours.muted).right());
    }
    for (k, run) in runs.iter().enumerate() {
        row(layer, run, top + 38.0 + k as f64 * ROW);
    }
}

fn row(layer: &mut Layer, run: &Overlaid, base: f64) {
    const NAME: f64 = MARGIN + 66.0;
    let colours = layer.colours();
    let line = base - 5.0;
    layer.line(&[(MARGIN, line), (MARGIN + 36.0, line)], &run.colour, 2.4);
    layer.mark(run.shape, (MARGIN + 18.0, line), 5.0, &run.colour);
    layer.text(&run.letter.to_string(), (MARGIN + 46.0, base), hand(SIZE, colours.text).bold());
    let room = ENDS[0].1 - 70.0 - NAME;
    layer.text(&font::fit(&described(run), SIZE, false, room), (NAME, base), hand(SIZE, colours.text));
    for ((_, end), value) in ENDS.iter().zip(values(run)) {
        layer.text(&value, (*end, base), hand(SIZE, colours.text).right());
    }
}

fn described(run: &Overlaid) -> String {
    let config = &run.sample.run.config;
    let unit = format::time_unit(config.interval_us * 1e3);
    let interval = format!("{} {}", format::plain(config.interval_us * 1e3 / unit.size), unit.name);
    let name = run.sample.name.trim_end_matches('/');
    format!("{name} · {} · i={interval} · {} B", config.address, format::count(config.size.into()))
}

fn values(run: &Overlaid) -> Vec<String> {
    let statistics = &run.sample.statistics;
    let (rtt, net) = (Distribution::of(&statistics.rtt), Distribution::of(&statistics.net_rtt));
    let time = |nanos: Option<f64>| nanos.map_or("–".to_owned(), format::time);
    let at =
        |times: &Option<Distribution>, p: fn(&Distribution) -> f64| time(times.as_ref().map(|d| p(d) * 1e3));
    vec![
        format::count(statistics.outcomes.sent()),
        statistics.outcomes.loss().value().map_or("–".to_owned(), percent),
        at(&rtt, |d| d.p50),
        at(&rtt, |d| d.p90),
        at(&rtt, |d| d.p99),
        at(&net, |d| d.p50),
        time(statistics.ipdv.absolute().mean()),
    ]
}
