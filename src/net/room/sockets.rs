//! How many TCP connections a room holds, in all and of one source, whatever they are.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The connections that are open.
#[derive(Clone, Debug, Default)]
pub(super) struct Sockets(Arc<Mutex<Open>>);

#[derive(Debug, Default)]
struct Open {
    in_all: usize,
    by_source: HashMap<IpAddr, usize>,
}

/// An open connection; free again when it is dropped.
#[derive(Debug)]
pub(super) struct OpenSocket {
    of: Sockets,
    source: IpAddr,
}

impl Sockets {
    const IN_ALL: usize = 256;
    /// Of one source; loopback may have all.
    const OF_SOURCE: usize = 24;

    /// None if there are too many.
    pub(super) fn open(&self, source: IpAddr) -> Option<OpenSocket> {
        let mut open = self.lock();
        let of_source = open.by_source.get(&source).copied().unwrap_or(0);
        if open.in_all >= Self::IN_ALL || of_source >= Self::OF_SOURCE && !source.is_loopback() {
            return None;
        }
        open.in_all += 1;
        *open.by_source.entry(source).or_default() += 1;
        Some(OpenSocket { of: self.clone(), source })
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OpenSocket {
    fn drop(&mut self) {
        let mut open = self.of.lock();
        open.in_all -= 1;
        if let Some(count) = open.by_source.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                open.by_source.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_has_24_connections_and_all_have_256() {
        let sockets = Sockets::default();
        let source = |last: u8| IpAddr::from([10, 0, 0, last]);
        let mut held: Vec<OpenSocket> = (0..24).map(|_| sockets.open(source(1)).unwrap()).collect();
        assert!(sockets.open(source(1)).is_none());
        held.extend((0..232).map(|_| sockets.open(IpAddr::from([127, 0, 0, 1])).unwrap()));
        assert!(sockets.open(source(2)).is_none());
        drop(held);
        assert!(sockets.open(source(2)).is_some());
        assert!(sockets.lock().by_source.is_empty());
    }
}
