//! Measures a UDP path from two ends, and emulates a bad one.
//!
//! The rooms, each of which sees only those above it in its column and the base:
//!
//! | room | subject |
//! |---|---|
//! | [`units`], [`time`], [`rng`], [`printable`] | the base: quantities, nanoseconds, randomness as a function, text of others |
//! | [`wire`] | codecs: the native protocol, the text dialect |
//! | [`schedule`] | when the next probe is due |
//! | [`impair`] | what happens to a packet on purpose, and the queue of what is held |
//! | [`reflect`] | the server without a socket |
//! | [`probe`] | the client without a socket |
//! | [`sim`] | a network in virtual time between the two |
//! | [`stats`] | pure statistics |
//! | [`relay`] | a proxy without a socket: flows, two links each, one fate a datagram |
//! | [`room`] | the meeting place of the two ends: names, talk, the relay by address |
//! | [`host`] | whether a host was busy, from the counters of its kernel |
//! | [`record`] | the Run and its files |
//! | [`report`] | a Run in, bytes out: text and pictures |
//! | [`live`] | models of what runs right now, for terminal, page and `/metrics` |
//! | [`net`] | the only clock, the only sockets: drives `reflect` and `probe` |
//! | [`cli`] | arguments, one file a command, what people see; nobody sees it |
//!
//! All but `net` and `cli` is pure: `now` and randomness are arguments, deadlines are return values.
//! So a whole run, server and network included, is a function:
//!
//! ```
#![doc = include_str!("../tests/common/whole_run.rs")]
//! ```

#[cfg(all(feature = "net", feature = "report", feature = "tui", feature = "control"))]
pub mod cli;
pub mod endpoints;
pub mod host;
pub mod impair;
pub mod live;
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
pub mod time;
pub mod units;
pub mod wire;
