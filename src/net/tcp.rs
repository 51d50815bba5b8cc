//! Small uses of TCP beside the measuring: a port number that is free for both protocols, a
//! connection with a time limit, one HTTP request.

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

/// A connection from this address of the host, if one is given; no connect, read or write takes longer than `timeout`.
pub(super) fn connect(
    server: SocketAddr,
    source: Option<IpAddr>,
    timeout: Duration,
) -> io::Result<TcpStream> {
    let timeout = timeout.to_std();
    let (domain, protocol) = (socket2::Domain::for_address(server), socket2::Protocol::TCP);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, Some(protocol))?;
    if let Some(source) = source {
        socket.bind(&SocketAddr::new(source, 0).into())?;
    }
    socket.connect_timeout(&server.into(), timeout)?;
    let connection = TcpStream::from(socket);
    connection.set_read_timeout(Some(timeout))?;
    connection.set_write_timeout(Some(timeout))?;
    Ok(connection)
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
