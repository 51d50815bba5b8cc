//! TCP on the port of a proxy's UDP, passed through as it is: iperf3, DNS and others need both.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use crate::net::sys;
use crate::time::Duration;

/// A listening TCP socket. Its port was free for UDP, too.
#[derive(Debug)]
pub struct TcpListening {
    listener: std::net::TcpListener,
}

impl TcpListening {
    /// Ports tried until one is free for both.
    const TRIES: usize = 32;

    /// Port 0 takes one that is free for TCP and for UDP.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let mut tries = 0;
        loop {
            let listener = std::net::TcpListener::bind(address)?;
            tries += 1;
            let is_given = address.port() != 0;
            match UdpSocket::bind(listener.local_addr()?) {
                Err(error) if !is_given && tries == Self::TRIES => return Err(error),
                Err(_) if !is_given => {}
                _ => return Ok(Self { listener }),
            }
        }
    }

    /// With its port.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Passes connections through until it is dropped.
#[derive(Debug)]
pub struct TcpPassThrough {
    counts: Arc<Counts>,
    _running: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Counts {
    passed: AtomicU64,
    refused: AtomicU64,
}

impl TcpPassThrough {
    /// At once; further ones are closed, and counted.
    pub const CONNECTIONS: usize = 256;
    const CONNECT: Duration = Duration::from_secs(10);

    /// Each listener with the server behind it.
    pub fn start(listeners: Vec<(TcpListening, SocketAddr)>) -> io::Result<Self> {
        Self::start_with(Self::CONNECTIONS, listeners)
    }

    fn start_with(at_once: usize, listeners: Vec<(TcpListening, SocketAddr)>) -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let (running, mut stopped) = watch::channel(());
        let counts = Arc::new(Counts::default());
        let counted = Arc::clone(&counts);
        for (TcpListening { listener }, _) in &listeners {
            listener.set_nonblocking(true)?;
        }
        std::thread::Builder::new().name("tcp".into()).spawn(move || {
            sys::lower_priority();
            runtime.block_on(async move {
                let places = Arc::new(Semaphore::new(at_once));
                for (TcpListening { listener }, server) in listeners {
                    let Ok(listener) = TcpListener::from_std(listener) else { continue };
                    tokio::spawn(accept(listener, server, Arc::clone(&places), Arc::clone(&counted)));
                }
                let _ = stopped.changed().await;
            });
        })?;
        Ok(Self { counts, _running: running })
    }

    /// Connections that were passed to a server, and those that were closed at once.
    pub fn counts(&self) -> (u64, u64) {
        (self.counts.passed.load(Ordering::Relaxed), self.counts.refused.load(Ordering::Relaxed))
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, places: Arc<Semaphore>, counts: Arc<Counts>) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            // Most likely the process has no file descriptor left.
            tokio::time::sleep(Duration::from_millis(100).to_std()).await;
            continue;
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            counts.refused.fetch_add(1, Ordering::Relaxed);
            continue;
        };
        counts.passed.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(async move {
            pass(client, server).await;
            drop(place);
        });
    }
}

/// Until both have closed, or one has failed. A server that cannot be reached closes the client's connection.
async fn pass(mut client: TcpStream, server: SocketAddr) {
    let connecting = timeout(TcpPassThrough::CONNECT.to_std(), TcpStream::connect(server)).await;
    let Ok(Ok(mut server)) = connecting else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let _ = copy_bidirectional(&mut client, &mut server).await;
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Shutdown, TcpListener, TcpStream};

    use super::*;

    const ANY: &str = "127.0.0.1:0";

    fn connect(address: SocketAddr) -> TcpStream {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20).to_std())).unwrap();
        stream
    }

    #[test]
    fn bytes_and_the_end_of_each_direction_pass_through() {
        let server = TcpListener::bind(ANY).unwrap();
        let listening = TcpListening::bind(ANY.parse().unwrap()).unwrap();
        let address = listening.address().unwrap();
        let pass = TcpPassThrough::start(vec![(listening, server.local_addr().unwrap())]).unwrap();
        let mut client = connect(address);
        client.write_all(b"question").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let (mut served, _) = server.accept().unwrap();
        let mut question = String::new();
        served.read_to_string(&mut question).unwrap();
        served.write_all(b"answer").unwrap();
        drop(served);
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert_eq!((question.as_str(), answer.as_str(), pass.counts()), ("question", "answer", (1, 0)));
    }

    #[test]
    fn a_connection_too_many_is_closed_and_counted() {
        let server = TcpListener::bind(ANY).unwrap();
        let listening = TcpListening::bind(ANY.parse().unwrap()).unwrap();
        let address = listening.address().unwrap();
        let to = server.local_addr().unwrap();
        let pass = TcpPassThrough::start_with(2, vec![(listening, to)]).unwrap();
        let open = [connect(address), connect(address)];
        assert_eq!(connect(address).read(&mut [0; 8]).unwrap_or(0), 0);
        assert_eq!(pass.counts(), (2, 1));
        drop((open, server));
    }
}
