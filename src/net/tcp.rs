//! Small uses of TCP beside the measuring: a port number that is free for both protocols, a
//! connection with a time limit, one HTTP request.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};

use super::clock::Clock;
use crate::time::{Duration, Instant};

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

/// A connection that ends at a moment, however slowly the other end sends or reads.
pub(super) struct LimitedStream {
    stream: TcpStream,
    clock: Clock,
    end: Instant,
    limit: Duration,
}

impl LimitedStream {
    pub(super) fn connect(address: SocketAddr, limit: Duration) -> io::Result<Self> {
        let clock = Clock::start();
        let end = clock.now() + limit;
        Ok(Self { stream: TcpStream::connect_timeout(&address, limit.to_std())?, clock, end, limit })
    }

    /// Until the moment; an error from then on.
    fn left(&self) -> io::Result<Option<std::time::Duration>> {
        let left = self.end - self.clock.now();
        if left > Duration::ZERO { Ok(Some(left.to_std())) } else { Err(self.over()) }
    }

    fn over(&self) -> io::Error {
        io::Error::new(io::ErrorKind::TimedOut, format!("it takes longer than {}", self.limit))
    }

    fn named(&self, error: io::Error) -> io::Error {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => self.over(),
            _ => error,
        }
    }
}

impl Read for LimitedStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(self.left()?)?;
        self.stream.read(buffer).map_err(|error| self.named(error))
    }
}

impl Write for LimitedStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(self.left()?)?;
        self.stream.write(bytes).map_err(|error| self.named(error))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// The body of a page of at most this many bytes, if the status is 200; the authority is what the `Host` header says.
pub fn http_get(address: SocketAddr, authority: &str, path: &str, most: u64) -> io::Result<String> {
    const LIMIT: Duration = Duration::from_secs(10);
    get(LimitedStream::connect(address, LIMIT)?, authority, path, most)
}

fn get(mut stream: LimitedStream, authority: &str, path: &str, most: u64) -> io::Result<String> {
    stream.write_all(format!("GET /{path} HTTP/1.0\r\nHost: {authority}\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.take(most + 1).read_to_string(&mut answer)?;
    if answer.len() as u64 > most {
        return Err(io::Error::other(format!("it answers with more than {most} bytes")));
    }
    let end = answer.find("\r\n\r\n").ok_or_else(|| io::Error::other("it does not speak HTTP"))?;
    let body = answer.split_off(end + 4);
    let mut lines = answer.lines();
    let status = lines.next().unwrap_or_default();
    if !status.contains(" 200 ") {
        return Err(io::Error::other(format!("it answers '{status}'")));
    }
    let is_length = |(name, _): &(&str, &str)| name.eq_ignore_ascii_case("content-length");
    // Of several lengths each one must fit.
    for (_, value) in lines.filter_map(|line| line.split_once(':')).filter(is_length) {
        let length: u64 =
            value.trim().parse().map_err(|_| io::Error::other("its Content-Length is no number"))?;
        if (body.len() as u64) < length {
            return Err(io::Error::other("its answer is cut off"));
        }
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The result of `get` with a server that writes these pieces until the connection ends.
    fn answered(
        pieces: impl Iterator<Item = &'static str> + Send + 'static,
        limit: Duration,
    ) -> Result<String, String> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 40];
            let _ = stream.read(&mut request);
            for piece in pieces {
                if stream.write_all(piece.as_bytes()).is_err() {
                    return;
                }
            }
        });
        let stream = LimitedStream::connect(address, limit).unwrap();
        get(stream, "h", "x", 1_000).map_err(|error| error.to_string())
    }

    #[test]
    fn a_page_is_taken_whole_or_not_at_all() {
        let limit = Duration::from_secs(10);
        let of = |text: &'static str| answered([text].into_iter(), limit);
        assert_eq!(of("HTTP/1.0 200 OK\r\n\r\n[]"), Ok("[]".into()));
        assert_eq!(of("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"), Ok("[]".into()));
        assert_eq!(of("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n[]"), Err("its answer is cut off".into()));
        for length in ["many", "", "-1", "2 2", "99999999999999999999"] {
            let unreadable = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n[]").leak();
            assert_eq!(of(unreadable), Err("its Content-Length is no number".into()), "{length}");
        }
        let twice = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n[]";
        assert_eq!(of(twice), Err("its answer is cut off".into()));
        assert_eq!(of("HTTP/1.0 404 Not Found\r\n\r\n[]"), Err("it answers 'HTTP/1.0 404 Not Found'".into()));
        assert_eq!(of("hello\r\n"), Err("it does not speak HTTP".into()));
        let endless = std::iter::once("HTTP/1.0 200 OK\r\n\r\n").chain(std::iter::repeat("[ "));
        assert_eq!(answered(endless, limit), Err("it answers with more than 1000 bytes".into()));
    }

    #[test]
    fn a_server_that_sends_a_byte_at_a_time_is_left_at_the_limit() {
        let slowly = std::iter::repeat_with(|| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            "x"
        });
        assert_eq!(answered(slowly, Duration::from_millis(200)), Err("it takes longer than 200ms".into()));
    }
}
