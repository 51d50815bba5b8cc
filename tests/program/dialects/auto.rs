//! `ping` of a host where no udpecho server answers: the other dialects that it speaks.

use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::sync::{Arc, Mutex};
use std::thread;

use tempfile::TempDir;
use udpecho::wire::irtt::Packet;

use super::{STAMP_LINE, port_after};
use crate::common::process::{Finished, Process, Serve, command, free_port, python, run};

fn ping(words: &str) -> Finished {
    let folder = TempDir::new().unwrap();
    let finished = run(command(folder.path(), &format!("ping -n 1 {words}")));
    assert_eq!(finished.code, Some(1), "{finished:#?}");
    assert!(finished.stdout.is_empty() && std::fs::read_dir(folder.path()).unwrap().count() == 0);
    finished
}

/// A UDP socket that answers as told, until the test is over; returns its port and what came.
fn server(answer: impl Fn(&[u8]) -> Option<Vec<u8>> + Send + 'static) -> (u16, Arc<Mutex<Vec<Vec<u8>>>>) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let came = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&came);
    thread::spawn(move || {
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            heard.lock().unwrap().push(buffer[..length].to_vec());
            if let Some(answer) = answer(&buffer[..length]) {
                let _ = socket.send_to(&answer, from);
            }
        }
    });
    (port, came)
}

#[test]
fn a_reflector_is_named_with_the_command_that_measures_it() {
    let mut serve = Serve::start("--clean --stamp=0");
    let port = port_after(&serve.process.line_with(STAMP_LINE));
    let said = ping(&format!("127.0.0.1:{port}")).stderr.concat();
    let expected = format!(
        "udpecho: no udpecho server answers at 127.0.0.1 port {port}, but the host speaks STAMP on port {port} \
         (udpecho ping --stamp 127.0.0.1:{port})"
    );
    assert_eq!(said, expected);
    // The command that it names works.
    let folder = TempDir::new().unwrap();
    for words in ["--stamp", "--dialect stamp", "--dialect=stamp"] {
        let words = format!("ping {words} 127.0.0.1:{port} -n 2 -i 10ms -W 1 -q --no-record");
        assert_eq!(run(command(folder.path(), &words)).code, Some(0));
    }
}

#[test]
fn an_echo_server_and_an_irtt_server_are_told_apart() {
    let (echo, _) = server(|datagram| Some(datagram.to_vec()));
    let said = ping(&format!("127.0.0.1:{echo}")).stderr.concat();
    assert!(
        said.ends_with(&format!(
            "the host speaks plain echo on port {echo} (udpecho ping --plain 127.0.0.1:{echo})"
        )),
        "{said}"
    );
    let (irtt, _) = server(|datagram| {
        let open = Packet::parse(datagram, None).ok()?.open_params()?;
        Some(Packet::emit_open_reply(0, &open, true, None))
    });
    let said = ping(&format!("127.0.0.1:{irtt}")).stderr.concat();
    assert!(said.contains(&format!("the host speaks irtt on port {irtt} ")), "{said}");
}

#[test]
fn a_twamp_server_is_known_by_its_greeting() {
    crate::needs!(Python);
    let mut server = Process::spawn(python("twamp_server.py"));
    let port = server.line_with("port ").rsplit(' ').next().unwrap().to_owned();
    let said = ping(&format!("127.0.0.1:{port}")).stderr.concat();
    let expected = format!("speaks TWAMP on port {port} (udpecho ping --twamp 127.0.0.1:{port})");
    assert!(said.ends_with(&expected), "{said}");
}

#[test]
fn a_silent_host_gets_one_datagram_of_each_dialect_and_no_record_is_left() {
    let (port, came) = server(|_: &[u8]| -> Option<Vec<u8>> { None });
    let said = ping(&format!("127.0.0.1:{port}")).stderr.concat();
    assert!(said.contains("no answer from 127.0.0.1") && said.contains("after 5 tries"), "{said}");
    let nothing = "asked for STAMP, TWAMP, irtt, plain echo and text there, too: no answer";
    assert!(said.ends_with(nothing), "{said}");
    let came = came.lock().unwrap();
    let different: BTreeSet<&Vec<u8>> = came.iter().collect();
    assert_eq!((came.len(), different.len()), (5 + 4, 1 + 4), "five hellos, then each dialect once");
}

#[test]
fn with_a_source_port_every_datagram_leaves_from_it() {
    let (port, came) =
        server(|datagram| (datagram == b"C 512").then(|| b"Buffer Size Calibrated at Server.".to_vec()));
    let source = free_port();
    let said = ping(&format!("127.0.0.1:{port} --source-port {source}")).stderr.concat();
    assert!(said.ends_with(&format!("text on port {port} (udpecho ping --text 127.0.0.1:{port})")), "{said}");
    assert_eq!(came.lock().unwrap().len(), 5 + 4);
}

#[test]
fn a_named_dialect_and_a_closed_port_are_as_they_were() {
    let port = free_port();
    for (words, asks) in [("", true), ("--dialect native", false), ("--dialect auto", true)] {
        let said = ping(&format!("127.0.0.1:{port} {words}")).stderr.concat();
        assert!(said.contains("is closed (ICMP port unreachable)"), "{said}");
        assert_eq!(said.contains("asked for STAMP"), asks, "{words}: {said}");
    }
    let folder = TempDir::new().unwrap();
    let refused = run(command(folder.path(), "ping 127.0.0.1 --dialect native --stamp"));
    assert_eq!(refused.code, Some(2), "{refused:#?}");
}
