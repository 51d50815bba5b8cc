//! A small HTTP server for those who watch: a request a connection, few connections, each in a
//! thread of its own with a bound on every wait. What is served is the site's own affair.
//!
//! Why not a crate: the ones without an async runtime bound neither connections nor slow readers.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::clock::Clock;
use super::sys;
use crate::time::Duration;

/// What there is to be seen.
pub trait Site: Send + Sync + 'static {
    fn answer(&self, path: &str) -> Answer;

    /// The next event of the stream, later than the one last seen; waits for it, a few seconds at most.
    /// Nothing: the stream is over.
    fn event(&self, seen: &mut u64) -> Option<Arc<str>>;
}

pub enum Answer {
    Found {
        kind: &'static str,
        /// Tells one state of the thing from another.
        version: u64,
        body: Arc<str>,
    },
    /// Events from now on (text/event-stream).
    Stream,
    Missing,
}

/// A server; it lives until the process ends or it is told to finish.
pub struct HttpServer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    clock: Clock,
    /// Names under which it may be asked, besides addresses and those of this host.
    names: Vec<String>,
    requests: AtomicUsize,
    streams: AtomicUsize,
    left: Mutex<()>,
    one_left: Condvar,
}

/// More requests at once than this are turned away, and so are more streams: readers of the one leave
/// room for the other.
const MOST: usize = 32;
/// What programs read. It holds no secret that the page has not, and they ask by any name.
const BY_ANY_NAME: [&str; 2] = ["/metrics", "/healthz"];
/// What takes longer to be sent or read is given up.
const PATIENCE: Duration = Duration::from_secs(2);
const LONGEST_REQUEST: usize = 8192;
/// All is inside the page: nothing is fetched from elsewhere, whatever a name may have smuggled in.
const POLICY: &str = "default-src 'none'; connect-src 'self'; img-src data:; style-src 'unsafe-inline'; \
                      script-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'";

impl HttpServer {
    pub fn start(
        address: SocketAddr,
        names: &[String],
        clock: Clock,
        site: Arc<impl Site>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            clock,
            names: names.iter().cloned().chain(own_names()).collect(),
            requests: AtomicUsize::new(0),
            streams: AtomicUsize::new(0),
            left: Mutex::new(()),
            one_left: Condvar::new(),
        });
        let accepting = Arc::clone(&shared);
        std::thread::Builder::new().name("http".into()).spawn(move || {
            sys::lower_priority();
            for stream in listener.incoming() {
                match stream {
                    Ok(stream) => accepting.admit(stream, &site),
                    // Out of file descriptors, most likely.
                    Err(_) => std::thread::sleep(Duration::from_millis(100).to_std()),
                }
            }
        })?;
        Ok(Self { address, shared })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until the connections are closed, but no longer than this.
    pub fn finish(self, patience: Duration) {
        let guard = self.shared.left.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = self.shared.one_left.wait_timeout_while(guard, patience.to_std(), |()| {
            [Kind::Request, Kind::Stream]
                .iter()
                .any(|kind| self.shared.taken(*kind).load(Ordering::Acquire) > 0)
        });
    }
}

impl Shared {
    fn admit(self: &Arc<Self>, stream: TcpStream, site: &Arc<impl Site>) {
        let bounded = stream
            .set_read_timeout(Some(PATIENCE.to_std()))
            .and_then(|()| stream.set_write_timeout(Some(PATIENCE.to_std())));
        if bounded.is_err() {
            return;
        }
        let Some(place) = Place::take(self, Kind::Request) else {
            let _ = turn_away(&stream);
            return;
        };
        let site = Arc::clone(site);
        // Without a thread the connection is closed.
        let _ = std::thread::Builder::new().name("http".into()).spawn(move || {
            let _ = serve(place, &stream, &*site);
            let _ = stream.shutdown(Shutdown::Write);
        });
    }

    fn taken(&self, kind: Kind) -> &AtomicUsize {
        match kind {
            Kind::Request => &self.requests,
            Kind::Stream => &self.streams,
        }
    }

    /// Reads a request; the inner error is the status that refuses it.
    fn request(&self, mut stream: &TcpStream) -> io::Result<Result<Request, &'static str>> {
        let give_up = self.clock.now() + PATIENCE;
        let mut bytes = Vec::new();
        while bytes.len() < LONGEST_REQUEST && self.clock.now() < give_up {
            let mut part = [0; 2048];
            let read = stream.read(&mut part)?;
            bytes.extend_from_slice(&part[..read]);
            let mut headers = [httparse::EMPTY_HEADER; 64];
            let mut request = httparse::Request::new(&mut headers);
            match request.parse(&bytes) {
                Ok(httparse::Status::Complete(_)) => return Ok(self.accepted(&request)),
                Ok(httparse::Status::Partial) if read > 0 => {}
                _ => return Ok(Err("400 Bad Request")),
            }
        }
        Ok(Err("431 Request Header Fields Too Large"))
    }

    fn accepted(&self, request: &httparse::Request) -> Result<Request, &'static str> {
        let head_only = match request.method {
            Some("GET") => false,
            Some("HEAD") => true,
            _ => return Err("405 Method Not Allowed"),
        };
        let host = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case("host"));
        let host = host.and_then(|host| std::str::from_utf8(host.value).ok());
        let path = request.path.unwrap_or("/");
        let path = path.split('?').next().unwrap_or(path);
        // A page from elsewhere whose name was made to mean this host must not read what is served here.
        if !BY_ANY_NAME.contains(&path) && !host.is_some_and(|host| is_one_of(host, &self.names)) {
            return Err("421 Misdirected Request");
        }
        Ok(Request { head_only, path: path.to_owned() })
    }
}

fn serve(place: Place, stream: &TcpStream, site: &impl Site) -> io::Result<()> {
    let (head_only, path) = match place.shared.request(stream)? {
        Ok(Request { head_only, path }) => (head_only, path),
        Err(status) => return refuse(stream, status),
    };
    match site.answer(&path) {
        Answer::Found { kind, version, body } => {
            let tag = format!("ETag: \"{version}\"\r\n");
            let mut answer = head("200 OK", kind, &format!("{tag}Content-Length: {}\r\n", body.len()));
            if !head_only {
                answer += &body;
            }
            (&*stream).write_all(answer.as_bytes())
        }
        Answer::Stream => {
            let Some(_place) = Place::take(&place.shared, Kind::Stream) else {
                return refuse(stream, "503 Service Unavailable");
            };
            drop(place);
            (&*stream).write_all(head("200 OK", "text/event-stream", "").as_bytes())?;
            let mut seen = 0;
            while let Some(event) = site.event(&mut seen).filter(|_| !head_only) {
                (&*stream).write_all(event.as_bytes())?;
            }
            Ok(())
        }
        Answer::Missing => refuse(stream, "404 Not Found"),
    }
}

struct Request {
    head_only: bool,
    path: String,
}

#[derive(Clone, Copy)]
enum Kind {
    Request,
    /// Of events; it lasts.
    Stream,
}

/// A connection's place among the few of its kind.
struct Place {
    shared: Arc<Shared>,
    kind: Kind,
}

impl Place {
    /// None if all are taken.
    fn take(shared: &Arc<Shared>, kind: Kind) -> Option<Self> {
        let before = shared.taken(kind).fetch_add(1, Ordering::AcqRel);
        let place = Self { shared: Arc::clone(shared), kind };
        (before < MOST).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _guard = self.shared.left.lock().unwrap_or_else(PoisonError::into_inner);
        self.shared.taken(self.kind).fetch_sub(1, Ordering::AcqRel);
        self.shared.one_left.notify_all();
    }
}

fn head(status: &str, kind: &str, more: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{more}Cache-Control: no-store\r\nConnection: close\r\n\
         X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\nContent-Security-Policy: {POLICY}\r\n\r\n"
    )
}

fn refuse(mut stream: &TcpStream, status: &str) -> io::Result<()> {
    let more = format!("Content-Length: {}\r\nAllow: GET, HEAD\r\n", status.len() + 1);
    let answer = head(status, "text/plain; charset=utf-8", &more);
    stream.write_all(format!("{answer}{status}\n").as_bytes())
}

/// A request that nobody has read would reset the connection before the answer is.
fn turn_away(mut stream: &TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_millis(20).to_std()))?;
    let _ = stream.read(&mut [0; LONGEST_REQUEST]);
    refuse(stream, "503 Service Unavailable")
}

/// With or without a port. An address is what it says, whatever a name was made to mean.
fn is_one_of(host: &str, names: &[String]) -> bool {
    let name = host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(host, |(n, _)| n);
    let address = name.trim_start_matches('[').trim_end_matches(']');
    address.parse::<IpAddr>().is_ok() || names.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// As this host calls itself, whole and in its own network.
fn own_names() -> Vec<String> {
    let host = sys::host_name().unwrap_or_default();
    let short = host.split('.').next().unwrap_or_default().to_owned();
    let local = format!("{short}.local");
    let named = [host, short].into_iter().filter(|name| !name.is_empty());
    named.chain([local, "localhost".to_owned()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed;

    impl Site for Fixed {
        fn answer(&self, path: &str) -> Answer {
            match path {
                "/" | "/metrics" | "/healthz" => {
                    Answer::Found { kind: "text/plain", version: 7, body: "hello".into() }
                }
                "/events" => Answer::Stream,
                _ => Answer::Missing,
            }
        }

        fn event(&self, seen: &mut u64) -> Option<Arc<str>> {
            *seen += 1;
            (*seen < 3).then(|| "data: x\n\n".into())
        }
    }

    fn server() -> HttpServer {
        let names = ["probes.example".to_owned()];
        HttpServer::start("127.0.0.1:0".parse().unwrap(), &names, Clock::start(), Arc::new(Fixed)).unwrap()
    }

    fn ask(server: &HttpServer, request: &str) -> String {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn answers_what_there_is_and_refuses_the_rest() {
        let server = server();
        for (request, status, end) in [
            ("GET / HTTP/1.1\r\nHost: localhost:1\r\n\r\n", "200 OK", "\r\n\r\nhello"),
            ("GET /?x=1 HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n", "200 OK", "hello"),
            ("HEAD / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "200 OK", "\r\n\r\n"),
            ("GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n", "404 Not Found", "Not Found\n"),
            ("POST / HTTP/1.1\r\nHost: localhost\r\n\r\n", "405 Method Not Allowed", "Allowed\n"),
            ("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", "421 Misdirected Request", "Request\n"),
            ("GET / HTTP/1.1\r\n\r\n", "421 Misdirected Request", "Request\n"),
            (
                "GET / HTTP/1.1\r\nHost: localhost.evil.example\r\n\r\n",
                "421 Misdirected Request",
                "Request\n",
            ),
            (
                "GET / HTTP/1.1\r\nHost: 127.0.0.1.evil.example\r\n\r\n",
                "421 Misdirected Request",
                "Request\n",
            ),
            ("GET /events HTTP/1.1\r\nHost: evil.example\r\n\r\n", "421 Misdirected Request", "Request\n"),
            ("GET / HTTP/1.1\r\nHost: 192.0.2.1:80\r\n\r\n", "200 OK", "hello"),
            ("GET / HTTP/1.1\r\nHost: [2001:db8::1]\r\n\r\n", "200 OK", "hello"),
            ("GET / HTTP/1.1\r\nHost: Probes.Example:8081\r\n\r\n", "200 OK", "hello"),
            ("GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n", "200 OK", "hello"),
            ("GET /healthz HTTP/1.1\r\n\r\n", "200 OK", "hello"),
            ("nonsense\r\n\r\n", "400 Bad Request", "Request\n"),
            ("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n", "200 OK", "\r\n\r\ndata: x\n\ndata: x\n\n"),
        ] {
            let answer = ask(&server, request);
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{request}: {answer}");
            assert!(answer.ends_with(end), "{request}: {answer}");
        }
        let endless = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(LONGEST_REQUEST));
        assert!(ask(&server, &endless).starts_with("HTTP/1.1 431"));
        server.finish(Duration::from_secs(5));
    }

    /// Whatever its address, the host has names of its own.
    #[test]
    fn the_hosts_own_names_are_accepted() {
        let names = own_names();
        assert!(is_one_of("localhost:8081", &names) && is_one_of("LOCALHOST", &names));
        if let Some(host) = sys::host_name() {
            assert!(is_one_of(&host, &names) && is_one_of(&format!("{host}:80"), &names));
            assert!(!is_one_of(&format!("{host}.evil.example"), &names));
        }
        assert!(!is_one_of("", &names) && !is_one_of(":80", &names));
    }

    /// Tells one event, then nothing for as long as the test lasts.
    struct Endless;

    impl Site for Endless {
        fn answer(&self, path: &str) -> Answer {
            Fixed.answer(path)
        }

        fn event(&self, seen: &mut u64) -> Option<Arc<str>> {
            if *seen > 0 {
                std::thread::park();
            }
            *seen += 1;
            Some("data: x\n\n".into())
        }
    }

    #[test]
    fn readers_of_streams_leave_room_for_requests() {
        let any = "127.0.0.1:0".parse().unwrap();
        let server = HttpServer::start(any, &[], Clock::start(), Arc::new(Endless)).unwrap();
        let events = "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let readers: Vec<TcpStream> = (0..MOST)
            .map(|_| {
                let mut stream = TcpStream::connect(server.address()).unwrap();
                stream.write_all(events.as_bytes()).unwrap();
                let mut first = [0; 12];
                stream.read_exact(&mut first).unwrap();
                assert_eq!(&first, b"HTTP/1.1 200");
                stream
            })
            .collect();
        assert!(ask(&server, events).starts_with("HTTP/1.1 503"));
        for path in ["/", "/metrics", "/healthz"] {
            let answer = ask(&server, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{path}: {answer}");
        }
        drop(readers);
    }

    #[test]
    fn those_who_say_nothing_keep_no_place_for_long() {
        let server = server();
        let idle: Vec<_> = (0..MOST).map(|_| TcpStream::connect(server.address()).unwrap()).collect();
        // Turned away while they hold every place, admitted after they have lost them.
        let request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
        assert!(ask(&server, request).starts_with("HTTP/1.1 503"));
        let mut all = Vec::new();
        for mut stream in idle {
            let _ = stream.read_to_end(&mut all);
        }
        assert!(ask(&server, request).ends_with("hello"));
    }
}
