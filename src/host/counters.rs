//! Parsers of what the Linux kernel counts. A figure that a system does not have is `None`, never 0.

/// The texts of the files that are read, where they exist.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sources<'a> {
    /// `/proc/stat`
    pub stat: Option<&'a str>,
    /// `cpu.stat` of this process's cgroup
    pub cgroup_cpu: Option<&'a str>,
    /// `/proc/pressure/cpu`
    pub cpu_pressure: Option<&'a str>,
    /// `/proc/pressure/memory`
    pub memory_pressure: Option<&'a str>,
    /// `/proc/net/snmp`
    pub snmp: Option<&'a str>,
    /// `/proc/net/snmp6`
    pub snmp6: Option<&'a str>,
    /// `/proc/net/softnet_stat`
    pub softnet: Option<&'a str>,
    /// `/proc/meminfo`
    pub meminfo: Option<&'a str>,
    /// `/proc/loadavg`
    pub loadavg: Option<&'a str>,
    /// `nf_conntrack_count` and `nf_conntrack_max`
    pub conntrack: Option<(&'a str, &'a str)>,
    /// The counters of the network interface that carries the measurement.
    pub nic: Option<NicErrors>,
}

/// Totals since the system started, and what is a state of the moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counters {
    /// The sum of all processors first, then each by itself.
    pub cpus: Vec<CpuTimes>,
    /// How often the cgroup's CPU quota froze it.
    pub throttled: Option<u64>,
    /// Percent of the last 10 s in which some task waited for a processor.
    pub cpu_pressure: Option<f64>,
    /// The same for memory.
    pub memory_pressure: Option<f64>,
    pub(crate) udp: Option<UdpErrors>,
    pub(crate) tcp_retransmitted: Option<u64>,
    pub(crate) softnet_dropped: Option<u64>,
    /// How often the softirq handler ran out of its budget with packets left.
    pub softnet_squeezed: Option<u64>,
    pub(crate) nic: Option<NicErrors>,
    /// Entries in the connection-tracking table, and its limit.
    pub conntrack: Option<(u64, u64)>,
    pub(crate) memory_available: Option<u64>,
    pub(crate) load: Option<f64>,
}

/// Ticks of one processor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuTimes {
    pub(crate) total: u64,
    pub(crate) idle: u64,
    pub(crate) softirq: u64,
    /// Time that the hypervisor gave to other guests.
    pub steal: u64,
}

/// Datagrams that the UDP layer dropped, IPv4 and IPv6 together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UdpErrors {
    pub(crate) receive_buffer: u64,
    pub(crate) send_buffer: u64,
    pub(crate) checksum: u64,
}

/// Packets that a network interface dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NicErrors {
    pub(crate) receive_missed: u64,
    pub(crate) receive_overrun: u64,
    pub(crate) receive_dropped: u64,
    pub(crate) send_dropped: u64,
    pub(crate) carrier_changes: u64,
}

/// One process: its name is foreign text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    pub(crate) pid: u32,
    pub(crate) name: String,
    /// Of user and system time.
    pub ticks: u64,
}

impl Counters {
    /// Reads what the texts of the kernel's files tell; what is missing or damaged stays `None`.
    pub fn parse(sources: &Sources) -> Self {
        let softnet = sources.softnet.map(softnet);
        Self {
            cpus: sources.stat.map(cpus).unwrap_or_default(),
            throttled: sources.cgroup_cpu.and_then(|text| value_after(text, "nr_throttled")),
            cpu_pressure: sources.cpu_pressure.and_then(some_avg10),
            memory_pressure: sources.memory_pressure.and_then(some_avg10),
            udp: sources.snmp.and_then(|text| udp_errors(text, sources.snmp6)),
            tcp_retransmitted: sources.snmp.and_then(|text| snmp_value(text, "Tcp:", "RetransSegs")),
            softnet_dropped: softnet.map(|(dropped, _)| dropped),
            softnet_squeezed: softnet.map(|(_, squeezed)| squeezed),
            nic: sources.nic,
            conntrack: sources
                .conntrack
                .and_then(|(count, max)| Some((count.trim().parse().ok()?, max.trim().parse().ok()?))),
            memory_available: sources
                .meminfo
                .and_then(|text| value_after(text, "MemAvailable:"))
                .map(|kib| kib.saturating_mul(1024)),
            load: sources.loadavg.and_then(|text| text.split_whitespace().next()?.parse().ok()),
        }
    }
}

impl Process {
    /// From `/proc/PID/stat`. The name may hold blanks and parentheses: the last `)` ends it.
    pub fn parse(stat: &str) -> Option<Self> {
        let (pid, rest) = stat.split_once(" (")?;
        let (name, rest) = rest.rsplit_once(") ")?;
        let mut fields = rest.split_whitespace().skip(11);
        let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        Some(Self { pid: pid.parse().ok()?, name: name.to_owned(), ticks: user.saturating_add(system) })
    }
}

/// The processes that used most ticks since `before`, busiest first, with those ticks.
pub fn busiest_processes(before: &[Process], now: &[Process], most: usize) -> Vec<(Process, u64)> {
    let known: std::collections::HashMap<u32, &Process> = before.iter().map(|p| (p.pid, p)).collect();
    let used = |process: &Process| {
        let earlier = known.get(&process.pid).filter(|earlier| earlier.name == process.name);
        process.ticks.saturating_sub(earlier.map_or(0, |earlier| earlier.ticks))
    };
    let mut busy: Vec<(Process, u64)> =
        now.iter().map(|process| (process.clone(), used(process))).filter(|(_, ticks)| *ticks > 0).collect();
    busy.sort_by_key(|(process, ticks)| (std::cmp::Reverse(*ticks), process.pid));
    busy.truncate(most);
    busy
}

fn cpus(stat: &str) -> Vec<CpuTimes> {
    let cpu = |line: &str| {
        let mut fields = line.strip_prefix("cpu")?.split_whitespace();
        // "cpu " has no number, "cpu0 " has one: either way the first field of the rest may be it.
        if !line.starts_with("cpu ") {
            fields.next();
        }
        let ticks: Vec<u64> = fields.map_while(|field| field.parse().ok()).collect();
        // user nice system idle iowait irq softirq steal; guest time is part of user time.
        let &[_, _, _, idle, iowait, _, softirq, steal] = ticks.get(..8)? else { return None };
        let total = ticks[..8].iter().fold(0, |sum: u64, ticks| sum.saturating_add(*ticks));
        Some(CpuTimes { total, idle: idle.saturating_add(iowait), softirq, steal })
    };
    stat.lines().take_while(|line| line.starts_with("cpu")).filter_map(cpu).collect()
}

/// The number that follows `key` at the start of a line.
fn value_after(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.split_whitespace().next() == Some(key))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn some_avg10(pressure: &str) -> Option<f64> {
    let some = pressure.lines().find(|line| line.starts_with("some "))?;
    let value = some.split_whitespace().find_map(|field| field.strip_prefix("avg10="))?;
    value.parse().ok()
}

/// A pair of lines with one prefix: the names, then the values.
fn snmp_value(snmp: &str, prefix: &str, name: &str) -> Option<u64> {
    let mut lines = snmp.lines().filter(|line| line.split_whitespace().next() == Some(prefix));
    let column = lines.next()?.split_whitespace().position(|field| field == name)?;
    lines.next()?.split_whitespace().nth(column)?.parse().ok()
}

fn udp_errors(snmp: &str, snmp6: Option<&str>) -> Option<UdpErrors> {
    let sum = |name: &str| {
        let v4 = snmp_value(snmp, "Udp:", name)?;
        let v6 = snmp6.and_then(|text| value_after(text, &format!("Udp6{name}"))).unwrap_or(0);
        Some(v4.saturating_add(v6))
    };
    Some(UdpErrors {
        receive_buffer: sum("RcvbufErrors")?,
        send_buffer: sum("SndbufErrors")?,
        checksum: sum("InCsumErrors").unwrap_or(0),
    })
}

/// A line per processor, in hexadecimal: processed, dropped, squeezed, ...
fn softnet(text: &str) -> (u64, u64) {
    let column = |line: &str, index| {
        line.split_whitespace().nth(index).and_then(|field| u64::from_str_radix(field, 16).ok()).unwrap_or(0)
    };
    text.lines().fold((0, 0), |(dropped, squeezed), line| {
        (dropped.saturating_add(column(line, 1)), squeezed.saturating_add(column(line, 2)))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STAT: &str = "cpu  100 20 30 400 10 0 5 7 3 0\ncpu0 60 10 15 200 5 0 5 3 0 0\n\
                        cpu1 40 10 15 200 5 0 0 4 3 0\nintr 12345\nctxt 9\n";
    const SNMP: &str = "Ip: Forwarding\nIp: 1\n\
        Tcp: RtoAlgorithm RtoMin MaxConn RetransSegs\nTcp: 1 200 -1 42\n\
        Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors\n\
        Udp: 23 0 11 24 9 1 2\nUdpLite: InDatagrams RcvbufErrors\nUdpLite: 0 77\n";
    const SNMP6: &str = "Udp6InDatagrams \t5\nUdp6RcvbufErrors\t4\nUdp6SndbufErrors 0\nUdp6InCsumErrors 1\n";

    #[test]
    fn reads_each_file_of_a_linux_host() {
        let counters = Counters::parse(&Sources {
            stat: Some(STAT),
            cgroup_cpu: Some("usage_usec 5\nnr_periods 10\nnr_throttled 3\nthrottled_usec 80000\n"),
            cpu_pressure: Some("some avg10=21.50 avg60=1.00 avg300=0.00 total=9\nfull avg10=3.00 avg60=0\n"),
            memory_pressure: Some("some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"),
            snmp: Some(SNMP),
            snmp6: Some(SNMP6),
            softnet: Some("00000005 00000001 0000000a 0 0\n000007cf 00000010 00000001 0 0\n"),
            meminfo: Some("MemTotal:       24684084 kB\nMemAvailable:   2048 kB\n"),
            loadavg: Some("2.14 1.70 0.91 3/200 999\n"),
            conntrack: Some(("95\n", "100\n")),
            nic: None,
        });
        let all = CpuTimes { total: 572, idle: 410, softirq: 5, steal: 7 };
        assert_eq!((counters.cpus.len(), counters.cpus[0]), (3, all));
        assert_eq!(counters.cpus[2], CpuTimes { total: 274, idle: 205, softirq: 0, steal: 4 });
        assert_eq!(counters.throttled, Some(3));
        assert_eq!((counters.cpu_pressure, counters.memory_pressure), (Some(21.5), Some(0.0)));
        assert_eq!(counters.udp, Some(UdpErrors { receive_buffer: 13, send_buffer: 1, checksum: 3 }));
        assert_eq!(counters.tcp_retransmitted, Some(42));
        assert_eq!((counters.softnet_dropped, counters.softnet_squeezed), (Some(17), Some(11)));
        assert_eq!(counters.memory_available, Some(2 << 20));
        assert_eq!((counters.load, counters.conntrack), (Some(2.14), Some((95, 100))));
    }

    #[test]
    fn a_file_that_is_not_there_leaves_its_figure_unknown() {
        assert_eq!(Counters::parse(&Sources::default()), Counters::default());
    }

    #[test]
    fn a_process_name_may_hold_blanks_and_parentheses() {
        let stat = "42 (a) (b) c) S 1 42 42 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 1 0 5 1 1";
        let process = Process::parse(stat).unwrap();
        assert_eq!(process, Process { pid: 42, name: "a) (b) c".into(), ticks: 300 });
    }

    #[test]
    fn a_process_is_as_busy_as_the_ticks_it_used_since() {
        let process = |pid, name: &str, ticks| Process { pid, name: name.into(), ticks };
        let before = [process(1, "init", 1_000), process(2, "old", 500), process(4, "idle", 7)];
        // Another program has the number 2 now; 3 is new.
        let now =
            [process(1, "init", 1_010), process(2, "new", 30), process(3, "hog", 90), process(4, "idle", 7)];
        let busy = busiest_processes(&before, &now, 5);
        let used: Vec<(u32, u64)> = busy.iter().map(|(process, ticks)| (process.pid, *ticks)).collect();
        assert_eq!(used, [(3, 90), (2, 30), (1, 10)]);
        assert_eq!(busiest_processes(&before, &now, 1).len(), 1);
    }

    proptest! {
        /// Any text is read without a panic, and gives figures or none.
        #[test]
        fn any_text_is_survived(text in "[ -~\n\t]{0,200}", key in "(cpu|cpu0|Udp:|Tcp:|some|nr_throttled) [0-9 ]{0,90}") {
            let text = format!("{key}\n{text}\n{key}");
            Process::parse(&text);
            let text = Some(text.as_str());
            Counters::parse(&Sources {
                stat: text, cgroup_cpu: text, cpu_pressure: text, memory_pressure: text, snmp: text, snmp6: text,
                softnet: text, meminfo: text, loadavg: text, conntrack: text.zip(text), nic: None,
            });
        }
    }
}
