//! `/probe` of a watch: one target, once, in the families of blackbox_exporter and with those of its own.

use super::exposition::{Exposition, Kind};
use crate::fleet::Figures;
use crate::probe::Cause;
use crate::time::Duration;

/// The result of probing one target once.
#[derive(Clone, Debug, Default)]
pub struct SingleProbing {
    /// From the request to the answer.
    pub duration: Duration,
    /// It may take no longer.
    pub timeout: Duration,
    /// Until the name had an address.
    pub lookup: Duration,
    /// 4 or 6, or 0 without an address.
    pub ip_protocol: u8,
    /// The outcomes of the probes.
    pub figures: Figures,
    /// Of all replies.
    pub rtts: Vec<Duration>,
}

impl SingleProbing {
    /// Whether a probe was answered in time.
    pub fn has_succeeded(&self) -> bool {
        self.figures.replies() > self.figures.late()
    }

    /// The smallest value that so great a share of all does not exceed.
    fn quantile(&self, share: f64) -> Option<Duration> {
        let mut sorted = self.rtts.clone();
        sorted.sort_unstable();
        let rank = (share * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.max(1) - 1).copied()
    }
}

/// The page for Prometheus.
pub fn of_probe(probing: &SingleProbing) -> String {
    let mut page = Exposition::default();
    let figures = &probing.figures;
    let mut gauge = |name: &str, help: &str, value: f64| page.single(name, Kind::Gauge, help, value);
    gauge(
        "probe_success",
        "Displays whether or not the probe was a success",
        f64::from(u8::from(probing.has_succeeded())),
    );
    gauge(
        "probe_duration_seconds",
        "Returns how long the probe took to complete in seconds",
        probing.duration.as_secs_f64(),
    );
    gauge(
        "probe_timeout_seconds",
        "Returns the timeout of the probe in seconds",
        probing.timeout.as_secs_f64(),
    );
    gauge(
        "probe_dns_lookup_time_seconds",
        "Returns the time taken for probe dns lookup in seconds",
        probing.lookup.as_secs_f64(),
    );
    gauge(
        "probe_ip_protocol",
        "Specifies whether probe ip protocol is IP4 or IP6",
        probing.ip_protocol.into(),
    );
    gauge("probe_udp_packets_sent", "Probes that left.", figures.resolved() as f64);
    gauge("probe_udp_packets_received", "Probes with a reply.", figures.replies() as f64);
    let lost = "probe_udp_lost";
    page.family(lost, Kind::Gauge, "Probes without a reply, by cause.");
    for cause in Cause::ALL {
        page.sample(lost, &[("cause", cause.label())], figures.lost_by(cause));
    }
    let rtt = "probe_udp_rtt_seconds";
    page.family(rtt, Kind::Gauge, "Quantiles of the round-trip times.");
    for (name, share) in [("0.5", 0.5), ("0.9", 0.9), ("1", 1.0)] {
        if let Some(value) = probing.quantile(share) {
            page.sample(rtt, &[("quantile", name)], value.as_secs_f64());
        }
    }
    page.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_occurred() {
        let rtts = [4, 1, 3, 2].map(Duration::from_millis).to_vec();
        let probing = SingleProbing { rtts, ..SingleProbing::default() };
        let of = |share| probing.quantile(share).map(|value| value.as_millis_f64());
        assert_eq!([of(0.5), of(0.9), of(1.0), of(0.0)], [Some(2.0), Some(4.0), Some(4.0), Some(1.0)]);
        let page = of_probe(&SingleProbing { rtts: Vec::new(), ..probing });
        assert!(page.contains("\nprobe_success 0\n") && !page.contains("quantile"), "{page}");
    }
}
