//! The addresses that a request names. Names are resolved on a thread of their own, since that can take seconds.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};

use super::Refusal;

/// Where to listen: a port alone, or no address at all, means localhost.
pub(super) async fn listen(text: String, public: bool) -> Result<SocketAddr, Refusal> {
    let port = text.strip_prefix(':').unwrap_or(&text).parse::<u16>().ok();
    let port = if text.is_empty() { Some(0) } else { port };
    let address = match port {
        Some(port) => SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        None => resolve(text).await?,
    };
    if !address.ip().is_loopback() && !public {
        return Err(Refusal::bad(format!(
            "{address} is not on localhost: anybody could send through this proxy; start it with --public"
        )));
    }
    Ok(address)
}

/// The server to relay to.
pub(super) async fn server(text: String) -> Result<SocketAddr, Refusal> {
    let address = resolve(text.clone()).await?;
    match address.port() {
        0 => Err(Refusal::bad(format!("'{text}' names no port; for example 192.0.2.53:53"))),
        _ => Ok(address),
    }
}

async fn resolve(text: String) -> Result<SocketAddr, Refusal> {
    let name = text.clone();
    let found = tokio::task::spawn_blocking(move || name.to_socket_addrs().map(|mut all| all.next())).await;
    match found {
        Ok(Ok(Some(address))) => Ok(address),
        Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidInput => {
            Err(Refusal::bad(format!("'{text}' is not HOST:PORT; for example 192.0.2.53:53")))
        }
        _ => Err(Refusal::bad(format!("cannot resolve '{text}'"))),
    }
}
