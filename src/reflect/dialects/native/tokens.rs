//! Tokens name sessions, and in a server of several threads also the thread that knows the session.

use super::sessions::Sessions;
use crate::reflect::core::Core;
use crate::wire::native::Token;

/// A token that no session has. It is steered to this server, which fixes two of its 64 bits with four threads; nobody
/// can guess the others.
pub(super) fn unused_token(core: &Core, sessions: &Sessions) -> Token {
    let first = u128::from(core.counters.opened) << 32;
    let mut tokens = (first..).map(|count| {
        let hash = core.secret.hash("token", &[&count.to_be_bytes()]);
        Token(u64::from_be_bytes(hash[..8].try_into().expect("eight bytes")))
    });
    let is_free = |token: &Token| core.place.has(token.0) && sessions.find(*token).is_none();
    tokens.find(is_free).expect("one of many")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::num::NonZero;

    use super::*;
    use crate::reflect::dialects::native::Native;
    use crate::reflect::settings::Settings;
    use crate::time::Instant;
    use crate::wire::native::Place;

    #[test]
    fn tokens_are_for_the_server_that_makes_them_and_else_random() {
        let servers = NonZero::new(3).unwrap();
        for index in 0..3 {
            let mut core = Core::new(Settings::default(), [1; 32], Instant::ZERO);
            core.place = Place { index, servers };
            let sessions = Native::new(&core).sessions;
            let tokens: BTreeSet<u64> = (0..500)
                .map(|opened| {
                    core.counters.opened = opened;
                    unused_token(&core, &sessions).0
                })
                .collect();
            assert_eq!(tokens.len(), 500);
            assert!(tokens.iter().all(|token| token % (1 << 32) % 3 == u64::from(index)), "{index}");
            // Each bit is set in half of them.
            for bit in 0..64 {
                let set = tokens.iter().filter(|token| **token >> bit & 1 == 1).count();
                assert!((150..350).contains(&set), "bit {bit} in {set}");
            }
        }
    }
}
