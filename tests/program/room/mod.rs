//! The room as a process: its peers are nc, Python, sockets by hand, and our own client.

mod abuse;
mod files;
mod frozen;
mod hostile_host;
mod in_person;
mod members;
mod nat;
mod orders;
mod page;
mod ports;
mod relay;
mod transcripts;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::common::process::{Process, command, port_in, run, udpecho};
use crate::exports::schema::assert_valid;

/// What `join --json` printed, against `udpecho schema join`.
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

    /// A member that sends lines, in the room and with nothing left to read.
    fn member(&self, name: &str) -> Peer {
        let mut peer = self.connect();
        peer.send(&format!("{name}\n"));
        peer.line_with("-- here: ");
        peer
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

    /// All that comes up to the end of the stream; a reset is an end.
    fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        let _ = self.reader.read_to_end(&mut bytes);
        String::from_utf8(bytes).unwrap()
    }
}
