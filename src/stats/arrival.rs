//! Restores the order of arrival from probes in the order of their numbers.
//!
//! Later probes were sent after all so far, so replies that arrived before the newest send time are in
//! their final order. The others wait: no more than were in flight at one time.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::time::Duration;

#[derive(Clone, Debug)]
pub(crate) struct ArrivalOrder<T> {
    waiting: BinaryHeap<Arrival<T>>,
    sent: Duration,
    count: u64,
}

#[derive(Clone, Debug)]
struct Arrival<T> {
    at: Duration,
    /// Of two at the same time, the one sent first comes first.
    nth: u64,
    item: T,
}

impl<T> Default for ArrivalOrder<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> ArrivalOrder<T> {
    pub(crate) fn new() -> Self {
        Self { waiting: BinaryHeap::new(), sent: Duration::from_nanos(i64::MIN), count: 0 }
    }

    /// Takes the next probe: its send time, the arrival of its reply, and the item to return in the order of
    /// arrival.
    pub(crate) fn record(&mut self, sent: Duration, arrived: Duration, item: T) {
        self.sent = self.sent.max(sent);
        self.waiting.push(Arrival { at: arrived, nth: self.count, item });
        self.count += 1;
    }

    /// The next item in the order of arrival, once no earlier one can follow. Call it until there is none.
    pub(crate) fn settled(&mut self) -> Option<T> {
        let certain = self.waiting.peek()?.at <= self.sent;
        certain.then(|| self.waiting.pop())?.map(|arrival| arrival.item)
    }

    /// The remaining items, after the last probe.
    pub(crate) fn finish(self) -> impl Iterator<Item = T> {
        // `Ord` is reversed for the heap, so its ascending order is the latest first.
        self.waiting.into_sorted_vec().into_iter().rev().map(|arrival| arrival.item)
    }
}

/// Reversed, since `BinaryHeap` returns the greatest.
impl<T> Ord for Arrival<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.nth).cmp(&(self.at, self.nth))
    }
}

impl<T> PartialOrd for Arrival<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Arrival<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<T> Eq for Arrival<T> {}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn drain(order: &mut ArrivalOrder<u64>) -> Vec<u64> {
        std::iter::from_fn(|| order.settled()).collect()
    }

    #[test]
    fn a_reply_waits_until_none_can_come_before_it() {
        let at = Duration::from_millis;
        let mut order = ArrivalOrder::new();
        order.record(at(0), at(25), 0);
        order.record(at(10), at(12), 1);
        assert_eq!(drain(&mut order), [0; 0]);
        order.record(at(20), at(40), 2);
        assert_eq!(drain(&mut order), [1]);
        order.record(at(30), at(31), 3);
        assert_eq!(drain(&mut order), [0]);
        assert_eq!(order.finish().collect::<Vec<_>>(), [3, 2]);
    }

    proptest! {
        #[test]
        fn agrees_with_sorting(delays in vec(1_i64..50, 1..200)) {
            let mut order = ArrivalOrder::new();
            let mut got = Vec::new();
            let arrival = |seq: u64| seq as i64 * 10 + delays[seq as usize];
            for seq in 0..delays.len() as u64 {
                let sent = Duration::from_nanos(seq as i64 * 10);
                order.record(sent, Duration::from_nanos(arrival(seq)), seq);
                got.extend(std::iter::from_fn(|| order.settled()));
                prop_assert!(order.waiting.len() <= 5);
            }
            got.extend(order.finish());
            let mut expected: Vec<u64> = (0..delays.len() as u64).collect();
            expected.sort_by_key(|seq| (arrival(*seq), *seq));
            prop_assert_eq!(got, expected);
        }
    }
}
