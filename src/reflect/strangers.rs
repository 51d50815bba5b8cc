//! What is remembered of addresses that have no session, in a table that never grows: who is new
//! takes the place of another.

use std::net::SocketAddr;

use ahash::RandomState;

use super::limits::seeded;
use crate::impair::Fate;

pub struct Strangers {
    /// Keeps strangers from choosing whose place they take.
    hasher: RandomState,
    strangers: Vec<Stranger>,
}

#[derive(Clone, Copy, Default)]
struct Stranger {
    /// A hash of its address.
    name: u64,
    /// A hash of what it sent last, and how often it has sent that in a row.
    said: u64,
    times: u32,
    /// Bytes that it sent and that never went back.
    credit: u32,
}

impl Strangers {
    const PLACES: usize = 4096;
    /// One datagram in so many of those that only repeat the last is not answered.
    const PATIENCE: u32 = 256;

    pub fn new(secret: u64) -> Self {
        Self { hasher: seeded(secret), strangers: vec![Stranger::default(); Self::PLACES] }
    }

    /// How many of the further copies that are to be injected an address is sent. It has not shown
    /// that it receives, so copies are made of what it sent before and was not sent back.
    pub fn copies(&mut self, remote: SocketAddr, fate: &Fate, length: usize) -> u8 {
        if fate.dropped.is_none() && fate.extra_copies == 0 {
            return 0;
        }
        let length = length as u32;
        let stranger = self.find(remote);
        if fate.dropped.is_some() {
            stranger.credit = stranger.credit.saturating_add(length);
            return 0;
        }
        let affordable = stranger.credit.checked_div(length).unwrap_or(0);
        let copies = affordable.min(u32::from(fate.extra_copies));
        stranger.credit -= copies * length;
        copies as u8
    }

    /// Whether these bytes may be our own echo coming back from another echo server. A client that
    /// repeats itself looks the same, so it is refused one datagram in many; a loop ends with it.
    pub fn goes_in_circles(&mut self, remote: SocketAddr, datagram: &[u8]) -> bool {
        let said = self.hasher.hash_one(datagram);
        let stranger = self.find(remote);
        if stranger.said != said {
            (stranger.said, stranger.times) = (said, 0);
        }
        stranger.times += 1;
        stranger.times.is_multiple_of(Self::PATIENCE)
    }

    fn find(&mut self, remote: SocketAddr) -> &mut Stranger {
        let name = self.hasher.hash_one(remote);
        let stranger = &mut self.strangers[name as usize % Self::PLACES];
        if stranger.name != name {
            *stranger = Stranger { name, ..Stranger::default() };
        }
        stranger
    }
}
