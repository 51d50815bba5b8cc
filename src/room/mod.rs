//! The meeting place of the two ends of a path, without a socket: members, what they say to whom, and
//! what each of them is shown. Deterministic: `now` is an argument.

mod addressing;
mod flood;
mod name;
mod relay;
mod tcp_reply;

pub use addressing::{Addressed, addressed};
pub use flood::{FloodLimit, Verdict};
pub use name::{Name, NameError};
pub use relay::{Relay, RelayAnswer};
pub use tcp_reply::TcpReply;
