//! The TCP port of a room: every connection is told apart by its first bytes and served as what it is.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc;

use axum::Router;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::browsers::Browsers;
use super::files::{RoomFiles, give_file, said_before_greeting, serve_word, take_file};
use super::members::Secure;
use super::secure::Frame;
use super::service::{RoomService, Seat};
use super::sniff::first;
use super::sockets::{OpenSocket, Sockets};
use super::{plain, second_port};
use crate::net::control::{Http, Limits, listen};
use crate::net::sys;
use crate::room::{Access, Connecting, Event, FirstBytes, Message, NoRoom, Role, Via};
use crate::time::Duration;

/// Settings of a room's TCP port.
#[derive(Clone, Debug, Default)]
pub struct RoomSettings {
    /// Access by key and address.
    pub access: Access,
    /// From the room's key; of zeros without one.
    pub psk: [u8; 32],
    /// Accepted as `Host` of the page, besides addresses and the names of this host.
    pub host_names: Vec<String>,
}

/// The seat of the person in front of the server.
#[derive(Clone, Debug)]
pub struct RoomOperator(Arc<Seat>);

impl RoomOperator {
    /// A line as members type it.
    pub fn say(&self, line: &str) {
        self.0.say(line);
    }
}

/// Serves the room until it is finished or dropped.
#[derive(Debug)]
pub struct RoomServer {
    address: SocketAddr,
    room: RoomService,
    runtime: runtime::Handle,
    /// Dropped to stop.
    running: watch::Sender<()>,
    ended: mpsc::Receiver<()>,
}

#[derive(Debug)]
struct Port {
    room: RoomService,
    files: RoomFiles,
    settings: RoomSettings,
    http: Http,
    sockets: Sockets,
    browsers: Browsers,
}

impl RoomServer {
    /// Takes connections at this address; the routes are those of the page and of programs.
    pub fn start(
        address: SocketAddr,
        room: RoomService,
        files: RoomFiles,
        settings: RoomSettings,
        routes: Router,
    ) -> io::Result<Self> {
        /// A phone may stand still for a while in the middle of a file.
        const PATIENCE: Duration = Duration::from_secs(20);
        let listener = listen(address)?;
        let address = listener.local_addr()?;
        let second = second_port::bind(address);
        let number = second.as_ref().and_then(|socket| socket.local_addr().ok()).map(|second| second.port());
        room.set_second_port(number);
        let limits = Limits { connections: 64, streams: 64, write_time: PATIENCE, ..Limits::default() };
        let port = Arc::new(Port {
            http: Http::new(routes, &settings.host_names, limits),
            room,
            files,
            settings,
            sockets: Sockets::default(),
            browsers: Browsers::default(),
        });
        let runtime = runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let (handle, seated) = (runtime.handle().clone(), port.room.clone());
        let (running, stopped) = watch::channel(());
        let (end, ended) = mpsc::channel();
        std::thread::Builder::new().name("room".into()).spawn(move || {
            sys::lower_priority();
            runtime.block_on(serve(listener, second, port, stopped));
            let _ = end.send(());
        })?;
        Ok(Self { address, room: seated, runtime: handle, running, ended })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The person in front of the server comes in.
    pub fn seat_operator(&self) -> Result<RoomOperator, NoRoom> {
        let source = IpAddr::from([127, 0, 0, 1]);
        let connecting = Connecting { source, role: Role::Member, via: Via::Operator, encrypted: true };
        self.room.join(connecting).map(|seat| RoomOperator(Arc::new(seat)))
    }

    /// Calls `show` with each event for the operator; it must not wait.
    pub fn show_operator(&self, operator: &RoomOperator, mut show: impl FnMut(&Event) + Send + 'static) {
        let seat = Arc::clone(&operator.0);
        self.runtime.spawn(async move {
            loop {
                for event in seat.events().await {
                    show(&event);
                    if matches!(*event, Event::Closed { .. }) {
                        return;
                    }
                }
            }
        });
    }

    /// Tells every member that the room is closed, and waits a moment for them to read it.
    pub fn finish(self) {
        const PATIENCE: Duration = Duration::from_secs(2);
        drop(self.running);
        let _ = self.ended.recv_timeout(PATIENCE.to_std());
    }
}

async fn serve(
    listener: std::net::TcpListener,
    second: Option<std::net::UdpSocket>,
    port: Arc<Port>,
    mut stopped: watch::Receiver<()>,
) {
    const LAST_LINES: Duration = Duration::from_millis(500);
    const STEP: Duration = Duration::from_millis(10);
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    let keeping = tokio::spawn(port.room.clone().keep_time());
    let expiring = tokio::spawn(port.files.clone().expire());
    let second = second.map(|socket| tokio::spawn(second_port::serve(socket)));
    let accepting = tokio::spawn(accept(listener, Arc::clone(&port), stopped.clone()));
    let _ = stopped.changed().await;
    accepting.abort();
    port.room.close();
    let emptied = async {
        while !port.room.is_deserted() {
            sleep(STEP.to_std()).await;
        }
    };
    let _ = timeout(LAST_LINES.to_std(), emptied).await;
    second.into_iter().chain([keeping, expiring]).for_each(|task| task.abort());
}

async fn accept(listener: TcpListener, port: Arc<Port>, stopped: watch::Receiver<()>) {
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            // Most likely the process has no file descriptor left.
            sleep(Duration::from_millis(100).to_std()).await;
            continue;
        };
        port.room.count(|counters| counters.connections += 1);
        let source = peer.ip().to_canonical();
        match port.sockets.open(source) {
            Some(open) => {
                tokio::spawn(connection(stream, source, open, Arc::clone(&port), stopped.clone()));
            }
            None => {
                port.room.count(|counters| counters.turned_away += 1);
                let _ = stream.try_write(b"-- too many connections; try again later\n");
            }
        }
    }
}

async fn connection(
    stream: TcpStream,
    source: IpAddr,
    _open: OpenSocket,
    port: Arc<Port>,
    stopped: watch::Receiver<()>,
) {
    const SEND_BUFFER: usize = 64 << 10;
    /// A peer that has vanished is noticed after about five minutes.
    const KEEPALIVE: Duration = Duration::from_secs(60);
    let _ = stream.set_nodelay(true);
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE.to_std()).with_interval(KEEPALIVE.to_std());
    let socket = SockRef::from(&stream);
    let _ = socket.set_tcp_keepalive(&keepalive);
    // Small, so that events for a slow reader wait in the room, where they are counted.
    let _ = socket.set_send_buffer_size(SEND_BUFFER);
    let accepted = port.room.now();
    let has_browser = || port.browsers.may_have_opened(source, accepted);
    let Some(kind) = first(&stream, has_browser).await else { return };
    if kind == FirstBytes::Http {
        port.browsers.seen(source, port.room.now());
    }
    match kind {
        FirstBytes::Secure => return secure(stream, source, &port).await,
        FirstBytes::Tls => return refuse(stream, kind, "").await,
        FirstBytes::Http | FirstBytes::Json | FirstBytes::Text => {}
    }
    let role = match port.settings.access.plain(source) {
        Ok(role) => role,
        Err(why) => {
            port.room.count(|counters| counters.not_allowed += 1);
            return refuse(stream, kind, &why.to_string()).await;
        }
    };
    let via = match kind {
        FirstBytes::Http | FirstBytes::Secure | FirstBytes::Tls => {
            return port.http.serve(stream, stopped).await;
        }
        FirstBytes::Json => Via::Json,
        FirstBytes::Text if port.room.has_plain_offer() && said_before_greeting(&stream).await => {
            return serve_word(stream, source, &port.files).await;
        }
        FirstBytes::Text => Via::Text,
    };
    match port.room.join(Connecting { source, role, via, encrypted: false }) {
        Ok(seat) if via == Via::Json => plain::json(seat, stream).await,
        Ok(seat) => plain::text(seat, stream).await,
        Err(why) => refuse(stream, kind, &why.to_string()).await,
    }
}

async fn secure(stream: TcpStream, source: IpAddr, port: &Port) {
    /// To send a first message.
    const PATIENCE: Duration = Duration::from_secs(10);
    let Some(mut secure) = Secure::accept(stream, &port.settings.psk).await else {
        return port.room.count(|counters| counters.other_key += 1);
    };
    let role = match port.settings.access.encrypted(source) {
        Ok(role) => role,
        Err(why) => {
            port.room.count(|counters| counters.not_allowed += 1);
            return secure.refuse(why.to_string()).await;
        }
    };
    let first = timeout(PATIENCE.to_std(), secure.next()).await;
    let Ok(Some(Frame::Json(first))) = first else { return };
    match Message::parse(&first) {
        Ok(Message::PutFile(ticket)) => return take_file(secure, &port.files, ticket.as_str()).await,
        Ok(Message::GetFile { ticket, offset }) => {
            return give_file(secure, &port.files, ticket.as_str(), offset).await;
        }
        _ => {}
    }
    match port.room.join(Connecting { source, role, via: Via::Client, encrypted: true }) {
        Ok(seat) => secure.serve(seat, &first).await,
        Err(why) => secure.refuse(why.to_string()).await,
    }
}

/// One line says why. What the peer sent is read first: closing with unread bytes would reset the
/// connection before the peer reads the line.
async fn refuse(mut stream: TcpStream, kind: FirstBytes, why: &str) {
    const PATIENCE: Duration = Duration::from_millis(100);
    /// A fatal alert: the handshake failed. Browsers that try HTTPS first go on with HTTP.
    const NO_TLS: [u8; 7] = [0x15, 3, 1, 0, 2, 2, 40];
    let line = match kind {
        FirstBytes::Json => (Event::Refused { why: why.to_owned() }.json() + "\n").into_bytes(),
        FirstBytes::Http => {
            let length = why.len() + 1;
            let head =
                "HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length:";
            format!("{head} {length}\r\n\r\n{why}\n").into_bytes()
        }
        FirstBytes::Tls => NO_TLS.to_vec(),
        FirstBytes::Text | FirstBytes::Secure => format!("-- {why}\n").into_bytes(),
    };
    let _ = timeout(PATIENCE.to_std(), stream.read(&mut [0; 8_192])).await;
    let _ = timeout(PATIENCE.to_std(), stream.write_all(&line)).await;
    let _ = stream.shutdown().await;
    let _ = timeout(PATIENCE.to_std(), stream.read(&mut [0; 8_192])).await;
}
