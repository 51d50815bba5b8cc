//! `/metrics` of a run, of a server and of a proxy: base units, and every series exists from the start.

use super::RunSnapshot;
use super::exposition::{Exposition, Kind};
use super::server_model::unanswered;
use crate::probe::{Cause, Knows, NotOnTime};
use crate::reflect::{Counter, Counters, Metric};
use crate::relay::{DropCause, MappingFigures, RelayFigures, Tally};
use crate::room::RoomCounters;

/// The `/metrics` of a run, in the text format of Prometheus.
pub fn of_run(now: &RunSnapshot) -> String {
    let info = &now.info;
    let mut page = Exposition::labelled(&[("target", &info.host), ("address", &info.address)]);
    let counters = [
        ("udpecho_probes_sent_total", "Probes that left.", now.sent),
        ("udpecho_replies_total", "Probes with a reply, on time or late.", now.received()),
        ("udpecho_replies_late_total", "Probes with a reply after their deadline.", now.outcomes.late()),
        ("udpecho_replies_duplicate_total", "Replies beyond the first to a probe.", now.duplicates),
        (
            "udpecho_replies_reordered_total",
            "Replies behind the reply to a later probe (RFC 4737).",
            now.reordered,
        ),
        ("udpecho_send_errors_total", "Probes that the socket refused.", now.outcomes.not_sent()),
    ];
    for (name, help, value) in counters {
        page.single(name, Kind::Counter, help, value);
    }
    page.family("udpecho_probes_lost_total", Kind::Counter, "Probes without a reply, by cause.");
    for cause in Cause::ALL.into_iter().filter(|cause| now.knows.tells(*cause)) {
        let lost = now.outcomes.of(NotOnTime::Lost(cause));
        page.sample("udpecho_probes_lost_total", &[("cause", cause.label())], lost);
    }
    known(&mut page, info.dialect.name(), now.knows);
    page.single(
        "udpecho_probes_in_flight",
        Kind::Gauge,
        "Probes without a reply that are not past their deadline.",
        now.in_flight(),
    );
    let rtt = "udpecho_rtt_seconds";
    page.family(rtt, Kind::Histogram, "Round-trip times of the replies on time.");
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

/// The causes of loss that the dialect can tell; others have no series.
fn known(page: &mut Exposition, dialect: &str, knows: Knows) {
    let name = "udpecho_knows_info";
    page.family(name, Kind::Gauge, "What the dialect can tell of the path, as far as replies have shown it.");
    let yes_or_no = |known: bool| if known { "yes" } else { "no" };
    let labels = [
        ("dialect", dialect),
        ("losses", knows.losses.name()),
        ("server_time", knows.server_time.name()),
        ("one_way", yes_or_no(knows.one_way)),
        ("injection", yes_or_no(knows.injection)),
        ("corruption", yes_or_no(knows.corruption)),
    ];
    page.sample(name, &labels, 1);
}

/// The `/metrics` of a server, in the text format of Prometheus.
pub fn of_server(counters: &Counters) -> String {
    let mut page = Exposition::default();
    for Counter { metric, help, value, .. } in counters.list() {
        match metric {
            Metric::Total(name) => {
                page.single(&format!("udpecho_server_{name}_total"), Kind::Counter, help, value);
            }
            Metric::Gauge(name) => page.single(&format!("udpecho_server_{name}"), Kind::Gauge, help, value),
            Metric::Dropped(_) => {}
        }
    }
    let dropped = "udpecho_server_dropped_total";
    page.family(dropped, Kind::Counter, "Datagrams without a reply, by reason.");
    for (reason, count) in unanswered(counters) {
        page.sample(dropped, &[("reason", reason)], count);
    }
    let in_all = counters.in_all();
    let probes = "udpecho_server_probes_total";
    page.family(probes, Kind::Counter, "Probes that the injection did not drop, by dialect.");
    for (dialect, of) in counters.by_dialect() {
        page.sample(probes, &[("dialect", dialect)], of.probes);
    }
    page.single("udpecho_server_clients", Kind::Gauge, "Sessions and text clients now.", in_all.clients);
    let history = "Bytes of memory for the outcomes of probes now.";
    page.single("udpecho_server_history_bytes", Kind::Gauge, history, in_all.history_bytes);
    build_info(&mut page);
    page.finish()
}

/// The labels of all families: mapping and direction.
pub fn of_proxy(now: &RelayFigures) -> String {
    let mut page = Exposition::default();
    let there = || now.mappings.iter().filter(|mapping| !mapping.is_removed);
    let directions = || {
        there().flat_map(|mapping| {
            let name = mapping.settings.name.as_str();
            [
                ("up", &mapping.counters.up, mapping.queues[0]),
                ("down", &mapping.counters.down, mapping.queues[1]),
            ]
            .map(|(direction, tally, queue)| ([("mapping", name), ("direction", direction)], tally, queue))
        })
    };
    let fates = "udpecho_proxy_datagrams_total";
    page.family(
        fates,
        Kind::Counter,
        "Datagrams that arrived, by fate: passed, send_error or a cause of loss.",
    );
    for (labels, tally, _) in directions() {
        for (fate, count) in fates_of(tally) {
            page.sample(fates, &[labels[0], labels[1], ("fate", fate)], count);
        }
    }
    type Count = (&'static str, &'static str, fn(&Tally) -> u64);
    let counts: [Count; 7] = [
        ("udpecho_proxy_received_bytes_total", "Payload that arrived.", |tally| tally.arrived_bytes),
        ("udpecho_proxy_sent_bytes_total", "Payload that was passed on.", |tally| tally.passed_bytes),
        ("udpecho_proxy_copies_total", "Datagrams sent beyond the first.", |tally| tally.copies),
        ("udpecho_proxy_marked_total", "Datagrams whose ECN field or DSCP was changed.", |tally| {
            tally.marked
        }),
        ("udpecho_proxy_rebound_total", "Ports that a NAT gave to flows.", |tally| tally.rebound),
        ("udpecho_proxy_refused_total", "ICMP port unreachable from servers.", |tally| tally.refused),
        ("udpecho_proxy_overflows_total", "Datagrams lost in full receive buffers of the proxy.", |tally| {
            tally.overflows
        }),
    ];
    for (family, help, count) in counts {
        page.family(family, Kind::Counter, help);
        directions().for_each(|(labels, tally, _)| page.sample(family, &labels, count(tally)));
    }
    page.family("udpecho_proxy_held", Kind::Gauge, "Datagrams held now.");
    directions().for_each(|(labels, tally, _)| page.sample("udpecho_proxy_held", &labels, tally.held));
    let queue = "udpecho_proxy_queue_seconds";
    page.family(queue, Kind::Gauge, "How long a datagram that arrives now waits at the bottleneck.");
    directions().for_each(|(labels, _, wait)| page.sample(queue, &labels, wait.as_secs_f64()));
    page.family("udpecho_proxy_flows", Kind::Gauge, "Flows now.");
    page_of_mappings(&mut page, now, "udpecho_proxy_flows", |mapping| mapping.counters.flows);
    page.family("udpecho_proxy_flows_total", Kind::Counter, "Flows opened.");
    page_of_mappings(&mut page, now, "udpecho_proxy_flows_total", |mapping| mapping.counters.flows_opened);
    page.single("udpecho_proxy_held_bytes", Kind::Gauge, "Memory of held datagrams now.", now.held_bytes);
    let error = "udpecho_proxy_release_error_seconds";
    page.family(error, Kind::Gauge, "How much later than due held datagrams left, since the start.");
    let errors =
        [("0.5", now.release_error.p50), ("0.99", now.release_error.p99), ("1", now.release_error.max)];
    for (quantile, error_of) in errors {
        page.sample(error, &[("quantile", quantile)], error_of.as_secs_f64());
    }
    build_info(&mut page);
    page.finish()
}

fn fates_of(tally: &Tally) -> impl Iterator<Item = (&'static str, u64)> {
    let dropped = DropCause::ALL.map(|cause| (cause.label(), tally.dropped(cause)));
    [("passed", tally.passed), ("send_error", tally.send_errors)].into_iter().chain(dropped)
}

fn page_of_mappings(
    page: &mut Exposition,
    now: &RelayFigures,
    family: &str,
    count: fn(&MappingFigures) -> u64,
) {
    for mapping in now.mappings.iter().filter(|mapping| !mapping.is_removed) {
        page.sample(family, &[("mapping", &mapping.settings.name)], count(mapping));
    }
}

/// The room's talk, then its server.
pub fn of_room(server: &Counters, room: &RoomCounters, members: usize) -> String {
    let mut page = Exposition::default();
    page.single("udpecho_room_members", Kind::Gauge, "Members with a name now.", members);
    let counters = [
        ("udpecho_room_connections_total", "TCP connections of any kind.", room.connections),
        ("udpecho_room_joined_total", "Members that came.", room.joined),
        ("udpecho_room_lines_total", "Lines that members said.", room.lines),
    ];
    for (name, help, value) in counters {
        page.single(name, Kind::Counter, help, value);
    }
    let refused = "udpecho_room_refused_total";
    page.family(refused, Kind::Counter, "Connections, members and lines that were refused, by reason.");
    for refusal in room.refusals() {
        page.sample(refused, &[("reason", refusal.reason)], refusal.count);
    }
    page.finish() + &of_server(server)
}

pub(super) fn build_info(page: &mut Exposition) {
    page.family("udpecho_build_info", Kind::Gauge, "The program's version.");
    page.sample("udpecho_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
}
