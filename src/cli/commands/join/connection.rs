//! The room to join, and the name to join as.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use anyhow::{Context, anyhow};

use super::files::Files;
use super::orders::Orders;
use crate::cli::args::Join;
use crate::cli::commands::room::PSK;
use crate::cli::key;
use crate::cli::target::{Family, Target};
use crate::net::{RoomAddress, RoomReceiver, RoomSender, host_name, join_room};
use crate::room::{Accepted, Message, Name};

const PORT: u16 = 33_000;

pub(super) struct Joining {
    target: Target,
    family: Family,
    psk: [u8; 32],
    name: Name,
    accept: Accepted,
    key_file: Option<PathBuf>,
}

impl Joining {
    pub(super) fn new(arguments: &Join) -> anyhow::Result<Self> {
        let name = match &arguments.name {
            Some(name) => Name::new(name).with_context(|| format!("'{name}' for '--name'"))?,
            None => own_name(),
        };
        let key = key::find(arguments.key_file.as_deref())?;
        Ok(Self {
            target: Target::parse(&arguments.host, arguments.port, PORT)?,
            family: Family { v4_only: arguments.ipv4, v6_only: arguments.ipv6 },
            psk: key.map(|key| key.derive(PSK)).unwrap_or_default(),
            name,
            accept: arguments.accepted(),
            key_file: arguments.key_file.clone(),
        })
    }

    /// Connects, and gives the name. The files of this connection go to the same address.
    pub(super) fn connect(&self, agent: bool) -> anyhow::Result<(RoomSender, RoomReceiver, RoomAddress)> {
        let address = self.target.resolve(self.family)?;
        let cannot = |why: String| anyhow!("cannot join the room at {address}: {why}");
        let (mut sender, receiver) =
            join_room(address, &self.psk).map_err(|error| cannot(error.to_string()))?;
        let name = Message::Name(self.name.to_string());
        let introduction = [Message::Agent(agent), Message::Accept(self.accept), name];
        for message in introduction {
            sender.send(&message).map_err(|error| cannot(error.to_string()))?;
        }
        Ok((sender, receiver, RoomAddress { address, psk: self.psk }))
    }

    /// The orders of a connection, measured to the same room where there is no way between two hosts.
    pub(super) fn orders(
        &self,
        sender: &Arc<Mutex<RoomSender>>,
        files: &Arc<Files>,
        agent: bool,
    ) -> anyhow::Result<Orders> {
        let accepts = agent.then(|| self.accept.into());
        Ok(Orders::new(sender, files, files.room(), (self.key_file.clone(), accepts))?)
    }

    pub(super) fn place(&self) -> String {
        format!("{}:{}", self.target.host, self.target.port)
    }
}

/// The name of this host, as far as it may be one.
fn own_name() -> Name {
    let host = host_name().unwrap_or_default();
    let short = host.split('.').next().unwrap_or_default();
    Name::nearest(short).or(Name::new("somebody")).expect("a plain name")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_host_has_a_name() {
        assert!(Name::new(own_name().as_str()).is_ok());
    }
}
