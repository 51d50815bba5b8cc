//! Measures a UDP path from two ends, and emulates a bad one.
//!
//! | module | subject |
//! |---|---|
//! | [`units`], [`time`], [`rng`], [`endpoints`], [`printable`] | the base: quantities, nanoseconds, random streams, address pairs, escaped text |
//! | [`wire`] | codecs of the wire protocols |
//! | [`schedule`] | due times of probes |
//! | [`impair`] | impairments, and the queue of held datagrams |
//! | [`reflect`] | the server without a socket |
//! | [`probe`] | the client without a socket |
//! | [`relay`] | a proxy without a socket |
//! | [`sim`] | a network in virtual time between client and server |
//! | [`stats`] | statistics of a run |
//! | [`room`] | peers: names, talk, the relay by address, orders |
//! | [`host`] | the load of a host, from its kernel's counters |
//! | [`record`] | a run and its files |
//! | [`report`] | text of a run; pictures and HTML with feature `report` |
//! | [`fleet`] | many targets: configuration, counters, the place of a fault |
//! | [`live`] | models of a run in progress, for terminal, page and `/metrics` |
//! | `net` | the only clock, the only sockets; feature `net` |
//! | `cli` | the command line; feature `net`, and what the others add |
//!
//! All modules but `net` and `cli` are pure: `now` and random seeds are arguments, deadlines are return
//! values. `docs/architecture.md` shows which module imports which. A whole run, server and network
//! included, is a function:
//!
//! ```
#![doc = include_str!("../tests/common/whole_run.rs")]
//! ```

#![warn(unreachable_pub, missing_docs)]

#[cfg(feature = "net")]
pub mod cli;
pub mod endpoints;
pub mod fleet;
pub mod host;
pub mod impair;
pub mod live;
mod meter;
#[cfg(feature = "net")]
pub mod net;
pub mod printable;
pub mod probe;
pub mod record;
pub mod reflect;
pub mod relay;
pub mod report;
pub mod rng;
pub mod room;
pub mod schedule;
pub mod sim;
pub mod stats;
mod strict_toml;
pub mod time;
pub mod units;
mod wilson;
pub mod wire;
