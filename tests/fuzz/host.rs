//! Turns the bytes of a fuzzer into the files that tell how busy a host is.

use udpecho::host::{
    Counters, Figures, Process, Sources, busiest_processes, in_words, interface_for, reasons,
};

/// Two readings, the halves of the input, and what is made of them.
pub fn host_files(data: &[u8]) {
    let (before, now) = data.split_at(data.len() / 2);
    let [before, now] = [before, now].map(String::from_utf8_lossy);
    let figures = Figures::between(1, &counters(&before), &counters(&now));
    let shares = [figures.cpu_share, figures.steal_share, figures.softirq_share, figures.conntrack_share];
    assert!(shares.iter().flatten().all(|share| (0.0..=1.0).contains(share)), "{shares:?}");
    for reason in reasons(&figures) {
        assert!(!reason.to_string().is_empty());
    }
    let [was, is] = [&before, &now].map(|text| text.lines().filter_map(Process::parse).collect::<Vec<_>>());
    let busiest = busiest_processes(&was, &is, 3);
    assert!(busiest.len() <= 3);
    assert!(!in_words(&figures, &busiest, 100).is_empty());
    for remote in [[10, 0, 0, 1].into(), std::net::IpAddr::from([0xFD00, 0, 0, 0, 0, 0, 0, 1])] {
        let _ = interface_for(remote, &now, &now);
    }
    let json = serde_json::to_string(&figures).expect("JSON");
    let _: Figures = serde_json::from_str(&json).expect("figures");
}

/// Each file has the whole text: a line that is none of its own is passed over.
fn counters(text: &str) -> Counters {
    let text = Some(text);
    Counters::parse(&Sources {
        stat: text,
        cgroup_cpu: text,
        cpu_pressure: text,
        memory_pressure: text,
        snmp: text,
        snmp6: text,
        softnet: text,
        meminfo: text,
        loadavg: text,
        conntrack: text.zip(text),
        nic: None,
    })
}
