//! Small uses of TCP beside the measuring: a port number that is free for both protocols, one HTTP request.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};

use crate::time::Duration;

/// A number that neither a UDP nor a TCP socket of this address has now.
pub fn port_free_for_both(host: IpAddr) -> Option<u16> {
    const TRIES: usize = 64;
    let free = || {
        let port = UdpSocket::bind((host, 0)).and_then(|socket| socket.local_addr()).ok()?.port();
        TcpListener::bind((host, port)).is_ok().then_some(port)
    };
    (0..TRIES).find_map(|_| free())
}

/// The body of a page, if the status is 200; the authority is what the `Host` header says.
pub fn http_get(address: SocketAddr, authority: &str, path: &str, most: u64) -> io::Result<String> {
    const TIMEOUT: Duration = Duration::from_secs(10);
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT.to_std())?;
    stream.set_read_timeout(Some(TIMEOUT.to_std()))?;
    write!(stream, "GET /{path} HTTP/1.0\r\nHost: {authority}\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(most).read_to_string(&mut answer)?;
    let (head, body) =
        answer.split_once("\r\n\r\n").ok_or_else(|| io::Error::other("it does not speak HTTP"))?;
    let status = head.lines().next().unwrap_or_default();
    if !status.contains(" 200 ") {
        return Err(io::Error::other(format!("it answers '{status}'")));
    }
    Ok(body.to_owned())
}
