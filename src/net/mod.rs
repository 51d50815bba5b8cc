//! The edge: the only clock, the only sockets. The engines here drive the machines of `reflect` and
//! `probe`; whatever can be decided without a socket is decided there.

mod client;
mod clock;
#[cfg(feature = "control")]
mod control;
mod dns;
mod host;
mod kernel_timestamps;
mod port_scan;
mod relay;
#[cfg(feature = "control")]
mod room;
mod server;
mod sleep;
mod socket_errors;
mod stop_signal;
mod sys;
mod tcp;
mod twamp;

pub use client::{
    ClientEngine, Observation, Observer, Outgoing, Target, TargetChanges, TargetId, TxStamps,
    ask_other_dialects, find_size, run_load,
};
pub use clock::Clock;
#[cfg(feature = "control")]
pub use control::{
    ControlPlane, Limits, PageState, Publisher, RelayApi, RequestSource, SlowMethod, SlowRequest,
    TcpListening, TcpPassThrough, TcpReplyServer, slow_route, text_route,
};
pub use dns::ask_dns;
pub use host::{HostSampler, processes};
pub use port_scan::{PortScan, scan_ports};
pub use relay::{RelayEngine, RelayHandle, RelayMapping, RelayObservation, RelayObserver, WantedMapping};
#[cfg(feature = "control")]
pub use room::{
    Frame, Inbox, InboxError, JoinError, Opener, Opening, OtherKey, Partial, PortListeners, RoomAddress,
    RoomFiles, RoomOperator, RoomPage, RoomReceiver, RoomSender, RoomServer, RoomService, RoomSettings,
    RoomView, RunReport, Sealer, Seat, TransferError, UploadError, WayFinder, accept_handshake, hash_of,
    join_room, knock_ports, own_addresses, pack_run, unpack_run,
};
pub use server::{
    Bind, OnError, OtherPorts, PortClosed, ServerEngine, ServerThreads, Serving, SocketErrorReport,
};
pub use sleep::Timer;
pub use socket_errors::{describe as describe_socket_error, describe_client_error};
pub use stop_signal::Control;
pub use sys::{
    Backend, Batch, DatagramSocket, Options, Socket, bind_socket, host_name, kernel_release, lower_priority,
    terminate, use_batch_class, wall_clock_error,
};
pub use tcp::{http_get, port_free_for_both};
pub use twamp::{TwampError, TwampSession};

/// Whether an interface of this host has this address; those of loopback are every host's.
pub fn is_own_address(address: std::net::IpAddr) -> bool {
    !address.to_canonical().is_loopback() && std::net::UdpSocket::bind((address, 0)).is_ok()
}

/// Random bytes of the operating system.
pub fn random_bytes<const N: usize>() -> std::io::Result<[u8; N]> {
    use rand::TryRng;
    let mut bytes = [0; N];
    rand::rngs::SysRng.try_fill_bytes(&mut bytes).map_err(std::io::Error::other)?;
    Ok(bytes)
}
