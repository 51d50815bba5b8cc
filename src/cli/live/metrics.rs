//! A run as Prometheus reads it: base units, every series there from the start.

use super::Snapshot;
use super::exposition::{Exposition, Kind};
use crate::report::Miss;

/// The causes of a loss, as `probes.csv` names them.
const CAUSES: [(&str, Miss); 8] = [
    ("up", Miss::Up),
    ("down", Miss::Down),
    ("injected_up", Miss::InjectedUp),
    ("injected_down", Miss::InjectedDown),
    ("refused", Miss::Refused),
    ("server_overflow", Miss::ServerOverflow),
    ("client_overflow", Miss::ClientOverflow),
    ("unknown", Miss::Unknown),
];

pub fn of_run(now: &Snapshot) -> String {
    let about = &now.about;
    let mut page = Exposition::labelled(&[("target", &about.host), ("address", &about.address)]);
    let counters = [
        ("udpecho_probes_sent_total", "Probes that left.", now.sent),
        ("udpecho_replies_total", "Probes answered, late ones included.", now.received()),
        ("udpecho_replies_late_total", "Probes answered after their deadline.", now.late),
        ("udpecho_replies_duplicate_total", "Replies beyond the first to a probe.", now.duplicates),
        (
            "udpecho_replies_reordered_total",
            "Replies that a later probe's overtook (RFC 4737).",
            now.reordered,
        ),
        ("udpecho_send_errors_total", "Probes that the socket refused.", now.not_sent),
    ];
    for (name, help, value) in counters {
        page.single(name, Kind::Counter, help, value);
    }
    page.family("udpecho_probes_lost_total", Kind::Counter, "Probes never answered, by cause.");
    for (cause, miss) in CAUSES {
        page.sample("udpecho_probes_lost_total", &[("cause", cause)], now.missed_by(miss));
    }
    page.single(
        "udpecho_probes_in_flight",
        Kind::Gauge,
        "Probes neither answered nor past their deadline.",
        now.in_flight(),
    );
    let rtt = "udpecho_rtt_seconds";
    page.family(rtt, Kind::Histogram, "Round-trip times of the replies in time.");
    for (bound, count) in now.ladder.cumulative() {
        let bound = bound.as_secs_f64().to_string();
        page.sample("udpecho_rtt_seconds_bucket", &[("le", &bound)], count);
    }
    page.sample("udpecho_rtt_seconds_bucket", &[("le", "+Inf")], now.ladder.count());
    page.sample("udpecho_rtt_seconds_sum", &[], now.ladder.total().as_secs_f64());
    page.sample("udpecho_rtt_seconds_count", &[], now.ladder.count());
    build_info(&mut page);
    page.finish()
}

fn build_info(page: &mut Exposition) {
    page.family("udpecho_build_info", Kind::Gauge, "The program's version.");
    page.sample("udpecho_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
}
