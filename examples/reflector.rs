//! A server of your own: the reflector behind a plain `std` socket, in one loop.
//!
//! `cargo run --example reflector -- 127.0.0.1:9000`, then `udpecho ping 127.0.0.1:9000`. Only the core is used:
//! `udpecho = { default-features = false }`.

#![allow(clippy::print_stdout, reason = "an example shows its result")]
#![allow(clippy::disallowed_methods, reason = "an embedder has a clock of its own")]

use std::io::{self, ErrorKind};
use std::net::UdpSocket;

use udpecho::endpoints::Endpoints;
use udpecho::impair::Impairment;
use udpecho::reflect::{Incoming, Injection, Server, Settings};
use udpecho::time::{Duration, Instant};

/// The longest UDP payload.
const LARGEST: usize = 65_527;
/// Cookies and tokens are made from this; a server on a network takes it from the system's random source.
const SECRET: [u8; 32] = *b"for this example on localhost on";

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9000".to_owned());
    let socket = UdpSocket::bind(&address)?;
    println!("listening on {}", socket.local_addr()?);

    let epoch = std::time::Instant::now();
    let now = || Instant::ZERO + Duration::from(epoch.elapsed());
    let impairment: Impairment = "delay=uniform:1ms..20ms loss=5%".parse().map_err(io::Error::other)?;
    let settings = Settings { injection: Injection::steady(impairment), ..Settings::default() };
    let mut server = Server::new(settings, SECRET, now());
    let mut buffer = vec![0; LARGEST.max(Server::ROOM)];

    while !server.stop_asked() {
        wait_until(&socket, server.poll_timeout(), now())?;
        match socket.recv_from(&mut buffer) {
            Ok((length, remote)) => {
                let path = Endpoints { remote, local: None };
                // The reply to a datagram that is not held is written over it.
                if let Some(length) = server.handle(Incoming::new(now(), path, &mut buffer, length)) {
                    send(&socket, &mut server, &buffer[..length], path);
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => server.receive_failed(),
        }
        server.handle_timeout(now());
        while let Some(reply) = server.poll_transmit(now(), &mut buffer) {
            send(&socket, &mut server, &buffer[..reply.length], reply.path);
        }
    }
    Ok(())
}

fn send(socket: &UdpSocket, server: &mut Server, datagram: &[u8], path: Endpoints) {
    if socket.send_to(datagram, path.remote).is_err() {
        server.send_failed();
    }
}

/// A read returns at the server's next deadline; the standard library refuses a time limit of zero.
fn wait_until(socket: &UdpSocket, deadline: Option<Instant>, now: Instant) -> io::Result<()> {
    let left = deadline.map(|at| (at - now).max(Duration::from_micros(1)).to_std());
    socket.set_read_timeout(left)
}
