//! Reads the counters of this host from `/proc` and `/sys`; elsewhere than on Linux there are none.

use std::fs::File;
use std::io::Read;
use std::net::IpAddr;
use std::path::Path;

use crate::host::{Counters, Figures, NicErrors, Process, Sources, interface_for};

/// Reads this host once a second and tells what happened in between.
#[derive(Debug)]
pub struct HostSampler {
    interface: Option<String>,
    cgroup: Option<String>,
    before: Counters,
    second: u64,
}

impl HostSampler {
    /// For a measurement with this peer: its interface is the one that is watched. The seconds count from now.
    pub fn start(remote: Option<IpAddr>) -> Self {
        let routes = [read("/proc/net/route"), read("/proc/net/ipv6_route")].map(Option::unwrap_or_default);
        let interface = remote.and_then(|remote| interface_for(remote, &routes[0], &routes[1]));
        let mut sampler =
            Self { interface, cgroup: cgroup_cpu_stat(), before: Counters::default(), second: 0 };
        sampler.before = sampler.read();
        sampler
    }

    /// The second that ended now.
    pub fn next_second(&mut self) -> Figures {
        self.second += 1;
        let now = self.read();
        let before = std::mem::replace(&mut self.before, now);
        Figures::between(self.second, &before, &self.before)
    }

    fn read(&self) -> Counters {
        let [stat, pressure, memory, snmp, snmp6, softnet, meminfo, loadavg, tracked, tracked_most] = [
            "/proc/stat",
            "/proc/pressure/cpu",
            "/proc/pressure/memory",
            "/proc/net/snmp",
            "/proc/net/snmp6",
            "/proc/net/softnet_stat",
            "/proc/meminfo",
            "/proc/loadavg",
            "/proc/sys/net/netfilter/nf_conntrack_count",
            "/proc/sys/net/netfilter/nf_conntrack_max",
        ]
        .map(read);
        let cgroup_cpu = self.cgroup.as_deref().and_then(read);
        Counters::parse(&Sources {
            stat: stat.as_deref(),
            cgroup_cpu: cgroup_cpu.as_deref(),
            cpu_pressure: pressure.as_deref(),
            memory_pressure: memory.as_deref(),
            snmp: snmp.as_deref(),
            snmp6: snmp6.as_deref(),
            softnet: softnet.as_deref(),
            meminfo: meminfo.as_deref(),
            loadavg: loadavg.as_deref(),
            conntrack: tracked.as_deref().zip(tracked_most.as_deref()),
            nic: self.interface.as_deref().and_then(nic_errors),
        })
    }
}

/// Every process of this host that can be read.
pub fn processes() -> Vec<Process> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let numbers = entries.flatten().filter(|entry| {
        entry.file_name().to_str().is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
    });
    numbers.filter_map(|entry| Process::parse(&read(entry.path().join("stat"))?)).collect()
}

fn nic_errors(interface: &str) -> Option<NicErrors> {
    let of = Path::new("/sys/class/net").join(interface);
    let number = |name: &str| read(of.join(name))?.trim().parse().ok();
    Some(NicErrors {
        receive_missed: number("statistics/rx_missed_errors")?,
        receive_overrun: number("statistics/rx_fifo_errors")?,
        receive_dropped: number("statistics/rx_dropped")?,
        send_dropped: number("statistics/tx_dropped")?,
        carrier_changes: number("carrier_changes").unwrap_or(0),
    })
}

/// Where the CPU quota of this process is counted: cgroup v2, else the `cpu` controller of v1.
fn cgroup_cpu_stat() -> Option<String> {
    let of_this_process = read("/proc/self/cgroup")?;
    let places = of_this_process.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, group) = (parts.next()?, parts.next()?, parts.next()?);
        match controllers {
            "" => Some(["/sys/fs/cgroup", group]),
            _ if controllers.split(',').any(|name| name == "cpu") => Some(["/sys/fs/cgroup/cpu", group]),
            _ => None,
        }
    });
    // A container sees its own group as the root.
    let candidates = places.flat_map(|[root, group]| {
        [format!("{root}{}/cpu.stat", group.trim_end_matches('/')), format!("{root}/cpu.stat")]
    });
    candidates.into_iter().find(|path| read(path).is_some_and(|text| text.contains("nr_throttled")))
}

/// The text of a file of the kernel, which is never longer than this.
fn read(path: impl AsRef<Path>) -> Option<String> {
    const LONGEST: u64 = 1 << 20;
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(LONGEST).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_linux_host_tells_its_load() {
        let mut sampler = HostSampler::start(Some(IpAddr::from([127, 0, 0, 1])));
        assert_eq!(sampler.interface.as_deref(), Some("lo"));
        let first = sampler.next_second();
        assert_eq!(first.second, 1);
        assert!(
            first.udp_receive_errors.is_some() && first.load.is_some() && first.memory_available.is_some()
        );
        assert_eq!(sampler.next_second().second, 2);
    }

    #[test]
    fn this_process_is_among_the_processes() {
        let own = std::process::id();
        assert!(processes().iter().any(|process| process.pid == own));
    }
}
