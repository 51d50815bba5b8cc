//! Decides which datagrams are answered: filters, rate limits, and the search for echo loops.

mod loop_guard;
mod peer_filter;
mod rate_limits;
mod unverified_peers;

pub use rate_limits::PerSecond;

pub(super) use peer_filter::PeerFilter;
pub(super) use rate_limits::{RateLimits, Rates, network, seeded};
pub(super) use unverified_peers::UnverifiedPeers;
