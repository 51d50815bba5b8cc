//! The number of a connection.

/// Names a connection for as long as it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub(super) u64);

#[cfg(test)]
impl ConnectionId {
    pub(super) fn of(number: u64) -> Self {
        Self(number)
    }
}
