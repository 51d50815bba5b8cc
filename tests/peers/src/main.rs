//! A QUIC server and a client that moves bytes from it, on quinn. They know nothing of the proxy between them.
//!
//! `quinn-peer serve` prints its port, and for each connection that ends what it counted, and from which addresses it
//! came. `quinn-peer fetch PORT BYTES` prints how much it got. quinn's log goes to stderr.

mod stderr_log;

use std::collections::BTreeSet;
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Connection, Endpoint, ServerConfig, TransportConfig};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const ANYWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

fn main() -> Outcome<()> {
    stderr_log::start("quinn", log::LevelFilter::Debug);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve"] => runtime.block_on(serve()),
        ["fetch", port, bytes] => runtime.block_on(fetch(port.parse()?, bytes.parse()?)),
        _ => Err("quinn-peer serve | fetch PORT BYTES".into()),
    }
}

/// A dead path must not keep a test waiting.
fn transport() -> Arc<TransportConfig> {
    let mut transport = TransportConfig::default();
    let idle = Duration::from_secs(10).try_into().expect("a time that QUIC can write");
    transport.max_idle_timeout(Some(idle));
    Arc::new(transport)
}

async fn serve() -> Outcome<()> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let mut config = ServerConfig::with_single_cert(vec![made.cert.der().clone()], key.into())?;
    config.transport_config(transport());
    let endpoint = Endpoint::server(config, ANYWHERE)?;
    println!("listens on port {}", endpoint.local_addr()?.port());
    while let Some(incoming) = endpoint.accept().await {
        tokio::spawn(async move {
            let connection = incoming.await?;
            let came_from = answer(&connection).await?;
            let path = connection.stats().path;
            println!(
                "mtu {} black holes {} lost {} congestion events {}",
                path.current_mtu, path.black_holes_detected, path.lost_packets, path.congestion_events
            );
            println!("came from {} addresses: {came_from:?}", came_from.len());
            Outcome::Ok(())
        });
    }
    Ok(())
}

/// Sends as many bytes as the client asks for; returns the addresses from which it was heard.
async fn answer(connection: &Connection) -> Outcome<BTreeSet<SocketAddr>> {
    const LOOK: Duration = Duration::from_millis(20);
    let (mut send, mut receive) = connection.accept_bi().await?;
    let wanted = receive.read_to_end(64).await?;
    let wanted: usize = String::from_utf8(wanted)?.parse()?;
    let mut came_from = BTreeSet::from([connection.remote_address()]);
    tokio::spawn(async move {
        send.write_all(&vec![7; wanted]).await?;
        send.finish()?;
        Outcome::Ok(())
    });
    while tokio::time::timeout(LOOK, connection.closed()).await.is_err() {
        came_from.insert(connection.remote_address());
    }
    Ok(came_from)
}

async fn fetch(port: u16, bytes: usize) -> Outcome<()> {
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let crypto = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody))
        .with_no_client_auth();
    let mut config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(crypto)?));
    config.transport_config(transport());
    let endpoint = Endpoint::client(ANYWHERE)?;
    let connection = endpoint.connect_with(config, server, "localhost")?.await?;
    let (mut send, mut receive) = connection.open_bi().await?;
    send.write_all(bytes.to_string().as_bytes()).await?;
    send.finish()?;
    let got = receive.read_to_end(bytes).await?.len();
    println!("received {got} bytes");
    connection.close(0_u32.into(), b"done");
    endpoint.wait_idle().await;
    Ok(())
}

/// The server's certificate is made anew each time.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
