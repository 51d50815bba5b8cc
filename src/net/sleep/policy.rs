//! An engine waits in one of three ways: it looks at its sockets again, spins on the clock, or sleeps.

use super::planner::{Sleep, Timer, WakePlanner};
use super::realtime_budget::RealtimeBudget;
use crate::time::{Duration, Instant};

/// The state of an engine before it waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Situation {
    pub now: Instant,
    /// When the next probe or held reply must leave.
    pub due: Option<Instant>,
    /// When the next task is due that may be a little late.
    pub timeout: Option<Instant>,
    /// The last call received as much as it could, so more is likely to wait.
    pub backlog: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Look at the sockets again at once.
    Poll,
    /// Prepare what is due, and look at nothing but the clock until then.
    SpinUntil(Instant),
    /// Wait for a datagram until then; None: for as long as it takes.
    SleepUntil(Option<Instant>),
    /// A real-time thread leaves the processor to others for so long, whatever waits.
    Rest(Duration),
}

/// How an engine meets the moments at which something is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Approach {
    /// A client prepares its probe and spins: nothing else is worth a look so shortly before.
    Spin,
    /// A server goes on answering.
    Poll,
}

#[derive(Debug)]
pub(crate) struct Policy {
    planner: WakePlanner,
    approach: Approach,
    /// Never sleep: a core for a few microseconds.
    busy: bool,
    /// None unless this is a real-time thread.
    budget: Option<RealtimeBudget>,
    /// The sleep that goes on: since when, and for what it was planned.
    asleep: Option<(Instant, Option<Sleep>)>,
}

impl Policy {
    /// A shorter sleep takes longer than it lasts.
    const SHORTEST_SLEEP: Duration = Duration::from_micros(10);
    /// A real-time thread wakes faster, and must sleep now and then.
    const SHORTEST_REALTIME_SLEEP: Duration = Duration::from_micros(2);
    /// A client that polls prepares its probe so long before it is due.
    const PREPARE: Duration = Duration::from_micros(3);
    /// A rest of a real-time thread ends no later than this.
    const REST_LATENESS: Duration = Duration::from_micros(20);

    pub(crate) fn of_client(timer: Timer) -> Self {
        Self::new(WakePlanner::new(timer), Approach::Spin, timer == Timer::Busy)
    }

    pub(crate) fn of_server(busy: bool) -> Self {
        Self::new(WakePlanner::low_cost(), Approach::Poll, busy)
    }

    fn new(planner: WakePlanner, approach: Approach, busy: bool) -> Self {
        Self { planner, approach, busy, budget: None, asleep: None }
    }

    /// Whether this thread has a real-time priority, as `chrt` gives it.
    pub(crate) fn set_realtime(&mut self, realtime: bool, now: Instant) {
        match realtime {
            true => _ = self.budget.get_or_insert_with(|| RealtimeBudget::begin(now)),
            false => self.budget = None,
        }
    }

    pub(crate) fn next(&mut self, situation: &Situation) -> Next {
        let Situation { now, due, timeout, backlog } = *situation;
        let planned = due.and_then(|due| self.planner.sleep_until(due, now));
        let end = planned.map(|sleep| sleep.end).into_iter().chain(timeout).min();
        let awake = backlog
            || self.busy && self.approach == Approach::Poll
            || due.is_some() && planned.is_none()
            || end.is_some_and(|end| end - now < self.shortest_sleep());
        if let Some(length) = self.rest(now, due, awake) {
            self.asleep = Some((now, None));
            return Next::Rest(length);
        }
        if !awake {
            self.asleep = Some((now, planned));
            return Next::SleepUntil(end);
        }
        match due {
            Some(due) if self.spins_for(due, planned, now) => Next::SpinUntil(due),
            _ => Next::Poll,
        }
    }

    /// The sleep or the rest is over.
    pub(crate) fn woke(&mut self, now: Instant) {
        let Some((since, planned)) = self.asleep.take() else { return };
        if let Some(sleep) = planned {
            self.planner.learn(sleep, now);
        }
        if let Some(budget) = &mut self.budget {
            budget.slept(now - since, now);
        }
    }

    fn spins_for(&self, due: Instant, planned: Option<Sleep>, now: Instant) -> bool {
        let near = if self.busy { due - now <= Self::PREPARE } else { planned.is_none() };
        self.approach == Approach::Spin && near
    }

    fn shortest_sleep(&self) -> Duration {
        if self.budget.is_some() { Self::SHORTEST_REALTIME_SLEEP } else { Self::SHORTEST_SLEEP }
    }

    /// The sleep that a real-time thread owes, as far as there is time for it; all of it before the kernel stops
    /// the thread for longer, also where it would sleep anyway: datagrams end that sleep too early.
    fn rest(&mut self, now: Instant, due: Option<Instant>, awake: bool) -> Option<Duration> {
        let budget = self.budget.as_mut()?;
        let owed = budget.sleep_due(now)?;
        let urgent = budget.is_urgent();
        let spare = due.map_or(owed, |due| due - now - Self::REST_LATENESS);
        let length = if urgent { owed } else { owed.min(spare) };
        ((awake || urgent) && length >= RealtimeBudget::SHORTEST).then_some(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Instant {
        Instant::ZERO + Duration::from_micros(micros)
    }

    fn micros(micros: i64) -> Duration {
        Duration::from_micros(micros)
    }

    fn idle(now: i64) -> Situation {
        Situation { now: at(now), due: None, timeout: None, backlog: false }
    }

    fn due(now: i64, due: i64) -> Situation {
        Situation { due: Some(at(due)), ..idle(now) }
    }

    #[test]
    fn an_idle_server_sleeps_until_its_timeout_or_for_ever() {
        let mut policy = Policy::of_server(false);
        assert_eq!(policy.next(&idle(0)), Next::SleepUntil(None));
        let timeout = Situation { timeout: Some(at(500)), ..idle(0) };
        assert_eq!(policy.next(&timeout), Next::SleepUntil(Some(at(500))));
    }

    #[test]
    fn a_server_polls_while_more_waits_and_a_busy_one_always() {
        let mut policy = Policy::of_server(false);
        assert_eq!(policy.next(&Situation { backlog: true, ..idle(0) }), Next::Poll);
        assert_eq!(Policy::of_server(true).next(&idle(0)), Next::Poll);
        assert_eq!(Policy::of_server(true).next(&due(0, 1_000_000)), Next::Poll);
    }

    #[test]
    fn nobody_sleeps_for_less_than_a_sleep_takes() {
        let next = |left| Policy::of_server(false).next(&Situation { timeout: Some(at(left)), ..idle(0) });
        assert_eq!([next(9), next(0), next(-5)], [Next::Poll; 3]);
        assert_eq!(next(10), Next::SleepUntil(Some(at(10))));
        let mut realtime = Policy::of_server(false);
        realtime.set_realtime(true, at(0));
        let next = realtime.next(&Situation { timeout: Some(at(9)), ..idle(0) });
        assert_eq!(next, Next::SleepUntil(Some(at(9))));
    }

    /// A client and a server whose sleeps are all late by 40 us, in virtual time; how late they meet moments
    /// one millisecond apart in the end.
    fn lateness(policy: &mut Policy) -> Duration {
        let (mut now, mut late) = (0, Duration::ZERO);
        for round in 1..2_000 {
            let moment = round * 1_000;
            while now < moment {
                match policy.next(&due(now, moment)) {
                    Next::SleepUntil(end) => {
                        now = ((end.unwrap() - Instant::ZERO).as_nanos() + 40_000 - 1) / 1_000 + 1;
                        policy.woke(at(now));
                    }
                    Next::SpinUntil(end) => now = (end - Instant::ZERO).as_nanos() / 1_000,
                    Next::Poll => now += 1,
                    Next::Rest(_) => panic!("no real-time thread"),
                }
            }
            late = at(now) - at(moment);
        }
        late
    }

    #[test]
    fn what_is_due_is_met_though_every_sleep_is_late() {
        assert_eq!(lateness(&mut Policy::of_client(Timer::Hybrid)), Duration::ZERO);
        assert_eq!(lateness(&mut Policy::of_client(Timer::Busy)), Duration::ZERO);
        assert!(lateness(&mut Policy::of_client(Timer::Sleep)) >= micros(40));
        // A server spins for a twentieth of the time at most.
        assert!(lateness(&mut Policy::of_server(false)) <= micros(1));
    }

    #[test]
    fn a_client_spins_in_the_last_moment_and_a_server_goes_on_answering() {
        assert_eq!(Policy::of_client(Timer::Hybrid).next(&due(0, 40)), Next::SpinUntil(at(40)));
        assert_eq!(Policy::of_server(false).next(&due(0, 1)), Next::Poll);
        let mut busy = Policy::of_client(Timer::Busy);
        assert_eq!(busy.next(&due(0, 1_000)), Next::Poll);
        assert_eq!(busy.next(&due(998, 1_000)), Next::SpinUntil(at(1_000)));
        assert_eq!(busy.next(&idle(0)), Next::SleepUntil(None), "nothing more is due");
    }

    #[test]
    fn a_datagram_that_ends_a_sleep_says_nothing_about_timers() {
        let mut policy = Policy::of_client(Timer::Hybrid);
        let first = policy.next(&due(0, 50_000));
        policy.woke(at(100));
        assert_eq!(policy.next(&due(0, 50_000)), first);
    }

    /// Goes round every 2 us for a second; how long it rested in all, and in how many parts.
    fn rests(policy: &mut Policy, situation: impl Fn(i64) -> Situation) -> (i64, i64) {
        let (mut now, mut all, mut parts) = (0, 0, 0);
        while now < 1_000_000 {
            match policy.next(&situation(now)) {
                Next::Rest(length) => {
                    let length = length.as_nanos() / 1_000;
                    now += length;
                    all += length;
                    parts += 1;
                    policy.woke(at(now));
                }
                _ => now += 2,
            }
        }
        (all, parts)
    }

    #[test]
    fn a_busy_real_time_thread_rests_for_more_than_a_twentieth_and_an_ordinary_one_never() {
        let flood = |now| Situation { backlog: true, ..idle(now) };
        let mut policy = Policy::of_server(false);
        assert_eq!(rests(&mut policy, flood), (0, 0));
        policy.set_realtime(true, at(0));
        let (all, parts) = rests(&mut policy, flood);
        assert!(all > 75_000 && all / parts <= 60, "{all} us in {parts} parts");
        policy.set_realtime(false, at(0));
        assert_eq!(rests(&mut policy, flood), (0, 0));
    }

    #[test]
    fn a_real_time_thread_rests_though_datagrams_end_its_sleeps() {
        let mut policy = Policy::of_server(false);
        policy.set_realtime(true, at(0));
        let (mut now, mut rested) = (0, 0);
        while now < 1_000_000 {
            now += 8;
            let length = match policy.next(&idle(now)) {
                Next::Rest(length) => length.as_nanos() / 1_000,
                Next::SleepUntil(None) => 1,
                other => panic!("{other:?}"),
            };
            now += length;
            rested += length - 1;
            policy.woke(at(now));
        }
        assert!(rested > 75_000, "{rested} us");
        policy.next(&idle(now));
        policy.woke(at(now + 5_000_000));
        assert_eq!(
            policy.next(&idle(now + 5_000_008)),
            Next::SleepUntil(None),
            "nothing is owed after a pause"
        );
    }

    #[test]
    fn a_rest_fits_before_what_is_due_unless_the_kernel_is_about_to_take_it() {
        let mut policy = Policy::of_client(Timer::Busy);
        policy.set_realtime(true, at(0));
        assert_eq!(policy.next(&due(1_000, 1_050)), Next::Rest(micros(30)));
        assert_eq!(policy.next(&due(1_000, 1_030)), Next::Poll, "too short to be a rest");
        assert_eq!(policy.next(&due(100_000, 100_030)), Next::Rest(micros(300)));
    }
}
