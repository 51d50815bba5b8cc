//! The listening host: a socket for each port that is free. It answers knocks that are signed with the key of
//! the order, and nothing else.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use futures_util::future::select;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime;
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};

use crate::net::control::listen;
use crate::room::{Opened, PortCheck, PortKnock, PortProtocol, PortSet};
use crate::time::Duration;

/// Listens until it is dropped.
#[derive(Debug)]
pub struct PortListeners {
    opened: Opened,
    running: Option<watch::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

enum Listener {
    Tcp(u16, TcpListener),
    Udp(u16, UdpSocket),
}

/// Shared by the tasks of all ports.
struct Shared {
    key: [u8; 32],
    heard: Mutex<BTreeSet<u16>>,
    /// Connections at once, of any peer.
    connections: Arc<Semaphore>,
}

impl PortListeners {
    /// Listens on the ports of the check that are free. `tell` is called each second with the ports where a
    /// knock came, if any did.
    pub fn open(
        check: PortCheck,
        key: [u8; 32],
        tell: impl FnMut(PortSet) + Send + 'static,
    ) -> io::Result<Self> {
        let (listeners, opened) = open_all(check);
        let runtime = runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let (running, stopped) = watch::channel(());
        let thread = std::thread::Builder::new().name("ports".into()).spawn(move || {
            runtime.block_on(serve(listeners, key, tell, stopped));
        })?;
        Ok(Self { opened, running: Some(running), thread: Some(thread) })
    }

    /// Where it does not listen.
    pub fn opened(&self) -> &Opened {
        &self.opened
    }
}

impl Drop for PortListeners {
    fn drop(&mut self) {
        drop(self.running.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn open_all(check: PortCheck) -> (Vec<Listener>, Opened) {
    /// Sockets that the rest of this process needs where it may have no more.
    const SPARE: usize = 32;
    let mut listeners = Vec::new();
    let mut opened = Opened::default();
    for port in check.ports().take(PortCheck::MOST) {
        match open(port, check.protocol) {
            Ok(listener) => listeners.push(listener),
            Err(error) if error.kind() == ErrorKind::AddrInUse => opened.busy.insert(port),
            Err(error) => {
                opened.denied.insert(port);
                if error.kind() != ErrorKind::PermissionDenied {
                    let given_back = listeners.split_off(listeners.len().saturating_sub(SPARE));
                    given_back.iter().for_each(|listener| opened.denied.insert(listener.port()));
                }
            }
        }
    }
    (listeners, opened)
}

/// At all addresses, of IPv6 and IPv4 where there are both.
fn open(port: u16, protocol: PortProtocol) -> io::Result<Listener> {
    let v6 = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    let v4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let bind = |address| match protocol {
        PortProtocol::Tcp => listen(address).map(|listener| Listener::Tcp(port, listener)),
        PortProtocol::Udp => {
            let socket = UdpSocket::bind(address)?;
            socket.set_nonblocking(true)?;
            Ok(Listener::Udp(port, socket))
        }
    };
    bind(v6).or_else(|error| match error.kind() {
        ErrorKind::AddrInUse | ErrorKind::PermissionDenied => Err(error),
        _ => bind(v4),
    })
}

impl Listener {
    fn port(&self) -> u16 {
        match self {
            Self::Tcp(port, _) | Self::Udp(port, _) => *port,
        }
    }
}

async fn serve(
    listeners: Vec<Listener>,
    key: [u8; 32],
    mut tell: impl FnMut(PortSet),
    mut stopped: watch::Receiver<()>,
) {
    const SECOND: Duration = Duration::from_secs(1);
    let connections = Arc::new(Semaphore::new(2 * PortCheck::AT_ONCE));
    let shared = Arc::new(Shared { key, heard: Mutex::default(), connections });
    for listener in listeners {
        let shared = Arc::clone(&shared);
        match listener {
            Listener::Tcp(port, listener) => tokio::spawn(accept(port, listener, shared)),
            Listener::Udp(port, socket) => tokio::spawn(receive(port, socket, shared)),
        };
    }
    let telling = async {
        loop {
            sleep(SECOND.to_std()).await;
            let heard: PortSet = std::mem::take(&mut *shared.heard()).into_iter().collect();
            if !heard.is_empty() {
                tell(heard);
            }
        }
    };
    select(pin!(telling), pin!(stopped.changed())).await;
}

impl Shared {
    fn heard(&self) -> MutexGuard<'_, BTreeSet<u16>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn accept(port: u16, listener: TcpListener, shared: Arc<Shared>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    loop {
        let Ok((mut stream, _)) = listener.accept().await else {
            sleep(Duration::from_millis(100).to_std()).await;
            continue;
        };
        let Ok(permit) = Arc::clone(&shared.connections).try_acquire_owned() else { continue };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let mut knock = [0; PortKnock::LENGTH];
            let read = timeout(PortCheck::PATIENCE.to_std(), stream.read_exact(&mut knock)).await;
            if let Some(answer) =
                PortKnock::answer_to(&shared.key, &knock).filter(|_| matches!(read, Ok(Ok(_))))
            {
                shared.heard().insert(port);
                let _ = stream.write_all(&answer).await;
            }
            drop(permit);
        });
    }
}

async fn receive(port: u16, socket: UdpSocket, shared: Arc<Shared>) {
    let Ok(socket) = tokio::net::UdpSocket::from_std(socket) else { return };
    let mut datagram = [0; PortKnock::LENGTH + 1];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut datagram).await else {
            sleep(Duration::from_millis(100).to_std()).await;
            continue;
        };
        if let Some(answer) = PortKnock::answer_to(&shared.key, &datagram[..length]) {
            shared.heard().insert(port);
            let _ = socket.send_to(&answer, from).await;
        }
    }
}
