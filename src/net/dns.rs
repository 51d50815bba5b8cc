//! One question to a DNS server: by UDP, and by TCP where the answer is longer than a datagram.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use super::tcp::LimitedStream;
use crate::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(2);
const TRIES: u32 = 2;
const LONGEST_DATAGRAM: usize = 4096;
/// In the third byte of an answer.
const TRUNCATED: u8 = 2;

/// The server's answer, as it came.
pub fn ask_dns(server: SocketAddr, question: &[u8]) -> io::Result<Vec<u8>> {
    let answer = ask_by_udp(server, question)?;
    let is_truncated = answer.get(2).is_some_and(|flags| flags & TRUNCATED != 0);
    if is_truncated { ask_by_tcp(server, question) } else { Ok(answer) }
}

fn ask_by_udp(server: SocketAddr, question: &[u8]) -> io::Result<Vec<u8>> {
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    // Connected, so that only the server's datagrams count and a closed port is an error at once.
    let socket = UdpSocket::bind(any)?;
    socket.connect(server)?;
    socket.set_read_timeout(Some(TIMEOUT.to_std()))?;
    let mut answer = vec![0; LONGEST_DATAGRAM];
    let mut tries = 0;
    loop {
        socket.send(question)?;
        tries += 1;
        match socket.recv(&mut answer) {
            Ok(length) if answer[..length].get(..2) == question.get(..2) => {
                answer.truncate(length);
                return Ok(answer);
            }
            // Most likely the answer to an earlier question.
            Ok(_) if tries < TRIES => {}
            Ok(_) => return Err(io::Error::other("the DNS server answers another question")),
            Err(error) if tries < TRIES && is_timeout(&error) => {}
            Err(error) if is_timeout(&error) => {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "the DNS server does not answer"));
            }
            Err(error) => return Err(error),
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

fn ask_by_tcp(server: SocketAddr, question: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = LimitedStream::connect(server, TIMEOUT)?;
    let length = u16::try_from(question.len()).map_err(io::Error::other)?.to_be_bytes();
    stream.write_all(&[&length[..], question].concat())?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}
