//! The report as one page: a run's [`ChartData`] in, HTML out. It loads nothing: styles, drawing,
//! script and data are inside, and a policy forbids the rest.
//!
//! The key figures and tables are text, the charts are those of the picture, and a script shows the
//! probe or the second that is pointed at. Its size is bounded whatever the length of the run.

mod data;
mod escape;
mod proxy;
mod rate;
mod tables;

use std::fmt::Write as _;

use escape::escape;
pub use proxy::proxy_html;
pub use rate::rate_html;

use super::chart::{self, Theme};
use super::chart_data::ChartData;
use super::injection;
use crate::record::{Run, Summary};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
/// Nothing is fetched, whatever a name in the run may have smuggled in.
const POLICY: &str =
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

/// Light or dark as the reader prefers, or dark for everybody.
pub fn html(run: &Run, data: &ChartData, theme: Theme) -> String {
    let drawing = chart::drawing(run, data, Theme::Light);
    let summary = Summary::of(&data.statistics).narrowed_to(run.known());
    let title = escape(&chart::title(run));
    let mut page = String::new();
    let mut put = |part: std::fmt::Arguments| page.write_fmt(part).expect("a string takes all");
    put(format_args!("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"));
    put(format_args!("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"));
    put(format_args!("<meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n"));
    put(format_args!("<link rel=\"icon\" href=\"data:,\">\n<title>{title}</title>\n"));
    put(format_args!("<style>\n{STYLE}{}</style>\n</head>\n<body>\n", dark(theme)));
    put(format_args!("<header>\n<h1>{title}</h1>\n{}</header>\n<main>\n", asked(run, &summary)));
    put(format_args!("{}", tables::figures(&summary)));
    put(format_args!(
        "<section>\n<h2>Charts</h2>\n<p class=\"hint\">Point at the charts, or tap them, for their values; where the charts are wider than the screen, swipe.</p>\n"
    ));
    put(format_args!("<div class=\"scroll\"><div id=\"chart\">\n{}", cropped(&drawing)));
    put(format_args!("<div id=\"line\" hidden></div><div id=\"tip\" role=\"status\" hidden></div>\n"));
    put(format_args!("</div></div>\n</section>\n"));
    put(format_args!("{}", tables::summary(&summary)));
    put(format_args!("{}", tables::causes(data)));
    put(format_args!("{}", tables::hosts(run)));
    put(format_args!("{}", tables::seconds(data)));
    put(format_args!("</main>\n{}", footer(run)));
    put(format_args!("<script type=\"application/json\" id=\"data\">{}</script>\n", data::json(&drawing)));
    put(format_args!("<script>\n{SCRIPT}</script>\n</body>\n</html>\n"));
    page
}

/// The settings of the run, and what the server injected.
fn asked(run: &Run, summary: &Summary) -> String {
    let server = run.server.as_ref();
    let injects = server.map_or("unknown".to_owned(), |server| injection(&server.injects, Some(server.seed)));
    let stopped = run.stopped_early().map_or(String::new(), |why| {
        format!("<p>All figures are of the first probes alone: {}</p>\n", escape(why))
    });
    let unknown = run.known().unknown();
    let unknown =
        if unknown.is_empty() { String::new() } else { format!("<p>Unknown: {}</p>\n", escape(&unknown)) };
    format!(
        "<p>{}</p>\n<p>Injected by the server: {}</p>\n{unknown}{stopped}",
        escape(&chart::parameters(run, summary.duration_us * 1e3)),
        escape(injects.strip_prefix("on purpose: ").unwrap_or(&injects))
    )
}

/// The drawing without what the page has as text, in units of its own.
fn cropped(drawing: &chart::Drawing) -> String {
    let (_, inside) = drawing.svg.split_once('>').expect("a drawing begins with its element");
    let inside =
        ["header", "figures", "footer"].iter().fold(inside.to_owned(), |svg, name| without(&svg, name));
    let [left, top, width, height] = drawing.charts();
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"{left} {top} {width} {height}\" role=\"img\">{inside}"
    )
}

/// The drawing without the group of this name.
fn without(svg: &str, name: &str) -> String {
    const END: &str = "</g>\n";
    let found = svg.split_once(&format!("<g id=\"{name}\">"));
    let parts = found.and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    parts.map_or(svg.to_owned(), |(before, after)| format!("{before}{after}"))
}

/// The rules that turn the light drawing and page dark: each colour of the one is one of the other.
fn dark(theme: Theme) -> String {
    let mut rules = String::new();
    for (light, dark) in Theme::Light.colours().all().into_iter().zip(Theme::Dark.colours().all()) {
        let hex =
            |colour: plotters::style::RGBColor| format!("#{:02X}{:02X}{:02X}", colour.0, colour.1, colour.2);
        let (light, dark) = (hex(light), hex(dark));
        if light != dark {
            let _ = writeln!(rules, "#chart [fill=\"{light}\"] {{ fill: {dark} }}");
            let _ = writeln!(rules, "#chart [stroke=\"{light}\"] {{ stroke: {dark} }}");
        }
    }
    rules += ":root { --page: #14161A; --panel: #1B1E24; --grid: #2E333B; --text: #E8E8E8; --muted: #A4AAB3; \
              --alarm: #F0803C; color-scheme: dark }\n";
    match theme {
        Theme::Light => format!("@media (prefers-color-scheme: dark) {{\n{rules}}}\n"),
        Theme::Dark => rules,
    }
}

fn footer(run: &Run) -> String {
    format!(
        "<footer>\n<p>RTT: of the first reply to each probe, where it came within the deadline. Percentiles: \
         nearest rank, of those. Loss: of the probes sent, all not answered in time, late ones included, \
         with its 95 % Wilson interval. Network RTT: RTT without all the time at the server. Jitter: RFC 3550, of \
         replies in time. Throughput: replies in time, times their size, both \
         ways; it and the mean delay by the second of sending. CDF: lost counts as ∞.</p>\n\
         <p>udpecho {}. Command: <code>{}</code></p>\n</footer>\n",
        escape(&run.udpecho),
        escape(&run.argv.join(" "))
    )
}
