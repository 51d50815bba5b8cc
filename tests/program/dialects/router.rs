//! A router that answers one address and port only, and one length only, as some are provisioned.

use std::net::UdpSocket;
use std::thread;

use tempfile::TempDir;
use udpecho::net::Clock;
use udpecho::time::Instant;
use udpecho::wire::stamp::{Echoed, Format, Mode, Reply, Request, Timestamp};

use crate::common::files::Record;
use crate::common::process::{Finished, command, free_port, run};

/// The requests that it reflects.
#[derive(Clone, Copy)]
struct Provisioned {
    source_port: u16,
    length: usize,
}

fn now() -> Timestamp {
    let since = Clock::start().now() - Instant::ZERO;
    Timestamp::from_unix(since.as_nanos(), Format::Ntp)
}

/// Stateless, and pads with what comes to hand.
fn router(provisioned: Provisioned) -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let received = Some(now());
            if (from.port(), length) != (provisioned.source_port, provisioned.length) {
                continue;
            }
            let Some(request) = Request::parse(Mode::Open, &buffer[..length]) else { continue };
            let Request { seq, sent, error, ssid } = request;
            let echoed = Some(Echoed { seq, sent, error });
            let reply = Reply { seq, sent: now(), error, ssid, received, echoed, ttl: Some(64), tos: None };
            reply.emit(Mode::Open, &mut buffer[..length]);
            let padding = (0..=255_u8).cycle().map(|k| k.wrapping_mul(167).wrapping_add(seq as u8));
            buffer[44..length].iter_mut().zip(padding).for_each(|(octet, random)| *octet = random);
            let _ = socket.send_to(&buffer[..length], from);
        }
    });
    port
}

fn ping(words: &str) -> (Finished, TempDir) {
    let folder = TempDir::new().unwrap();
    let words = format!("ping --stamp -n 5 -i 10ms -W 1 -o run {words}");
    (run(command(folder.path(), &words)), folder)
}

#[test]
fn a_router_that_answers_one_source_port_and_142_bytes_is_measured_from_there() {
    let source_port = free_port();
    let port = router(Provisioned { source_port, length: 142 });
    let (finished, folder) = ping(&format!("127.0.0.1:{port} --source-port {source_port} -s 142"));
    assert_eq!(finished.code, Some(0), "{finished:#?}");
    assert!(finished.has_line("does not number its replies"), "{finished:#?}");
    let record = Record::complete(&folder.path().join("run"));
    assert_eq!(record.ok_or_skipped(), 5);
    assert!(record.rows.iter().all(|row| row.owd_up.is_some() && row.server.is_some()));
}

#[test]
fn from_another_port_it_is_silent_and_the_likely_reasons_are_said() {
    let port = router(Provisioned { source_port: free_port(), length: 142 });
    let (finished, _) = ping(&format!("127.0.0.1:{port} -s 142"));
    assert_eq!(finished.code, Some(1));
    let said = finished.stderr.concat();
    for reason in ["to 3 STAMP requests", "--source-port 862", "-s 142", "--twamp"] {
        assert!(said.contains(reason), "{said}");
    }
}
