//! `proxy` between real programs: the fates in its file are those that its clients meet.

use std::net::UdpSocket;

use crate::common::process::{Process, Serve, command, port_in, run};
use udpecho::time::Duration;

/// Rows of `datagrams.csv` with this direction and fate.
fn rows(folder: &std::path::Path, direction: &str, fate: &str) -> usize {
    let text = std::fs::read_to_string(folder.join("ledger/datagrams.csv")).unwrap();
    let wanted = |line: &&str| {
        let cells: Vec<&str> = line.split(',').collect();
        (cells[2], cells[7]) == (direction, fate)
    };
    text.lines().skip(1).filter(wanted).count()
}

/// Sends numbered datagrams one by one; tells which came back.
fn ask(port: u16, count: u32) -> Vec<bool> {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(300).to_std())).unwrap();
    let mut buffer = [0; 64];
    let once = |number: u32| {
        let _ = socket.send(&number.to_be_bytes());
        socket.recv(&mut buffer).is_ok_and(|length| buffer[..length] == number.to_be_bytes())
    };
    (0..count).map(once).collect()
}

#[test]
fn a_profile_acts_in_both_directions_and_that_of_an_uplink_on_the_way_up() {
    let lines = |flags: &str| {
        let line = format!("proxy -l 0 -t 127.0.0.1:9 --seed 1 {flags} -- true");
        // Standard output is that of the command behind --.
        run(command(std::path::Path::new("."), &line)).stderr
    };
    let uplink = "up: delay=constant:30ms rate=1Mbit,queue=256000";
    for (flags, said) in [
        ("--profile dsl-bloated", vec![uplink, "down: no impairment (seed 1)"]),
        (
            "--profile satellite --loss 1%",
            vec![
                "up: delay=normal:300ms±10ms,ordered loss=1%",
                "down: delay=normal:300ms±10ms,ordered loss=1% (seed 1)",
            ],
        ),
        (
            "--down dsl-bloated",
            vec!["up: no impairment", "down: delay=constant:30ms rate=1Mbit,queue=256000 (seed 1)"],
        ),
        (
            "--client 127.0.0.2 dsl-bloated",
            vec![
                "clients in 127.0.0.2/32: up delay=constant:30ms rate=1Mbit,queue=256000, down no impairment",
            ],
        ),
    ] {
        let lines = lines(flags);
        assert!(said.iter().all(|said| lines.iter().any(|line| line == said)), "{flags}: {lines:#?}");
    }
    let mut proxy = command(std::path::Path::new("."), "proxy -l 0 -t 127.0.0.1:9 --up");
    proxy.arg("loss=1% direction=down");
    let refused = run(proxy);
    let why = "'loss=1% direction=down' for '--up': direction: a proxy has a line for each direction";
    assert!(refused.code == Some(2) && refused.stderr[0].contains(why), "{refused:#?}");
}

#[test]
fn every_fourth_datagram_is_lost_and_the_file_names_the_same() {
    let server = Serve::start("--clean");
    let folder = tempfile::tempdir().unwrap();
    let line = format!("proxy -l 0 -t 127.0.0.1:{} --up loss=nth:4 -o ledger", server.port);
    let mut proxy = Process::spawn(command(folder.path(), &line));
    let port = port_in(&proxy.line_with("is relayed to").replace("is relayed to", ""));
    let answered = ask(port, 20);
    assert_eq!(answered.iter().filter(|answered| !**answered).count(), 5);
    let ended = proxy.interrupt_until_it_ends();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.has_line("m1 up: 20 arrived of 1 flow, 15 passed, 5 lost"), "{ended:#?}");
    assert_eq!((rows(folder.path(), "up", "dropped"), rows(folder.path(), "up", "passed")), (5, 15));
    assert_eq!(rows(folder.path(), "down", "passed"), 15);
}

#[test]
fn a_command_behind_the_proxy_decides_its_exit_code_before_what_was_expected() {
    let server = Serve::start("--clean");
    let folder = tempfile::tempdir().unwrap();
    let proxy = |rest: &str| {
        let mut proxy = command(folder.path(), &format!("proxy -q -l 0 -t 127.0.0.1:{}", server.port));
        proxy.args(rest.split_whitespace());
        run(proxy)
    };
    assert_eq!(proxy("--expect up.arrived==0 -- true").code, Some(0));
    let unmet = proxy("--expect up.lost>=1 -- true");
    assert_eq!(unmet.code, Some(3));
    assert!(
        unmet.stderr.iter().any(|line| line.contains("expected up.lost>=1, but up.lost is 0")),
        "{unmet:#?}"
    );
    assert_eq!(proxy("--expect up.lost>=1 -- false").code, Some(1));
    assert_eq!(proxy("-- no-such-program").code, Some(2));
}

/// Even one that ignores TERM.
#[test]
fn a_signal_to_the_proxy_ends_its_command() {
    let folder = tempfile::tempdir().unwrap();
    let [willing, deaf] =
        ["echo ready; exec sleep 60", "trap '' TERM; echo ready; exec sleep 60"].map(|script| {
            let mut proxy = command(folder.path(), "proxy -q -l 0 -t 127.0.0.1:9 -- sh -c");
            proxy.arg(script);
            let mut proxy = Process::spawn(proxy);
            proxy.line_with("ready");
            proxy.signal("TERM");
            proxy
        });
    assert_eq!(willing.finish().code, Some(128 + 15));
    let deaf = deaf.finish();
    assert_eq!(deaf.code, Some(128 + 9));
    assert!(deaf.stderr[0].contains("does not end on TERM and is killed"), "{deaf:#?}");
}

#[test]
fn what_cannot_be_relayed_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    for (line, why) in [
        ("proxy", "nothing to relay"),
        ("proxy -l 0.0.0.0:0 -t 127.0.0.1:9", "--public allows it"),
        ("proxy -l 0 -t 127.0.0.1", "names no port"),
        ("proxy -l x -t 127.0.0.1:9", "must be a port or an address"),
        ("proxy --map dns-5300", "is not NAME:ADDRESS=SERVER"),
        ("proxy -l 0 -t 127.0.0.1:9 --loss often", "--loss"),
        ("proxy -l 0 -t 127.0.0.1:9 --expect up.lost=1", "compares nothing"),
    ] {
        let refused = run(command(folder.path(), line));
        assert_eq!((refused.code, refused.stderr.len()), (Some(2), 1), "{line}: {refused:#?}");
        assert!(refused.stderr[0].contains(why), "{line}: {refused:#?}");
    }
}

#[test]
fn a_server_that_is_the_proxy_itself_is_refused() {
    let port = crate::common::process::free_port();
    let folder = tempfile::tempdir().unwrap();
    let refused = run(command(folder.path(), &format!("proxy -l {port} -t 127.0.0.1:{port}")));
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr[0].contains("is this proxy itself"), "{refused:#?}");
}

/// The sum of some columns of `seconds.csv`.
fn sum(folder: &std::path::Path, direction: &str, columns: std::ops::RangeInclusive<usize>) -> u64 {
    let text = std::fs::read_to_string(folder.join("ledger/seconds.csv")).unwrap();
    let rows = text.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>());
    let of = rows.filter(|cells| cells[2] == direction);
    of.flat_map(|cells| {
        cells[columns.clone()].iter().map(|cell| cell.parse::<u64>().unwrap()).collect::<Vec<_>>()
    })
    .sum()
}

#[test]
fn a_record_has_what_json_says_and_a_report_is_made_from_it() {
    let server = Serve::start("--clean");
    let folder = tempfile::tempdir().unwrap();
    let line = format!(
        "proxy -l 0 -t 127.0.0.1:{} --up loss=nth:4 --down delay=constant:1ms --json -o ledger --expect up.queue>=1",
        server.port
    );
    let mut proxy = Process::spawn(command(folder.path(), &line));
    let port = port_in(&proxy.remark_with("is relayed to").replace("is relayed to", ""));
    ask(port, 20);
    let ended = proxy.interrupt_until_it_ends();
    assert_eq!((ended.code, ended.stdout.len()), (Some(3), 1), "{ended:#?}");
    let object: serde_json::Value = serde_json::from_str(&ended.stdout[0]).unwrap();
    let schema = run(command(folder.path(), "schema proxy")).stdout.concat();
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let errors: Vec<String> = validator.iter_errors(&object).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    let unmet = "expected up.queue>=1, but up.queue is 0";
    assert_eq!(object["end"], serde_json::json!({ "exit_code": 3, "unmet": [unmet] }));
    assert!(ended.stderr.iter().any(|line| line.contains(unmet)), "{ended:#?}");
    let written = std::fs::read_to_string(folder.path().join("ledger/run.json")).unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&written).unwrap(), object);
    // passed, then the causes and send errors.
    assert_eq!((sum(folder.path(), "up", 3..=3), sum(folder.path(), "up", 5..=12)), (15, 5));
    assert_eq!((sum(folder.path(), "down", 3..=3), sum(folder.path(), "down", 5..=12)), (15, 0));
    let again = run(command(folder.path(), &format!("proxy -l 0 -t 127.0.0.1:{port} -o ledger")));
    assert!(again.code == Some(2) && again.stderr[0].contains("already holds a run"), "{again:#?}");
    let report = run(command(folder.path(), "report ledger --format html"));
    assert!(report.has_line("m1 up: 20 arrived, 15 passed, 5 lost"), "{report:#?}");
    assert!(
        report.has_line("m1 down: 15 arrived, 15 passed, held p50/p99/max = 1.00/1.00/1.00 ms"),
        "{report:#?}"
    );
    let page = std::fs::read_to_string(folder.path().join("ledger/report.html")).unwrap();
    assert!(page.contains("<td>loss=nth:4</td>") && page.contains("5 (25 %)"), "{page}");
    let files = crate::common::process::names(&folder.path().join("ledger"));
    assert_eq!(files, ["datagrams.csv", "report.html", "report.png", "run.json", "seconds.csv"]);
}

#[test]
fn a_record_is_readable_after_the_proxy_was_killed() {
    let server = Serve::start("--clean");
    let folder = tempfile::tempdir().unwrap();
    let line = format!("proxy -l 0 -t 127.0.0.1:{} --up loss=nth:4 -o ledger", server.port);
    let mut proxy = Process::spawn(command(folder.path(), &line));
    let port = port_in(&proxy.line_with("is relayed to").replace("is relayed to", ""));
    ask(port, 8);
    while rows(folder.path(), "down", "passed") < 6 {
        std::thread::yield_now();
    }
    proxy.signal("KILL");
    proxy.finish();
    let report = run(command(folder.path(), "report ledger"));
    assert_eq!(report.code, Some(0), "{report:#?}");
    assert!(
        report.has_line("the proxy was killed") && report.has_line("m1 up: 8 arrived, 6 passed, 2 lost"),
        "{report:#?}"
    );
}

/// iperf3 counts what is missing before the last datagram that it received: not those at the end of its test.
#[test]
fn the_loss_that_iperf3_measures_is_what_the_queue_dropped() {
    crate::needs!(Iperf3);
    let folder = tempfile::tempdir().unwrap();
    let port = crate::common::process::free_tcp_port();
    let iperf3 = |words: &str| {
        let mut iperf3 = std::process::Command::new("iperf3");
        iperf3.args(words.split_whitespace());
        iperf3
    };
    let mut server = Process::spawn(iperf3(&format!("-s -1 --forceflush -B 127.0.0.1 -p {port}")));
    server.line_with("Server listening");
    let line = format!("proxy -l 0 -t 127.0.0.1:{port} --tcp --up rate=1Mbit,queue=16k -o ledger");
    let mut proxy = Process::spawn(command(folder.path(), &line));
    let through = port_in(&proxy.line_with("is relayed to").replace("is relayed to", ""));
    let measured = run(iperf3(&format!("-c 127.0.0.1 -p {through} -u -b 2M -l 1000 -t 3 -J")));
    let measured: serde_json::Value = serde_json::from_str(&measured.stdout.concat()).unwrap();
    let ended = proxy.interrupt_until_it_ends();
    server.finish();
    let received = &measured["end"]["sum_received"];
    let count = |key: &str| received[key].as_u64().unwrap_or_else(|| panic!("{measured:#}"));
    let text = std::fs::read_to_string(folder.path().join("ledger/datagrams.csv")).unwrap();
    // Its datagrams are numbered from 1 here as there: the first of the flow only opens the test.
    let counted = |line: &&str| {
        let cells: Vec<&str> = line.split(',').collect();
        let seq: u64 = cells[3].parse().unwrap();
        (cells[2], cells[8]) == ("up", "queue") && seq <= count("packets")
    };
    let dropped = text.lines().skip(1).filter(counted).count() as u64;
    assert!(dropped > 100, "{measured:#}");
    assert_eq!(count("lost_packets"), dropped, "{ended:#?} {measured:#}");
    assert!(ended.has_line("TCP connections: 1 passed"), "{ended:#?}");
}

/// The numbers and fates of one direction, in the order of the numbers.
fn fates(file: &std::path::Path, direction: &str) -> Vec<(u64, String)> {
    let text = std::fs::read_to_string(file.join("datagrams.csv")).unwrap();
    let rows = text.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>());
    let of = rows.filter(|cells| cells[2] == direction);
    let mut fates: Vec<(u64, String)> =
        of.map(|cells| (cells[3].parse().unwrap(), format!("{} {}", cells[7], cells[8]))).collect();
    fates.sort();
    fates
}

#[test]
fn a_run_is_had_again_from_its_seed_and_from_its_record() {
    let server = Serve::start("--clean");
    let folder = tempfile::tempdir().unwrap();
    let again = |flags: &str, name: &str| {
        let line = format!("proxy -l 0 -t 127.0.0.1:{} {flags} -o {name}", server.port);
        let mut proxy = Process::spawn(command(folder.path(), &line));
        let port = port_in(&proxy.line_with("is relayed to").replace("is relayed to", ""));
        ask(port, 30);
        assert_eq!(proxy.interrupt_until_it_ends().code, Some(0));
        fates(&folder.path().join(name), "up")
    };
    let first = again("--up loss=30% --seed 7", "first");
    assert!(first.iter().any(|(_, fate)| fate == "dropped lost") && first.len() == 30, "{first:?}");
    assert_eq!(again("--up loss=30% --seed 7", "seed"), first);
    assert_eq!(again("--replay first", "replay"), first);
    let missing = run(command(folder.path(), "proxy --map x:0=127.0.0.1:9 --replay first"));
    assert!(missing.code == Some(2) && missing.stderr[0].contains("a mapping 'm1'"), "{missing:#?}");
}

#[test]
fn a_configuration_is_read_again_on_hup_and_flows_go_on() {
    let server = Serve::start("--clean");
    let folder = tempfile::tempdir().unwrap();
    let write = |text: &str| std::fs::write(folder.path().join("proxy.toml"), text).unwrap();
    let to = format!("127.0.0.1:{}", server.port);
    let mapping = |name: &str, line: &str| {
        format!("[[mapping]]\nname = '{name}'\nlisten = '0'\nto = '{to}'\nline = '{line}'\n")
    };
    write(&mapping("one", "clean"));
    let mut proxy =
        Process::spawn(command(folder.path(), "proxy --config proxy.toml --client 127.0.0.9 loss=50%"));
    let port = port_in(&proxy.line_with("one: UDP").replace("one:", ""));
    proxy.line_with("clients in 127.0.0.9/32: up loss=50%, down loss=50%");
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.connect(("127.0.0.1", port)).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(20).to_std())).unwrap();
    let exchange = || {
        client.send(b"x").unwrap();
        client.recv(&mut [0; 8]).unwrap();
    };
    exchange();
    write(&(mapping("one", "loss=100%") + &mapping("two", "clean")));
    proxy.signal("HUP");
    proxy.remark_with("proxy.toml is in effect: 2 mappings");
    client.send(b"lost").unwrap();
    write("[[mapping]]\nlistn = '0'\n");
    proxy.signal("HUP");
    proxy.remark_with(
        "proxy.toml stays as it was: proxy.toml: line 2: unknown key 'listn'; did you mean 'listen'?",
    );
    write(&mapping("one", "clean"));
    proxy.signal("HUP");
    proxy.remark_with("proxy.toml is in effect: 1 mappings");
    exchange();
    let ended = proxy.interrupt_until_it_ends();
    assert!(ended.has_line("one up: 3 arrived of 1 flow, 2 passed, 1 lost"), "{ended:#?}");
    assert!(ended.has_line("two up: 0 arrived of 0 flows, 0 passed"), "{ended:#?}");
}

#[test]
fn a_scenario_takes_the_mapping_down_and_up_again() {
    let server = Serve::start("--clean");
    let folder = tempfile::tempdir().unwrap();
    let steps =
        "repeat = false\n[[step]]\nfor = '1ms'\n[[step]]\nfor = '1s'\nstate = 'down'\n[[step]]\nfor = '1s'\n";
    std::fs::write(folder.path().join("scenario.toml"), steps).unwrap();
    let line = format!("proxy -l 0 -t 127.0.0.1:{} --scenario scenario.toml", server.port);
    let mut proxy = Process::spawn(command(folder.path(), &line));
    let port = port_in(&proxy.line_with("is relayed to").replace("is relayed to", ""));
    proxy.line_with("a scenario of 3 steps changes them");
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.connect(("127.0.0.1", port)).unwrap();
    client.set_read_timeout(Some(Duration::from_millis(50).to_std())).unwrap();
    let (mut refused, mut answered) = (false, false);
    for _ in 0..1_000 {
        if refused && answered {
            break;
        }
        std::thread::sleep(Duration::from_millis(10).to_std());
        refused |= client.send(b"x").is_err();
        match client.recv(&mut [0; 8]) {
            // The first one is answered before the port is closed.
            Ok(_) => answered = refused,
            Err(error) => refused |= error.kind() == std::io::ErrorKind::ConnectionRefused,
        }
    }
    assert!(refused && answered, "refused: {refused}, answered afterwards: {answered}");
}

/// Probes of 4.8 Mbit/s meet a link of 2.
#[test]
fn a_run_that_filled_a_link_becomes_a_trace_of_its_rate() {
    let server = Serve::start("--rate 2Mbit,queue=16k");
    let folder = tempfile::tempdir().unwrap();
    let line = format!("ping -ip 127.0.0.1 -p {} -n 600 --rate 600 -s 1000 -o filled", server.port);
    run(command(folder.path(), &line));
    let made = run(command(folder.path(), "trace filled"));
    assert_eq!(made.code, Some(0), "{made:#?}");
    let opportunities: Vec<u64> = made.stdout.iter().map(|line| line.parse().unwrap()).collect();
    assert!(opportunities.is_sorted());
    // The rate counts 1,000 bytes of each IP packet of 1,028.
    let mbit = (opportunities.len() * 1_500 * 8) as f64 / *opportunities.last().unwrap() as f64 / 1e3;
    assert!((mbit / 2.056 - 1.0).abs() < 0.2, "{mbit} Mbit/s");
    std::fs::write(folder.path().join("link"), made.stdout.join("\n") + "\n").unwrap();
    let line = format!("proxy -q -l 0 -t 127.0.0.1:{} --rate trace:link,queue=300k -- true", server.port);
    assert_eq!(run(command(folder.path(), &line)).code, Some(0));
    let empty = run(command(folder.path(), "trace nothing"));
    assert_eq!((empty.code, empty.stderr.len()), (Some(2), 1), "{empty:#?}");
}
