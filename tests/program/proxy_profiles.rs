//! `ping` through `proxy` under every profile: the causes that it finds, by direction, are the fates in the capture,
//! probe by probe.

use std::collections::HashMap;
use std::net::UdpSocket;
use std::path::Path;

use crate::common::process::{Process, Serve, command, port_in};
use crate::common::relayed_truth::{Truths, sent_before};
use udpecho::impair::{Direction, profiles};
use udpecho::record::Folder;
use udpecho::relay::families;

const PROBES: usize = 30;

/// Every profile that `--profile` takes, each as a mapping of that name.
fn configuration(server: u16) -> (Vec<&'static str>, String) {
    let mapping = |name: &str, up: &str, down: &str, nat: &str| {
        format!(
            "[[mapping]]\nname = '{name}'\nlisten = '0'\nto = '127.0.0.1:{server}'\nup = '{up}'\ndown = '{down}'\nnat = '{nat}'\n"
        )
    };
    let plain = profiles()
        .iter()
        .map(|profile| (profile.name, mapping(profile.name, profile.name, profile.name, "none")));
    let paths = families().iter().flat_map(|family| family.profiles);
    let paths = paths.map(|path| (path.name, mapping(path.name, path.up, path.down, path.nat)));
    plain.chain(paths).unzip()
}

#[test]
fn ping_finds_the_causes_of_every_profile_that_the_capture_has() {
    let server = Serve::start("--clean");
    let folder = tempfile::tempdir().unwrap();
    let (names, text) = configuration(server.port);
    std::fs::write(folder.path().join("proxy.toml"), text).unwrap();
    let line = "proxy --config proxy.toml --seed 7 --pcap run.pcapng";
    let mut proxy = Process::spawn(command(folder.path(), line));
    // Slow enough for the slowest link.
    let pings: Vec<Process> = names
        .iter()
        .map(|name| {
            let listens = proxy.line_with(&format!("{name}: UDP")).replace(&format!("{name}:"), "");
            let port = port_in(&listens);
            let other = UdpSocket::bind("127.0.0.1:0").unwrap();
            for _ in 0..sent_before(name) {
                other.send_to(b"before", ("127.0.0.1", port)).unwrap();
            }
            let line =
                format!("ping -ip 127.0.0.1 -p {port} -n {PROBES} -i 150ms -W 4 -s 128 --wait -q -o {name}");
            Process::spawn(command(folder.path(), &line))
        })
        .collect();
    for ping in pings {
        ping.finish();
    }
    assert_eq!(proxy.interrupt_until_it_ends().code, Some(0));
    let truths = truths(&folder.path().join("run.pcapng"), names.len());
    for (name, truths) in names.iter().zip(truths) {
        let run = Folder::open(&folder.path().join(name)).unwrap();
        let rows: Vec<_> = run.probe_reader().unwrap().map(Result::unwrap).collect();
        assert_eq!(rows.len(), PROBES, "{name}");
        rows.iter().for_each(|row| truths.check(name, row));
    }
}

/// A packet of a capture: its interface, its UDP payload, its comment.
struct Packet {
    interface: usize,
    payload: Vec<u8>,
    comment: String,
}

impl Packet {
    fn word(&self, key: &str) -> &str {
        self.comment.split(' ').find_map(|word| word.strip_prefix(key)).unwrap_or_default()
    }

    fn direction(&self) -> Direction {
        if self.word("dir=") == "up" { Direction::Up } else { Direction::Down }
    }

    /// Clients are at even interfaces, servers at odd ones.
    fn arrives(&self) -> bool {
        self.interface.is_multiple_of(2) == (self.direction() == Direction::Up)
    }

    /// Unique among those that arrive at a mapping.
    fn name(&self) -> (usize, String, String, String) {
        let word = |key| self.word(key).to_owned();
        (self.interface / 2, word("flow="), word("dir="), word("seq="))
    }
}

/// The enhanced packet blocks of a file with IPv4.
fn packets(file: &Path) -> Vec<Packet> {
    const ENHANCED_PACKET: usize = 6;
    const HEADERS: usize = 28;
    let bytes = std::fs::read(file).unwrap();
    let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let mut packets = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if number(at) == ENHANCED_PACKET {
            let (length, data) = (number(at + 20), at + 28);
            let option = data + length.next_multiple_of(4);
            let (code, size) = (number(option) & 0xFFFF, number(option) >> 16);
            assert_eq!(code, 1, "each packet has a comment");
            packets.push(Packet {
                interface: number(at + 8),
                payload: bytes[data + HEADERS..data + length].to_vec(),
                comment: String::from_utf8(bytes[option + 4..option + 4 + size].to_vec()).unwrap(),
            });
        }
        at += number(at + 4);
    }
    packets
}

/// Of each mapping: what arrived, and what became of it, which stands where it left unless it was dropped at once.
fn truths(file: &Path, mappings: usize) -> Vec<Truths> {
    let packets = packets(file);
    let left = packets.iter().filter(|packet| !packet.arrives() && !packet.comment.contains(" copy"));
    let left: HashMap<_, _> = left.map(|packet| (packet.name(), packet)).collect();
    let mut truths: Vec<Truths> = (0..mappings).map(|_| Truths::default()).collect();
    for packet in packets.iter().filter(|packet| packet.arrives()) {
        let end = left.get(&packet.name()).copied().unwrap_or(packet);
        let (dropped, corrupted) = (end.word("fate=") != "passed", end.comment.ends_with(" corrupted"));
        truths[packet.interface / 2].note(packet.direction(), &packet.payload, dropped, corrupted);
    }
    truths
}
