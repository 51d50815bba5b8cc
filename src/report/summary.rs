//! The end of a run in words: ping's closing lines, and between them what a person needs besides.

use super::quantity::{bit_rate, milliseconds, milliseconds_bare, percent, percent_bare, wrapped};
use crate::probe::Cause;
use crate::record::{Distribution, Run, Summary};
use crate::stats::Second;
use crate::time::Duration;

/// How much to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    #[default]
    Usual,
    All,
}

/// The closing lines. Ours stand before the last, which is ping's.
pub fn summary(run: &Run, summary: &Summary, seconds: &[Second], detail: Detail) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(table) = seconds_table(seconds) {
        lines.push(String::new());
        lines.extend(table);
    }
    lines.push(String::new());
    lines.push(format!("--- {} ping statistics ---", run.config.host));
    lines.push(counts(summary));
    lines.extend(losses(summary));
    lines.extend(delays(summary, detail));
    lines.extend(order(summary, detail));
    lines.extend(schedule(summary, detail));
    if detail == Detail::All {
        lines.extend(clock(run));
    }
    lines.extend(knee(summary));
    lines.extend(advice(summary).into_iter().map(|advice| format!("note: {advice}")));
    lines.extend(summary.rtt_us.as_ref().map(last_line));
    lines
}

/// One line in the middle of a run.
pub fn interim(summary: &Summary) -> String {
    let loss =
        summary.loss_share.map_or("nothing sent".into(), |share| format!("{} not on time", percent(share)));
    let delay = summary.rtt_us.as_ref().map_or(String::new(), |rtt| {
        format!(", rtt p50/p99/max = {}/{}/{} ms", ms(rtt.p50), ms(rtt.p99), ms(rtt.max))
    });
    format!("{} sent, {} on time, {loss}{delay}", summary.sent, summary.ok)
}

/// The two totals in ping's own words.
fn counts(summary: &Summary) -> String {
    let errors =
        if summary.send_errors > 0 { format!(", +{} errors", summary.send_errors) } else { String::new() };
    let duplicates =
        if summary.duplicates > 0 { format!(", +{} duplicates", summary.duplicates) } else { String::new() };
    let share = percent_bare(summary.loss_share.unwrap_or(0.0));
    let time = (summary.duration_us / 1e3).round();
    format!(
        "{} packets transmitted, {} received{duplicates}{errors}, {share}% packet loss, time {time}ms",
        summary.sent, summary.ok
    )
}

fn losses(summary: &Summary) -> Vec<String> {
    let mut lines = Vec::new();
    let (Some(share), Some([low, high])) = (summary.loss_share, summary.loss_interval) else { return lines };
    let missing = summary.late + summary.lost;
    let mut line = format!(
        "not on time {} (95 % interval {} to {} %)",
        percent(share),
        percent_bare(low),
        percent_bare(high)
    );
    if missing > 0 {
        let mut parts: Vec<String> = summary
            .causes
            .iter()
            .map(|(cause, count)| format!("{count} {}", cause_in_words(*cause)))
            .collect();
        if summary.late > 0 {
            parts.push(format!("{} late", summary.late));
        }
        line += ": ";
        line += &parts.join(", ");
    }
    const WIDTH: usize = 76;
    let mut wrapped = wrapped(&line, WIDTH).into_iter();
    lines.extend(wrapped.next());
    lines.extend(wrapped.map(|line| format!("   {line}")));
    if let Some(outage) = summary.loss_runs.longest_outage.filter(|outage| outage.probes > 1) {
        lines.push(format!(
            "longest outage {} from {:.3} s on, {} probes",
            milliseconds(micros(outage.length_us)),
            outage.from_us / 1e6,
            outage.probes
        ));
    }
    lines
}

fn cause_in_words(cause: Cause) -> &'static str {
    match cause {
        Cause::Up => "lost by the network on the way up",
        Cause::Down => "lost by the network on the way down",
        Cause::InjectedUp => "dropped on purpose on the way up",
        Cause::InjectedDown => "withheld on purpose by the server",
        Cause::Refused => "refused by the server",
        Cause::ServerOverflow => "lost in the server's full buffer",
        Cause::ClientOverflow => "lost in this host's full buffer",
        Cause::Unknown => "lost, nobody knows where",
    }
}

fn delays(summary: &Summary, detail: Detail) -> Vec<String> {
    let mut lines = Vec::new();
    let Some(rtt) = &summary.rtt_us else { return lines };
    lines.push(percentiles("rtt", rtt, detail));
    if let Some(net) = summary.net_rtt_us.as_ref().filter(|net| net.mean < rtt.mean) {
        lines.push(format!("{} (without the time at the server)", percentiles("net", net, detail)));
    }
    if detail == Detail::All {
        lines.extend(summary.due_rtt_us.as_ref().map(|due| percentiles("from due time", due, detail)));
        lines.extend(summary.ipdv_us.as_ref().map(|ipdv| {
            format!(
                "ipdv (RFC 3393) min/p50/p99/max = {}/{}/{}/{} ms",
                ms(ipdv.min),
                ms(ipdv.p50),
                ms(ipdv.p99),
                ms(ipdv.max)
            )
        }));
        lines.extend(
            summary
                .pdv_us
                .map(|pdv| format!("pdv (RFC 5481) p99.9 above the minimum {}", milliseconds(micros(pdv)))),
        );
        if summary.percentile_resolution > 0.0 {
            lines.push(format!(
                "percentiles are within {} of their value",
                percent(summary.percentile_resolution)
            ));
        }
    }
    lines.extend(
        summary.rtp_jitter_us.map(|jitter| format!("jitter (RFC 3550) {}", milliseconds(micros(jitter)))),
    );
    lines
}

fn percentiles(name: &str, values: &Distribution, detail: Detail) -> String {
    let mut line = format!(
        "{name} p50/p90/p99/max = {}/{}/{}/{} ms",
        ms(values.p50),
        ms(values.p90),
        ms(values.p99),
        ms(values.max)
    );
    if detail == Detail::All && values.n >= 1000 {
        line += &format!(", p99.9 = {} ms", ms(values.p999));
    }
    if values.n < 100 {
        line += &format!(", n={}: p99 is the maximum", values.n);
    }
    line
}

fn order(summary: &Summary, detail: Detail) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(share) = summary.reordered_share.filter(|_| summary.reordered > 0) {
        let extent = summary.reordering_extent.unwrap_or(0);
        lines.push(format!(
            "{} reordered ({}), by {extent} places at most",
            summary.reordered,
            percent(share)
        ));
    }
    if detail == Detail::All && summary.loss_runs.count > 0 {
        let runs = &summary.loss_runs;
        let mut line = format!("{} runs of losses, the longest of {} probes", runs.count, runs.longest);
        if let (Some(p), Some(r)) = (runs.gilbert_p, runs.gilbert_r) {
            line += &format!(
                "; Gilbert p {} r {} from {} losses",
                percent(p),
                percent(r),
                summary.late + summary.lost
            );
        }
        lines.push(line);
    }
    lines
}

fn schedule(summary: &Summary, detail: Detail) -> Vec<String> {
    let Some(error) = &summary.schedule_error_us else { return Vec::new() };
    if detail == Detail::Usual && summary.missed == 0 && error.p99 < 1000.0 {
        return Vec::new();
    }
    vec![format!(
        "sent late by p50/p99/max = {}/{}/{} ms, {} missed by more than an interval",
        ms(error.p50),
        ms(error.p99),
        ms(error.max),
        summary.missed
    )]
}

fn clock(run: &Run) -> Vec<String> {
    let Some(clock) = &run.clock else { return Vec::new() };
    let offset = format!("{} +- {} ms", ms(clock.offset_us), ms(clock.bound_us));
    vec![format!("server's clock ahead by offset {offset}")]
}

fn knee(summary: &Summary) -> Vec<String> {
    let Some(knee) = &summary.knee else { return Vec::new() };
    let what = match (knee.by_loss, knee.by_rtt) {
        (true, true) => "loss and delay leave",
        (false, true) => "delay leaves",
        _ => "loss leaves",
    };
    vec![format!(
        "{what} the plateau at an interval of {} ({} both ways)",
        milliseconds(micros(knee.interval_us)),
        bit_rate(knee.throughput_bps)
    )]
}

/// When the measurement itself is doubtful, and what would help.
fn advice(summary: &Summary) -> Vec<String> {
    let mut advice = Vec::new();
    if let Some(error) = &summary.schedule_error_us
        && error.p99 >= 1000.0
    {
        advice.push(format!(
            "sends were late by {} ms at p99; a longer interval would be kept better",
            ms(error.p99)
        ));
    }
    if summary.late * 2 > summary.sent {
        advice.push("most replies came after the deadline; a larger -W would count them".to_owned());
    }
    if summary.causes.contains_key(&Cause::ClientOverflow) {
        advice.push("this host dropped replies; a lower rate would not".to_owned());
    }
    advice
}

fn last_line(rtt: &Distribution) -> String {
    let figure = |us: f64| format!("{:.3}", us / 1e3);
    let spread = rtt.stddev.unwrap_or(0.0);
    format!(
        "rtt min/avg/max/mdev = {}/{}/{}/{} ms",
        figure(rtt.min),
        figure(rtt.mean),
        figure(rtt.max),
        figure(spread)
    )
}

/// A second in the middle of a run with many probes.
pub fn second_line(second: &Second) -> String {
    let delay = second.delay.map_or("-".to_owned(), |delay| milliseconds(delay.mean));
    format!(
        "second {}: {} sent, {} on time, {} late, {} lost, {}, mean delay {delay}",
        second.second,
        second.sent,
        second.ok,
        second.late,
        second.lost,
        bit_rate(second.throughput_bps() as f64)
    )
}

/// The seconds as a table, if they fit a screen.
fn seconds_table(seconds: &[Second]) -> Option<Vec<String>> {
    const MOST: usize = 30;
    if seconds.is_empty() || seconds.len() > MOST {
        return None;
    }
    let mut lines = vec!["second   sent     ok   late   lost    throughput   mean delay".to_owned()];
    lines.extend(seconds.iter().map(|second| {
        let delay = second.delay.map_or("-".to_owned(), |delay| milliseconds(delay.mean));
        format!(
            "{:>6} {:>6} {:>6} {:>6} {:>6}  {:>12}   {:>10}",
            second.second,
            second.sent,
            second.ok,
            second.late,
            second.lost,
            bit_rate(second.throughput_bps() as f64),
            delay
        )
    }));
    Some(lines)
}

fn micros(us: f64) -> Duration {
    Duration::from_secs_f64(us / 1e6)
}

fn ms(us: f64) -> String {
    milliseconds_bare(micros(us))
}
