//! Summaries that the tests put into words.

use std::collections::BTreeMap;

use super::{Detail, summary};
use crate::probe::Cause;
use crate::record::{Clock, Distribution, Duplicated, Knee, LossRuns, Outage, Run, Summary};

pub(super) fn run() -> Run {
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
pub(super) fn spread(min: f64, p50: f64, p99: f64, max: f64, n: u64) -> Option<Distribution> {
    let [min, p50, p90, p99, max] = [min, p50, (p50 + p99) / 2.0, p99, max].map(|ms| ms * 1e3);
    Some(Distribution { min, mean: p50, p50, p90, p99, p999: max, max, stddev: Some(1234.0), n })
}

/// A good path, measured well.
pub(super) fn good() -> Summary {
    Summary {
        duration_us: 1_000_000.0,
        sent: 100,
        ok: 100,
        loss_share: Some(0.0),
        loss_interval: Some([0.0, 0.037]),
        lost_share: Some(0.0),
        duplicate_share: Some(0.0),
        reordered_share: Some(0.0),
        injected_duplicates: Some(0),
        corrupted: Some(0),
        injected_corrupted: Some(0),
        rtt_us: spread(9.0, 10.0, 20.0, 21.0, 100),
        rtt_all_us: spread(9.0, 10.0, 20.0, 21.0, 100),
        net_rtt_us: spread(8.0, 9.5, 19.0, 20.0, 100),
        rtp_jitter_us: Some(1500.0),
        schedule_error_us: spread(0.0, 0.01, 0.05, 0.1, 100),
        ..Summary::default()
    }
}

/// With one of everything that can go wrong.
pub(super) fn bad() -> Summary {
    Summary {
        sent: 100,
        ok: 60,
        late: 10,
        lost: 30,
        send_errors: 6,
        skipped: 4,
        loss_share: Some(0.4),
        loss_interval: Some([0.309, 0.498]),
        lost_share: Some(0.3),
        rtt_all_us: spread(9.0, 11.0, 40.0, 45.0, 70),
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
        injected_duplicates: Some(2),
        duplication_up: Some(Duplicated { duplicates: 1, duplicate_share: 0.015, replicated_share: 0.015 }),
        duplication_down: Some(Duplicated { duplicates: 2, duplicate_share: 0.03, replicated_share: 0.02 }),
        corrupted: Some(1),
        injected_corrupted: Some(3),
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

pub(super) fn lines(summary: &Summary, detail: Detail) -> Vec<String> {
    let clock = Clock {
        offset_us: 3_000.0,
        bound_us: 500.0,
        skew_ppm: Some(1.5),
        skew_bound_ppm: Some(0.25),
        steps: 1,
    };
    let run = Run { clock: Some(clock).filter(|_| summary.late > 0), ..run() };
    self::summary(&run, summary, &[], detail)
}
