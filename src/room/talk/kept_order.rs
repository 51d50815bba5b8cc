//! The record that the room keeps of an order.

use std::collections::{BTreeMap, BTreeSet};

use crate::room::connection_id::ConnectionId;
use crate::room::name::Name;
use crate::room::order_summary::HostResult;
use crate::room::orders::{Parties, Task};
use crate::room::ports::{Opened, PortSet, PortsFound};
use crate::time::Instant;

/// Names and reports of an order, until it has ended.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) parties: Parties,
    pub(super) by: Name,
    pub(super) from: Name,
    pub(super) to: Name,
    pub(super) task: Task,
    /// Of a check of ports, as the listening host says.
    pub(super) opened: Opened,
    pub(super) heard: PortSet,
    /// When both hosts began, and from when each tells of every second; when all results were there.
    pub(super) since: Option<Instant>,
    pub(super) measured: Option<Instant>,
    pub(super) hosts: BTreeMap<ConnectionId, HostSeconds>,
    /// Hosts that have sent their result.
    pub(super) reported: BTreeSet<ConnectionId>,
    pub(super) results: Vec<HostResult>,
    /// Why the answering host cannot answer.
    pub(super) failed: Option<String>,
    /// Of a check of ports, once the knocking host is done.
    pub(super) found: Option<PortsFound>,
    /// On the shelf.
    pub(super) runs: Vec<u32>,
}

impl Kept {
    pub(super) fn new(parties: Parties, [by, from, to]: [Name; 3], task: Task) -> Self {
        let (opened, heard, hosts, reported, results, runs) = Default::default();
        let (since, measured, failed, found) = (None, None, None, None);
        Self {
            parties,
            by,
            from,
            to,
            task,
            opened,
            heard,
            since,
            measured,
            hosts,
            reported,
            results,
            failed,
            found,
            runs,
        }
    }

    /// A result that is told already; it is the last where all that were expected are there.
    pub(super) fn add_result(&mut self, now: Instant, result: HostResult) {
        let expected = 1 + usize::from(result.to_room);
        self.results.push(result);
        if self.results.len() >= expected {
            self.measured = Some(now);
        }
    }
}

/// How often a host was busy during an order, and why.
#[derive(Debug, Default)]
pub(super) struct HostSeconds {
    pub(super) seconds: u32,
    pub(super) busy: u32,
    /// Each kind once, with its last value.
    pub(super) reasons: Vec<String>,
}

impl HostSeconds {
    /// Once seconds are missing, in which the host was expected to tell of itself: it stood still, or is cut off.
    pub(super) fn count_silence(&mut self, expected: u32) {
        /// A host may be late by one, and the last is under way.
        const MISSING: u32 = 3;
        let silent = expected.saturating_sub(self.seconds);
        if silent >= MISSING {
            self.reasons.push(format!("no sign of life for {silent} s"));
            self.busy += silent;
            self.seconds = expected;
        }
    }
}
