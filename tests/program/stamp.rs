//! STAMP on sockets: our reflector, our sender, and others'.

use std::net::SocketAddr;

use udpecho::net::{Batch, Options, bind_socket};
use udpecho::time::Duration;
use udpecho::wire::stamp::{ErrorEstimate, Format, Mode, Reply, Request, Timestamp};

use crate::common::process::Serve;

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
                finished.stdout.iter().any(|line| line.contains("0 plain, 2 stamp probes")),
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
