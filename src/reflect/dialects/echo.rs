//! Plain echo (RFC 862): sends every datagram back unchanged that no other dialect claims.

use crate::impair::SessionLinks;
use crate::reflect::core::Core;
use crate::reflect::dialect::{Action, Copies, Dialect, Probe};
use crate::reflect::incoming::Incoming;

pub(crate) struct Echo {
    /// One for all peers.
    links: SessionLinks,
    seen: u64,
}

impl Echo {
    pub(crate) fn new(core: &Core) -> Self {
        let seed = core.settings.impair_seed.unwrap_or_else(|| core.secret.derive("plain echo", 0));
        Self { links: core.links(seed), seen: 0 }
    }
}

impl Dialect for Echo {
    fn claims(&self, _packet: &Incoming) -> bool {
        true
    }

    fn handle(&mut self, _core: &mut Core, _packet: &mut Incoming) -> Action<'_> {
        let seq = self.seen;
        self.seen += 1;
        Action::Probe(&mut self.links, Probe { slot: 0, seq, header: 0, copies: Copies::FromCredit })
    }
}
