//! What one direction of one flow meets.

use std::sync::Arc;

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
