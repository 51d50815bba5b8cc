//! Lines: what one direction of a flow meets, and which clients have lines of their own.

use std::sync::Arc;

use crate::endpoints::Network;
use crate::impair::Impairment;
use crate::time::Duration;

/// One direction of one flow.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    pub(super) impairment: Arc<Impairment>,
    /// Everything after so many bytes is dropped.
    pub(super) most_bytes: Option<u64>,
    /// The flow is closed after this time.
    pub(super) forget_after: Option<Duration>,
}

impl From<Arc<Impairment>> for Line {
    fn from(impairment: Arc<Impairment>) -> Self {
        Self { impairment, most_bytes: None, forget_after: None }
    }
}

/// Lines for the clients of one network, instead of the mapping's.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientLines {
    /// Of their addresses.
    pub network: Network,
    /// Toward the server.
    pub up: Arc<Impairment>,
    /// Toward the client.
    pub down: Arc<Impairment>,
}
