//! The room as a process: its peers are nc, Python, sockets by hand, and our own client.

pub mod abuse;
mod files;
mod hostile_host;
mod hostile_room;
mod in_person;
mod killed;
mod members;
mod nat;
mod orders;
mod page;
mod ports;
mod relay;
mod suspects;
mod transcripts;
mod traversal;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::common::process::{Finished, Process, command, port_in, run, udpecho};
use crate::exports::schema::assert_valid;

/// Holds the output of `join --json` against `udpecho schema join`.
fn assert_described(printed: &Value) {
    let schema = run(command(Path::new("."), "schema join")).stdout.concat();
    let schema = serde_json::from_str(&schema).unwrap();
    assert_valid(&jsonschema::validator_for(&schema).unwrap(), printed);
}

/// A running room.
struct Room {
    process: Process,
    port: u16,
}

impl Room {
    fn start(options: &str) -> Self {
        Self::at(0, options)
    }

    fn at(port: u16, options: &str) -> Self {
        let mut command = udpecho();
        command.args(["room", "-4", "-p", &port.to_string()]).args(options.split_whitespace());
        let mut process = Process::spawn(command);
        let port = process.line_with("room on TCP and UDP port ");
        let port = port_in(&port.replace("port ", ":"));
        process.line_with("members: ");
        Self { process, port }
    }

    /// A peer that sends nothing yet.
    fn connect(&self) -> Peer {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.set_nodelay(true).unwrap();
        Peer { reader: BufReader::new(stream.try_clone().unwrap()), stream }
    }

    /// A member without a person that has joined.
    fn agent(&self, folder: &Path, words: &str) -> Process {
        let mut agent =
            Process::spawn(command(folder, &format!("join 127.0.0.1:{} --agent {words}", self.port)));
        agent.remark_with("joined 127.0.0.1:");
        agent
    }

    /// A member that sends lines, in the room and with nothing left to read.
    fn member(&self, name: &str) -> Peer {
        let mut peer = self.connect();
        peer.send(&format!("{name}\n"));
        peer.line_with("-- here: ");
        peer
    }
}

/// One command of a script.
fn order(port: u16, line: &str) -> Finished {
    let mut command = udpecho();
    command.args(["join", &format!("127.0.0.1:{port}"), "--name", "dora", "--json", "--do", line]);
    run(command)
}

/// A room with two agents in one folder and a guest that reads along.
struct Hosts {
    room: Room,
    folder: TempDir,
    bea: Process,
    carl: Process,
    anna: Peer,
}

impl Hosts {
    fn of(room: Room) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let agent = |name| room.agent(folder.path(), &format!("--name {name} --accept 1Mbit,60s"));
        let [bea, carl] = ["bea", "carl"].map(agent);
        let anna = room.member("anna");
        Self { room, folder, bea, carl, anna }
    }

    /// The answer to a script; `act` is called once bea has found a way to carl.
    fn order(&mut self, line: &str, act: impl FnOnce(&Self)) -> Finished {
        let port = self.room.port;
        std::thread::scope(|scope| {
            let ordered = scope.spawn(move || order(port, line));
            self.anna.line_with(" carl agrees, direct");
            act(self);
            ordered.join().unwrap()
        })
    }
}

/// A peer by hand.
struct Peer {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Peer {
    fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).unwrap();
    }

    /// The next line; empty at the end.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.reader.read_line(&mut line).unwrap();
        line.trim_end_matches('\n').to_owned()
    }

    /// Reads up to a line with this text.
    fn line_with(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            assert!(self.reader.read_line(&mut line).unwrap() > 0, "the end before '{text}'");
            if line.contains(text) {
                return line.trim_end_matches('\n').to_owned();
            }
        }
    }

    /// The lines that came so far: up to one of its own.
    fn lines_until_now(&mut self) -> Vec<String> {
        self.send("over?\n");
        let lines = std::iter::from_fn(|| Some(self.line()).filter(|line| !line.ends_with(": over?")));
        lines.collect()
    }

    /// All that comes up to the end of the stream; a reset is an end.
    fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        let _ = self.reader.read_to_end(&mut bytes);
        String::from_utf8(bytes).unwrap()
    }
}
