//! A TCP server that answers each message: `serve --tcp`. Each read is one message, as in the exercises.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::listener::listen;
use crate::net::sys;
use crate::room::TcpReply;
use crate::time::Duration;

/// Runs until it is dropped.
#[derive(Debug)]
pub struct TcpReplyServer {
    address: SocketAddr,
    _running: watch::Sender<()>,
}

impl TcpReplyServer {
    const CONNECTIONS: usize = 64;
    const IDLE: Duration = Duration::from_secs(600);
    /// A peer that takes no answer for this long is dropped.
    const WRITE: Duration = Duration::from_secs(5);
    const LONGEST: usize = 4_096;

    pub(crate) fn start(address: SocketAddr, kind: TcpReply) -> io::Result<Self> {
        let listener = listen(address)?;
        let address = listener.local_addr()?;
        let runtime = runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let (running, mut stopped) = watch::channel(());
        std::thread::Builder::new().name("tcp".into()).spawn(move || {
            sys::lower_priority();
            runtime.block_on(async move {
                let Ok(listener) = TcpListener::from_std(listener) else { return };
                tokio::spawn(accept(listener, kind));
                let _ = stopped.changed().await;
            });
        })?;
        Ok(Self { address, _running: running })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn accept(listener: TcpListener, kind: TcpReply) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Most likely the process has no file descriptor left.
            tokio::time::sleep(Duration::from_millis(100).to_std()).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        if connections.len() < TcpReplyServer::CONNECTIONS {
            connections.spawn(answer_all(stream, kind));
        }
    }
}

/// Until the peer closes, is idle for too long, or does not take its answers.
async fn answer_all(mut stream: TcpStream, kind: TcpReply) {
    let mut message = [0; TcpReplyServer::LONGEST];
    let _ = stream.set_nodelay(true);
    while let Ok(Ok(length @ 1..)) = timeout(TcpReplyServer::IDLE.to_std(), stream.read(&mut message)).await {
        let Some(answer) = kind.answer(&message[..length]) else { return };
        let written = timeout(TcpReplyServer::WRITE.to_std(), stream.write_all(&answer)).await;
        if !matches!(written, Ok(Ok(()))) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::*;

    fn server(kind: TcpReply) -> TcpReplyServer {
        TcpReplyServer::start(SocketAddr::from(([127, 0, 0, 1], 0)), kind).unwrap()
    }

    fn ask(stream: &mut TcpStream, message: &str) -> String {
        stream.set_read_timeout(Some(Duration::from_secs(10).to_std())).unwrap();
        stream.write_all(message.as_bytes()).unwrap();
        let mut answer = [0; 256];
        let length = stream.read(&mut answer).unwrap();
        String::from_utf8_lossy(&answer[..length]).into_owned()
    }

    #[test]
    fn each_kind_answers_over_tcp() {
        for (kind, message, answer) in [
            (TcpReply::Echo, "hello", "hello"),
            (TcpReply::Arrow, "hello", "echo -> hello"),
            (TcpReply::Ack, "hello", "Acknowledgement"),
            (TcpReply::Words, "to be or not to be", "to be or not 18"),
        ] {
            let server = server(kind);
            let mut stream = TcpStream::connect(server.address()).unwrap();
            assert_eq!(ask(&mut stream, message), answer);
            assert_eq!(ask(&mut stream, message), answer);
        }
    }

    #[test]
    fn exit_closes_where_messages_are_acknowledged_and_a_drop_ends_all() {
        let acknowledging = server(TcpReply::Ack);
        let mut stream = TcpStream::connect(acknowledging.address()).unwrap();
        assert_eq!(ask(&mut stream, "exit"), "");
        let mut open = TcpStream::connect(acknowledging.address()).unwrap();
        assert_eq!(ask(&mut open, "x"), "Acknowledgement");
        drop(acknowledging);
        assert_eq!(open.read(&mut [0; 8]).unwrap_or(0), 0);
    }

    #[test]
    fn the_sixty_fifth_connection_is_closed() {
        let server = server(TcpReply::Echo);
        let mut open: Vec<TcpStream> = Vec::new();
        for n in 0..64 {
            let mut stream = TcpStream::connect(server.address()).unwrap();
            assert_eq!(ask(&mut stream, "x"), "x", "connection {n}");
            open.push(stream);
        }
        let mut one_more = TcpStream::connect(server.address()).unwrap();
        one_more.set_read_timeout(Some(Duration::from_secs(10).to_std())).unwrap();
        let _ = one_more.write_all(b"x");
        assert_eq!(one_more.read(&mut [0; 8]).unwrap_or(0), 0);
    }
}
