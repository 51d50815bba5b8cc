//! The queue of held items: they come out at their exact time, in the order of these times.
//!
//! A hashed timing wheel (Varghese, Lauck: "Hashed and hierarchical timing wheels", IEEE/ACM
//! Transactions on Networking 5(6), 1997, scheme 6) whose slots are 8.2 µs wide. A slot is sorted
//! when its time comes, so nothing is early and the order is exact. To push and to pop an item takes
//! constant time up to the horizon of 0.54 s; later items wait in a heap until the wheel reaches them.
//!
//! Ties keep insertion order: a slot's list is last in, first out, and is reversed when the slot is
//! opened.
//!
//! An item takes its own size and 16 bytes, and up to 48 more while it is in a heap. Memory grows by
//! 1,024 items and is kept.

mod slab;
mod wheel;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;

use slab::{Slab, SlotId};
use wheel::{SLOTS, Wheel, due_at, tick_of};

use crate::time::Instant;

/// Holds items until they are due. Of two due at the same time the first pushed leaves first.
pub struct HoldQueue<T> {
    items: Slab<T>,
    /// Items due up to the tick `turned`.
    front: BinaryHeap<Reverse<Key>>,
    /// Items due in the `SLOTS` ticks after it.
    wheel: Wheel,
    /// Items due later.
    beyond: BinaryHeap<Reverse<Key>>,
    turned: i64,
    soonest: Instant,
    /// The number of keys so far, which orders ties.
    keys: u64,
    /// A slot's list while it is reversed; otherwise empty.
    list: Vec<(Instant, SlotId)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    due: Instant,
    order: u64,
    id: SlotId,
}

/// The tick of a new queue, which does not know the time.
const BEFORE_ALL: i64 = tick_of(Instant::from_nanos(i64::MIN));

impl<T> HoldQueue<T> {
    /// The memory of an item, its own size included: always, and while it is in a heap.
    pub const BYTES_AT_REST: usize = size_of::<slab::Cell<T>>();
    /// Bytes that one item costs at most, besides what it points to.
    pub const BYTES_AT_MOST: usize = Self::BYTES_AT_REST + 2 * size_of::<Key>();

    /// Without items.
    pub fn new() -> Self {
        Self {
            items: Slab::new(),
            front: BinaryHeap::new(),
            wheel: Wheel::new(),
            beyond: BinaryHeap::new(),
            turned: BEFORE_ALL,
            soonest: Instant::FAR_FUTURE,
            keys: 0,
            list: Vec::new(),
        }
    }

    /// Items that are held.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Holds an item until `due`; items due at once leave in the order in which they came.
    pub fn push(&mut self, due: Instant, item: T) {
        if self.is_empty() && self.turned == BEFORE_ALL {
            // No `pop_due` has told the time yet; this brings the wheel near it.
            self.turned = BEFORE_ALL.max(tick_of(due) - SLOTS);
        }
        let id = self.items.insert(item);
        self.put(due, id);
        self.soonest = self.soonest.min(due);
    }

    /// When the next item is due, exactly.
    pub fn next_due(&self) -> Option<Instant> {
        (!self.is_empty()).then_some(self.soonest)
    }

    /// Takes the next item if it is due by `now`, with the time at which it was due. Also when it gives
    /// nothing it turns the wheel: call it as time goes on.
    pub fn pop_due(&mut self, now: Instant) -> Option<(Instant, T)> {
        if self.is_empty() || self.soonest > now {
            self.turn(tick_of(now) - 1);
            return None;
        }
        if self.front.is_empty() {
            self.open_slot(tick_of(self.soonest));
        }
        let Reverse(key) = self.front.pop()?;
        let item = self.items.remove(key.id)?;
        self.soonest = self.find_soonest();
        Some((key.due, item))
    }

    fn put(&mut self, due: Instant, id: SlotId) {
        let ahead = tick_of(due) - self.turned;
        if (1..=SLOTS).contains(&ahead) {
            let link = self.wheel.link(due, id);
            self.items.set_link(id, link);
            return;
        }
        let key = self.key(due, id);
        let heap = if ahead <= 0 { &mut self.front } else { &mut self.beyond };
        heap.push(key);
    }

    fn key(&mut self, due: Instant, id: SlotId) -> Reverse<Key> {
        self.keys += 1;
        Reverse(Key { due, order: self.keys, id })
    }

    /// Turns the wheel past this tick, up to which nothing is in it.
    fn turn(&mut self, tick: i64) {
        self.turned = self.turned.max(tick);
        while let Some(&Reverse(Key { due, id, .. })) = self.beyond.peek() {
            if tick_of(due) - self.turned > SLOTS {
                break;
            }
            self.beyond.pop();
            self.put(due, id);
        }
    }

    /// Moves the items of this slot, the first that has any, to the front.
    fn open_slot(&mut self, tick: i64) {
        self.turn(tick - 1);
        let mut next = self.wheel.take(tick);
        while let Some(id) = next {
            let link = self.items.link(id);
            self.list.push((due_at(tick, link.note), id));
            next = link.next;
        }
        while let Some((due, id)) = self.list.pop() {
            let key = self.key(due, id);
            self.front.push(key);
        }
        self.turn(tick);
    }

    fn find_soonest(&self) -> Instant {
        let due = |heap: &BinaryHeap<Reverse<Key>>| heap.peek().map(|Reverse(key)| key.due);
        due(&self.front)
            .or_else(|| self.wheel.soonest_after(self.turned))
            .or_else(|| due(&self.beyond))
            .unwrap_or(Instant::FAR_FUTURE)
    }
}

impl<T> Default for HoldQueue<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// Without the items: there may be a million.
impl<T> fmt::Debug for HoldQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HoldQueue")
            .field("len", &self.len())
            .field("next_due", &self.next_due())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::time::Duration;

    fn at(nanos: i64) -> Instant {
        Instant::from_nanos(nanos)
    }

    /// The obvious implementation.
    #[derive(Default)]
    struct Oracle {
        items: BTreeMap<(Instant, u64), u64>,
        pushed: u64,
    }

    impl Oracle {
        fn push(&mut self, due: Instant, item: u64) {
            self.items.insert((due, self.pushed), item);
            self.pushed += 1;
        }

        fn pop_due(&mut self, now: Instant) -> Option<(Instant, u64)> {
            let (&(due, order), &item) = self.items.first_key_value().filter(|((due, _), _)| *due <= now)?;
            self.items.remove(&(due, order));
            Some((due, item))
        }

        fn next_due(&self) -> Option<Instant> {
            self.items.first_key_value().map(|((due, _), _)| *due)
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Push { ahead: i64, times: usize },
        Advance { by: i64 },
        Pop { times: usize },
    }

    /// Delays within a slot, within the wheel, beyond it, and in the past.
    fn ahead() -> impl Strategy<Value = i64> {
        prop_oneof![
            0_i64..3,
            0_i64..20_000,
            0_i64..500_000_000,
            (1_i64..4, -3_i64..3).prop_map(|(turns, off)| turns * (SLOTS << 13) + off * 8_192),
            0_i64..5_000_000_000,
            -1_000_000_i64..0,
        ]
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => (ahead(), 1_usize..4).prop_map(|(ahead, times)| Step::Push { ahead, times }),
            2 => ahead().prop_map(|by| Step::Advance { by: by.max(0) }),
            2 => (1_usize..8).prop_map(|times| Step::Pop { times }),
        ];
        prop::collection::vec(step, 1..120)
    }

    proptest! {
        #[test]
        fn it_behaves_like_a_sorted_map(start in -1_000_000_000_i64..i64::MAX / 2, steps in steps()) {
            let (mut queue, mut oracle) = (HoldQueue::new(), Oracle::default());
            let mut now = at(start);
            let mut item = 0;
            for step in steps {
                match step {
                    Step::Push { ahead, times } => (0..times).for_each(|_| {
                        let due = now + Duration::from_nanos(ahead);
                        queue.push(due, item);
                        oracle.push(due, item);
                        item += 1;
                    }),
                    Step::Advance { by } => now += Duration::from_nanos(by),
                    Step::Pop { times } => for _ in 0..times {
                        prop_assert_eq!(queue.pop_due(now), oracle.pop_due(now));
                    },
                }
                prop_assert_eq!(queue.next_due(), oracle.next_due());
                prop_assert_eq!(queue.len(), oracle.items.len());
            }
            while let Some(expected) = oracle.pop_due(Instant::FAR_FUTURE) {
                prop_assert_eq!(queue.pop_due(Instant::FAR_FUTURE), Some(expected));
            }
            prop_assert!(queue.is_empty());
        }
    }

    /// A server at work for much longer than a turn of the wheel.
    #[test]
    fn it_works_for_many_turns() {
        let (mut queue, mut oracle) = (HoldQueue::new(), Oracle::default());
        let delays = crate::rng::Stream::new(7, "test");
        for seq in 0..50_000_u64 {
            let now = at(5_000_000_000 + 100_000 * seq as i64);
            let due = now + Duration::from_millis(700).mul_f64(delays.unit(seq));
            queue.push(due, seq);
            oracle.push(due, seq);
            while let Some(expected) = oracle.pop_due(now) {
                assert_eq!(queue.pop_due(now), Some(expected));
            }
            assert_eq!(queue.pop_due(now), None);
            assert_eq!(queue.next_due(), oracle.next_due());
        }
    }

    #[test]
    fn the_first_and_last_possible_times_work() {
        let mut queue = HoldQueue::new();
        queue.push(Instant::FAR_FUTURE, "last");
        queue.push(at(i64::MIN), "first");
        queue.push(at(0), "between");
        assert_eq!(queue.next_due(), Some(at(i64::MIN)));
        let out: Vec<&str> =
            std::iter::from_fn(|| queue.pop_due(Instant::FAR_FUTURE)).map(|(_, item)| item).collect();
        assert_eq!(out, ["first", "between", "last"]);
    }

    #[test]
    fn nothing_is_early_by_a_nanosecond() {
        let mut queue = HoldQueue::new();
        queue.push(at(1_000_000_007), 'a');
        assert_eq!(queue.pop_due(at(1_000_000_006)), None);
        assert_eq!(queue.pop_due(at(1_000_000_007)), Some((at(1_000_000_007), 'a')));
        assert_eq!(queue.next_due(), None);
    }

    #[test]
    fn a_held_item_takes_no_more_than_its_size_and_128_bytes() {
        let bytes = HoldQueue::<[u64; 6]>::BYTES_AT_MOST;
        assert!(bytes <= size_of::<[u64; 6]>() + 128, "{bytes}");
    }

    #[test]
    fn dropping_the_queue_drops_its_items() {
        let item = std::rc::Rc::new(());
        let mut queue = HoldQueue::new();
        (0..10_000).for_each(|k| queue.push(at(k * 1_000_000), item.clone()));
        queue.pop_due(at(0));
        assert_eq!(std::rc::Rc::strong_count(&item), 10_000);
        drop(queue);
        assert_eq!(std::rc::Rc::strong_count(&item), 1);
    }
}
