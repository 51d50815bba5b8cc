//! Which datagrams are answered: filters, rate limits, and the search for echo loops.

mod loop_guard;
mod peer_filter;
mod rate_limits;
mod unverified_peers;

pub use peer_filter::{PeerFilter, REPLY_TTL};
pub use rate_limits::{Meter, PerSecond, RateLimits, Rates, network, seeded};
pub use unverified_peers::UnverifiedPeers;
