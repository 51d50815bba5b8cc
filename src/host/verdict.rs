//! Was the host busy in a second, and why. The thresholds stand in one table.

use std::fmt;

use super::figures::Figures;
use crate::units::Probability;

/// Why a host counts as busy in a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reason {
    /// This program stood still, in microseconds.
    Stalled(f64),
    /// Share of the processors' time that the hypervisor gave to other guests.
    Steal(f64),
    /// Share of the time that the busiest processor spent in softirqs.
    Softirq(f64),
    /// CPU quota freezes.
    Throttled(u64),
    /// Share of the time in which some task waited for a processor.
    CpuPressure(f64),
    /// Datagrams dropped at full receive buffers.
    UdpReceive(u64),
    /// Datagrams refused for want of send buffer.
    UdpSend(u64),
    /// Datagrams with a wrong checksum.
    UdpChecksum(u64),
    /// Packets dropped at a processor's full input queue.
    SoftnetDropped(u64),
    /// How often receiving stopped because the softirq's budget was used up.
    SoftnetSqueezed(u64),
    /// Packets that the network interface dropped.
    Nic(u64),
    /// How often a network interface lost or found its link.
    Carrier(u64),
    /// Share of the connection-tracking table that is used.
    Conntrack(f64),
    /// This program's own sends were late, in microseconds.
    Lateness(f64),
}

/// Every reason why the host was busy in this second, the most telling first.
pub fn reasons(figures: &Figures) -> Vec<Reason> {
    const STEAL: f64 = 0.02;
    const SOFTIRQ: f64 = 0.80;
    const CPU_PRESSURE: f64 = 0.20;
    const SQUEEZED: u64 = 10;
    const CONNTRACK: f64 = 0.95;
    const LATENESS_US: f64 = 1_000.0;
    let share = |value: Option<f64>, least: f64| value.filter(|value| *value >= least);
    let count = |value: Option<u64>, least: u64| value.filter(|value| *value >= least);
    [
        figures.stalled_us.map(Reason::Stalled),
        share(figures.steal_share, STEAL).map(Reason::Steal),
        count(figures.throttled, 1).map(Reason::Throttled),
        share(figures.softirq_share, SOFTIRQ).map(Reason::Softirq),
        share(figures.cpu_pressure, CPU_PRESSURE).map(Reason::CpuPressure),
        count(figures.udp_receive_errors, 1).map(Reason::UdpReceive),
        count(figures.udp_send_errors, 1).map(Reason::UdpSend),
        count(figures.udp_checksum_errors, 1).map(Reason::UdpChecksum),
        count(figures.softnet_dropped, 1).map(Reason::SoftnetDropped),
        count(figures.softnet_squeezed, SQUEEZED).map(Reason::SoftnetSqueezed),
        count(figures.nic_dropped, 1).map(Reason::Nic),
        count(figures.carrier_changes, 1).map(Reason::Carrier),
        share(figures.conntrack_share, CONNTRACK).map(Reason::Conntrack),
        share(figures.lateness_p99_us, LATENESS_US).map(Reason::Lateness),
    ]
    .into_iter()
    .flatten()
    .collect()
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Stalled(micros) => write!(f, "suspended or stalled for {:.0} ms", micros / 1000.0),
            Self::Steal(share) => write!(f, "steal {}", percent(share)),
            Self::Softirq(share) => write!(f, "softirq {} of one core", percent(share)),
            Self::Throttled(1) => write!(f, "frozen once by its CPU quota"),
            Self::Throttled(times) => write!(f, "frozen {times} times by its CPU quota"),
            Self::CpuPressure(share) => write!(f, "CPU pressure {}", percent(share)),
            Self::UdpReceive(count) => write!(f, "UDP receive buffers full, {count} dropped"),
            Self::UdpSend(count) => write!(f, "UDP send buffers full, {count} dropped"),
            Self::UdpChecksum(count) => write!(f, "{count} wrong UDP checksums"),
            Self::SoftnetDropped(count) => write!(f, "softnet backlog full, {count} dropped"),
            Self::SoftnetSqueezed(times) => write!(f, "softirq budget used up {times} times"),
            Self::Nic(count) => write!(f, "network interface dropped {count}"),
            Self::Carrier(times) => write!(f, "carrier changed {times}x"),
            Self::Conntrack(share) => write!(f, "conntrack table {} full", percent(share)),
            Self::Lateness(micros) => write!(f, "own sends late, p99 {:.1} ms", micros / 1000.0),
        }
    }
}

impl Reason {
    /// The same kind, whatever its value.
    fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    fn magnitude(&self) -> f64 {
        match *self {
            Self::Stalled(value)
            | Self::Steal(value)
            | Self::Softirq(value)
            | Self::CpuPressure(value)
            | Self::Conntrack(value)
            | Self::Lateness(value) => value,
            Self::Throttled(count)
            | Self::UdpReceive(count)
            | Self::UdpSend(count)
            | Self::UdpChecksum(count)
            | Self::SoftnetDropped(count)
            | Self::SoftnetSqueezed(count)
            | Self::Nic(count)
            | Self::Carrier(count) => count as f64,
        }
    }
}

/// A whole run of seconds in one line: `busy in 3 of 10 s: steal 12 %`.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    pub(crate) busy: usize,
    pub(crate) seconds: usize,
    /// Each kind of reason once, with its worst value, the most frequent first.
    pub reasons: Vec<Reason>,
}

impl Summary {
    /// `None` if no second is known.
    pub fn of<'a>(seconds: impl IntoIterator<Item = &'a Figures>) -> Option<Self> {
        let each: Vec<Vec<Reason>> = seconds.into_iter().map(reasons).collect();
        (!each.is_empty()).then(|| Self {
            busy: each.iter().filter(|reasons| !reasons.is_empty()).count(),
            seconds: each.len(),
            reasons: ranked(each.into_iter().flatten()),
        })
    }

    /// Of a whole record. Of a long run it keeps not every second, but they are numbered from 1.
    pub fn of_record(seconds: &[Figures]) -> Option<Self> {
        let last = seconds.last().map_or(0, |figures| figures.second as usize);
        Self::of(seconds).map(|summary| Self { seconds: summary.seconds.max(last), ..summary })
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.busy > 0
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_busy() {
            return write!(f, "not busy in {} s", self.seconds);
        }
        let reasons: Vec<String> = self.reasons.iter().take(3).map(Reason::to_string).collect();
        write!(f, "busy in {} of {} s: {}", self.busy, self.seconds, reasons.join(", "))
    }
}

/// Each kind of reason once, with its worst value, the most frequent first.
pub(crate) fn ranked(reasons: impl Iterator<Item = Reason>) -> Vec<Reason> {
    let mut kinds: Vec<(Reason, usize)> = Vec::new();
    for reason in reasons {
        match kinds.iter_mut().find(|(known, _)| known.is_like(&reason)) {
            Some((worst, times)) => {
                *times += 1;
                if reason.magnitude() > worst.magnitude() {
                    *worst = reason;
                }
            }
            None => kinds.push((reason, 1)),
        }
    }
    kinds.sort_by_key(|(_, times)| std::cmp::Reverse(*times));
    kinds.into_iter().map(|(reason, _)| reason).collect()
}

fn percent(share: f64) -> String {
    let rounded = Probability::new((share * 1000.0).round() / 1000.0).unwrap_or_default();
    rounded.to_string().replace('%', " %")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_threshold_is_where_the_table_says() {
        let none = Figures::default();
        let cases: [(Figures, Figures, &str); 8] = [
            (
                none.clone(),
                Figures { stalled_us: Some(300_400.0), ..none.clone() },
                "suspended or stalled for 300 ms",
            ),
            (
                Figures { steal_share: Some(0.0199), ..none.clone() },
                Figures { steal_share: Some(0.12), ..none.clone() },
                "steal 12 %",
            ),
            (
                Figures { softirq_share: Some(0.79), ..none.clone() },
                Figures { softirq_share: Some(0.8), ..none.clone() },
                "softirq 80 % of one core",
            ),
            (
                Figures { throttled: Some(0), ..none.clone() },
                Figures { throttled: Some(2), ..none.clone() },
                "frozen 2 times by its CPU quota",
            ),
            (
                Figures { cpu_pressure: Some(0.19), ..none.clone() },
                Figures { cpu_pressure: Some(0.205), ..none.clone() },
                "CPU pressure 20.5 %",
            ),
            (
                Figures { softnet_squeezed: Some(9), ..none.clone() },
                Figures { softnet_squeezed: Some(10), ..none.clone() },
                "softirq budget used up 10 times",
            ),
            (
                Figures { conntrack_share: Some(0.94), ..none.clone() },
                Figures { conntrack_share: Some(0.95), ..none.clone() },
                "conntrack table 95 % full",
            ),
            (
                Figures { lateness_p99_us: Some(999.0), ..none.clone() },
                Figures { lateness_p99_us: Some(1_250.0), ..none },
                "own sends late, p99 1.2 ms",
            ),
        ];
        for (quiet, busy, text) in cases {
            assert_eq!(reasons(&quiet), [], "{quiet:?}");
            assert_eq!(reasons(&busy).iter().map(Reason::to_string).collect::<Vec<_>>(), [text]);
        }
    }

    #[test]
    fn load_memory_and_retransmissions_are_shown_and_not_judged() {
        let figures = Figures {
            load: Some(40.0),
            memory_available: Some(1),
            tcp_retransmitted: Some(1_000),
            cpu_share: Some(1.0),
            ..Figures::default()
        };
        assert_eq!(reasons(&figures), []);
    }

    #[test]
    fn a_run_names_its_busy_seconds_and_the_worst_of_each_reason() {
        let steal = |share| Figures { steal_share: Some(share), ..Figures::default() };
        let mut seconds = vec![steal(0.0); 7];
        seconds.extend([steal(0.05), steal(0.12), Figures { udp_receive_errors: Some(41), ..steal(0.03) }]);
        let summary = Summary::of(&seconds).unwrap();
        assert_eq!(
            summary.to_string(),
            "busy in 3 of 10 s: steal 12 %, UDP receive buffers full, 41 dropped"
        );
        assert_eq!(Summary::of(&seconds[..7]).unwrap().to_string(), "not busy in 7 s");
        assert_eq!(Summary::of(&[]), None);
        seconds[9].second = 7_300;
        assert_eq!(Summary::of_record(&seconds).map(|summary| summary.seconds), Some(7_300));
    }
}
