//! The head of the picture: target, settings, and what the server injected.

use std::net::SocketAddr;

use super::View;
use super::axes_frame::hand;
use super::page::{MARGIN, WIDTH};
use super::sheet::Layer;
use crate::probe::Dialect;
use crate::record::{Config, Run};
use crate::report::font;
use crate::report::format;
use crate::report::load::load_words;

const BIG: f64 = 26.0;
const LINE: f64 = 15.0;
const ROOM: f64 = WIDTH - 2.0 * MARGIN;

/// `udpecho ping → host:port (UDP, IPv4)`.
pub fn title(run: &Run) -> String {
    let config = &run.config;
    let Ok(address) = config.address.parse::<SocketAddr>() else {
        return format!("udpecho ping → {} (UDP)", config.address);
    };
    let family = if address.is_ipv6() { "IPv6" } else { "IPv4" };
    let numeric = address.ip().to_string();
    let host = if config.host.is_empty() { &numeric } else { &config.host };
    let shown = if host.contains(':') { format!("[{host}]") } else { host.clone() };
    format!("udpecho ping → {shown}:{} (UDP, {family})", address.port())
}

pub(super) fn height(view: &View) -> f64 {
    if beside(view) { 88.0 } else { 108.0 }
}

pub(super) fn draw(layer: &mut Layer, view: &View) {
    let colours = layer.colours();
    let right = WIDTH - MARGIN;
    let version = format!("udpecho {}", view.run.udpecho);
    let room = ROOM - font::width(&version, LINE, false) - 24.0;
    let title = font::fit(&title(view.run), BIG, true, room);
    layer.text(&title, (MARGIN, 44.0), hand(BIG, colours.text).bold());
    layer.text(&version, (right, 44.0), hand(LINE, colours.muted).right());
    let parameters = font::fit(&parameters(view.run, view.summary.duration_us * 1e3), LINE, false, ROOM);
    layer.text(&parameters, (MARGIN, 70.0), hand(LINE, colours.muted));
    let server = font::fit(&server(view.run), LINE, false, ROOM);
    if beside(view) {
        layer.text(&server, (right, 70.0), hand(LINE, colours.text).right());
    } else {
        layer.text(&server, (MARGIN, 92.0), hand(LINE, colours.text));
    }
}

/// Whether the server's line has room beside the parameters.
fn beside(view: &View) -> bool {
    let both = font::width(&parameters(view.run, view.summary.duration_us * 1e3), LINE, false)
        + font::width(&server(view.run), LINE, false);
    both + 40.0 <= ROOM
}

/// Settings, date and duration; `duration` in nanoseconds.
pub fn parameters(run: &Run, duration: f64) -> String {
    let config = &run.config;
    let mut parts = vec![
        config.count.map_or("n until interrupted".to_owned(), |n| format!("n={}", format::count(n))),
        schedule(config),
        format!("{} B", format::count(config.size.into())),
        match config.deadline_us {
            Some(deadline) => format!("deadline {}", short(deadline)),
            None => "deadline = interval".to_owned(),
        },
    ];
    let numeric = config.address.parse::<SocketAddr>().map(|address| address.ip().to_string());
    parts.extend(
        numeric.ok().filter(|numeric| *numeric != config.host).map(|numeric| format!("at {numeric}")),
    );
    parts.extend(config.dscp.filter(|dscp| *dscp > 0).map(|dscp| format!("dscp={dscp}")));
    parts.extend((config.dialect != Dialect::Native).then(|| format!("{} dialect", config.dialect.name())));
    parts.extend(config.embedded.then(|| "server in the same process".to_owned()));
    parts.extend(run.load.as_ref().map(|load| format!("load {}", load_words(load))));
    parts.push(format!("started {}", run.started));
    parts.push(format!("duration {}", format::span(duration)));
    parts.join(" · ")
}

fn schedule(config: &Config) -> String {
    let interval = short(config.interval_us);
    match (config.decay, config.poisson_seed) {
        (None, None) => format!("i={interval} fixed"),
        (None, Some(seed)) => format!("i={interval} on average, at random (Poisson, seed {seed})"),
        (Some(decay), _) => {
            let floor = config.min_interval_us.map(|floor| format!(" to {}", short(floor)));
            let share = format::plain(decay * 100.0);
            format!("i={interval} shrinking by {share} % a probe{}", floor.unwrap_or_default())
        }
    }
}

fn server(run: &Run) -> String {
    let unknown = run.known().unknown();
    match &run.server {
        None if unknown.is_empty() => "what the server injects is unknown".to_owned(),
        None => format!("unknown: {unknown}"),
        Some(server) if server.injects == "clean" => "server injects nothing".to_owned(),
        Some(server) => format!("server injects {} (seed {})", server.injects, server.seed),
    }
}

/// A setting as it was given, without needless digits.
fn short(micros: f64) -> String {
    let nanos = micros * 1e3;
    let unit = format::time_unit(nanos);
    format!("{} {}", format::plain(nanos / unit.size), unit.name)
}
