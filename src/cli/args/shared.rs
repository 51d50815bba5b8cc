//! Arguments that several commands have.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::values::{number, source};
use crate::net::{Backend, Outgoing, Timer, TxStamps};

pub(super) const SERVER: &str = "Server";
const SOCKET: &str = "Socket";

/// How datagrams are moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Io {
    #[default]
    Native,
    Portable,
}

impl Io {
    pub fn backend(self) -> Backend {
        match self {
            Self::Native => Backend::Native,
            Self::Portable => Backend::Portable,
        }
    }
}

/// The server to measure, and the socket to measure from.
#[derive(Debug, Args)]
pub struct Destination {
    /// Server to measure, as HOST or HOST:PORT; an IPv6 address with a port needs brackets [default: a server
    /// started inside this process]
    #[arg(help_heading = SERVER, value_name = "HOST", conflicts_with = "ip")]
    pub host: Option<String>,
    /// The same as HOST; -ip HOST works too
    #[arg(help_heading = SERVER, long, value_name = "HOST")]
    pub ip: Option<String>,
    /// The server's port [default: 8080, or that of its dialect]
    #[arg(help_heading = SERVER, short, long, value_name = "PORT", allow_negative_numbers = true, value_parser = number::<u16>(1, 65_535, "8080"))]
    pub port: Option<u16>,
    /// File with the server's key, as udpecho keygen writes it [default: the key in UDPECHO_KEY, if set]
    #[arg(help_heading = SERVER, long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// IPv4 only
    #[arg(help_heading = SOCKET, short = '4', conflicts_with = "ipv6")]
    pub ipv4: bool,
    /// IPv6 only
    #[arg(help_heading = SOCKET, short = '6')]
    pub ipv6: bool,
    /// Source address: an address of this host, not the name of an interface
    #[arg(help_heading = SOCKET, short = 'I', long, value_name = "ADDRESS", value_parser = source)]
    pub source: Option<IpAddr>,
    /// Source port [default: any free one]
    #[arg(help_heading = SOCKET, long, value_name = "PORT", value_parser = number::<u16>(1, 65_535, "40000"))]
    pub source_port: Option<u16>,
    /// Differentiated services code point, 0 to 63
    #[arg(help_heading = SOCKET, short = 'Q', long, value_name = "DSCP", allow_negative_numbers = true, value_parser = number::<u8>(0, 63, "46"))]
    pub dscp: Option<u8>,
    /// Time to live (hop limit) of datagrams sent
    #[arg(help_heading = SOCKET, short = 't', long, value_name = "TTL", allow_negative_numbers = true, value_parser = number::<u8>(1, 255, "64"))]
    pub ttl: Option<u8>,
    #[arg(long, hide = true, default_value = "native")]
    pub io: Io,
}

impl Destination {
    pub fn outgoing(&self) -> Outgoing {
        Outgoing {
            backend: self.io.backend(),
            source: self.source,
            source_port: self.source_port,
            ttl: self.ttl,
            dscp: self.dscp,
            dont_fragment: false,
            tx_stamps: TxStamps::Auto,
            timer: Timer::Hybrid,
            single_socket: false,
        }
    }
}
