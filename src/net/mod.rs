//! The edge: the only clock, the only sockets. The engines here drive the machines of `reflect` and
//! `probe`; whatever can be decided without a socket is decided there.

mod attention;
mod breath;
mod bystander;
mod client;
mod clock;
mod control;
mod doors;
mod endpoint;
mod finder;
mod gates;
mod host;
mod http;
mod observer;
mod server;
mod stamps;
mod sys;
mod timer;
mod trouble;
mod vigil;
mod workers;

pub use client::ClientEngine;
pub use clock::Clock;
pub use control::Control;
pub use doors::Bind;
pub use endpoint::{Outgoing, TxStamps};
pub use finder::find_size;
pub use host::{HostSampler, processes};
pub use http::{Answer, HttpServer, Site};
pub use observer::{Observation, Observer};
pub use server::{Complain, Complaint, ServerEngine, Serving};
pub use sys::{Backend, Batch, Options, Socket, give_way, kernel_release, stay_behind};
pub use timer::Timer;
pub use trouble::in_words;
pub use workers::Workers;

/// Random bytes of the operating system.
pub fn random_bytes<const N: usize>() -> std::io::Result<[u8; N]> {
    use rand::TryRng;
    let mut bytes = [0; N];
    rand::rngs::SysRng.try_fill_bytes(&mut bytes).map_err(std::io::Error::other)?;
    Ok(bytes)
}
