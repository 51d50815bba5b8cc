//! Asks a host which other dialects it speaks: one datagram of each, and for TWAMP a connection.

use std::io::{self, Read};
use std::net::SocketAddr;

use super::sockets::{Endpoint, Outgoing};
use crate::net::clock::Clock;
use crate::net::socket_errors::Severity;
use crate::net::sys::Batch;
use crate::net::tcp;
use crate::probe::{Opening, OtherDialect, TwampControl};
use crate::time::Duration;

/// An answer that takes longer is not waited for.
const PATIENCE: Duration = Duration::from_secs(1);
const LONGEST: usize = 2048;

/// The dialects that the host answers in, and at which port: the one given, or else the usual one of each. Takes a
/// second at most, or with a source port, which one conversation has at a time, a second for each dialect.
pub fn ask_other_dialects(
    host: SocketAddr,
    port: Option<u16>,
    outgoing: &Outgoing,
    draw: u64,
    clock: Clock,
) -> Vec<(OtherDialect, u16)> {
    let ask = |dialect: OtherDialect| {
        let mut server = host;
        server.set_port(port.unwrap_or(dialect.usual_port()));
        let opening = Opening::new(dialect, draw, clock.now() + clock.wall_offset());
        let heard = match dialect {
            OtherDialect::Twamp => greeting(&opening, server, outgoing),
            _ => answer(&opening, server, outgoing, clock),
        };
        // An error of the path or of a socket is no answer.
        heard.ok().flatten().map(|heard| (heard, server.port()))
    };
    let mut found: Vec<(OtherDialect, u16)> = Vec::new();
    let heard: Vec<_> = if outgoing.source_port.is_some() {
        OtherDialect::ALL.into_iter().filter_map(ask).collect()
    } else {
        std::thread::scope(|scope| {
            let asked = OtherDialect::ALL.map(|dialect| scope.spawn(move || ask(dialect)));
            asked.into_iter().filter_map(|asked| asked.join().ok().flatten()).collect()
        })
    };
    // An echo server answers every opening.
    heard.into_iter().for_each(|heard| {
        if !found.contains(&heard) {
            found.push(heard);
        }
    });
    found
}

fn answer(
    opening: &Opening,
    server: SocketAddr,
    outgoing: &Outgoing,
    clock: Clock,
) -> io::Result<Option<OtherDialect>> {
    let mut socket = Endpoint::new(server, outgoing).open()?;
    socket.send_one(opening.datagram())?;
    let mut inbox = Batch::new(1, LONGEST);
    let end = clock.now() + PATIENCE;
    loop {
        let left = end - clock.now();
        if left <= Duration::ZERO {
            return Ok(None);
        }
        socket.wait_readable(left)?;
        match socket.receive(&mut inbox) {
            Ok(()) => {
                let mut heard = inbox.datagrams(0).filter_map(|place| opening.hear(inbox.bytes(place)));
                if let Some(heard) = heard.next() {
                    return Ok(Some(heard));
                }
            }
            Err(error) if Severity::of(&error) == Severity::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

fn greeting(opening: &Opening, server: SocketAddr, outgoing: &Outgoing) -> io::Result<Option<OtherDialect>> {
    let mut connection = tcp::connect(server, outgoing.source, PATIENCE)?;
    let mut greeting = [0; TwampControl::GREETING];
    connection.read_exact(&mut greeting)?;
    Ok(opening.hear(&greeting))
}
