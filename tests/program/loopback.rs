//! A few real runs over loopback. Deadlines are so long that a slow machine changes no outcome, and
//! what is injected follows from its seed.

use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use udpecho::impair::{Impairment, SessionLinks};
use udpecho::probe::{Cause, Outcome};
use udpecho::record::PROBES;
use udpecho::time::{self, Instant};
use udpecho::wire::native::{Message, decode};
use udpecho::wire::text::CALIBRATED;

use crate::common::files::Record;
use crate::common::process::{Finished, Process, Serve, command, names, python, run};
use crate::common::relay::{pass, relay};

/// A folder to measure in.
struct Bench {
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    fn ping(&self, words: &str) -> Process {
        Process::spawn(command(self.folder.path(), &format!("ping -o run {words}")))
    }

    fn run(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    fn record(&self) -> Record {
        Record::complete(&self.run())
    }
}

/// Tells the length of each probe.
fn observer(server: u16) -> (u16, Receiver<usize>) {
    let (length, lengths) = channel();
    let tell = move |inside: &UdpSocket, datagram: &[u8]| {
        if let Ok(Message::Probe(_)) = decode(datagram) {
            let _ = length.send(datagram.len());
        }
        pass(inside, datagram);
    };
    (relay(server, tell, pass), lengths)
}

/// The numbers of the probes that a server with the classic injection leaves unanswered.
fn withheld(seed: u64, count: u64) -> Vec<u64> {
    let mut fates = SessionLinks::new(Impairment::classic(), seed);
    (0..count).filter(|seq| fates.admit(Instant::ZERO, *seq, 512).dropped.is_some()).collect()
}

fn the_main_job(io: &str) {
    let serve = Serve::start(io);
    let (port, lengths) = observer(serve.port);
    let bench = Bench::new();
    let finished = bench.ping(&format!("-ip 127.0.0.1 -p {port} -n 20 -i 0.02 -W 2 -s 512 {io}")).finish();
    finished.assert_summed_up();
    let header = format!("PING 127.0.0.1 (127.0.0.1) 512(540) bytes of data. UDP port {port}");
    assert_eq!(finished.stdout[0], header, "{finished:#?}");
    assert!(finished.stdout[1].ends_with("; recorded in run"), "{finished:#?}");
    assert!(finished.stdout[2].starts_with("the server injects, on purpose: "), "{finished:#?}");
    assert_eq!(finished.stderr, ["run/report.png"]);
    assert_eq!(lengths.try_iter().collect::<Vec<_>>(), [512; 20]);

    let record = bench.record();
    assert_eq!(record.rows.len(), 20);
    let server = record.run.server.as_ref().unwrap();
    assert_eq!(server.injects, Impairment::classic().to_string());
    assert_eq!(record.lost_by(Cause::InjectedDown), withheld(server.seed, 20));
    assert_eq!(record.count(Outcome::Lost), record.lost_by(Cause::InjectedDown).len() as u64);
    for row in &record.rows {
        assert_eq!(row.due, time::Duration::from_millis(20) * row.seq as i64);
        // The hold is within the time at the server, and that within the RTT.
        if let (Some(rtt), Some(server), Some(hold)) = (row.rtt, row.server, row.hold) {
            assert!(hold <= server && server <= rtt, "{row:?}");
        }
    }
}

#[test]
fn the_main_job_works() {
    the_main_job("");
}

#[test]
fn the_main_job_works_with_the_standard_library_alone() {
    the_main_job("--io portable");
}

#[test]
fn with_decay_each_interval_is_shorter_down_to_the_floor_which_is_told() {
    let serve = Serve::start("--clean");
    let bench = Bench::new();
    let words = format!("-ip 127.0.0.1 -p {} -n 40 -i 0.03 -W 10 --decay --min-interval 10ms", serve.port);
    let finished = bench.ping(&words).finish();
    finished.assert_summed_up();
    assert!(finished.has_line("from seq=22 on the interval stays at its floor, 10ms"), "{finished:#?}");
    let record = bench.record();
    for row in &record.rows {
        let expected = (30e6 * 0.95_f64.powi(row.seq as i32)).max(10e6);
        assert!((row.interval.as_nanos() as f64 - expected).abs() <= 0.5, "{row:?}");
    }
    assert_eq!(record.ok_or_skipped(), 40);
}

#[test]
fn a_clean_loopback_loses_nothing() {
    for host in ["127.0.0.1", "::1"] {
        let serve = Serve::start("--clean");
        let bench = Bench::new();
        let words = format!("-ip {host} -p {} -n 300 -i 0.002 -W 10 -s 1400", serve.port);
        let finished = bench.ping(&words).finish();
        finished.assert_summed_up();
        let record = bench.record();
        assert_eq!((record.ok_or_skipped(), record.rows.len()), (300, 300));
        assert_eq!(record.run.server.as_ref().unwrap().injects, "clean");
        assert!(finished.has_line("the server injects nothing"));
        serve.process.signal("TERM");
        let totals = serve.process.finish();
        assert_eq!(totals.code, Some(0));
        let sent = format!("{} native", record.count(Outcome::Ok));
        assert!(totals.has_line(&sent), "{totals:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn up_to_10_000_probes_a_second_the_kernel_stamps_what_is_sent_unless_told_otherwise() {
    let serve = Serve::start("--clean");
    for (options, tx, rx) in [
        ("-i 1ms", "kernel", "kernel"),
        ("--rate 10000", "kernel", "kernel"),
        ("--rate 10001", "program", "kernel"),
        ("--rate 20000 --tx-stamps", "kernel", "kernel"),
        ("-i 1ms --no-tx-stamps", "program", "kernel"),
        ("-i 1ms --text", "program", "kernel"),
        ("-i 1ms --io portable", "program", "program"),
    ] {
        let bench = Bench::new();
        let port = serve.port;
        let finished = bench.ping(&format!("-ip 127.0.0.1 -p {port} -n 3 -W 1 {options}")).finish();
        let stamps = bench.record().run.stamps;
        assert_eq!((&*stamps.client_send, &*stamps.client_receive), (tx, rx), "{options}");
        let words = [tx, rx].map(|stamps| if stamps == "kernel" { stamps } else { "user space" });
        let header = format!("timestamps: TX {}, RX {}", words[0], words[1]);
        assert!(finished.stdout[1].contains(&header), "{options} {finished:#?}");
    }
}

#[test]
fn several_clients_at_once_have_each_their_own_size_and_losses() {
    let serve = Serve::start("");
    let clients = [("127.0.0.1", 64), ("127.0.0.1", 1400), ("::1", 9000), ("localhost", 300)];
    let runs: Vec<(Bench, Process, u32)> = clients
        .iter()
        .map(|(host, size)| {
            let bench = Bench::new();
            let ping = bench.ping(&format!("-ip {host} -p {} -n 30 -i 0.01 -W 2 -s {size}", serve.port));
            (bench, ping, *size)
        })
        .collect();
    let mut seeds = Vec::new();
    for (bench, ping, size) in runs {
        ping.finish().assert_summed_up();
        let record = bench.record();
        assert_eq!((record.run.config.size, record.rows.len()), (size, 30));
        let seed = record.run.server.as_ref().unwrap().seed;
        assert_eq!(record.lost_by(Cause::InjectedDown), withheld(seed, 30));
        assert!(!seeds.contains(&seed), "two clients share a seed");
        seeds.push(seed);
    }
}

#[test]
fn without_a_host_a_server_is_started_inside() {
    let bench = Bench::new();
    let finished = run(command(bench.folder.path(), "ping -n 20 -i 0.01 -W 1"));
    finished.assert_summed_up();
    assert!(finished.has_line("no host given: measuring a server started here"), "{finished:#?}");
    assert!(finished.has_line("the server injects, on purpose: "), "{finished:#?}");
    let [folder] = &names(&bench.folder.path().join("results"))[..] else { panic!("not one run") };
    assert!(folder.ends_with("-localhost"), "{folder}");
    assert!(finished.stdout[1].ends_with(&format!("; recorded in results/{folder}")), "{finished:#?}");
    assert_eq!(finished.stderr, [format!("results/{folder}/report.png")]);
    let record = Record::complete(&bench.folder.path().join("results").join(folder));
    assert!(record.run.config.embedded);
}

#[test]
fn a_students_client_in_python_is_served() {
    crate::needs!(Python);
    let serve = Serve::start("--allow-stop --impair-seed 3");
    let mut client = python("student_client.py");
    client.args([&serve.port.to_string(), "512", "10", "2", "exit"]);
    let finished = run(client);
    assert!(finished.code == Some(0) && finished.stderr.is_empty(), "{finished:#?}");
    // A probe is unanswered only if it is so by the seed: no reply takes two seconds.
    let dropped = withheld(3, 10).len();
    let lost = format!("lost {dropped} of 10");
    assert_eq!(finished.stdout, ["Buffer Size Calibrated at Server.", &lost, "Stopping the Server."]);
    let totals = serve.process.finish();
    assert_eq!(totals.code, Some(0));
    assert!(totals.has_line(&format!("{} text", 10 - dropped)), "{totals:?}");
}

#[test]
fn the_ten_line_client_of_the_docs_is_served() {
    crate::needs!(Python);
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/text-and-plain.md");
    let page = std::fs::read_to_string(page).expect("docs/text-and-plain.md");
    let script = page.split("```python\n").nth(1).and_then(|rest| rest.split("```").next());
    let serve = Serve::start("--clean --allow-stop");
    let mut client = std::process::Command::new("python3");
    let script = script.expect("a block of Python").replace("8080", &serve.port.to_string());
    client.args(["-u", "-c", &script]);
    let finished = run(client);
    assert!(finished.code == Some(0) && finished.stderr.is_empty(), "{finished:#?}");
    assert_eq!(finished.stdout[0], "Buffer Size Calibrated at Server.");
    let numbers: Vec<&str> = finished.stdout[1..].iter().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(numbers, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    // The client's last datagram stops the server.
    assert_eq!(serve.process.finish().code, Some(0));
}

/// The page shows enough: a client written from it measures, and learns the outcome of each probe.
#[test]
fn the_example_client_of_the_protocols_page_learns_what_became_of_its_probes() {
    crate::needs!(Python);
    let serve = Serve::start("--loss nth:3 --delay constant:5ms");
    let mut client = python("../../docs/client.py");
    client.args(["127.0.0.1", &serve.port.to_string(), "7"]);
    let finished = run(client);
    assert!(finished.code == Some(0) && finished.stderr.is_empty(), "{finished:#?}");
    assert_eq!(finished.stdout[0], "the server injects: delay=constant:5ms loss=nth:3");
    assert_eq!(finished.stdout.iter().filter(|line| line.contains(" rtt=")).count(), 5, "{finished:#?}");
    assert_eq!(finished.stdout[6..], [2, 5].map(|seq| format!("seq={seq} dropped down (injected)")));
}

fn text_against_a_students_server(io: &str) {
    let mut server = Process::spawn(python("student_server.py"));
    let port: u16 = server.line_with("port ").split(' ').nth(1).unwrap().parse().unwrap();
    let bench = Bench::new();
    let words = format!("-ip 127.0.0.1 -p {port} --text -n 12 -i 0.05 -W 1.5 -s 100 --stop-server {io}");
    let finished = bench.ping(&words).finish();
    finished.assert_summed_up();
    assert!(finished.has_line("text dialect; unknown: what the server injects"), "{finished:#?}");
    assert!(finished.has_line("the server stops"), "{finished:#?}");
    let record = bench.record();
    assert_eq!(record.lost_by(Cause::Unknown), [2, 5, 8, 11]);
    assert_eq!((record.count(Outcome::Ok), record.run.server), (8, None));
    let server = server.finish();
    assert!(server.code == Some(0) && server.has_line("12 packets"), "{server:?}");
}

#[test]
fn a_students_server_in_python_is_measured() {
    crate::needs!(Python);
    text_against_a_students_server("");
}

#[test]
fn a_students_server_in_python_is_measured_with_the_standard_library_alone() {
    crate::needs!(Python);
    text_against_a_students_server("--io portable");
}

#[test]
fn any_other_datagram_is_echoed() {
    for options in ["--clean", "--clean --io portable"] {
        let serve = Serve::start(options);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        socket.connect(("127.0.0.1", serve.port)).unwrap();
        for datagram in [&b"hello"[..], b"", b"exit", &[0xFF; 60_000]] {
            socket.send(datagram).unwrap();
            let mut buffer = [0; 65_536];
            let length = socket.recv(&mut buffer).expect("an echo");
            assert_eq!(&buffer[..length], datagram);
        }
    }
}

#[test]
fn a_signal_ends_the_run_in_good_order() {
    for io in ["", "--io portable"] {
        let serve = Serve::start("--clean");
        for signal in ["INT", "TERM", "HUP"] {
            let bench = Bench::new();
            let mut ping = bench.ping(&format!("-ip 127.0.0.1 -p {} -i 0.02 -W 10 {io}", serve.port));
            ping.line_with("udp_seq=5");
            ping.signal(signal);
            ping.finish().assert_summed_up();
            let record = bench.record();
            assert!(record.rows.len() > 5 && record.ok_or_skipped() == record.rows.len() as u64);
        }
        // So it ends a server too, with its totals.
        serve.process.signal("INT");
        let totals = serve.process.finish();
        assert!(totals.code == Some(0) && totals.has_line("received"), "{totals:?}");
    }
}

#[test]
fn quit_prints_an_interim_line_and_a_second_interrupt_leaves_at_once() {
    // It answers calibrations and nothing else: the tail would be a minute long.
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut buffer = [0; 2048];
        while let Ok((length, client)) = server.recv_from(&mut buffer) {
            if buffer[..length].starts_with(b"C ") {
                server.send_to(CALIBRATED, client).unwrap();
            }
        }
    });
    let bench = Bench::new();
    let mut ping = bench.ping(&format!("-ip 127.0.0.1 -p {port} --text -i 60"));
    ping.line_with("text dialect");
    ping.signal("QUIT");
    ping.remark_with("nothing sent");
    let finished = ping.interrupt_until_it_ends();
    assert_eq!(finished.code, Some(130), "{finished:#?}");
    reported(&bench);
}

/// `report` on a run that was not ended in order.
fn reported(bench: &Bench) -> Finished {
    let finished = run(command(bench.folder.path(), "report run"));
    assert_eq!(finished.code, Some(0), "{finished:#?}");
    assert!(finished.has_line("note: the run was killed"), "{finished:#?}");
    assert!(bench.run().join("report.png").is_file());
    finished
}

/// Waits until the file has this many rows.
fn await_rows(folder: &Path, count: usize) {
    for _ in 0..1500 {
        let text = std::fs::read_to_string(folder.join(PROBES)).unwrap_or_default();
        if text.lines().count() > count {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("not {count} rows on the disk after half a minute");
}

#[test]
fn a_killed_run_can_be_read_and_reported() {
    let serve = Serve::start("--clean");
    let bench = Bench::new();
    let ping = bench.ping(&format!("-ip 127.0.0.1 -p {} -i 0.02 -W 10", serve.port));
    await_rows(&bench.run(), 20);
    ping.signal("KILL");
    assert_eq!(ping.finish().code, None);
    let record = Record::read(&bench.run());
    assert!(record.rows.len() >= 20 && record.run.summary.is_none());
    let finished = reported(&bench);
    assert!(finished.has_line(&format!("{} packets transmitted", record.rows.len())), "{finished:#?}");
}

#[test]
fn a_row_is_on_the_disk_long_before_the_next_probe_of_a_slow_run() {
    let serve = Serve::start("--clean");
    let bench = Bench::new();
    let ping = bench.ping(&format!("-ip 127.0.0.1 -p {} -i 600", serve.port));
    await_rows(&bench.run(), 1);
    ping.signal("INT");
    ping.finish().assert_summed_up();
    bench.record();
}

#[test]
fn a_server_that_is_killed_and_started_again_is_found_and_the_record_says_when() {
    let serve = Serve::start("--clean");
    let port = serve.port;
    let bench = Bench::new();
    let mut ping = bench.ping(&format!("-ip 127.0.0.1 -p {port} -i 0.05 -W 2"));
    ping.line_with("udp_seq=5");
    serve.process.signal("KILL");
    serve.process.finish();
    ping.line_with("ICMP port unreachable; continuing");
    let _again = Serve::at(port, "--clean");
    ping.line_with("session lost (server restarted?)");
    let reopened = ping.line_with("connected again from seq=");
    let first: u64 = reopened.rsplit('=').next().unwrap().trim_end_matches(" on").parse().unwrap();
    ping.line_with(&format!("udp_seq={}", first + 5));
    ping.signal("INT");
    ping.finish().assert_summed_up();

    let record = bench.record();
    let events: Vec<&str> = record.run.events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(events, ["unreachable", "session_lost", "session_reopened"]);
    let at = |index: usize| record.run.events[index].at_us;
    let due = |seq: u64| record.rows[seq as usize].due.as_micros_f64();
    assert!(
        due(5) < at(0) && at(0) < at(1) && at(1) < at(2) && at(2) <= due(first + 1),
        "{:?}",
        record.run.events
    );
    for row in &record.rows {
        // Probes of the gap have an unknown cause, or the new server refused them.
        let alive = row.seq <= 5 || row.seq >= first;
        assert_eq!(row.outcome, if alive { Outcome::Ok } else { row.outcome }, "{row:?}");
        assert!(matches!(row.cause, None | Some(Cause::Unknown | Cause::Refused)), "{row:?}");
    }
    assert!(record.count(Outcome::Lost) > 0);
}

#[test]
fn a_client_stops_a_server_that_allows_it_and_no_other() {
    for (options, says) in
        [("--clean --allow-stop", "the server stops"), ("--clean", "the server refuses to stop")]
    {
        let serve = Serve::start(options);
        let bench = Bench::new();
        let words = format!("-ip 127.0.0.1 -p {} -n 2 -i 0.01 -W 10 --stop-server", serve.port);
        let finished = bench.ping(&words).finish();
        finished.assert_summed_up();
        assert!(finished.has_line(says), "{finished:#?}");
        if options.contains("--allow-stop") {
            assert_eq!(serve.process.finish().code, Some(0));
        } else {
            bench
                .ping(&format!("-ip 127.0.0.1 -p {} -n 1 -W 10 --force", serve.port))
                .finish()
                .assert_summed_up();
        }
    }
}

#[test]
fn a_server_that_is_ended_still_sends_what_it_holds() {
    let serve = Serve::start("--clean --delay constant:400ms");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    socket.send_to(b"hold me", ("127.0.0.1", serve.port)).unwrap();
    std::thread::sleep(Duration::from_millis(100));
    serve.process.signal("TERM");
    let mut buffer = [0; 64];
    let length = socket.recv(&mut buffer).expect("the reply that was held");
    assert_eq!(&buffer[..length], b"hold me");
    let finished = serve.process.finish();
    assert!(finished.code == Some(0) && finished.has_line("received 1 datagram, sent 1"), "{finished:#?}");
}

#[test]
fn a_client_that_is_stopped_for_seconds_sends_no_burst_and_says_so() {
    let serve = Serve::start("--clean");
    let bench = Bench::new();
    let ping = bench.ping(&format!("-ip 127.0.0.1 -p {} -n 600 -i 10ms -W 10", serve.port));
    await_rows(&bench.run(), 20);
    ping.signal("STOP");
    thread::sleep(Duration::from_secs(3));
    ping.signal("CONT");
    ping.finish().assert_summed_up();
    let record = bench.record();
    let unsent = record.count(Outcome::SendError);
    // Three seconds less the one that is caught up with, at the least.
    assert!(unsent > 150, "{unsent}");
    assert_eq!(record.count(Outcome::Ok) + unsent, 600);
    let told = record.run.events.iter().find(|event| event.kind == "suspended").expect("an event");
    assert!(told.text.contains("were skipped: this host was suspended or stalled"), "{told:?}");
}

/// The first server holds its answer until the second listens where the question came from.
#[test]
fn two_servers_do_not_go_on_echoing_to_each_other() {
    let first = Serve::start("--delay constant:2s --loss 0%");
    let forger = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    let port = forger.local_addr().unwrap().port();
    forger.send_to(b"hello", ("127.0.0.1", first.port)).unwrap();
    drop(forger);
    let second = Serve::at(port, "--clean");
    thread::sleep(Duration::from_millis(2500));
    for (server, line) in [(first, "received 1 datagram, sent 1:"), (second, "received 1 datagram, sent 0:")]
    {
        server.process.signal("TERM");
        let finished = server.process.finish();
        assert!(finished.has_line(line), "{finished:#?}");
    }
}

#[test]
fn with_a_key_file_on_both_sides_it_is_measured_and_without_it_is_not() {
    let bench = Bench::new();
    let key = bench.folder.path().join("key");
    let keygen = || run(command(bench.folder.path(), "keygen -o key"));
    assert_eq!(keygen().code, Some(0));
    let secret = std::fs::read_to_string(&key).unwrap();
    assert_eq!((secret.len(), keygen().code), (65, Some(2)));
    let serve = Serve::start(&format!("--clean --key-file {}", key.display()));
    let port = serve.port;
    bench
        .ping(&format!("-ip 127.0.0.1 -p {port} -n 20 -i 0.01 -W 2 --key-file key"))
        .finish()
        .assert_summed_up();
    assert_eq!(bench.record().ok_or_skipped(), 20);
    for name in names(&bench.run()) {
        let bytes = std::fs::read(bench.run().join(name)).unwrap();
        assert!(!bytes.windows(16).any(|window| window == &secret.as_bytes()[..16]));
    }
    let mut by_environment =
        command(bench.folder.path(), &format!("ping -ip 127.0.0.1 -p {port} -n 2 -i 0.01 -W 2 --no-record"));
    by_environment.env("UDPECHO_KEY", secret.trim());
    assert_eq!(run(by_environment).code, Some(0));
    let without =
        run(command(bench.folder.path(), &format!("ping -ip 127.0.0.1 -p {port} -n 2 --no-record")));
    assert_eq!(without.code, Some(1));
    assert!(without.stderr[0].contains("key"), "{without:#?}");
    std::fs::write(&key, "hunter2").unwrap();
    let bad = run(command(bench.folder.path(), &format!("ping -ip 127.0.0.1 -p {port} -n 2 --key-file key")));
    assert_eq!(bad.code, Some(2));
    assert!(bad.stderr[0].contains("keygen") && !bad.stderr[0].contains("hunter2"), "{bad:#?}");
    serve.process.signal("TERM");
    assert!(serve.process.finish().has_line("not sealed with the key"));
}

/// What the server says comes half a second later once more.
fn repeater(server: u16) -> u16 {
    let twice = |outside: &UdpSocket, reply: &[u8]| {
        pass(outside, reply);
        let (reply, outside) = (reply.to_vec(), outside.try_clone().unwrap());
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(500));
            pass(&outside, &reply);
        });
    };
    relay(server, pass, twice)
}

/// Copies that come when a probe's story is over, and before the next one is due.
#[test]
fn the_outcome_of_a_probe_does_not_depend_on_quiet() {
    let serve = Serve::start("--clean");
    let benches = [Bench::new(), Bench::new()];
    let runs = ["", "-q"].map(|quiet| format!("-ip 127.0.0.1 -n 4 -i 1 -W 3 {quiet} -port"));
    let [seen, unseen] = [0, 1].map(|k| benches[k].ping(&format!("{} {}", runs[k], repeater(serve.port))));
    for run in [seen, unseen] {
        assert_eq!(run.finish().code, Some(0));
    }
    let [seen, unseen] = benches.map(|bench| {
        let rows = Record::read(&bench.run()).rows;
        rows.iter().map(|row| (row.outcome, row.copies)).collect::<Vec<_>>()
    });
    assert_eq!(seen, unseen);
    assert!(unseen.iter().all(|(outcome, _)| *outcome == Outcome::Ok));
    // The first row waits for a second reply that confirms its times, so the copy still counts.
    assert_eq!(unseen[1..], [(Outcome::Ok, 1); 3]);
}
