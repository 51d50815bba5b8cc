//! A check of ports on order: one host listens on them for a while, the other knocks.

mod knock;
mod listen;

pub use knock::knock_ports;
pub use listen::PortListeners;

#[cfg(test)]
mod tests;
