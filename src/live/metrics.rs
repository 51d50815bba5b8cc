//! `/metrics` of a run and of a server: base units, and every series exists from the start.

use super::RunSnapshot;
use super::exposition::{Exposition, Kind};
use super::server_model::unanswered;
use crate::probe::{Cause, NotOnTime};
use crate::reflect::{Counter, Counters, Metric};

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
    for cause in Cause::ALL {
        let lost = now.outcomes.of(NotOnTime::Lost(cause));
        page.sample("udpecho_probes_lost_total", &[("cause", cause.label())], lost);
    }
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

fn build_info(page: &mut Exposition) {
    page.family("udpecho_build_info", Kind::Gauge, "The program's version.");
    page.sample("udpecho_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
}
