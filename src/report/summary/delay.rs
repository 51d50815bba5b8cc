//! How long replies took, there and back and each way, and how much that varied.

use super::super::format::{milliseconds, percent};
use super::{Detail, micros, ms};
use crate::probe::ServerTime;
use crate::record::{Distribution, Run, Summary};

pub(super) fn delays(run: &Run, summary: &Summary, detail: Detail) -> Vec<String> {
    let late = summary.late > 0;
    let all = summary.rtt_all_us.as_ref().filter(|_| late).map(|rtt| rtt_line("rtt of all", rtt, detail));
    let Some(rtt) = &summary.rtt_us else { return all.into_iter().collect() };
    let mut lines = vec![rtt_line(if late { "rtt on time" } else { "rtt" }, rtt, detail)];
    lines.extend(all);
    lines.extend(match &summary.net_rtt_us {
        Some(net) if net.mean < rtt.mean => {
            Some(format!("{} (without the time at the server)", percentiles("net", net, detail)))
        }
        None if detail == Detail::All => Some("net unknown: the server does not tell its times".to_owned()),
        _ => None,
    });
    if detail == Detail::Usual {
        return lines;
    }
    lines.extend(summary.rtt_median_us.map(|median| format!("rtt median {}", milliseconds(micros(median)))));
    let own = match run.known().server_time {
        ServerTime::Whole => "time at the server (what it injects included)",
        _ => "server processing time",
    };
    let more = [
        ("injected hold", summary.hold_us.as_ref()),
        (own, summary.server_own_us.as_ref().filter(|own| was_measured(own))),
        ("rtt from due time", summary.due_rtt_us.as_ref()),
    ];
    lines.extend(more.map(|(name, values)| {
        values.map_or_else(|| format!("{name} unknown"), |values| percentiles(name, values, detail))
    }));
    if summary.percentile_resolution > 0.0 {
        lines.push(format!(
            "percentiles are within {} of their value",
            percent(summary.percentile_resolution)
        ));
    }
    lines
}

/// A server without kernel timestamps that replies at once reports zero every time.
fn was_measured(own: &Distribution) -> bool {
    own.min != 0.0 || own.max != 0.0
}

/// With the bound that the two clocks allow.
pub(super) fn one_way(run: &Run, summary: &Summary) -> Vec<String> {
    let Some(clock) = &run.clock else { return Vec::new() };
    let ways = [("one way up", &summary.owd_up_us), ("one way down", &summary.owd_down_us)];
    let mut lines: Vec<String> = ways
        .iter()
        .filter_map(|(name, values)| Some(percentiles(name, values.as_ref()?, Detail::All)))
        .collect();
    let mut line = format!("server clock offset {} +- {} ms", ms(clock.offset_us), ms(clock.bound_us));
    if let (Some(skew), Some(bound)) = (clock.skew_ppm, clock.skew_bound_ppm) {
        line += &format!(", drift {skew:.1} +- {bound:.1} ppm");
    }
    lines.push(line);
    lines
}

pub(super) fn variation(summary: &Summary) -> Vec<String> {
    let ipdv = summary.ipdv_us.as_ref().map(|ipdv| {
        format!(
            "ipdv (RFC 3393) min/p50/p99/max = {}/{}/{}/{} ms",
            ms(ipdv.min),
            ms(ipdv.p50),
            ms(ipdv.p99),
            ms(ipdv.max)
        )
    });
    let pdv = summary
        .pdv_us
        .map(|pdv| format!("pdv (RFC 5481) p99.9 above the minimum {}", milliseconds(micros(pdv))));
    ipdv.into_iter().chain(pdv).collect()
}

pub(super) fn jitter(summary: &Summary) -> Option<String> {
    summary.rtp_jitter_us.map(|jitter| format!("jitter (RFC 3550) {}", milliseconds(micros(jitter))))
}

/// Of few replies the 99th percentile is the maximum.
fn rtt_line(name: &str, rtt: &Distribution, detail: Detail) -> String {
    let few = if rtt.n < 100 { format!(", n={}: p99 is the maximum", rtt.n) } else { String::new() };
    percentiles(name, rtt, detail) + &few
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
    line
}
