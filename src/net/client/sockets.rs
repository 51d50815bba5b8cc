//! How a client's sockets are opened.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::endpoints::Endpoints;
use crate::net::sleep::Timer;
use crate::net::sys::{Backend, Options, Socket, bind_socket};
use crate::probe::Settings;
use crate::time::Duration;

/// How datagrams leave.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outgoing {
    /// The system calls to use.
    pub backend: Backend,
    /// Local address; `None` lets the system choose.
    pub source: Option<IpAddr>,
    /// Local port; `None` is any that is free.
    pub source_port: Option<u16>,
    /// TTL or hop limit; `None` is the system's default.
    pub ttl: Option<u8>,
    /// DSCP, 0 to 63; `None` is the system's default.
    pub dscp: Option<u8>,
    /// Whether probes may not be fragmented.
    pub dont_fragment: bool,
    /// How to wait for send times.
    pub timer: Timer,
    /// Where send times come from.
    pub tx_stamps: TxStamps,
    /// Without the second socket that counts other senders' datagrams: half as many descriptors.
    pub single_socket: bool,
}

/// Whether the kernel stamps each probe as it leaves. Without that the send time is read before the send
/// call, and the RTT includes the call: 3 us at 1 ms intervals, 22 us at 100 ms, where the caches are cold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TxStamps {
    /// Up to 10,000 probes a second.
    #[default]
    Auto,
    /// At any rate.
    On,
    /// Never.
    Off,
}

impl TxStamps {
    /// Each transmit stamp costs the sender 0.7 us and a share of a system call.
    const AUTO_MAX_RATE: i64 = 10_000;

    /// The text dialect's probes have no number by which a stamped frame could be told from another.
    fn wanted(self, settings: &Settings) -> bool {
        let rate = settings.schedule.most_within(Duration::from_secs(1)) - 1;
        let wanted = match self {
            Self::Auto => rate <= Self::AUTO_MAX_RATE,
            Self::On => true,
            Self::Off => false,
        };
        wanted && settings.dialect.numbers_probes()
    }
}

/// Where from, where to, and how.
pub(super) struct Endpoint {
    source: SocketAddr,
    remote: SocketAddr,
    options: Options,
}

/// Bytes that are asked for where the rate does not ask for more.
pub(super) const RECEIVE_BUFFER: usize = 4 << 20;

impl Endpoint {
    const BUFFER_MOST: usize = 64 << 20;
    /// Bytes that the kernel counts for a datagram besides its own.
    const BUFFER_OVERHEAD: i64 = 768;
    /// Above this rate (probes/s) those that are due together leave as one GSO batch.
    const OFFLOAD_ABOVE: i64 = 200_000;

    pub(super) fn new(remote: SocketAddr, outgoing: &Outgoing) -> Self {
        let options = Options {
            backend: outgoing.backend,
            ttl: outgoing.ttl.map(u32::from),
            traffic_class: outgoing.dscp.map(|dscp| u32::from(dscp) << 2),
            dont_fragment: outgoing.dont_fragment,
            receive_buffer: Some(RECEIVE_BUFFER),
            stamps: true,
            report_ttl: true,
            ..Options::default()
        };
        let any: IpAddr =
            if remote.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let source = SocketAddr::new(outgoing.source.unwrap_or(any), outgoing.source_port.unwrap_or(0));
        Self { source, remote, options }
    }

    /// As a run with these settings needs them.
    pub(super) fn of_run(remote: SocketAddr, outgoing: &Outgoing, settings: &Settings) -> Self {
        let mut endpoint = Self::new(remote, outgoing);
        let options = &mut endpoint.options;
        options.offload = settings.schedule.most_within(Duration::from_secs(1)) > Self::OFFLOAD_ABOVE;
        options.receive_buffer = Some(Self::buffer_size(settings));
        options.tx_stamps = outgoing.tx_stamps.wanted(settings);
        options.report_tos = settings.stamp.asks_for_class();
        options.allow_second_socket = settings.dialect.numbers_probes()
            && outgoing.backend.has_foreign_listeners()
            && !outgoing.single_socket;
        endpoint
    }

    /// Bytes for all replies that can be in flight at once, so that none is dropped while the client does not read.
    fn buffer_size(settings: &Settings) -> usize {
        let wait = settings.deadline.unwrap_or_else(|| settings.schedule.longest_interval());
        let awaited = settings.schedule.most_within(wait);
        let each = i64::from(settings.size) + Self::BUFFER_OVERHEAD;
        let bytes = usize::try_from(awaited.saturating_mul(each)).unwrap_or(0);
        bytes.clamp(RECEIVE_BUFFER, Self::BUFFER_MOST)
    }

    /// Bytes of receive buffer that are asked for.
    pub(super) fn receive_buffer(&self) -> usize {
        self.options.receive_buffer.unwrap_or(RECEIVE_BUFFER)
    }

    /// Whether it sends by GSO and receives by GRO.
    pub(super) fn offloads(&self) -> bool {
        self.options.offload
    }

    pub(super) fn path(&self) -> Endpoints {
        Endpoints { remote: self.remote, local: None }
    }

    pub(super) fn open(&self) -> io::Result<Socket> {
        let mut socket = bind_socket(self.source, &self.options)?;
        socket.connect(self.remote)?;
        Ok(socket)
    }

    /// A connected socket drops other senders' datagrams silently; this second, unconnected one on the same port
    /// counts them (Linux only).
    pub(super) fn open_foreign(&self, first: &Socket) -> Option<Socket> {
        if !self.options.allow_second_socket {
            return None;
        }
        let port = first.local_addr().ok()?.port();
        let options =
            Options { backend: self.options.backend, share_port: true, stamps: true, ..Options::default() };
        bind_socket(SocketAddr::new(self.source.ip(), port), &options).ok()
    }
}
