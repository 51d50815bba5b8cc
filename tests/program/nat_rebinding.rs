//! Relays on loopback that do what a translator of addresses does when it has forgotten: from some
//! moment on one side of it has another port.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use udpecho::probe::{Cause, Outcome};

use crate::common::files::Record;
use crate::common::process::{Process, Serve, command, run};

/// Passes datagrams between one client and a server.
struct Relay {
    port: u16,
    /// From now on the server sees the client at another port.
    client_moves: Arc<AtomicBool>,
    /// From now on answers reach the client from another port.
    server_moves: Arc<AtomicBool>,
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    socket
}

impl Relay {
    /// To this port; until the test is over.
    fn to(server: u16) -> Self {
        let outside = [socket(), socket()];
        let inside = [socket(), socket()];
        let port = outside[0].local_addr().unwrap().port();
        let [client_moves, server_moves] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
        let (client_moved, server_moved) = (Arc::clone(&client_moves), Arc::clone(&server_moves));
        thread::spawn(move || {
            let mut client: Option<SocketAddr> = None;
            let mut buffer = [0; 65_536];
            loop {
                let seen_as = &inside[usize::from(client_moved.load(Ordering::Relaxed))];
                if let Ok((length, from)) = outside[0].recv_from(&mut buffer) {
                    client = Some(from);
                    seen_as.send_to(&buffer[..length], ("127.0.0.1", server)).unwrap();
                }
                let answers_from = &outside[usize::from(server_moved.load(Ordering::Relaxed))];
                if let (Ok((length, _)), Some(client)) = (seen_as.recv_from(&mut buffer), client) {
                    // The client may be gone by now.
                    let _ = answers_from.send_to(&buffer[..length], client);
                }
            }
        });
        Self { port, client_moves, server_moves }
    }
}

struct Run {
    folder: TempDir,
    relay: Relay,
    serve: Serve,
    ping: Process,
}

impl Run {
    /// One that has got as far as its sixth probe.
    fn begin(keyed: bool, threads: u8) -> Self {
        let folder = TempDir::new().unwrap();
        let key = folder.path().join("key");
        let option = if keyed { format!("--key-file {}", key.display()) } else { String::new() };
        assert_eq!(run(command(folder.path(), "keygen -o key")).code, Some(0));
        let serve = Serve::start(&format!("--clean --threads {threads} {option}"));
        let relay = Relay::to(serve.port);
        let words = format!("ping 127.0.0.1:{} -i 0.05 -W 3 -o run {option}", relay.port);
        let mut ping = Process::spawn(command(folder.path(), &words));
        ping.line_with("udp_seq=5");
        Self { folder, relay, serve, ping }
    }
}

#[test]
fn a_client_whose_address_is_translated_anew_is_measured_on() {
    // Of eight threads one has the session.
    let several = if cfg!(target_os = "linux") { 8 } else { 1 };
    for (keyed, threads) in [(false, 1), (true, 1), (false, several), (true, several)] {
        let mut run = Run::begin(keyed, threads);
        run.relay.client_moves.store(true, Ordering::Relaxed);
        run.ping.line_with("udp_seq=20");
        run.ping.signal("INT");
        let Run { folder, serve, ping, .. } = run;
        ping.finish().assert_summed_up();
        let record = Record::complete(&folder.path().join("run"));
        // What was on its way back to the port before may be lost.
        assert!(record.count(Outcome::Ok) + 3 >= record.rows.len() as u64, "{:#?}", record.run.summary);
        assert!(record.run.events.is_empty(), "{:#?}", record.run.events);
        serve.process.signal("TERM");
        assert!(serve.process.finish().has_line("1 from a new address of their client"));
    }
}

#[test]
fn a_server_that_answers_from_another_address_is_told_of_and_not_believed() {
    for keyed in [false, true] {
        let mut run = Run::begin(keyed, 1);
        run.relay.server_moves.store(true, Ordering::Relaxed);
        let line = run.ping.line_with("the server sends from 127.0.0.1:");
        run.relay.server_moves.store(false, Ordering::Relaxed);
        run.ping.line_with("udp_seq=");
        run.ping.signal("INT");
        let record = {
            let Run { folder, ping, .. } = run;
            ping.finish().assert_summed_up();
            Record::complete(&folder.path().join("run"))
        };
        let event = record.run.events.iter().find(|event| event.kind == "server_moved").expect("an event");
        let place = event.text.rsplit(' ').next().unwrap();
        assert!(line.contains(place) && event.at_us > 0.0, "{line} {event:?}");
        let lost = record.count(Outcome::Lost);
        assert!(lost > 0 && lost + record.count(Outcome::Ok) == record.rows.len() as u64);
        // Asked at the address that was measured, it says that it had answered.
        assert_eq!(record.lost_by(Cause::Down).len() as u64, lost);
    }
}
