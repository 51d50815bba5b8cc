//! Finds the next of thousands of targets: each look costs the logarithm of their number. Reads no clock.

use std::collections::{BTreeSet, HashMap};

use crate::time::Instant;

/// Names a target of an engine; the caller chooses the number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetId(pub u32);

/// When a target is to be served next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Moments {
    /// A probe is due: it leaves at this moment.
    pub due: Option<Instant>,
    /// Everything else, which may be a little late.
    pub timeout: Option<Instant>,
}

#[derive(Debug, Default)]
pub(super) struct TargetQueue {
    moments: HashMap<TargetId, Moments>,
    due: BTreeSet<(Instant, TargetId)>,
    timeouts: BTreeSet<(Instant, TargetId)>,
}

impl TargetQueue {
    pub(super) fn set(&mut self, target: TargetId, moments: Moments) {
        let before = self.moments.insert(target, moments).unwrap_or_default();
        replace(&mut self.due, target, before.due, moments.due);
        replace(&mut self.timeouts, target, before.timeout, moments.timeout);
    }

    pub(super) fn remove(&mut self, target: TargetId) {
        self.set(target, Moments::default());
        self.moments.remove(&target);
    }

    /// The soonest of each.
    pub(super) fn next(&self) -> Moments {
        let soonest = |set: &BTreeSet<(Instant, TargetId)>| set.first().map(|(at, _)| *at);
        Moments { due: soonest(&self.due), timeout: soonest(&self.timeouts) }
    }

    /// The target whose probe is due first.
    pub(super) fn first_due(&self) -> Option<TargetId> {
        self.due.first().map(|(_, target)| *target)
    }

    /// Each target whose moment has come, once: first those with a probe, in the order in which these are due.
    pub(super) fn due_by(&self, now: Instant) -> impl Iterator<Item = TargetId> {
        let last = (now, TargetId(u32::MAX));
        let probes = self.due.range(..=last).map(|(_, target)| *target);
        let has_probe = move |target| self.moments[&target].due.is_some_and(|due| due <= now);
        let others = self.timeouts.range(..=last).map(|(_, target)| *target);
        probes.chain(others.filter(move |target| !has_probe(*target)))
    }
}

fn replace(
    set: &mut BTreeSet<(Instant, TargetId)>,
    target: TargetId,
    before: Option<Instant>,
    after: Option<Instant>,
) {
    if before == after {
        return;
    }
    before.map(|at| set.remove(&(at, target)));
    after.map(|at| set.insert((at, target)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;
    use crate::time::Duration;

    fn at(millis: i64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    fn probe(due: i64) -> Moments {
        Moments { due: Some(at(due)), timeout: None }
    }

    fn due_by(queue: &TargetQueue, now: i64) -> Vec<u32> {
        queue.due_by(at(now)).map(|target| target.0).collect()
    }

    #[test]
    fn probes_come_in_the_order_of_their_due_times_and_before_timeouts() {
        let mut queue = TargetQueue::default();
        queue.set(TargetId(1), probe(30));
        queue.set(TargetId(2), probe(10));
        queue.set(TargetId(3), Moments { due: None, timeout: Some(at(5)) });
        queue.set(TargetId(4), Moments { due: Some(at(20)), timeout: Some(at(15)) });
        assert_eq!(queue.next(), Moments { due: Some(at(10)), timeout: Some(at(5)) });
        assert_eq!(queue.first_due(), Some(TargetId(2)));
        assert!(due_by(&queue, 4).is_empty());
        assert_eq!(due_by(&queue, 17), [2, 3, 4]);
        assert_eq!(due_by(&queue, 30), [2, 4, 1, 3], "one that is due twice is served once");
    }

    #[test]
    fn a_target_has_only_its_newest_moments_and_none_when_it_is_removed() {
        let mut queue = TargetQueue::default();
        queue.set(TargetId(1), Moments { due: Some(at(10)), timeout: Some(at(5)) });
        queue.set(TargetId(1), probe(1_000));
        assert!(due_by(&queue, 999).is_empty());
        queue.remove(TargetId(1));
        queue.remove(TargetId(2));
        assert_eq!((queue.next(), due_by(&queue, 1_000)), (Moments::default(), vec![]));
    }

    /// Two targets with intervals of 20 ms and 50 ms and one that never has anything to do, for a second.
    #[test]
    fn each_target_is_served_at_its_own_interval() {
        let mut queue = TargetQueue::default();
        queue.set(TargetId(0), Moments::default());
        let intervals = [i64::MAX, 20, 50];
        (1..3).for_each(|target| queue.set(TargetId(target), probe(0)));
        let mut served = Vec::new();
        while let Some(now) = queue.next().due.filter(|due| *due < at(1_000)) {
            let due: Vec<TargetId> = queue.due_by(now).collect();
            for target in due {
                served.push((now, target.0));
                let next = now + Duration::from_millis(intervals[target.0 as usize]);
                queue.set(target, Moments { due: Some(next), timeout: None });
            }
        }
        let of = |target| served.iter().filter(move |(_, served)| *served == target).map(|(now, _)| *now);
        assert!(of(1).eq((0..50).map(|k| at(20 * k))) && of(2).eq((0..20).map(|k| at(50 * k))));
        assert_eq!(of(0).count(), 0);
    }

    /// A target that is behind comes first each time, and keeps no other from its turn.
    #[test]
    fn a_target_that_is_behind_starves_no_other() {
        let mut queue = TargetQueue::default();
        queue.set(TargetId(1), probe(0));
        queue.set(TargetId(2), probe(10));
        for _ in 0..100 {
            assert_eq!(due_by(&queue, 20), [1, 2]);
            queue.set(TargetId(1), probe(0));
        }
    }

    /// The same as a search of all, for 1,000 targets at random times.
    #[test]
    fn it_finds_what_a_search_of_all_targets_finds() {
        let (mut queue, mut all) = (TargetQueue::default(), vec![Moments::default(); 1_000]);
        let stream = Stream::new(1, "targets");
        let time = |draw: u64| Some(at((stream.unit(draw) * 1e6) as i64)).filter(|_| !draw.is_multiple_of(7));
        for round in 0..5_000 {
            let target = (stream.unit(3 * round) * 1e3) as usize;
            all[target] = Moments { due: time(3 * round + 1), timeout: time(3 * round + 2) };
            queue.set(TargetId(target as u32), all[target]);
        }
        let soonest = |of: fn(&Moments) -> Option<Instant>| all.iter().filter_map(of).min();
        let next = Moments { due: soonest(|m| m.due), timeout: soonest(|m| m.timeout) };
        assert_eq!(queue.next(), next);
        let now = at(100_000);
        let mut found: Vec<u32> = queue.due_by(now).map(|target| target.0).collect();
        found.sort_unstable();
        let is_due = |m: &Moments| [m.due, m.timeout].into_iter().flatten().any(|at| at <= now);
        let expected = (0..1_000).filter(|target| is_due(&all[*target as usize]));
        assert!(found.len() > 50 && found.into_iter().eq(expected));
    }
}
