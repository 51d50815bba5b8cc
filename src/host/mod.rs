//! Whether a host was busy: the counters of its kernel in, figures and a verdict per second out.
//! Pure: the texts of `/proc` and `/sys` are arguments.
//!
//! A busy host loses and delays datagrams that the network carried. The verdict stands beside the
//! cause of a loss and never changes it.

mod counters;
mod figures;
mod route;
mod verdict;
mod words;

pub use counters::{Counters, CpuTimes, NicErrors, Process, Sources, UdpErrors, busiest_processes};
pub use figures::{Figures, ProcessFigures};
pub use route::interface_for;
#[cfg(feature = "report")]
pub(crate) use verdict::ranked;
pub use verdict::{Reason, Summary, reasons};
pub use words::in_words;
