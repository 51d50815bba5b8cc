//! A run, and a server, as Prometheus reads them: base units, every series there from the start.

use super::RunSnapshot;
use super::exposition::{Exposition, Kind};
use crate::probe::{Cause, NotOnTime};
use crate::reflect::Counters;

pub fn of_run(now: &RunSnapshot) -> String {
    let info = &now.info;
    let mut page = Exposition::labelled(&[("target", &info.host), ("address", &info.address)]);
    let counters = [
        ("udpecho_probes_sent_total", "Probes that left.", now.sent),
        ("udpecho_replies_total", "Probes answered, late ones included.", now.received()),
        ("udpecho_replies_late_total", "Probes answered after their deadline.", now.outcomes.late()),
        ("udpecho_replies_duplicate_total", "Replies beyond the first to a probe.", now.duplicates),
        (
            "udpecho_replies_reordered_total",
            "Replies that a later probe's overtook (RFC 4737).",
            now.reordered,
        ),
        ("udpecho_send_errors_total", "Probes that the socket refused.", now.outcomes.not_sent()),
    ];
    for (name, help, value) in counters {
        page.single(name, Kind::Counter, help, value);
    }
    page.family("udpecho_probes_lost_total", Kind::Counter, "Probes never answered, by cause.");
    for cause in Cause::ALL {
        let lost = now.outcomes.of(NotOnTime::Lost(cause));
        page.sample("udpecho_probes_lost_total", &[("cause", cause.label())], lost);
    }
    page.single(
        "udpecho_probes_in_flight",
        Kind::Gauge,
        "Probes neither answered nor past their deadline.",
        now.in_flight(),
    );
    let rtt = "udpecho_rtt_seconds";
    page.family(rtt, Kind::Histogram, "Round-trip times of the replies in time.");
    for (bound, count) in now.rtt_buckets.cumulative() {
        let bound = bound.as_secs_f64().to_string();
        page.sample("udpecho_rtt_seconds_bucket", &[("le", &bound)], count);
    }
    page.sample("udpecho_rtt_seconds_bucket", &[("le", "+Inf")], now.rtt_buckets.count());
    page.sample("udpecho_rtt_seconds_sum", &[], now.rtt_buckets.total().as_secs_f64());
    page.sample("udpecho_rtt_seconds_count", &[], now.rtt_buckets.count());
    build_info(&mut page);
    page.finish()
}

pub fn of_server(counters: &Counters) -> String {
    let mut page = Exposition::default();
    let totals = [
        ("udpecho_server_datagrams_received_total", "Datagrams received.", counters.received),
        ("udpecho_server_received_bytes_total", "Bytes of UDP payload received.", counters.received_bytes),
        ("udpecho_server_datagrams_sent_total", "Datagrams sent.", counters.sent),
        ("udpecho_server_sent_bytes_total", "Bytes of UDP payload sent.", counters.sent_bytes),
        ("udpecho_server_send_errors_total", "Answers that could not be sent.", counters.send_errors),
        (
            "udpecho_server_receive_errors_total",
            "Errors of the sockets while receiving.",
            counters.receive_errors,
        ),
        (
            "udpecho_server_sessions_moved_total",
            "Probes that came from another address than their session's last.",
            counters.moved,
        ),
        (
            "udpecho_server_implausible_total",
            "Probes whose sequence number was too far from their session's others to be believed.",
            counters.implausible,
        ),
        (
            "udpecho_server_sessions_evicted_total",
            "Sessions that gave way to others where there was no room.",
            counters.evicted,
        ),
        ("udpecho_server_sessions_opened_total", "Sessions opened.", counters.opened),
        (
            "udpecho_server_truncated_total",
            "Datagrams of which the kernel told less than it was asked to.",
            counters.truncated,
        ),
    ];
    for (name, help, value) in totals {
        page.single(name, Kind::Counter, help, value);
    }
    let probes = "udpecho_server_probes_total";
    page.family(probes, Kind::Counter, "Probes handled, by dialect.");
    for (dialect, count) in
        [("native", counters.probes), ("text", counters.text_packets), ("plain", counters.plain_packets)]
    {
        page.sample(probes, &[("dialect", dialect)], count);
    }
    let dropped = "udpecho_server_dropped_total";
    page.family(dropped, Kind::Counter, "Datagrams without an answer, by reason.");
    for (reason, count) in [
        ("injected", counters.dropped),
        ("limit", counters.refused),
        ("stranger_limit", counters.unverified_refused),
        ("no_room", counters.sessions_denied + counters.text_denied),
        ("unauthentic", counters.unauthentic),
        ("replayed", counters.replayed),
        ("ignored", counters.ignored),
        ("loop_guard", counters.loop_guard),
        ("malformed", counters.malformed),
        ("unknown_session", counters.forgotten),
        ("overflow", counters.overflows),
    ] {
        page.sample(dropped, &[("reason", reason)], count);
    }
    let gauges = [
        (
            "udpecho_server_clients",
            "Sessions and text clients now.",
            counters.sessions + counters.text_clients,
        ),
        ("udpecho_server_held_replies", "Replies held now.", counters.held),
        ("udpecho_server_held_bytes", "Bytes of the replies held now.", counters.held_bytes),
    ];
    for (name, help, value) in gauges {
        page.single(name, Kind::Gauge, help, value);
    }
    build_info(&mut page);
    page.finish()
}

fn build_info(page: &mut Exposition) {
    page.family("udpecho_build_info", Kind::Gauge, "The program's version.");
    page.sample("udpecho_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
}
