//! The header and the line of each probe, in the form of the system's `ping`, so that programs that read
//! its output read ours.

use std::net::IpAddr;

use super::format::milliseconds;
use crate::record::Stamps;
use crate::time::Duration;

/// The first line, in the form of ping.
pub fn header(host: &str, address: IpAddr, port: u16, size: u32) -> String {
    let whole = bytes_on_the_wire(size, address);
    format!("PING {host} ({address}) {size}({whole}) bytes of data. UDP port {port}")
}

/// Where the client's send and receive times are taken.
pub fn timestamps(stamps: &Stamps) -> String {
    format!("timestamps: TX {}, RX {}", clock_words(&stamps.client_send), clock_words(&stamps.client_receive))
}

/// `program` in `run.json` is user space.
pub(super) fn clock_words(stamps: &str) -> &str {
    if stamps == "program" { "user space" } else { stamps }
}

/// With the UDP and IP headers.
pub fn bytes_on_the_wire(payload: u32, address: IpAddr) -> u32 {
    payload + 8 + if address.is_ipv4() { 20 } else { 40 }
}

/// A reply to a probe.
#[derive(Clone, Copy, Debug)]
pub struct Reply {
    /// From 0.
    pub seq: u64,
    /// Bytes of UDP payload.
    pub size: u32,
    /// Where the reply came from.
    pub from: IpAddr,
    /// Of the reply on arrival, where the system tells.
    pub ttl: Option<u8>,
    /// From sent to received.
    pub rtt: Duration,
    /// The server's injected hold.
    pub hold: Option<Duration>,
    /// Time after the deadline; `None` if it was on time.
    pub late_by: Option<Duration>,
    /// 1 for the first reply to its probe.
    pub copy: u32,
}

/// A line in the form of ping.
pub fn reply(reply: &Reply) -> String {
    let mut line = format!("{} bytes from {}: udp_seq={}", reply.size, reply.from, reply.seq);
    if let Some(ttl) = reply.ttl {
        line += &format!(" ttl={ttl}");
    }
    line += &format!(" time={}", milliseconds(reply.rtt));
    if let Some(hold) = reply.hold.filter(|hold| *hold > Duration::ZERO) {
        line += &format!(" (held {})", milliseconds(hold));
    }
    if let Some(late_by) = reply.late_by {
        line += &format!(" (late by {})", milliseconds(late_by));
    }
    if reply.copy > 1 {
        line += " (DUP!)";
    }
    line
}

/// A line for a probe whose deadline passed.
pub fn overdue(seq: u64) -> String {
    format!("no answer in time for seq={seq}")
}

/// With `-O`: the next probe has left, and this one's deadline has not passed.
pub fn outstanding(seq: u64) -> String {
    format!("no answer yet for seq={seq}")
}

/// A line for a probe that the socket refused.
pub fn not_sent(seq: u64, why: &str) -> String {
    format!("seq={seq} was not sent: {why}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_like_ping() {
        let localhost = IpAddr::from([127, 0, 0, 1]);
        let stamps = |send: &str| Stamps {
            client_send: send.to_owned(),
            client_receive: "kernel".to_owned(),
            server: None,
        };
        assert_eq!(
            header("localhost", localhost, 8080, 512),
            "PING localhost (127.0.0.1) 512(540) bytes of data. UDP port 8080"
        );
        for (send, tx) in [("kernel", "kernel"), ("program", "user space"), ("mixed", "mixed")] {
            assert_eq!(timestamps(&stamps(send)), format!("timestamps: TX {tx}, RX kernel"));
        }
        let first = Reply {
            seq: 3,
            size: 512,
            from: localhost,
            ttl: Some(64),
            rtt: Duration::from_micros(12_345),
            hold: None,
            late_by: None,
            copy: 1,
        };
        assert_eq!(reply(&first), "512 bytes from 127.0.0.1: udp_seq=3 ttl=64 time=12.3 ms");
        let late = Reply {
            hold: Some(Duration::from_millis(400)),
            late_by: Some(Duration::from_micros(50)),
            ..first
        };
        assert_eq!(
            reply(&late),
            "512 bytes from 127.0.0.1: udp_seq=3 ttl=64 time=12.3 ms (held 400 ms) (late by 0.050 ms)"
        );
        assert!(reply(&Reply { copy: 2, ..first }).ends_with("time=12.3 ms (DUP!)"));
    }
}
