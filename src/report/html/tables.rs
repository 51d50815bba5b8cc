//! The figures as text: the few that are asked for first, then all, the causes, the seconds.

use std::fmt::Write as _;

use super::escape::escape;
use crate::host::{self, Figures};
use crate::probe::NotOnTime;
use crate::record::{Distribution, Run, Summary};
use crate::report::chart_data::ChartData;
use crate::report::format::{bit_rate, milliseconds, percent, percent_bare};
use crate::report::summary::duplicates;
use crate::stats::Slot;
use crate::time::Duration;

/// The strip of key figures.
pub(super) fn figures(figures: &Summary) -> String {
    let interval =
        figures.loss_interval.map(|[low, high]| format!("95 % CI {}–{}", percent_bare(low), percent(high)));
    let rtt = |pick: fn(&Distribution) -> f64| figures.rtt_us.as_ref().map_or(unknown(), |d| micros(pick(d)));
    let (net, net_note) = match &figures.net_rtt_us {
        Some(net) => (micros(net.p50), "without the server's time"),
        None => ("unknown".to_owned(), "the server does not tell its times"),
    };
    let jitter = figures.rtp_jitter_us.map_or(unknown(), micros);
    let late = format!("{} late", count(figures.late));
    let answered = format!("{} / {}", count(figures.sent), count(figures.ok));
    let cells = [
        ("sent / in time", answered, late, false),
        (
            "lost or late",
            figures.loss_share.map_or(unknown(), percent),
            interval.unwrap_or_default(),
            figures.loss_share.is_some_and(|loss| loss > 0.0),
        ),
        ("RTT p50", rtt(|d| d.p50), String::new(), false),
        ("RTT p90", rtt(|d| d.p90), String::new(), false),
        ("RTT p99", rtt(|d| d.p99), few(figures.rtt_us.as_ref()), false),
        ("RTT max", rtt(|d| d.max), String::new(), false),
        ("RTT mean", rtt(|d| d.mean), String::new(), false),
        ("network RTT p50", net, net_note.to_owned(), false),
        ("jitter", jitter, "RFC 3550".to_owned(), false),
    ];
    let mut html = "<dl class=\"figures\">\n".to_owned();
    for (name, value, note, alarming) in cells {
        let class = if alarming { " class=\"alarm\"" } else { "" };
        let _ = writeln!(
            html,
            "<div><dt>{}</dt><dd{class}>{}</dd><dd class=\"note\">{}</dd></div>",
            escape(name),
            escape(&value),
            escape(&note)
        );
    }
    html + "</dl>\n"
}

/// Of few replies the 99th percentile is the maximum.
fn few(rtt: Option<&Distribution>) -> String {
    rtt.filter(|rtt| rtt.n < 100).map_or(String::new(), |rtt| format!("n={}: the maximum", rtt.n))
}

/// Every figure of the run.
pub(super) fn summary(summary: &Summary) -> String {
    let delays = [
        ("RTT on time", &summary.rtt_us),
        ("RTT of all replies", &summary.rtt_all_us),
        ("network RTT", &summary.net_rtt_us),
        ("RTT from due time", &summary.due_rtt_us),
        ("sent late by", &summary.schedule_error_us),
    ];
    let head = ["", "n", "min", "mean", "p50", "p90", "p99", "p99.9", "max", "σ"];
    let rows = delays.iter().filter_map(|(name, delays)| Some(delay_row(name, delays.as_ref()?)));
    let delays = table(&head, rows.collect());
    let counts = table(&["", ""], counts(summary));
    format!("<section>\n<h2>Summary</h2>\n{counts}{delays}</section>\n")
}

fn delay_row(name: &str, delays: &Distribution) -> Vec<String> {
    let mut row = vec![name.to_owned(), count(delays.n)];
    let values = [delays.min, delays.mean, delays.p50, delays.p90, delays.p99, delays.p999, delays.max];
    row.extend(values.map(micros));
    row.push(delays.stddev.map_or(unknown(), micros));
    row
}

fn counts(summary: &Summary) -> Vec<Vec<String>> {
    let runs = &summary.loss_runs;
    let outage = runs.longest_outage.map(|outage| {
        let (length, from) = (micros(outage.length_us), outage.from_us / 1e6);
        format!("{length} from {from:.3} s on, {}", probes(outage.probes))
    });
    let maybe = |value: Option<f64>| value.map_or(unknown(), micros);
    let rows: Vec<(&str, String)> = vec![
        ("sent", count(summary.sent)),
        ("answered in time", count(summary.ok)),
        ("late", count(summary.late)),
        ("lost", count(summary.lost)),
        ("not sent", count(summary.send_errors)),
        ("duplicates", duplicates(summary)),
        (
            "corrupted",
            match (summary.corrupted, summary.injected_corrupted) {
                (None, _) => "unknown".to_owned(),
                (Some(all), None) => count(all),
                (Some(by_network), Some(injected)) => {
                    format!("{}, and {} by injection", count(by_network), count(injected))
                }
            },
        ),
        ("reordered", reordered(summary)),
        ("runs of losses", format!("{}, the longest of {}", count(runs.count), probes(runs.longest))),
        ("longest outage", outage.unwrap_or("none".to_owned())),
        ("jitter (RFC 3550)", maybe(summary.rtp_jitter_us)),
        ("mean |IPDV| (RFC 3393)", maybe(summary.mean_abs_ipdv_us)),
        ("PDV (RFC 5481): p99.9 above min", maybe(summary.pdv_us)),
        ("sent more than an interval late", count(summary.missed)),
    ];
    rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect()
}

fn reordered(summary: &Summary) -> String {
    match summary.reordered_share {
        Some(share) if summary.reordered > 0 => format!("{} ({})", count(summary.reordered), percent(share)),
        _ => count(summary.reordered),
    }
}

/// Where the probes went that were not answered in time.
pub(super) fn causes(data: &ChartData) -> String {
    let outcomes = data.statistics.outcomes;
    let sent = outcomes.sent().max(1) as f64;
    let row = |(reason, probes): (NotOnTime, u64)| {
        let share = if reason == NotOnTime::NotSent { unknown() } else { percent(probes as f64 / sent) };
        vec![reason.name().to_owned(), count(probes), share]
    };
    let rows: Vec<Vec<String>> = outcomes.reasons().map(row).collect();
    let table = match outcomes.sent() {
        _ if !rows.is_empty() => table(&["cause", "probes", "of those sent"], rows),
        0 => "<p>No probe was sent.</p>\n".to_owned(),
        _ => "<p>Every probe was answered in time.</p>\n".to_owned(),
    };
    format!("<section>\n<h2>Causes of loss</h2>\n{table}</section>\n")
}

/// Whether each host was busy, and its first busy seconds.
pub(super) fn hosts(run: &Run) -> String {
    const ROWS: usize = 60;
    let Some(hosts) = &run.hosts else { return String::new() };
    let of_one = |(name, seconds): (&str, &[Figures])| {
        let summary = host::Summary::of_record(seconds).map_or(unknown(), |summary| summary.to_string());
        let sentence = format!("<p>The {name}'s host: {}.</p>\n", escape(&summary));
        let busy = seconds.iter().map(|figures| (figures, host::reasons(figures)));
        let busy = busy.filter(|(_, reasons)| !reasons.is_empty()).take(ROWS).map(|(figures, reasons)| {
            let reasons: Vec<String> = reasons.iter().map(ToString::to_string).collect();
            let cpu = figures.cpu_share.map_or(unknown(), percent);
            vec![count(figures.second), cpu, reasons.join(", ")]
        });
        let rows: Vec<Vec<String>> = busy.collect();
        if rows.is_empty() { sentence } else { sentence + &table(&["busy second", "CPU", "why"], rows) }
    };
    let text: String = hosts.each().map(of_one).collect();
    format!("<section>\n<h2>Hosts</h2>\n{text}</section>\n")
}

/// A row a second, or several where the run is long.
pub(super) fn seconds(data: &ChartData) -> String {
    let history = data.seconds();
    let (width, span) = (history.width(), history.span());
    let row = |(k, slot): (usize, &Slot)| {
        let first = k as u64 * width + 1;
        let last = (first + width - 1).min(span);
        let name = if width == 1 { count(first) } else { format!("{}–{}", count(first), count(last)) };
        let rate = slot.bits as f64 / (last - first + 1) as f64;
        let delay = slot.delay().map_or(unknown(), |nanos| micros(nanos / 1e3));
        let outcomes = slot.outcomes;
        let counts = [outcomes.sent(), outcomes.on_time, outcomes.lost_or_late()].map(count);
        [name].into_iter().chain(counts).chain([bit_rate(rate), delay]).collect()
    };
    let rows: Vec<Vec<String>> = history.slots().iter().enumerate().map(row).collect();
    let open = if rows.len() <= 30 { " open" } else { "" };
    let steps = if width == 1 { String::new() } else { format!(", {width} s a row") };
    let table =
        table(&["second", "sent", "in time", "not in time", "throughput (both ways)", "mean delay"], rows);
    format!(
        "<section>\n<details{open}><summary><h2>Per second{steps}</h2></summary>\n{table}</details>\n</section>\n"
    )
}

/// The first column names its row.
fn table(head: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut html = "<div class=\"scroll\"><table>\n".to_owned();
    if head.iter().any(|name| !name.is_empty()) {
        let cells: String =
            head.iter().map(|name| format!("<th scope=\"col\">{}</th>", escape(name))).collect();
        let _ = writeln!(html, "<thead><tr>{cells}</tr></thead>");
    }
    html += "<tbody>\n";
    for row in rows {
        let (name, values) = row.split_first().expect("a row has a name");
        let cells: String = values.iter().map(|value| format!("<td>{}</td>", escape(value))).collect();
        let _ = writeln!(html, "<tr><th scope=\"row\">{}</th>{cells}</tr>", escape(name));
    }
    html + "</tbody>\n</table></div>\n"
}

fn micros(micros: f64) -> String {
    milliseconds(Duration::from_nanos((micros * 1e3).round() as i64))
}

/// A whole number with thousands apart.
fn count(n: u64) -> String {
    crate::report::format::count(n)
}

fn probes(n: u64) -> String {
    format!("{} {}", count(n), if n == 1 { "probe" } else { "probes" })
}

fn unknown() -> String {
    "–".to_owned()
}
