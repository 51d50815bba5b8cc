//! STAMP on sockets: our reflector, our sender, and others'.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;
use udpecho::net::{Batch, Options, bind_socket};
use udpecho::probe::{Cause, Losses};
use udpecho::time::Duration;
use udpecho::wire::stamp::{ErrorEstimate, Format, Mode, Reply, Request, Timestamp};

use crate::common::files::Record;
use crate::common::process::{Process, Serve, command, free_port, python, run};
use crate::common::relay::{pass, relay};

/// A request of this length.
fn datagram(seq: u32, length: usize) -> Vec<u8> {
    let mut datagram = vec![0; length];
    let error = ErrorEstimate::new(false, Format::Ntp, Duration::ZERO);
    let sent = Timestamp::from_unix(1_000_000_000_000, Format::Ntp);
    Request { seq, sent, error, ssid: 0xBEEF }.emit(Mode::Open, &mut datagram);
    datagram
}

/// Through real sockets: TTL, traffic class and port are those of the design, held or not.
#[test]
fn replies_leave_from_the_stamp_port_with_ttl_255_and_the_dscp_of_their_request() {
    for options in ["--clean --stamp=0", "--delay constant:5ms --stamp=0"] {
        for ip in ["127.0.0.1", "::1"] {
            let mut serve = Serve::start(options);
            let port = port_after(&serve.process.line_with("answers STAMP and TWAMP-Light on UDP port "));
            let remote = SocketAddr::new(ip.parse().unwrap(), port);
            let options = Options {
                traffic_class: Some(0xB8),
                report_ttl: true,
                report_tos: true,
                ..Options::default()
            };
            let mut socket = bind_socket(SocketAddr::new(remote.ip(), 0), &options).unwrap();
            socket.connect(remote).unwrap();
            let mut batch = Batch::new(4, 2048);
            for seq in [0, 2] {
                socket.send_one(&datagram(seq, 60)).unwrap();
                while socket.receive(&mut batch).is_err() {
                    socket.wait_readable(Duration::from_secs(60)).unwrap();
                }
                let place = batch.datagrams(0).next().unwrap();
                let reply = Reply::parse(Mode::Open, batch.bytes(place.clone())).unwrap();
                assert_eq!((place.len(), reply.seq), (60, seq / 2));
                assert_eq!((reply.ttl, reply.tos), (Some(64), Some(0xB8)), "{ip}");
                if cfg!(target_os = "linux") {
                    assert_eq!((batch.arrival(0).ttl, batch.arrival(0).tos), (Some(255), Some(0xB8)), "{ip}");
                }
            }
            serve.process.signal("INT");
            let finished = serve.process.finish();
            assert!(
                finished.stdout.iter().any(|line| line.contains("sent 2: 2 stamp probes")),
                "{finished:#?}"
            );
        }
    }
}

fn port_after(line: &str) -> u16 {
    let digits: String =
        line.split("port ").nth(1).unwrap().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

/// Through a relay that drops every `up`-th request and every `down`-th reply.
fn through_a_relay(options: &str, stateless: bool) -> (Record, [u64; 2]) {
    let mut serve = Serve::start("--clean --stamp=0");
    let reflector = port_after(&serve.process.line_with("answers STAMP and TWAMP-Light on UDP port "));
    let lost = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
    let counts = Arc::clone(&lost);
    let mut came = 0;
    // Only probes are dropped: the opening has the number 0, closing requests follow 201.
    let mut drop_every = move |way: usize, nth: u64, number: Option<&[u8]>| {
        let number = number.map(|number| u32::from_be_bytes(number.try_into().unwrap()));
        if !number.is_some_and(|number| (2..=201).contains(&number)) {
            return false;
        }
        came += 1;
        let is_lost = came % nth == 0;
        counts[way].fetch_add(u64::from(is_lost), Ordering::Relaxed);
        is_lost
    };
    let mut drop_up = drop_every.clone();
    let port = relay(
        reflector,
        move |server, datagram| {
            if !drop_up(0, 7, datagram.get(..4)) {
                pass(server, datagram);
            }
        },
        move |client, datagram| {
            let mut datagram = datagram.to_vec();
            if stateless {
                datagram.copy_within(24..28, 0);
            }
            if !drop_every(1, 11, datagram.get(24..28)) {
                pass(client, &datagram);
            }
        },
    );
    let folder = TempDir::new().unwrap();
    let words = format!("ping --stamp -o run 127.0.0.1:{port} -n 200 -i 10ms -W 1 {options}");
    let finished = Process::spawn(command(folder.path(), &words)).finish();
    assert_eq!(finished.code, Some(0), "{finished:#?}");
    let again = run(command(folder.path(), "report run"));
    let record = Record::read(&folder.path().join("run"));
    let causes = &record.run.summary.as_ref().unwrap().causes;
    for (cause, count) in causes {
        let words = record.run.knows.unwrap().words(*cause);
        assert!(again.has_line(&format!("{count} {words}")), "{again:#?}");
    }
    (record, [0, 1].map(|way| lost[way].load(Ordering::Relaxed)))
}

#[test]
fn through_a_relay_the_numbers_lost_up_and_down_are_those_that_it_dropped() {
    let (record, lost) = through_a_relay("", false);
    let causes = record.run.summary.unwrap().causes;
    let of = |cause| causes.get(&cause).copied().unwrap_or(0);
    assert_eq!([of(Cause::Up), of(Cause::Down), of(Cause::Unknown)], [lost[0], lost[1], 0]);
    assert_eq!(record.run.knows.unwrap().losses, Losses::Gaps);
    assert!(record.rows.iter().all(|row| row.reply_number.is_some() == row.rtt.is_some()));
}

#[test]
fn where_a_reflector_copies_numbers_losses_are_unknown() {
    let (record, lost) = through_a_relay("", true);
    let causes = record.run.summary.unwrap().causes;
    assert_eq!(causes.get(&Cause::Unknown), Some(&(lost[0] + lost[1])));
    assert_eq!(causes.len(), 1);
    assert_eq!(record.run.knows.unwrap().losses, Losses::RoundTrip);
}

#[test]
fn every_option_of_the_socket_holds_for_stamp_and_the_record_is_whole() {
    for (ip, options) in [("127.0.0.1", "-Q 46 -t 99 -I 127.0.0.1"), ("[::1]", "-Q 10 -t 200 -I ::1 -6")] {
        let key = TempDir::new().unwrap();
        let file = key.path().join("key");
        let path = file.to_str().unwrap();
        assert_eq!(run(command(key.path(), &format!("keygen -o {path}"))).code, Some(0));
        for options in [options.to_owned(), format!("{options} --key-file {path} --tlv direct")] {
            let keyed = options.contains("key-file");
            let mut serve = Serve::start(&format!(
                "--clean --stamp=0{}",
                if keyed { format!(" --key-file {path}") } else { String::new() }
            ));
            let port = port_after(&serve.process.line_with("STAMP"));
            let folder = TempDir::new().unwrap();
            let words = format!("ping -o run --stamp {ip}:{port} -n 20 -i 10ms -W 1 {options}");
            assert_eq!(run(command(folder.path(), &words)).code, Some(0));
            let record = Record::complete(&folder.path().join("run"));
            assert_eq!(record.ok_or_skipped(), 20);
            assert!(record.rows.iter().all(|row| row.rtt.is_none() || row.owd_up.is_some()));
            let summary = record.run.summary.unwrap();
            assert!(summary.hold_us.is_none() && summary.net_rtt_us.is_some());
        }
    }
}

#[test]
fn a_twamp_server_gives_a_session_that_is_measured_and_stopped() {
    crate::needs!(Python);
    let mut server = Process::spawn(python("twamp_server.py"));
    let port = server.line_with("port ").rsplit(' ').next().unwrap().to_owned();
    let folder = TempDir::new().unwrap();
    let words = format!("ping --twamp -o run 127.0.0.1:{port} -n 20 -i 10ms -W 1 -s 60");
    let finished = run(command(folder.path(), &words));
    assert_eq!(finished.code, Some(0), "{finished:#?}");
    server.line_with("padding 46");
    let record = Record::complete(&folder.path().join("run"));
    assert_eq!(record.ok_or_skipped(), 20);
    // With the opening.
    let sent = record.run.summary.as_ref().unwrap().sent + 1;
    server.line_with(&format!("stopped after {sent} packets"));
    assert!(record.rows.iter().all(|row| row.rtt.is_none() || row.reply_number.is_some()));
    assert!(finished.has_line("this reflector numbers its replies"), "{finished:#?}");
    let refused = run(command(folder.path(), &format!("ping --twamp 127.0.0.1:{} -n 1", free_port())));
    assert_eq!(refused.code, Some(1), "a closed port is no reply, as with --stamp");
    assert!(refused.stderr.iter().any(|line| line.contains("no TWAMP control connection")), "{refused:#?}");
    let elsewhere = run(command(folder.path(), "ping --twamp -I 192.0.2.254 127.0.0.1 -n 1"));
    assert_eq!(elsewhere.code, Some(2), "{elsewhere:#?}");
}
