//! Stand-ins for what a build without the feature `control` lacks. It has no option that asks for them, so no value of
//! most of these types exists.

use std::io;
use std::net::SocketAddr;

use crate::live::{ProxySnapshot, ServerSnapshot};
use crate::room::TcpReply;

pub(super) enum ServerPage {}

impl ServerPage {
    pub(super) fn start(_: SocketAddr, _: &[String], _: ServerSnapshot) -> anyhow::Result<Self> {
        Err(missing().into())
    }

    pub(super) fn show(&self, _: ServerSnapshot) {
        match *self {}
    }

    pub(super) fn finish(self, _: ServerSnapshot) {
        match self {}
    }
}

pub(super) enum ProxyPage {}

impl ProxyPage {
    pub(super) const FLOWS: usize = 0;

    pub(super) fn start(_: SocketAddr, _: &[String], _: ProxySnapshot) -> anyhow::Result<Self> {
        Err(missing().into())
    }

    pub(super) fn show(&self, _: ProxySnapshot) {
        match *self {}
    }

    pub(super) fn finish(self, _: ProxySnapshot) {
        match self {}
    }
}

pub(super) enum TcpReplyServer {}

impl TcpReplyServer {
    pub(super) fn start(_: SocketAddr, _: TcpReply) -> io::Result<Self> {
        Err(missing())
    }

    pub(super) fn address(&self) -> SocketAddr {
        match *self {}
    }
}

pub(super) enum TcpListening {}

impl TcpListening {
    pub(super) fn bind(_: SocketAddr) -> io::Result<Self> {
        Err(missing())
    }

    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        match *self {}
    }
}

/// Passes nothing.
pub(super) struct TcpPassThrough;

impl TcpPassThrough {
    pub(super) const CONNECTIONS: usize = 0;

    pub(super) fn start(_: Vec<(TcpListening, SocketAddr)>) -> io::Result<Self> {
        Ok(Self)
    }

    pub(super) fn counts(&self) -> (u64, u64) {
        (0, 0)
    }
}

fn missing() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "this build has no feature 'control'")
}
