//! The end of a run in words: ping's closing lines, and ours between them.

mod advice;
mod delay;
#[cfg(test)]
mod fixtures;
mod host;
mod loss;
mod seconds;
mod tlvs;

use super::format::{bit_rate, milliseconds, milliseconds_bare, percent, percent_bare};
use super::load::load_lines;
use super::ping_lines::{clock_words, timestamps};
use crate::record::{Distribution, Run, Summary};
use crate::stats::Second;
use crate::time::Duration;

#[cfg(feature = "report")]
pub(super) use loss::duplicates;
pub use seconds::{SECONDS_IN_TABLE, second_line};

/// How much to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// The lines that most readers want.
    #[default]
    Usual,
    /// Every statistic.
    All,
}

/// The closing lines. Ours stand before the last, which is ping's.
pub fn summary(run: &Run, summary: &Summary, seconds: &[Second], detail: Detail) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(table) = seconds::table(seconds) {
        lines.push(String::new());
        lines.extend(table);
    }
    lines.push(String::new());
    lines.push(format!("--- {} ping statistics ---", run.config.host));
    lines.push(counts(summary));
    lines.extend(ours(run, summary, detail));
    lines.extend(match &summary.rtt_all_us {
        Some(rtt) => Some(last_line(rtt)),
        None => (summary.sent > 0).then(|| "no reply came".to_owned()),
    });
    lines
}

fn ours(run: &Run, summary: &Summary, detail: Detail) -> Vec<String> {
    let mut lines = Vec::new();
    let all = detail == Detail::All;
    lines.extend(loss::in_time(run, summary));
    lines.extend(loss::skipped(summary));
    lines.extend(loss::losses(run, summary));
    lines.extend(run.load.iter().flat_map(load_lines));
    lines.extend(host::busy_hosts(run));
    lines.extend(summary.loss_runs.longest_outage.and_then(loss::outage));
    if all {
        lines.extend(loss::loss_runs(summary));
    }
    lines.extend(delay::delays(run, summary, detail));
    if all {
        lines.extend(delay::one_way(run, summary));
        lines.extend(delay::variation(summary));
    }
    lines.extend(delay::jitter(summary));
    lines.extend(loss::order(summary, detail));
    if all {
        lines.extend(loss::duplication(summary));
    }
    lines.extend(loss::corruption(summary, detail));
    lines.extend(tlvs::answers(run));
    lines.extend(loss::unknown(run));
    if all {
        lines.push(stamps(run));
    }
    lines.extend(knee(summary));
    lines.extend(advice::advice(run, summary).into_iter().map(|advice| format!("note: {advice}")));
    lines.extend(schedule(summary));
    lines
}

/// One line in the middle of a run.
pub fn interim(summary: &Summary) -> String {
    let loss =
        summary.loss_share.map_or("nothing sent".into(), |share| format!("{} lost or late", percent(share)));
    let delay = summary.rtt_us.as_ref().map_or(String::new(), |rtt| {
        format!(", rtt p50/p99/max = {}/{}/{} ms", ms(rtt.p50), ms(rtt.p99), ms(rtt.max))
    });
    format!("{} sent, {} on time, {loss}{delay}", summary.sent, summary.ok)
}

/// The totals in ping's own words and with its meaning: a late reply was received.
fn counts(summary: &Summary) -> String {
    // Probes that were skipped were never tried: a line of our own tells them.
    let refused = summary.send_errors.saturating_sub(summary.skipped);
    let errors = if refused > 0 { format!(", +{refused} errors") } else { String::new() };
    let duplicates =
        if summary.duplicates > 0 { format!(", +{} duplicates", summary.duplicates) } else { String::new() };
    let share = percent_bare(summary.lost_share.unwrap_or(0.0));
    let time = (summary.duration_us / 1e3).round();
    format!(
        "{} packets transmitted, {} received{duplicates}{errors}, {share}% packet loss, time {time}ms",
        summary.sent,
        summary.ok + summary.late
    )
}

/// How well the schedule was kept. `jc --ping` knows Linux's ping by the word `time` in one of the two
/// lines before the last, so this one stands there and has it.
fn schedule(summary: &Summary) -> Option<String> {
    let error = summary.schedule_error_us.as_ref()?;
    Some(format!(
        "send lateness (due time to send) p50/p99/max = {}/{}/{} ms, {} sent after the next was due",
        ms(error.p50),
        ms(error.p99),
        ms(error.max),
        summary.missed
    ))
}

fn stamps(run: &Run) -> String {
    let client = timestamps(&run.stamps);
    match &run.stamps.server {
        Some(server) => format!("{client}, server {}", clock_words(server)),
        None => client,
    }
}

fn knee(summary: &Summary) -> Vec<String> {
    let Some(knee) = &summary.knee else { return Vec::new() };
    let what = match (knee.by_loss, knee.by_rtt) {
        (true, true) => "loss and delay leave",
        (false, true) => "delay leaves",
        _ => "loss leaves",
    };
    vec![format!(
        "{what} the plateau at an interval of {} ({} both ways); --find-rate measures the rate",
        milliseconds(micros(knee.interval_us)),
        bit_rate(knee.throughput_bps)
    )]
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

fn micros(us: f64) -> Duration {
    Duration::from_secs_f64(us / 1e6)
}

fn ms(us: f64) -> String {
    milliseconds_bare(micros(us))
}

#[cfg(test)]
mod tests {
    use super::super::wrap::folded;
    use super::fixtures::{bad, good, lines, spread};
    use super::*;

    #[test]
    fn a_good_run_is_told_in_a_few_lines() {
        assert_eq!(
            lines(&good(), Detail::Usual),
            [
                "",
                "--- host ping statistics ---",
                "100 packets transmitted, 100 received, 0% packet loss, time 1000ms",
                "100 on time, 0 late, 0 lost (deadline: the interval, 10ms)",
                "lost or late: 0 % (95 % CI 0–3.7 %)",
                "rtt p50/p90/p99/max = 10.0/15.0/20.0/21.0 ms",
                "net p50/p90/p99/max = 9.50/14.2/19.0/20.0 ms (without the time at the server)",
                "jitter (RFC 3550) 1.50 ms",
                "none reordered, no duplicates",
                "send lateness (due time to send) p50/p99/max = 0.010/0.050/0.100 ms, 0 sent after the next was due",
                "rtt min/avg/max/mdev = 9.000/10.000/21.000/1.234 ms",
            ]
        );
    }

    #[test]
    fn a_bad_run_says_what_went_wrong_and_what_would_help() {
        let said = lines(&bad(), Detail::Usual).join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
        for part in [
            "100 packets transmitted, 70 received, +5 duplicates, +2 errors, 30% packet loss",
            "60 on time, 10 late, 30 lost (deadline: the interval, 10ms)",
            "4 probes were skipped: this host was suspended or stalled when they were due",
            "lost or late: 40 % (95 % CI 30.9–49.8 %): 10 late, 10 lost by the network on the way up",
            "19 dropped by the server (injected), 1 lost in this host's full receive buffer",
            "rtt on time p50/p90/p99/max = 10.0/15.0/20.0/21.0 ms",
            "rtt of all p50/p90/p99/max = 11.0/25.5/40.0/45.0 ms, n=70: p99 is the maximum",
            "longest outage 90.0 ms from 2.500 s on, 9 probes",
            "7 reordered (10 %), max displacement 4, 5 duplicates (1 up, 2 down, 2 injected)",
            "corrupted: 1 by the network, 3 by injection",
            "send lateness (due time to send) p50/p99/max = 0.500/2.00/30.0 ms, 3 sent after the next was due",
            "loss leaves the plateau at an interval of 0.800 ms (10.0 Mbit/s both ways); --find-rate measures the rate",
            "note: sends were late by 2.00 ms at p99: use --timer busy, or a longer interval",
            "note: 3 probes were sent after the next was due",
            "note: this host dropped replies; a lower rate would not",
            "note: replies came back corrupted",
            "note: a clock was set once; one-way",
        ] {
            assert!(said.contains(part), "'{part}' is not in: {said}");
        }
        assert!(said.ends_with("rtt min/avg/max/mdev = 9.000/11.000/45.000/1.234 ms"));
    }

    #[test]
    fn all_is_said_when_asked() {
        let said = lines(&bad(), Detail::All).join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
        for part in [
            "12 runs of losses (RFC 3357), the longest of 9 probes",
            "Gilbert p 10 % r 50 %, from 40 losses",
            "3 bursts (RFC 3611), 8.5 probes long on average, 80 % lost, gaps 2 % lost",
            "rtt median 10.1 ms",
            "injected hold p50/p90/p99/max = 2.00/2.50/3.00/3.50 ms",
            "server processing time p50/p90/p99/max",
            "rtt from due time p50/p90/p99/max",
            "one way up p50/p90/p99/max = 5.00/5.50/6.00/7.00 ms",
            "one way down p50",
            "server clock offset 3.00 +- 0.500 ms, drift 1.5 +- 0.2 ppm",
            "ipdv (RFC 3393) min/p50/p99/max = -4.00/0.000/4.00/5.00 ms",
            "pdv (RFC 5481) p99.9 above the minimum 12.0 ms",
            "max displacement 4, mean 2.2, 1-reordered 8 %, 3-reordered 1 %",
            "duplication up (RFC 5560) 1.5 %, 1.5 % replicated",
            "duplication down (RFC 5560) 3 %, 2 % replicated",
            "timestamps: TX user space, RX kernel, server kernel",
        ] {
            assert!(said.contains(part), "'{part}' is not in: {said}");
        }
    }

    #[test]
    fn a_busy_host_stands_beside_the_losses() {
        use crate::host::Figures;
        use crate::record::Hosts;
        let steal = |second| Figures {
            second,
            steal_share: Some(if second > 7 { 0.12 } else { 0.0 }),
            ..Figures::default()
        };
        let hosts = Hosts { client: (1..=10).map(steal).collect(), server: None };
        let run = Run { hosts: Some(hosts), ..fixtures::run() };
        let lines = summary(&run, &good(), &[], Detail::Usual);
        assert_eq!(lines[5], "the client's host was busy in 3 of 10 s: steal 12 %");
        let quiet = Hosts { client: (1..=7).map(steal).collect(), server: None };
        let run = Run { hosts: Some(quiet), ..fixtures::run() };
        assert!(!summary(&run, &good(), &[], Detail::Usual).concat().contains("busy"));
    }

    #[test]
    fn times_that_the_server_does_not_tell_are_unknown_and_not_zero() {
        let silent = Summary { net_rtt_us: None, hold_us: None, server_own_us: None, ..good() };
        let unstamped = Summary { server_own_us: spread(0.0, 0.0, 0.0, 0.0, 100), ..silent.clone() };
        for summary in [silent, unstamped] {
            let said = lines(&summary, Detail::All);
            for line in [
                "net unknown: the server does not tell its times",
                "injected hold unknown",
                "server processing time unknown",
            ] {
                assert!(said.iter().any(|said| said == line), "'{line}' is not in: {said:#?}");
            }
        }
    }

    #[test]
    fn a_terminal_of_80_columns_is_enough() {
        for summary in [good(), bad(), Summary::default()] {
            for detail in [Detail::Usual, Detail::All] {
                // But for ping's own line.
                for line in lines(&summary, detail).iter().filter(|line| !line.contains("transmitted")) {
                    let folded = folded(line, 80);
                    assert!(folded.iter().all(|line| line.chars().count() <= 80), "{folded:#?}");
                }
            }
        }
    }

    #[test]
    fn programs_that_read_linux_ping_know_it() {
        let lost = Summary { rtt_us: None, rtt_all_us: None, net_rtt_us: None, ok: 0, late: 0, ..bad() };
        for summary in [good(), bad(), lost] {
            for detail in [Detail::Usual, Detail::All] {
                let lines = lines(&summary, detail);
                let last = &lines[lines.len() - 3..lines.len() - 1];
                assert!(last.iter().any(|line| line.contains(" time ")), "{last:?}");
            }
        }
    }

    /// Every reply came, and every one after its deadline.
    #[test]
    fn a_run_of_late_replies_closes_as_ping_would() {
        let late = Summary {
            ok: 0,
            late: 100,
            loss_share: Some(1.0),
            loss_interval: Some([0.963, 1.0]),
            rtt_us: None,
            net_rtt_us: None,
            rtp_jitter_us: None,
            ..good()
        };
        assert_eq!(
            lines(&late, Detail::Usual)[2..],
            [
                "100 packets transmitted, 100 received, 0% packet loss, time 1000ms",
                "0 on time, 100 late, 0 lost (deadline: the interval, 10ms)",
                "lost or late: 100 % (95 % CI 96.3–100 %): 100 late",
                "rtt of all p50/p90/p99/max = 10.0/15.0/20.0/21.0 ms",
                "none reordered, no duplicates",
                "note: most replies came after the deadline; a larger -W would count them",
                "note: a clock was set once; one-way delays are from then on",
                "send lateness (due time to send) p50/p99/max = 0.010/0.050/0.100 ms, 0 sent after the next was due",
                "rtt min/avg/max/mdev = 9.000/10.000/21.000/1.234 ms",
            ]
        );
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
