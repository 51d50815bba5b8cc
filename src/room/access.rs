//! Access: guest or member, by the key and by the address.

use std::net::IpAddr;

use super::event::Role;
use crate::endpoints::is_private;

/// From where plain connections, which prove nothing, are let in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Guests {
    /// From nowhere.
    None,
    /// Loopback, link-local and private addresses.
    #[default]
    Private,
    /// From everywhere.
    Any,
}

impl Guests {
    /// Whether a plain connection from here is let in.
    pub fn allow(self, source: IpAddr) -> bool {
        match self {
            Self::None => false,
            Self::Private => is_private(source),
            Self::Any => true,
        }
    }
}

/// The rules of a room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// From where guests come.
    pub guests: Guests,
    /// Whether members prove that they have the room's key.
    pub keyed: bool,
}

/// Why a connection is refused, in one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAllowed {
    /// No guests from this address.
    #[error("plain connections from your address are not allowed; use udpecho join with the room's key")]
    Guest,
    /// No members from this address.
    #[error("this room has no key and is open to private addresses only")]
    NoKey,
}

impl Access {
    /// A connection that is not encrypted.
    pub fn plain(self, source: IpAddr) -> Result<Role, NotAllowed> {
        if self.guests.allow(source) { Ok(Role::Guest) } else { Err(NotAllowed::Guest) }
    }

    /// The page of the room, which is a client of ours without a key; a right word stands for it.
    pub fn page(self, source: IpAddr, knows_word: bool) -> Result<Role, NotAllowed> {
        let role = self.plain(source)?;
        Ok(if knows_word || !self.keyed && is_private(source) { Role::Member } else { role })
    }

    /// An encrypted connection of our own client; with a key it has proven that it has it.
    pub fn encrypted(self, source: IpAddr) -> Result<Role, NotAllowed> {
        if self.keyed || is_private(source) { Ok(Role::Member) } else { Err(NotAllowed::NoKey) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_opens_from_anywhere_and_without_one_private_addresses_do() {
        let [private, public] = ["192.168.1.7", "192.0.2.7"].map(|address| address.parse().unwrap());
        let open = Access::default();
        let keyed = Access { keyed: true, ..open };
        assert_eq!((open.plain(private), open.plain(public)), (Ok(Role::Guest), Err(NotAllowed::Guest)));
        assert_eq!(
            (open.encrypted(private), open.encrypted(public)),
            (Ok(Role::Member), Err(NotAllowed::NoKey))
        );
        assert_eq!((keyed.plain(private), keyed.plain(public)), (Ok(Role::Guest), Err(NotAllowed::Guest)));
        assert_eq!((keyed.encrypted(private), keyed.encrypted(public)), (Ok(Role::Member), Ok(Role::Member)));
        let closed = Access { guests: Guests::None, keyed: true };
        assert_eq!(
            (closed.plain(private), closed.encrypted(public)),
            (Err(NotAllowed::Guest), Ok(Role::Member))
        );
        let [by_page, by_word] = [false, true].map(|word| keyed.page(private, word));
        assert_eq!((by_page, by_word), (Ok(Role::Guest), Ok(Role::Member)));
        assert_eq!(
            (open.page(private, false), open.page(public, true)),
            (Ok(Role::Member), Err(NotAllowed::Guest))
        );
        let any = Access { guests: Guests::Any, keyed: false };
        assert_eq!((any.plain(public), any.encrypted(public)), (Ok(Role::Guest), Err(NotAllowed::NoKey)));
    }
}
