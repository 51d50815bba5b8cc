//! `proxy` between programs that know nothing of it: what they lose, see and report is what its files name.

mod datagrams;
mod dns;
mod quic;

use std::path::Path;
use std::process::Command;

use crate::common::process::{Finished, Process, command, port_in, run};

/// A proxy to a server on this host; its record is `ledger` in the folder.
struct Through {
    process: Process,
    port: u16,
}

impl Through {
    fn start(folder: &Path, server: u16, flags: &str) -> Self {
        let line = format!("proxy -l 0 -t 127.0.0.1:{server} -o ledger {flags}");
        let mut process = Process::spawn(command(folder, &line));
        let port = port_in(&process.line_with("is relayed to").replace("is relayed to", ""));
        Self { process, port }
    }

    fn end(self) -> Finished {
        let ended = self.process.interrupt_until_it_ends();
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        ended
    }
}

/// A certificate and its key for `localhost`, in `cert.pem` and `key.pem`.
fn make_certificate(folder: &Path) {
    let mut openssl = Command::new("openssl");
    openssl.current_dir(folder).args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256".split(' '));
    openssl.args("-nodes -keyout key.pem -out cert.pem -days 30 -subj /CN=localhost".split(' '));
    assert_eq!(run(openssl).code, Some(0));
}

/// How many datagrams of this direction were dropped for this cause.
fn dropped(folder: &Path, direction: &str, cause: &str) -> usize {
    let text = std::fs::read_to_string(folder.join("ledger/datagrams.csv")).unwrap();
    let rows = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    rows.filter(|row| (row[2], row[8]) == (direction, cause)).count()
}

/// Waits until a program has this UDP port of 127.0.0.1, as the kernel lists it.
fn until_bound(port: u16) {
    const LOOKS: u32 = 2_000;
    let entry = format!("0100007F:{port:04X}");
    let is_bound = || std::fs::read_to_string("/proc/net/udp").is_ok_and(|table| table.contains(&entry));
    for _ in 0..LOOKS {
        if is_bound() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("nobody listens at UDP port {port}");
}
