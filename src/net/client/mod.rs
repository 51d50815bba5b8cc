//! The client's engine: sends each probe when it is due, takes the receive time of each reply, and passes on the
//! events of its targets.

mod changes;
mod engine;
mod events;
mod foreign_listener;
mod frame;
mod load;
mod other_dialects;
mod path_mtu;
mod pool;
mod pool_ports;
mod pooled;
mod receive;
mod send;
mod shared;
mod sockets;
mod target;
mod target_queue;
#[cfg(all(test, target_os = "linux"))]
mod tests;
mod tx_stamps;
mod wait;

pub use changes::TargetChanges;
pub use engine::ClientEngine;
pub use events::{Observation, Observer};
pub use load::run_load;
pub use other_dialects::ask_other_dialects;
pub use path_mtu::find_size;
pub use sockets::{Outgoing, TxStamps};
pub use target::Target;
pub use target_queue::TargetId;
