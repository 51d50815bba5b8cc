//! The end of a run in words: ping's closing lines, and between them what a person needs besides.

use super::quantity::{bit_rate, milliseconds, milliseconds_bare, percent, percent_bare, wrapped};
use crate::probe::Cause;
use crate::record::{Distribution, Outage, Run, Summary};
use crate::stats::Second;
use crate::time::Duration;

/// A run of more seconds is shown without its table.
pub const SECONDS_IN_TABLE: usize = 30;

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
    lines.extend(ours(run, summary, detail).iter().flat_map(|line| folded(line)));
    lines.extend(match &summary.rtt_us {
        Some(rtt) => Some(last_line(rtt)),
        None => (summary.sent > 0).then(|| "no reply came on time".to_owned()),
    });
    lines
}

fn ours(run: &Run, summary: &Summary, detail: Detail) -> Vec<String> {
    let mut lines = Vec::new();
    let all = detail == Detail::All;
    lines.extend(losses(summary));
    lines.extend(summary.loss_runs.longest_outage.and_then(outage));
    if all {
        lines.extend(loss_runs(summary));
    }
    lines.extend(delays(summary, detail));
    if all {
        lines.extend(one_way(run, summary));
        lines.extend(variation(summary));
    }
    lines.extend(jitter(summary));
    lines.extend(order(summary, detail));
    lines.extend(corruption(summary));
    if all {
        lines.push(stamps(run));
    }
    lines.extend(knee(summary));
    lines.extend(advice(run, summary).into_iter().map(|advice| format!("note: {advice}")));
    lines.extend(schedule(summary));
    lines
}

/// A line that is too long for a terminal, in several.
fn folded(line: &str) -> Vec<String> {
    const WIDTH: usize = 80;
    const INDENT: &str = "   ";
    let mut lines = wrapped(line, WIDTH - INDENT.len());
    lines.iter_mut().skip(1).for_each(|line| line.insert_str(0, INDENT));
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

fn losses(summary: &Summary) -> Option<String> {
    let (share, [low, high]) = (summary.loss_share?, summary.loss_interval?);
    let mut line = format!(
        "not on time {} (95 % interval {} to {} %)",
        percent(share),
        percent_bare(low),
        percent_bare(high)
    );
    let mut parts: Vec<String> =
        summary.causes.iter().map(|(cause, count)| format!("{count} {}", cause_in_words(*cause))).collect();
    if summary.late > 0 {
        parts.push(format!("{} late", summary.late));
    }
    if !parts.is_empty() {
        line += ": ";
        line += &parts.join(", ");
    }
    Some(line)
}

/// One probe alone is no outage.
fn outage(outage: Outage) -> Option<String> {
    (outage.probes > 1).then(|| {
        format!(
            "longest outage {} from {:.3} s on, {} probes",
            milliseconds(micros(outage.length_us)),
            outage.from_us / 1e6,
            outage.probes
        )
    })
}

fn loss_runs(summary: &Summary) -> Vec<String> {
    let runs = &summary.loss_runs;
    let mut lines = Vec::new();
    if runs.count > 0 {
        let noun = if runs.count == 1 { "run" } else { "runs" };
        lines.push(format!(
            "{} {noun} of losses (RFC 3357), the longest of {} probes",
            runs.count, runs.longest
        ));
    }
    if let (Some(p), Some(r)) = (runs.gilbert_p, runs.gilbert_r) {
        lines.push(format!("Gilbert p {} r {}, from {} losses", percent(p), percent(r), runs.gilbert_losses));
    }
    if let (Some(density), Some(length)) = (runs.burst_density, runs.burst_length_mean) {
        let gaps = runs.gap_density.map_or(String::new(), |gaps| format!(", gaps {} lost", percent(gaps)));
        lines.push(format!(
            "{} {} (RFC 3611), {length:.1} probes long on average, {} lost{gaps}",
            runs.bursts,
            if runs.bursts == 1 { "burst" } else { "bursts" },
            percent(density)
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
    let few = if rtt.n < 100 { format!(", n={}: p99 is the maximum", rtt.n) } else { String::new() };
    lines.push(percentiles("rtt", rtt, detail) + &few);
    if let Some(net) = summary.net_rtt_us.as_ref().filter(|net| net.mean < rtt.mean) {
        lines.push(format!("{} (without the time at the server)", percentiles("net", net, detail)));
    }
    if detail == Detail::Usual {
        return lines;
    }
    lines.extend(summary.rtt_median_us.map(|median| format!("rtt median {}", milliseconds(micros(median)))));
    let more = [
        ("held on purpose", &summary.hold_us),
        ("taken by the server itself", &summary.server_own_us),
        ("rtt from due time", &summary.due_rtt_us),
    ];
    lines.extend(more.iter().filter_map(|(name, values)| Some(percentiles(name, values.as_ref()?, detail))));
    if summary.percentile_resolution > 0.0 {
        lines.push(format!(
            "percentiles are within {} of their value",
            percent(summary.percentile_resolution)
        ));
    }
    lines
}

/// Never without what the clocks allow to be said.
fn one_way(run: &Run, summary: &Summary) -> Vec<String> {
    let Some(clock) = &run.clock else { return Vec::new() };
    let ways = [("one way up", &summary.owd_up_us), ("one way down", &summary.owd_down_us)];
    let mut lines: Vec<String> = ways
        .iter()
        .filter_map(|(name, values)| Some(percentiles(name, values.as_ref()?, Detail::All)))
        .collect();
    let mut line =
        format!("server's clock ahead by offset {} +- {} ms", ms(clock.offset_us), ms(clock.bound_us));
    if let (Some(skew), Some(bound)) = (clock.skew_ppm, clock.skew_bound_ppm) {
        line += &format!(", gaining {skew:.1} +- {bound:.1} ppm");
    }
    lines.push(line);
    lines
}

fn variation(summary: &Summary) -> Vec<String> {
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

fn jitter(summary: &Summary) -> Option<String> {
    summary.rtp_jitter_us.map(|jitter| format!("jitter (RFC 3550) {}", milliseconds(micros(jitter))))
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

/// Of the replies: without any there is nothing to say.
fn order(summary: &Summary, detail: Detail) -> Option<String> {
    let share = summary.reordered_share?;
    let mut line = match summary.reordering_extent {
        None => "none reordered".to_owned(),
        Some(extent) => {
            format!("{} reordered ({}), by {extent} places at most", summary.reordered, percent(share))
        }
    };
    if let (Detail::All, Some(mean)) = (detail, summary.reordering_extent_mean) {
        line += &format!(", {mean:.1} on average");
        let deep = [(1, summary.reordering_1_share), (3, summary.reordering_3_share)];
        for (n, share) in deep {
            line += &share.map_or(String::new(), |share| format!(", {n}-reordered {}", percent(share)));
        }
    }
    line += &match (summary.duplicates, summary.injected_duplicates) {
        (0, _) => ", no duplicates".to_owned(),
        (duplicates, 0) => format!(", {duplicates} duplicates"),
        (duplicates, injected) => format!(", {duplicates} duplicates, {injected} of them on purpose"),
    };
    Some(line)
}

fn corruption(summary: &Summary) -> Option<String> {
    (summary.corrupted + summary.injected_corrupted > 0).then(|| {
        format!(
            "payloads changed: {} by the network, {} on purpose",
            summary.corrupted, summary.injected_corrupted
        )
    })
}

/// How well the schedule was kept. `jc --ping` knows Linux's ping by the word `time` in one of the two
/// lines before the last, so this one stands there and has it.
fn schedule(summary: &Summary) -> Option<String> {
    let error = summary.schedule_error_us.as_ref()?;
    Some(format!(
        "send time error p50/p99/max = {}/{}/{} ms, {} missed",
        ms(error.p50),
        ms(error.p99),
        ms(error.max),
        summary.missed
    ))
}

fn stamps(run: &Run) -> String {
    let stamps = &run.stamps;
    let server = stamps.server.as_deref().unwrap_or("nobody");
    format!(
        "stamped by: {} when sending, {} when receiving, {server} at the server",
        stamps.client_send, stamps.client_receive
    )
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
fn advice(run: &Run, summary: &Summary) -> Vec<String> {
    let mut advice = Vec::new();
    if let Some(error) = &summary.schedule_error_us
        && error.p99 >= 1000.0
    {
        advice.push(format!(
            "sends were late by {} ms at p99: use --timer busy, or a longer interval",
            ms(error.p99)
        ));
    }
    if summary.missed > 0 && summary.missed * 1000 >= summary.sent {
        advice.push(format!(
            "{} probes left when the next was due already; rtt from due time (-v) has their wait",
            summary.missed
        ));
    }
    if run.events.iter().any(|event| event.kind == "overslept") {
        advice.push("this host stood still; what was due meanwhile was not sent".to_owned());
    }
    if run.stamps.client_receive == "program" {
        advice.push("no kernel stamps: the time until this program woke up is in the RTT".to_owned());
    }
    if summary.late > 0 && run.config.poisson_seed.is_some() && run.config.deadline_us.is_none() {
        advice.push("each random interval was its probe's deadline; -W gives them all the same".to_owned());
    } else if summary.late * 2 > summary.sent {
        advice.push("most replies came after the deadline; a larger -W would count them".to_owned());
    }
    if summary.causes.contains_key(&Cause::ClientOverflow) {
        advice.push(format!("this host dropped replies; a lower rate would not{}", larger_buffer(run)));
    }
    if summary.causes.contains_key(&Cause::ServerOverflow) {
        advice.push("the server's host dropped probes; a lower rate would not".to_owned());
    }
    if summary.corrupted > 0 {
        advice.push("payloads came back changed: something on the path is broken".to_owned());
    }
    if let Some(clock) = run.clock.as_ref().filter(|clock| clock.steps > 0) {
        let times = if clock.steps == 1 { "once".to_owned() } else { format!("{} times", clock.steps) };
        advice.push(format!("a clock was set {times}; one-way delays are from then on"));
    }
    advice
}

/// Where the system gave less room for replies than was asked for.
fn larger_buffer(run: &Run) -> String {
    let clamped = run.environment.receive_buffer.filter(|buffer| buffer.bytes < buffer.asked);
    clamped.map_or(String::new(), |buffer| {
        format!(
            ", nor a larger net.core.rmem_max: the system gave {} of {} bytes of receive buffer",
            buffer.bytes, buffer.asked
        )
    })
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
    if seconds.is_empty() || seconds.len() > SECONDS_IN_TABLE {
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::record::{Clock, Event, Knee, LossRuns, ReceiveBuffer};

    fn run() -> Run {
        let run = serde_json::json!({
            "schema": 1, "udpecho": "0", "argv": [], "started": "",
            "environment": { "os": "", "kernel": null, "arch": "", "cpus": 1 },
            "config": {
                "host": "host", "address": "192.0.2.1:8080", "dialect": "native", "embedded": false,
                "count": 100, "interval_us": 10_000.0, "size": 512, "dont_fragment": false,
            },
            "server": null, "clock": null, "events": [], "summary": null,
            "stamps": { "client_send": "program", "client_receive": "kernel", "server": "kernel" },
        });
        serde_json::from_value(run).unwrap()
    }

    /// In milliseconds.
    fn spread(min: f64, p50: f64, p99: f64, max: f64, n: u64) -> Option<Distribution> {
        let [min, p50, p90, p99, max] = [min, p50, (p50 + p99) / 2.0, p99, max].map(|ms| ms * 1e3);
        Some(Distribution { min, mean: p50, p50, p90, p99, p999: max, max, stddev: Some(1234.0), n })
    }

    /// A good path, measured well.
    fn good() -> Summary {
        Summary {
            duration_us: 1_000_000.0,
            sent: 100,
            ok: 100,
            loss_share: Some(0.0),
            loss_interval: Some([0.0, 0.037]),
            duplicate_share: Some(0.0),
            reordered_share: Some(0.0),
            rtt_us: spread(9.0, 10.0, 20.0, 21.0, 100),
            net_rtt_us: spread(8.0, 9.5, 19.0, 20.0, 100),
            rtp_jitter_us: Some(1500.0),
            schedule_error_us: spread(0.0, 0.01, 0.05, 0.1, 100),
            ..Summary::default()
        }
    }

    /// With one of everything that can go wrong.
    fn bad() -> Summary {
        Summary {
            sent: 100,
            ok: 60,
            late: 10,
            lost: 30,
            send_errors: 2,
            loss_share: Some(0.4),
            loss_interval: Some([0.309, 0.498]),
            causes: BTreeMap::from([(Cause::Up, 10), (Cause::InjectedDown, 19), (Cause::ClientOverflow, 1)]),
            loss_runs: LossRuns {
                count: 12,
                longest: 9,
                longest_outage: Some(Outage { from_us: 2_500_000.0, length_us: 90_000.0, probes: 9 }),
                gilbert_p: Some(0.1),
                gilbert_r: Some(0.5),
                gilbert_losses: 40,
                bursts: 3,
                burst_length_mean: Some(8.5),
                burst_density: Some(0.8),
                gap_density: Some(0.02),
                ..LossRuns::default()
            },
            duplicates: 5,
            injected_duplicates: 2,
            corrupted: 1,
            injected_corrupted: 3,
            reordered: 7,
            reordered_share: Some(0.1),
            reordering_extent: Some(4),
            reordering_extent_mean: Some(2.25),
            reordering_1_share: Some(0.08),
            reordering_3_share: Some(0.01),
            rtt_median_us: Some(10_050.0),
            hold_us: spread(1.0, 2.0, 3.0, 3.5, 60),
            server_own_us: spread(0.01, 0.02, 0.03, 0.04, 60),
            owd_up_us: spread(4.0, 5.0, 6.0, 7.0, 60),
            owd_down_us: spread(-0.5, 5.0, 6.0, 7.0, 60),
            due_rtt_us: spread(9.0, 11.0, 30.0, 31.0, 60),
            ipdv_us: spread(-4.0, 0.0, 4.0, 5.0, 60),
            pdv_us: Some(12_000.0),
            schedule_error_us: spread(0.0, 0.5, 2.0, 30.0, 100),
            missed: 3,
            knee: Some(Knee { interval_us: 800.0, throughput_bps: 1e7, by_loss: true, by_rtt: false }),
            ..good()
        }
    }

    fn lines(summary: &Summary, detail: Detail) -> Vec<String> {
        let clock = Clock {
            offset_us: 3_000.0,
            bound_us: 500.0,
            skew_ppm: Some(1.5),
            skew_bound_ppm: Some(0.25),
            steps: 1,
        };
        let run = Run { clock: Some(clock).filter(|_| summary.late > 0), ..run() };
        super::summary(&run, summary, &[], detail)
    }

    #[test]
    fn a_good_run_is_told_in_a_few_lines() {
        assert_eq!(
            lines(&good(), Detail::Usual),
            [
                "",
                "--- host ping statistics ---",
                "100 packets transmitted, 100 received, 0% packet loss, time 1000ms",
                "not on time 0 % (95 % interval 0 to 3.7 %)",
                "rtt p50/p90/p99/max = 10.0/15.0/20.0/21.0 ms",
                "net p50/p90/p99/max = 9.50/14.2/19.0/20.0 ms (without the time at the server)",
                "jitter (RFC 3550) 1.50 ms",
                "none reordered, no duplicates",
                "send time error p50/p99/max = 0.010/0.050/0.100 ms, 0 missed",
                "rtt min/avg/max/mdev = 9.000/10.000/21.000/1.234 ms",
            ]
        );
    }

    #[test]
    fn a_bad_run_says_what_went_wrong_and_what_would_help() {
        let said = lines(&bad(), Detail::Usual).join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
        for part in [
            "100 packets transmitted, 60 received, +5 duplicates, +2 errors, 40% packet loss",
            "not on time 40 % (95 % interval 30.9 to 49.8 %): 10 lost by the network on the way up",
            "19 withheld on purpose by the server, 1 lost in this host's full buffer, 10 late",
            "longest outage 90.0 ms from 2.500 s on, 9 probes",
            "7 reordered (10 %), by 4 places at most, 5 duplicates, 2 of them on purpose",
            "payloads changed: 1 by the network, 3 on purpose",
            "send time error p50/p99/max = 0.500/2.00/30.0 ms, 3 missed",
            "loss leaves the plateau at an interval of 0.800 ms (10.0 Mbit/s both ways)",
            "note: sends were late by 2.00 ms at p99: use --timer busy, or a longer interval",
            "note: 3 probes left when the next was due already",
            "note: this host dropped replies; a lower rate would not",
            "note: payloads came back changed",
            "note: a clock was set once; one-way",
        ] {
            assert!(said.contains(part), "'{part}' is not in: {said}");
        }
        assert!(said.ends_with("rtt min/avg/max/mdev = 9.000/10.000/21.000/1.234 ms"));
    }

    #[test]
    fn what_makes_a_measurement_doubtful_is_said() {
        let mut run = run();
        run.environment.receive_buffer = Some(ReceiveBuffer { bytes: 212_992, asked: 4_194_304 });
        run.stamps.client_receive = "program".to_owned();
        run.events.push(Event { at_us: 1.0, kind: "overslept".to_owned(), text: String::new() });
        let said = super::summary(&run, &bad(), &[], Detail::Usual).join(" ");
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in [
            "nor a larger net.core.rmem_max: the system gave 212992 of 4194304 bytes",
            "note: no kernel stamps: the time until this program woke up is in the RTT",
            "note: this host stood still",
        ] {
            assert!(said.contains(part), "'{part}' is not in: {said}");
        }
        let few = Summary { rtt_us: spread(9.0, 10.0, 20.0, 21.0, 20), ..good() };
        assert!(lines(&few, Detail::Usual).iter().any(|line| line.ends_with("n=20: p99 is the maximum")));
        assert!(!lines(&good(), Detail::Usual).iter().any(|line| line.starts_with("note")));
    }

    #[test]
    fn late_replies_of_random_intervals_are_explained() {
        let mut run = run();
        run.config.poisson_seed = Some(1);
        let said = super::summary(&run, &bad(), &[], Detail::Usual).join(" ");
        assert!(said.contains("each random interval was its probe's deadline"), "{said}");
    }

    #[test]
    fn all_is_said_when_asked() {
        let said = lines(&bad(), Detail::All).join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
        for part in [
            "12 runs of losses (RFC 3357), the longest of 9 probes",
            "Gilbert p 10 % r 50 %, from 40 losses",
            "3 bursts (RFC 3611), 8.5 probes long on average, 80 % lost, gaps 2 % lost",
            "rtt median 10.1 ms",
            "held on purpose p50/p90/p99/max = 2.00/2.50/3.00/3.50 ms",
            "taken by the server itself p50/p90/p99/max",
            "rtt from due time p50/p90/p99/max",
            "one way up p50/p90/p99/max = 5.00/5.50/6.00/7.00 ms",
            "one way down p50",
            "server's clock ahead by offset 3.00 +- 0.500 ms, gaining 1.5 +- 0.2 ppm",
            "ipdv (RFC 3393) min/p50/p99/max = -4.00/0.000/4.00/5.00 ms",
            "pdv (RFC 5481) p99.9 above the minimum 12.0 ms",
            "by 4 places at most, 2.2 on average, 1-reordered 8 %, 3-reordered 1 %",
            "stamped by: program when sending, kernel when receiving, kernel at the server",
        ] {
            assert!(said.contains(part), "'{part}' is not in: {said}");
        }
    }

    #[test]
    fn a_terminal_of_80_columns_is_enough() {
        for summary in [good(), bad(), Summary::default()] {
            for detail in [Detail::Usual, Detail::All] {
                // But for ping's own line.
                for line in lines(&summary, detail).iter().filter(|line| !line.contains("transmitted")) {
                    assert!(line.chars().count() <= 80, "{line}");
                }
            }
        }
    }

    #[test]
    fn programs_that_read_linux_ping_know_it() {
        let lost = Summary { rtt_us: None, net_rtt_us: None, ok: 0, ..bad() };
        for summary in [good(), bad(), lost] {
            for detail in [Detail::Usual, Detail::All] {
                let lines = lines(&summary, detail);
                let last = &lines[lines.len() - 3..lines.len() - 1];
                assert!(last.iter().any(|line| line.contains(" time ")), "{last:?}");
            }
        }
    }

    /// Nothing was sent, or nothing came back: nothing is made up.
    #[test]
    fn what_is_not_known_is_not_said() {
        assert_eq!(
            lines(&Summary::default(), Detail::Usual),
            [
                "",
                "--- host ping statistics ---",
                "0 packets transmitted, 0 received, 0% packet loss, time 0ms"
            ]
        );
    }
}
