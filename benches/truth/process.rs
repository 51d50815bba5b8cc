//! The program as a process: a server that is ready, a measurement that is over.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use udpecho::probe::Resolved;
use udpecho::record::{Folder, Run};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_udpecho");

/// A child that is killed at the end.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port that nobody has.
pub fn free_port() -> u16 {
    let socket = std::net::UdpSocket::bind(("127.0.0.1", 0)).expect("a port");
    socket.local_addr().expect("its address").port()
}

/// Starts a server, in a network namespace if one is named, and waits until it serves.
pub fn serve(namespace: Option<&str>, port: u16) -> Running {
    let mut command = program(namespace);
    command.args(["serve", "--clean", "-p", &port.to_string()]).stdout(Stdio::piped());
    let mut child = command.spawn().expect("udpecho serve");
    let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let ready = lines.map_while(Result::ok).any(|line| line.contains("injects"));
    assert!(ready, "udpecho serve did not start");
    Running(child)
}

/// A measurement, recorded in this folder.
pub fn ping(namespace: Option<&str>, words: &str, folder: &Path) -> Command {
    let mut command = program(namespace);
    command
        .arg("ping")
        .args(words.split_whitespace())
        .args(["-q", "-o"])
        .arg(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

pub fn read(folder: &Path) -> (Run, Vec<Resolved>) {
    let folder = Folder::open(folder).expect("a run");
    let rows = folder.probe_reader().expect("probes.csv").map(|row| row.expect("a row")).collect();
    (folder.read_run().expect("run.json"), rows)
}

fn program(namespace: Option<&str>) -> Command {
    match namespace {
        None => Command::new(PROGRAM),
        Some(name) => {
            let mut command = Command::new("ip");
            command.args(["netns", "exec", name, PROGRAM]);
            command
        }
    }
}

/// A shell that is there already, so that a signal leaves when it should.
pub struct Signals {
    _shell: Running,
    words: ChildStdin,
}

impl Signals {
    pub fn new() -> Self {
        let mut shell = Command::new("sh").stdin(Stdio::piped()).spawn().expect("sh");
        let words = shell.stdin.take().expect("its input");
        Self { _shell: Running(shell), words }
    }

    pub fn send(&mut self, name: &str, pid: u32) {
        writeln!(self.words, "kill -{name} {pid}").and_then(|()| self.words.flush()).expect("a signal");
    }
}
