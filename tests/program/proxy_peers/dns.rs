//! A DNS client behind a proxy: the queries that time out are those that its files name.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::process::{Finished, Process, command, free_port, port_in, run};

const QUERIES: u32 = 100;

/// A server that knows `n0.test` to `n99.test`, each with an address of its own.
fn dnsmasq(port: u16) -> Process {
    let mut dnsmasq = Command::new("dnsmasq");
    dnsmasq
        .args(["--no-daemon", "--no-resolv", "--no-hosts", "--conf-file=/dev/null", "--pid-file="])
        .args(["--bind-interfaces", "--listen-address=127.0.0.1"])
        .arg(format!("--port={port}"))
        .args((0..QUERIES).map(|n| format!("--host-record=n{n}.test,10.0.0.{n}")));
    let mut dnsmasq = Process::spawn(dnsmasq);
    dnsmasq.remark_with("started");
    dnsmasq
}

/// The names that `dig` had no answer for: 50 at a time, two queries each, so that each may wait for long.
fn unanswered(port: u16, folder: &Path) -> BTreeSet<String> {
    let names: Vec<String> = (0..QUERIES).map(|n| format!("n{n}.test")).collect();
    let start = |(index, names): (usize, &[String])| {
        let file = folder.join(format!("queries{index}"));
        std::fs::write(&file, names.join("\n") + "\n").unwrap();
        let mut dig = Command::new("dig");
        dig.args(["@127.0.0.1", "-p", &port.to_string(), "+short", "+tries=1", "+time=5", "-f"]).arg(file);
        Process::spawn(dig)
    };
    let digs: Vec<Process> = names.chunks(2).enumerate().map(start).collect();
    let finished: Vec<Finished> = digs.into_iter().map(Process::finish).collect();
    let answered: BTreeSet<&str> =
        finished.iter().flat_map(|dig| &dig.stdout).filter_map(|line| line.strip_prefix("10.0.0.")).collect();
    names
        .iter()
        .filter(|name| !answered.contains(&name["n".len()..name.len() - ".test".len()]))
        .cloned()
        .collect()
}

/// A field of the packets of a capture that a filter takes.
fn tshark(folder: &Path, filter: &str, field: &str, port: u16) -> Vec<String> {
    let mut tshark = Command::new("tshark");
    tshark
        .current_dir(folder)
        .args(["-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"])
        .args(["-d", &format!("udp.port=={port},dns"), "-r", "run.pcapng", "-Y", filter, "-T", "fields"])
        .args(["-e", field])
        .stderr(Stdio::null());
    let output = run(tshark);
    assert_eq!(output.code, Some(0), "{output:#?}");
    output.stdout
}

/// Flow and number of each datagram toward the server that was lost.
fn lost_in_the_file(folder: &Path) -> BTreeSet<(String, String)> {
    let text = std::fs::read_to_string(folder.join("ledger/datagrams.csv")).unwrap();
    let rows = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let lost = rows.filter(|row| (row[2], row[7], row[8]) == ("up", "dropped", "lost"));
    lost.map(|row| (row[1].to_owned(), row[3].to_owned())).collect()
}

#[test]
fn of_a_hundred_dns_queries_the_25_that_time_out_are_those_that_the_files_name() {
    crate::needs!(Dnsmasq, Dig, Tshark);
    // dnsmasq listens on UDP and TCP.
    let server = free_port();
    let _dnsmasq = dnsmasq(server);
    let folder = tempfile::tempdir().unwrap();
    let line = format!("proxy -l 0 -t 127.0.0.1:{server} --up loss=nth:4 -o ledger --pcap run.pcapng");
    let mut proxy = Process::spawn(command(folder.path(), &line));
    let port = port_in(&proxy.line_with("is relayed to").replace("is relayed to", ""));

    let unanswered = unanswered(port, folder.path());
    let ended = proxy.interrupt_until_it_ends();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    // A port may serve two queries, one after the other: that is one flow.
    let has = |begin: &str, end: &str| {
        ended.stdout.iter().any(|line| line.starts_with(begin) && line.ends_with(end))
    };
    assert!(has("m1 up: 100 arrived of ", " flows, 75 passed, 25 lost"), "{ended:#?}");
    assert!(has("m1 down: 75 arrived of ", " flows, 75 passed"), "{ended:#?}");

    const LOST: &str = "frame.comment contains \"fate=dropped cause=lost\"";
    let named: Vec<String> = tshark(folder.path(), LOST, "dns.qry.name", port);
    assert_eq!((named.len(), named.into_iter().collect::<BTreeSet<_>>()), (25, unanswered), "{ended:#?}");
    let commented = tshark(folder.path(), LOST, "frame.comment", port).into_iter().map(|comment| {
        let word = |key: &str| {
            let value = comment.split(' ').find_map(|word| word.strip_prefix(key));
            value.unwrap_or_else(|| panic!("no {key} in {comment}")).to_owned()
        };
        (word("flow="), word("seq="))
    });
    assert_eq!(commented.collect::<BTreeSet<_>>(), lost_in_the_file(folder.path()));
    let passed = tshark(folder.path(), "frame.comment contains \"fate=passed\"", "frame.number", port);
    assert_eq!(passed.len(), 150);
    let damaged = "_ws.malformed || ip.checksum.status == \"Bad\" || udp.checksum.status == \"Bad\"";
    assert_eq!(tshark(folder.path(), damaged, "frame.number", port), Vec::<String>::new());
}
