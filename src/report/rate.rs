//! The results of a rate search in words: a line for each direction, and one for each warning.

use super::format::{bit_rate, milliseconds, percent_bare};
use super::injection::injection;
use crate::record::rate::{DirectionRate, Rate, SCALE, StepRate};
use crate::record::{Run, Server};
use crate::time::Duration;

/// The result as text; empty if the run is no rate search.
pub fn rate_lines(run: &Run) -> Vec<String> {
    let Some(rate) = &run.rate else { return Vec::new() };
    let mut lines = vec![head(run, rate)];
    lines.extend(rate.directions().map(|(name, found)| result(name, found)));
    lines.extend(rate.directions().filter_map(|(name, found)| {
        let signs = signs(found);
        (!signs.is_empty()).then(|| format!("{name}: {}", signs.join("; ")))
    }));
    lines.extend(rate.ended.as_ref().map(|why| format!("note: the search ended early: {why}")));
    if rate.directions().any(|(_, found)| found.grade.is_some()) {
        lines.push(format!("grade by the {SCALE}"));
    }
    lines.push(format!("{:.0} s, {}", rate.seconds, bytes(rate.bytes as f64)));
    lines
}

/// With -v: the curve, a row for each step.
pub fn rate_table(run: &Run) -> Vec<String> {
    let Some(rate) = &run.rate else { return Vec::new() };
    let mut lines = Vec::new();
    for (name, found) in rate.directions() {
        lines.push(format!(
            "{name}: {} of UDP payload in packets of {} bytes, idle noise {}, {} lost anyway",
            bit_rate(found.payload_bps),
            found.size,
            micros(found.noise_us),
            percent(found.baseline_loss)
        ));
        if found.steps.is_empty() {
            lines.push(without_steps(found).to_owned());
            continue;
        }
        lines.push(format!(
            "{:>12} {:>12} {:>8} {:>12} {:>12}",
            "offered", "received", "loss", "own", "other"
        ));
        for step in &found.steps {
            let delay = |delay: Option<f64>| delay.map_or("-".to_owned(), |p50| format!("+{}", micros(p50)));
            lines.push(format!(
                "{:>12} {:>12} {:>8} {:>12} {:>12}",
                bit_rate(step.offered_bps),
                bit_rate(step.received_bps),
                percent(step.loss),
                delay(step.own.map(|own| own.p50_us)),
                delay(step.other.map(|other| other.p50_us)),
            ));
        }
    }
    lines
}

fn head(run: &Run, rate: &Rate) -> String {
    let idle = match (rate.idle_rtt_p50_us, rate.idle_rtt_p95_us) {
        (Some(p50), Some(p95)) => format!("idle RTT {} (p95 {})", micros(p50), micros(p95)),
        _ => "idle RTT unknown".to_owned(),
    };
    let injects = match &run.server {
        None => "the server does not say what it injects".to_owned(),
        Some(Server { injects, .. }) if injects == "clean" => "nothing injected".to_owned(),
        Some(Server { injects, seed, .. }) => {
            format!("the server injects {}", injection(injects, Some(*seed)))
        }
    };
    let queue = rate.directions().next().map_or(0.0, |(_, found)| found.target_queue_us);
    let head = format!("{}: {idle}, {injects}.", run.config.host);
    let ways = if rate.echo.is_some() { "Both directions at once" } else { "Each direction by itself" };
    format!("{head} {ways}, {} of queue", micros(queue))
}

fn result(name: &str, found: &DirectionRate) -> String {
    let least = if found.limited_by.is_some() { "at least " } else { "" };
    let sure = match found.half_width() {
        Some(half) if half < 1.0 => format!("+-{:.1} %", half * 100.0),
        _ => "uncertain".to_owned(),
    };
    let rate = format!("{least}{} {sure}", bit_rate(found.bps));
    let Some(pushed) = pushed(found) else { return format!("{name:<5} {rate}") };
    format!(
        "{name:<5} {rate:<20} pushed {:<11} {}  {}",
        bit_rate(pushed.received_bps),
        queue(pushed),
        found.grade.as_deref().unwrap_or("")
    )
    .trim_end()
    .to_owned()
}

/// Why a search has no curve of delay over rate.
pub(super) fn without_steps(found: &DirectionRate) -> &'static str {
    match found.limited_by.as_deref() {
        Some("client") => "no steps: this host was the limit",
        Some("server") => "no steps: the server's host was the limit",
        _ => "no steps: the search ended before them",
    }
}

fn pushed(found: &DirectionRate) -> Option<&StepRate> {
    found.pushed.as_ref().map(|pushed| &pushed.step)
}

/// By how much the push made each flow wait.
fn queue(pushed: &StepRate) -> String {
    let of = |name, delay: Option<f64>| delay.map(|p50| format!("{name} +{}", micros(p50)));
    let both =
        [of("own", pushed.own.map(|own| own.p50_us)), of("other", pushed.other.map(|other| other.p50_us))];
    both.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// The warnings about a direction.
fn signs(found: &DirectionRate) -> Vec<String> {
    let mut signs = Vec::new();
    let limit = match found.limited_by.as_deref() {
        Some("client") => Some("limited by this host, which sent or read too late"),
        Some("server") => Some("limited by the server's host"),
        Some("max_rate") => Some("--max-rate is reached, and the path carries it"),
        Some("grant") => Some("the server grants no more"),
        _ => None,
    };
    signs.extend(limit.map(str::to_owned));
    if limit.is_some() && found.grade.is_none() {
        signs.push("no grade, since the path may carry more".to_owned());
    }
    if found.out_of_bytes || found.limited_by.as_deref() == Some("max_bytes") {
        signs.push("ended by --max-bytes".to_owned());
    }
    if found.kind == "loss" {
        signs.push("loss without delay sets the rate: a policer, or a tiny buffer".to_owned());
    }
    if let Some(burst) = found.burst_bytes {
        signs.push(format!("burst allowance about {}, then {}", bytes(burst), bit_rate(found.bps)));
    }
    if found.busy_before {
        signs.push("the path was busy before".to_owned());
    }
    if found.kind == "queue" && found.limited_by.is_none() && found.idle_share > 0.15 {
        signs.push(format!(
            "the queue was empty in {} of reports, so others come in bursts",
            percent(found.idle_share)
        ));
    }
    signs.extend(pushed(found).and_then(|pushed| pushed_sign(found, pushed)));
    signs
}

fn pushed_sign(found: &DirectionRate, pushed: &StepRate) -> Option<String> {
    const APART_MS: f64 = 5.0;
    if pushed.received_bps > 1.5 * found.bps {
        return Some(format!(
            "spare {}; pushing {} (others give way)",
            bit_rate(found.bps),
            bit_rate(pushed.received_bps)
        ));
    }
    let (own, other) = (pushed.own?, pushed.other?);
    if own.p50_us - other.p50_us > APART_MS * 1e3 && own.p50_us > 4.0 * other.p50_us {
        return Some("flows are kept apart (fair queueing)".to_owned());
    }
    let deep = own.max_us / 1e6 * found.bps / 8.0;
    (own.p50_us > APART_MS * 1e3).then(|| format!("one queue for all, {} deep or more", bytes(deep)))
}

fn micros(micros: f64) -> String {
    milliseconds(Duration::from_secs_f64(micros / 1e6))
}

fn percent(share: f64) -> String {
    format!("{} %", percent_bare(share))
}

fn bytes(bytes: f64) -> String {
    let (scaled, unit) = match bytes {
        bytes if bytes >= 999.5e6 => (bytes / 1e9, "GB"),
        bytes if bytes >= 999.5e3 => (bytes / 1e6, "MB"),
        bytes => (bytes / 1e3, "kB"),
    };
    let decimals = match scaled {
        scaled if scaled >= 99.95 => 0,
        scaled if scaled >= 9.995 => 1,
        _ => 2,
    };
    format!("{scaled:.decimals$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::probe::rate_search::{LimitedBy, RateResult, Settings};

    fn found(limited_by: Option<LimitedBy>, out_of_bytes: bool) -> DirectionRate {
        let interval = (19.9e6, 20.1e6);
        let result = RateResult { rate: 20e6, interval, limited_by, out_of_bytes, ..RateResult::default() };
        DirectionRate::of(&result, &Settings::default(), 1_200)
    }

    #[test]
    fn a_limit_is_said_with_the_grade_that_it_costs() {
        use LimitedBy::{Client, Grant, MaxBytes};
        let ungraded = "no grade, since the path may carry more";
        for (limit, out_of_bytes, said) in [
            (None, false, vec![]),
            (Some(Client), false, vec!["limited by this host, which sent or read too late", ungraded]),
            (Some(Grant), false, vec!["the server grants no more", ungraded]),
            (Some(MaxBytes), true, vec!["ended by --max-bytes"]),
            (None, true, vec!["ended by --max-bytes"]),
            (
                Some(Client),
                true,
                vec!["limited by this host, which sent or read too late", ungraded, "ended by --max-bytes"],
            ),
        ] {
            assert_eq!(signs(&found(limit, out_of_bytes)), said);
        }
        assert_eq!(result("up", &found(Some(Client), false)), "up    at least 20.0 Mbit/s +-0.5 %");
        let why = without_steps(&found(Some(Client), false));
        assert_eq!(why, "no steps: this host was the limit");
    }

    #[test]
    fn bytes_have_three_figures_and_a_unit() {
        let texts = [520e3, 1.5e6, 22.329e6, 640e6, 1.2e9].map(bytes);
        assert_eq!(texts, ["520 kB", "1.50 MB", "22.3 MB", "640 MB", "1.20 GB"]);
    }
}
