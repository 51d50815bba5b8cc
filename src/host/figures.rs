//! A host's figures for one second: the difference of two readings of its counters.

use serde::{Deserialize, Serialize};

use super::counters::{Counters, CpuTimes};

/// One second of one host, as `run.json` keeps it. `None` where the system does not tell.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// From 1, as in `seconds.csv`.
    pub second: u64,
    /// Share of all processors' time that was not idle.
    pub cpu_share: Option<f64>,
    /// Share that the hypervisor gave to other guests.
    pub steal_share: Option<f64>,
    /// Share of the processor that was busiest with softirqs.
    pub softirq_share: Option<f64>,
    /// CPU quota freezes of the cgroup.
    pub throttled: Option<u64>,
    /// Share of the last 10 s in which some task waited for a processor.
    pub cpu_pressure: Option<f64>,
    /// Share of the last 10 s in which some task waited for memory.
    pub memory_pressure: Option<f64>,
    /// Datagrams dropped at full socket buffers, of all sockets of the host.
    pub udp_receive_errors: Option<u64>,
    /// Datagrams of all sockets of the host that the kernel could not send for want of buffer space.
    pub udp_send_errors: Option<u64>,
    /// Datagrams that arrived with a wrong checksum and were dropped.
    pub udp_checksum_errors: Option<u64>,
    /// Packets dropped because a processor's input queue was full.
    pub softnet_dropped: Option<u64>,
    /// How often a processor stopped receiving because its budget was used up.
    pub softnet_squeezed: Option<u64>,
    /// Packets that the network interface dropped.
    pub nic_dropped: Option<u64>,
    /// How often a network interface lost or found its link.
    pub carrier_changes: Option<u64>,
    /// Share of the connection-tracking table that is used.
    pub conntrack_share: Option<f64>,
    /// TCP segments sent again, of all connections of the host.
    pub tcp_retransmitted: Option<u64>,
    /// In bytes.
    pub memory_available: Option<u64>,
    /// The load average of the last minute.
    pub load: Option<f64>,
    /// 99th percentile of how late this program's own sends left.
    pub lateness_p99_us: Option<f64>,
    /// The longest time for which this program stood still, where probes were skipped for it.
    pub stalled_us: Option<f64>,
    /// Why the host counts as busy; empty if it does not.
    #[serde(default)]
    pub reasons: Vec<String>,
    /// The busiest processes, where sharing them was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub processes: Vec<ProcessFigures>,
}

/// One of the busiest processes of a second.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProcessFigures {
    /// Its process id.
    pub pid: u32,
    /// Its name as the kernel has it: 15 bytes at most.
    pub name: String,
    /// Share of one processor.
    pub cpu_share: f64,
}

impl Figures {
    /// From two readings, `before` and `now`. A counter that ran backwards is unknown.
    pub fn between(second: u64, before: &Counters, now: &Counters) -> Self {
        let grown = |of: fn(&Counters) -> Option<u64>| of(now)?.checked_sub(of(before)?);
        let cpus: Vec<CpuTimes> =
            before.cpus.iter().zip(&now.cpus).filter_map(|(before, now)| now.since(*before)).collect();
        let whole = cpus.first().filter(|all| all.total > 0);
        Self {
            second,
            cpu_share: whole.map(|all| 1.0 - share(all.idle, all.total)),
            steal_share: whole.map(|all| share(all.steal, all.total)),
            softirq_share: cpus
                .iter()
                .skip(1)
                .filter(|cpu| cpu.total > 0)
                .map(|cpu| share(cpu.softirq, cpu.total))
                .reduce(f64::max),
            throttled: grown(|counters| counters.throttled),
            cpu_pressure: now.cpu_pressure.map(|percent| percent / 100.0),
            memory_pressure: now.memory_pressure.map(|percent| percent / 100.0),
            udp_receive_errors: grown(|counters| Some(counters.udp?.receive_buffer)),
            udp_send_errors: grown(|counters| Some(counters.udp?.send_buffer)),
            udp_checksum_errors: grown(|counters| Some(counters.udp?.checksum)),
            softnet_dropped: grown(|counters| counters.softnet_dropped),
            softnet_squeezed: grown(|counters| counters.softnet_squeezed),
            nic_dropped: grown(|counters| {
                let nic = counters.nic?;
                [nic.receive_overrun, nic.receive_dropped, nic.send_dropped]
                    .into_iter()
                    .try_fold(nic.receive_missed, u64::checked_add)
            }),
            carrier_changes: grown(|counters| Some(counters.nic?.carrier_changes)),
            conntrack_share: now.conntrack.filter(|(_, max)| *max > 0).map(|(used, max)| share(used, max)),
            tcp_retransmitted: grown(|counters| counters.tcp_retransmitted),
            memory_available: now.memory_available,
            load: now.load,
            ..Self::default()
        }
    }
}

impl CpuTimes {
    fn since(self, before: Self) -> Option<Self> {
        Some(Self {
            total: self.total.checked_sub(before.total)?,
            // The kernel may count idle and iowait backwards by a tick.
            idle: self.idle.saturating_sub(before.idle),
            softirq: self.softirq.saturating_sub(before.softirq),
            steal: self.steal.saturating_sub(before.steal),
        })
    }
}

fn share(part: u64, whole: u64) -> f64 {
    (part as f64 / whole as f64).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::super::counters::{NicErrors, UdpErrors};
    use super::*;

    fn cpu(total: u64, idle: u64, softirq: u64, steal: u64) -> CpuTimes {
        CpuTimes { total, idle, softirq, steal }
    }

    fn counters(cpus: Vec<CpuTimes>, receive_buffer: u64, missed: u64) -> Counters {
        Counters {
            cpus,
            udp: Some(UdpErrors { receive_buffer, ..UdpErrors::default() }),
            nic: Some(NicErrors { receive_missed: missed, send_dropped: 1, ..NicErrors::default() }),
            conntrack: Some((50, 200)),
            cpu_pressure: Some(12.5),
            ..Counters::default()
        }
    }

    #[test]
    fn a_second_is_the_difference_of_two_readings() {
        let before = counters(vec![cpu(1_000, 500, 0, 10), cpu(500, 250, 0, 5), cpu(500, 250, 0, 5)], 7, 3);
        let now = counters(vec![cpu(1_200, 550, 90, 34), cpu(600, 260, 85, 5), cpu(600, 290, 5, 29)], 48, 4);
        let figures = Figures::between(3, &before, &now);
        assert_eq!(figures.second, 3);
        assert_eq!((figures.cpu_share, figures.steal_share), (Some(0.75), Some(0.12)));
        // Of the busiest processor, not of all: 85 of its 100 ticks.
        assert_eq!(figures.softirq_share, Some(0.85));
        assert_eq!((figures.udp_receive_errors, figures.nic_dropped), (Some(41), Some(1)));
        assert_eq!((figures.conntrack_share, figures.cpu_pressure), (Some(0.25), Some(0.125)));
        assert_eq!((figures.throttled, figures.softnet_dropped), (None, None));
    }

    #[test]
    fn a_counter_that_ran_backwards_is_unknown() {
        let figures = Figures::between(
            1,
            &counters(vec![cpu(9, 9, 0, 0)], 7, 3),
            &counters(vec![cpu(5, 5, 0, 0)], 6, 3),
        );
        assert_eq!((figures.cpu_share, figures.udp_receive_errors), (None, None));
        assert_eq!(figures.nic_dropped, Some(0));
    }

    #[test]
    fn what_run_json_keeps_is_read_back_as_it_was() {
        let now = counters(vec![cpu(1_200, 550, 90, 34)], 48, 4);
        let figures = Figures::between(3, &counters(vec![cpu(0, 0, 0, 0)], 0, 0), &now);
        let text = serde_json::to_string(&figures).unwrap();
        assert!(text.contains("\"throttled\":null"), "{text}");
        assert_eq!(serde_json::from_str::<Figures>(&text).unwrap(), figures);
    }
}
