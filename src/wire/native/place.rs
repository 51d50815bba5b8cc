//! Servers that share a port: the id of a message says which of them it is for.

use std::num::NonZero;

use super::{BODY, ID, MAGIC};

/// One of the servers that share a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Counted from 0, in the order in which they were bound.
    pub index: u32,
    /// How many they are.
    pub servers: NonZero<u32>,
}

impl Place {
    /// Of a server that shares its port with none.
    pub const ALONE: Self = Self { index: 0, servers: NonZero::<u32>::MIN };

    /// The first two bytes of a message.
    pub const MAGIC: u16 = u16::from_be_bytes(MAGIC);
    /// The shortest message.
    pub const LEAST: usize = BODY;
    /// Where the last half of the id stands: this 32-bit number modulo `servers` is the index of the server that the
    /// message is for.
    pub const NUMBER: usize = ID.end - 4;

    /// Whether a message with this id is for it.
    pub fn has(self, id: u64) -> bool {
        id % (1 << 32) % u64::from(self.servers.get()) == u64::from(self.index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::native::{Token, emit_close};

    #[test]
    fn each_id_is_for_one_of_the_servers_and_its_number_stands_in_the_message() {
        let servers = NonZero::new(3).unwrap();
        for id in [0, 1, 5, u64::MAX, 0x0123_4567_89AB_CDEF] {
            let mut message = [0; Place::LEAST];
            assert_eq!(emit_close(Token(id), &mut message), message.len());
            assert_eq!(message[..2], Place::MAGIC.to_be_bytes());
            let number = message[Place::NUMBER..].first_chunk().copied().unwrap();
            let index = u32::from_be_bytes(number) % 3;
            let having = (0..3).filter(|index| Place { index: *index, servers }.has(id));
            assert_eq!(having.collect::<Vec<_>>(), [index], "{id:x}");
            assert!(Place::ALONE.has(id));
        }
    }
}
