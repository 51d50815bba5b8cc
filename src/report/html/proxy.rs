//! The report of a proxy as one page: what was relayed, the figures of each mapping and direction, the panels.

use std::fmt::Write as _;

use super::escape::escape;
use super::{POLICY, STYLE, dark};
use crate::record::RecordedProxy;
use crate::report::chart::{Theme, proxy_panels, proxy_parameters, proxy_title};
use crate::report::format::{count, percent, time};
use crate::report::proxy_data::{ProxyData, Totals, lost_names};

/// Light or dark as the reader prefers, or dark for everybody.
pub fn proxy_html(run: &RecordedProxy, data: &ProxyData, theme: Theme) -> String {
    let title = escape(&proxy_title(run));
    let mut page = String::new();
    let mut put = |part: std::fmt::Arguments| page.write_fmt(part).expect("a string takes all");
    put(format_args!("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"));
    put(format_args!("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"));
    put(format_args!("<meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n"));
    put(format_args!("<link rel=\"icon\" href=\"data:,\">\n<title>{title}</title>\n"));
    put(format_args!("<style>\n{STYLE}{}</style>\n</head>\n<body>\n", dark(theme)));
    put(format_args!("<header>\n<h1>{title}</h1>\n<p>{}</p>\n", escape(&proxy_parameters(run, data))));
    put(format_args!("</header>\n<main>\n{}{}", impairments(run), figures(data)));
    put(format_args!("<section>\n<h2>Over time</h2>\n<div class=\"scroll\"><div id=\"chart\">\n"));
    put(format_args!("{}", proxy_panels(run, data, Theme::Light)));
    put(format_args!("</div></div>\n</section>\n</main>\n<footer>\n"));
    put(format_args!(
        "<p>Each datagram at the time of its arrival. Held: from its arrival until it was due, of those that \
         passed.</p>\n<p>udpecho {}. Command: <code>{}</code></p>\n</footer>\n</body>\n</html>\n",
        escape(&run.udpecho),
        escape(&run.argv.join(" "))
    ));
    page
}

fn impairments(run: &RecordedProxy) -> String {
    let mut html = "<section>\n<h2>Impairments</h2>\n<div class=\"scroll\"><table>\n".to_owned();
    html +=
        "<tr><th scope=\"col\">mapping</th><th>listens at</th><th>server</th><th>up</th><th>down</th></tr>\n";
    for mapping in &run.mappings {
        let cells = [&mapping.listen, &mapping.to, &mapping.up.line, &mapping.down.line];
        let cells: String = cells.iter().map(|cell| format!("<td>{}</td>", escape(cell))).collect();
        let _ = writeln!(html, "<tr><th scope=\"row\">{}</th>{cells}</tr>", escape(&mapping.name));
    }
    html + "</table></div>\n</section>\n"
}

fn figures(data: &ProxyData) -> String {
    let mut html =
        "<section>\n<h2>What became of the datagrams</h2>\n<div class=\"scroll\"><table>\n".to_owned();
    let struck: Vec<usize> = (0..lost_names().len())
        .filter(|cause| data.directions.iter().any(|direction| direction.totals.lost[*cause] > 0))
        .collect();
    let names = lost_names();
    let causes: String =
        struck.iter().map(|cause| format!("<th>{}</th>", names[*cause].replace('_', " "))).collect();
    let _ = writeln!(
        html,
        "<tr><th scope=\"col\">mapping</th><th>arrived</th><th>passed</th><th>dropped</th>{causes}\
         <th>held p50</th><th>held p99</th><th>held max</th><th>longest queue</th></tr>"
    );
    for (name, both) in &data.mappings {
        for (totals, direction) in both.iter().zip(["up", "down"]) {
            let _ = writeln!(
                html,
                "<tr><th scope=\"row\">{} {direction}</th>{}</tr>",
                escape(name),
                cells(totals, &struck)
            );
        }
    }
    html + "</table></div>\n</section>\n"
}

fn cells(totals: &Totals, struck: &[usize]) -> String {
    let unknown = || "–".to_owned();
    let share = (totals.arrived > 0).then(|| totals.not_passed() as f64 / totals.arrived as f64);
    let held = |share| totals.hold(share).map_or_else(unknown, time);
    let mut cells = vec![count(totals.arrived), count(totals.passed), share.map_or_else(unknown, percent)];
    cells.extend(struck.iter().map(|cause| count(totals.lost[*cause])));
    cells.extend([held(0.5), held(0.99), held(1.0)]);
    cells.push(totals.queue_max.map_or_else(unknown, |wait| time(wait.as_nanos() as f64)));
    cells.iter().map(|cell| format!("<td>{cell}</td>")).collect()
}
