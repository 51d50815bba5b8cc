//! Faults that a test injects into hosts, clocks, addresses and datagrams.

use super::action::{Action, Freeze, NewServer};
use super::{Simulation, secret};
use crate::reflect;
use crate::sim::host::FIRST_PORT;
use crate::sim::socket::Overrun;
use crate::time::Duration;

impl Simulation {
    /// Stops a client's run at this time after the start.
    pub fn stop_client_at(&mut self, after: Duration, client: usize) {
        self.schedule(Self::START + after, Action::StopClient(client));
    }

    /// The server's clock jumps: ahead, as on a host that was suspended, or back.
    pub fn step_server_clock(&mut self, after: Duration, by: Duration) {
        self.schedule(Self::START + after, Action::StepServerClock(by));
    }

    /// A client's clock jumps.
    pub fn step_client_clock(&mut self, after: Duration, client: usize, by: Duration) {
        self.schedule(Self::START + after, Action::StepClientClock(client, by));
    }

    /// The NAT between a client and the server maps the client's ports to new ones; datagrams to the
    /// old ones are lost.
    pub fn rebind_nat(&mut self, after: Duration, client: usize) {
        self.schedule(Self::START + after, Action::RebindNat(client));
    }

    /// A third party sends this to the first port of a client with the server's address.
    pub fn forge_to_client(&mut self, after: Duration, client: usize, datagram: Vec<u8>) {
        let arrived = Self::START + after;
        self.schedule(arrived, Action::ToClient { host: client, port: FIRST_PORT, arrived, datagram });
    }

    /// A third party sends this to the server with the address of a client's first port.
    pub fn forge_to_server(&mut self, after: Duration, client: usize, datagram: Vec<u8>) {
        let arrived = Self::START + after;
        self.schedule(arrived, Action::ToServer { host: client, port: FIRST_PORT, arrived, datagram });
    }

    /// The receive buffer of the server overflows for a while.
    pub fn overrun_server(&mut self, overrun: Overrun) {
        self.server_socket.overrun(overrun);
    }

    /// The receive buffer of a client's first socket overflows for a while.
    pub fn overrun_client(&mut self, client: usize, overrun: Overrun) {
        self.hosts[client].socket.overrun(overrun);
    }

    /// The path changes the clients' datagrams.
    pub fn alter_probes(&mut self, alter: impl FnMut(Duration, &mut Vec<u8>) + 'static) {
        self.alter_probe = Box::new(alter);
    }

    /// The path, or a server that lies, changes the server's datagrams.
    pub fn alter_replies(&mut self, alter: impl FnMut(Duration, &mut Vec<u8>) + 'static) {
        self.alter_reply = Box::new(alter);
    }

    /// The server ends at one time; another one starts at another time.
    pub fn restart_server(&mut self, gone: Duration, back: Duration, settings: reflect::Settings) {
        self.schedule(Self::START + gone, Action::KillServer);
        let next = NewServer(settings, secret(self.seed, back.as_nanos() as u64));
        self.schedule(Self::START + back, Action::StartServer(Box::new(next)));
    }

    /// The server tells its clients at this time after the start that it ends.
    pub fn announce_end(&mut self, after: Duration) {
        self.schedule(Self::START + after, Action::AnnounceEnd);
    }

    /// The server is frozen for this length at the start of each period.
    pub fn freeze_server(&mut self, period: Duration, length: Duration) {
        self.freeze = Some(Freeze { period, length });
    }

    /// The client's host is suspended for this length from this time after the start.
    pub fn suspend_client(&mut self, after: Duration, length: Duration, client: usize) {
        let from = Self::START + after;
        self.hosts[client].suspended = Some((from, from + length));
    }
}
