//! Losses by cause, reordering, duplicates and corruption.

use super::super::format::{counted, milliseconds, percent, percent_bare};
use super::{Detail, micros};
use crate::record::{Config, Duplicated, Outage, Run, Summary};

/// Replies on time, late and lost; ping has no such line.
pub(super) fn in_time(run: &Run, summary: &Summary) -> Option<String> {
    let Summary { sent, ok, late, lost, .. } = summary;
    (*sent > 0)
        .then(|| format!("{ok} on time, {late} late, {lost} lost (deadline: {})", deadline(&run.config)))
}

pub(super) fn skipped(summary: &Summary) -> Option<String> {
    match summary.skipped {
        0 => None,
        1 => Some("1 probe was skipped: this host was suspended or stalled when it was due".to_owned()),
        many => {
            Some(format!("{many} probes were skipped: this host was suspended or stalled when they were due"))
        }
    }
}

fn deadline(config: &Config) -> String {
    match config.deadline_us {
        Some(deadline) => micros(deadline).to_string(),
        None if config.decay.is_some() || config.poisson_seed.is_some() => "each probe's interval".to_owned(),
        None => format!("the interval, {}", micros(config.interval_us)),
    }
}

pub(super) fn losses(run: &Run, summary: &Summary) -> Option<String> {
    let (share, [low, high]) = (summary.loss_share?, summary.loss_interval?);
    let mut line =
        format!("lost or late: {} (95 % CI {}–{} %)", percent(share), percent_bare(low), percent_bare(high));
    let late = (summary.late > 0).then(|| format!("{} late", summary.late));
    let knows = run.knows.unwrap_or(run.config.dialect.knows());
    let causes = summary.causes.iter().map(|(cause, count)| format!("{count} {}", knows.words(*cause)));
    let parts: Vec<String> = late.into_iter().chain(causes).collect();
    if !parts.is_empty() {
        line += ": ";
        line += &parts.join(", ");
    }
    Some(line)
}

/// One probe alone is no outage.
pub(super) fn outage(outage: Outage) -> Option<String> {
    (outage.probes > 1).then(|| {
        format!(
            "longest outage {} from {:.3} s on, {}",
            milliseconds(micros(outage.length_us)),
            outage.from_us / 1e6,
            counted(outage.probes, "probe", "probes")
        )
    })
}

pub(super) fn loss_runs(summary: &Summary) -> Vec<String> {
    let runs = &summary.loss_runs;
    let mut lines = Vec::new();
    if runs.count > 0 {
        lines.push(format!(
            "{} of losses (RFC 3357), the longest of {}",
            counted(runs.count, "run", "runs"),
            counted(runs.longest, "probe", "probes")
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

/// Of the replies: without any there is nothing to say.
pub(super) fn order(summary: &Summary, detail: Detail) -> Option<String> {
    let share = summary.reordered_share?;
    let mut line = match summary.reordering_extent {
        None => "none reordered".to_owned(),
        Some(extent) => {
            format!("{} reordered ({}), max displacement {extent}", summary.reordered, percent(share))
        }
    };
    if let (Detail::All, Some(mean)) = (detail, summary.reordering_extent_mean) {
        line += &format!(", mean {mean:.1}");
        let deep = [(1, summary.reordering_1_share), (3, summary.reordering_3_share)];
        for (n, share) in deep {
            line += &share.map_or(String::new(), |share| format!(", {n}-reordered {}", percent(share)));
        }
    }
    line += &format!(", {}", duplicates(summary));
    Some(line)
}

/// How many, and where they were made, as far as the server tells.
pub(crate) fn duplicates(summary: &Summary) -> String {
    let by_network = |way: &Option<Duplicated>| way.map_or(0, |way| way.duplicates);
    let parts = [
        (by_network(&summary.duplication_up), "up"),
        (by_network(&summary.duplication_down), "down"),
        (summary.injected_duplicates.unwrap_or(0), "injected"),
    ];
    let parts: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, way)| format!("{count} {way}")).collect();
    match (summary.duplicates, parts.is_empty()) {
        (0, true) => "no duplicates".to_owned(),
        (n, true) => counted(n, "duplicate", "duplicates"),
        (n, false) => format!("{} ({})", counted(n, "duplicate", "duplicates"), parts.join(", ")),
    }
}

/// RFC 5560, each way by itself.
pub(super) fn duplication(summary: &Summary) -> Vec<String> {
    let ways = [("up", &summary.duplication_up), ("down", &summary.duplication_down)];
    let line = |(way, duplicated): (&str, &Option<Duplicated>)| {
        let Some(duplicated) = duplicated else { return format!("duplication {way} (RFC 5560) unknown") };
        format!(
            "duplication {way} (RFC 5560) {}, {} replicated",
            percent(duplicated.duplicate_share),
            percent(duplicated.replicated_share)
        )
    };
    ways.map(line).into()
}

pub(super) fn corruption(summary: &Summary, detail: Detail) -> Option<String> {
    match (summary.corrupted, summary.injected_corrupted) {
        (None, _) => (detail == Detail::All).then(|| "corrupted: unknown".to_owned()),
        (Some(0), None | Some(0)) => None,
        (Some(all), None) => Some(format!("corrupted: {all}")),
        (Some(by_network), Some(injected)) => {
            Some(format!("corrupted: {by_network} by the network, {injected} by injection"))
        }
    }
}

/// Without this line what is not named above could be taken for zero.
pub(super) fn unknown(run: &Run) -> Option<String> {
    let unknown = run.known().unknown();
    (!unknown.is_empty()).then(|| format!("unknown in the {} dialect: {unknown}", run.config.dialect.name()))
}
