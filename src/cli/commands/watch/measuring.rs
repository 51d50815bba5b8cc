//! The thread that measures, and the list of its targets as the configuration and discovery want it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::thread::JoinHandle;

use anyhow::Context;

use super::collector::{Collector, Counts, News};
use super::keys::with_key;
use crate::cli::printer::stderr_line;
use crate::cli::web::{Histories, Past};
use crate::fleet::{Figures, Group, Key, Monitor, Reload, Span, State, TargetView, Wanted, phase};
use crate::net::{
    ClientEngine, Clock, Control, Outgoing, Target, TargetChanges, TargetId, Timer, random_bytes,
};
use crate::probe::{FlowChange, Settings};
use crate::schedule::{Poisson, Schedule};
use crate::time::{Duration, Instant};
use crate::units::Interval;
use crate::wire::auth::Key as Secret;

pub(super) struct Measuring {
    source: String,
    key: Option<Secret>,
    count: Option<u64>,
    clock: Clock,
    counts: Counts,
    changes: Option<TargetChanges>,
    /// None once it was joined.
    thread: Option<JoinHandle<io::Result<()>>>,
    targets: BTreeMap<Key, Wanted>,
    /// As the configuration lists them.
    order: Vec<Key>,
    ids: BTreeMap<Key, TargetId>,
    next_id: u32,
    news: Receiver<News>,
}

impl Measuring {
    /// Between two handshakes, on average.
    const APART: Duration = Duration::from_micros(100);
    /// Two round trips later, and so within a second, each session is open.
    const LONGEST_SPREAD: Duration = Duration::from_millis(500);

    /// Starts the thread, without a target yet.
    pub(super) fn start(
        source: String,
        key: Option<Secret>,
        count: Option<u64>,
        clock: Clock,
        control: &Arc<Control>,
    ) -> anyhow::Result<Self> {
        let mut engine = ClientEngine::new(Timer::Sleep, clock);
        let changes = engine.changes(control);
        let counts = Counts::default();
        let (mut collector, news) = Collector::new(&counts);
        let control = Arc::clone(control);
        let measure = move || {
            let ran = engine.run(&control, &mut collector);
            collector.finish();
            ran
        };
        let thread = std::thread::Builder::new().name("measure".into()).spawn(measure);
        Ok(Self {
            source,
            key,
            count,
            clock,
            counts,
            changes: Some(changes),
            thread: Some(thread.context("cannot start a thread")?),
            targets: BTreeMap::new(),
            order: Vec::new(),
            ids: BTreeMap::new(),
            next_id: 0,
            news,
        })
    }

    /// Replaces the targets; returns the removed ones with their last counts.
    pub(super) fn set(&mut self, wanted: Vec<Wanted>) -> Vec<TargetView> {
        let mut seen = BTreeSet::new();
        let keys = wanted.iter().map(|wanted| wanted.key.clone());
        self.order = keys.filter(|key| seen.insert(key.clone())).collect();
        let reload = Reload::between(&self.targets, wanted);
        let now = self.clock.now();
        let removed = reload.removed.iter().filter_map(|key| self.view(key, now)).collect();
        for key in &reload.removed {
            self.targets.remove(key);
            if let (Some(id), Some(changes)) = (self.ids.remove(key), &self.changes) {
                changes.remove(id);
                self.counts.forget(key, id);
            }
        }
        for wanted in reload.unresolved {
            if let (Some(id), Some(changes)) = (self.ids.get(&wanted.key), &self.changes) {
                changes.remove(*id);
            }
            self.targets.insert(wanted.key.clone(), wanted);
        }
        for wanted in reload.added.into_iter().chain(reload.changed) {
            self.measure(wanted);
        }
        for wanted in reload.kept {
            self.targets.insert(wanted.key.clone(), wanted);
        }
        removed
    }

    /// Asks those again that refused a session.
    pub(super) fn retry_denied(&mut self) {
        let is_denied = |wanted: &Wanted| {
            let state = self.ids.get(&wanted.key).and_then(|id| self.counts.state(*id));
            wanted.address.is_some() && state == Some(State::Denied)
        };
        let denied: Vec<Wanted> = self.targets.values().filter(|wanted| is_denied(wanted)).cloned().collect();
        denied.into_iter().for_each(|wanted| self.measure(wanted));
    }

    /// The counters of the monitor itself.
    pub(super) fn monitor(&self) -> Monitor {
        self.counts.monitor()
    }

    /// Lines about flows whose port was compared with a fresh one.
    pub(super) fn take_news(&self) -> Vec<String> {
        let line = |News { target, change }| match change {
            FlowChange::Rerolled(flow, result) => {
                let key = self.ids.iter().find(|(_, id)| **id == target)?.0;
                Some(format!("{}: {}: flow {flow}: {}", key.group, key.target, result.words()))
            }
            FlowChange::Lossy(_) => None,
        };
        self.news.try_iter().filter_map(line).collect()
    }

    /// Once every target has had its count of probes, the thread ends.
    pub(super) fn takes_no_more(&mut self) {
        self.changes = None;
    }

    pub(super) fn is_over(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// No target is measured, nor waits for an address.
    pub(super) fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// A target that changed keeps its number, and with it its counters.
    fn measure(&mut self, wanted: Wanted) {
        let key = wanted.key.clone();
        if self.targets.get(&key).is_some_and(|before| before.address.is_none()) {
            self.counts.reopen(self.ids[&key]);
        }
        let id = *self.ids.entry(key.clone()).or_insert_with(|| {
            self.next_id += 1;
            let figures = if wanted.group.one_way { Figures::with_one_way() } else { Figures::default() };
            self.counts.add(key.clone(), TargetId(self.next_id), figures);
            TargetId(self.next_id)
        });
        match (self.open(&wanted), &self.changes) {
            (Ok(Some(target)), Some(changes)) => changes.add(id, target),
            (Ok(_), _) => {}
            (Err(error), _) => stderr_line(format_args!("udpecho: {}: {error:#}", key.target)),
        }
        self.targets.insert(key, wanted);
    }

    fn open(&self, wanted: &Wanted) -> anyhow::Result<Option<Target>> {
        let Some(address) = wanted.address else { return Ok(None) };
        let group = &wanted.group;
        let settings = self.settings(group, &wanted.key.target)?;
        if group.dialect.numbers_probes() {
            return Ok(Some(Target::pooled(address, settings, group.dscp, self.opens(&wanted.key))));
        }
        // A reply without a number belongs to the socket that it comes to.
        let outgoing =
            Outgoing { dscp: group.dscp, timer: Timer::Sleep, single_socket: true, ..Outgoing::default() };
        let target = Target::connect(address, settings, &outgoing, self.clock);
        target.map(Some).with_context(|| format!("cannot send to {address}"))
    }

    /// Many handshakes are spread like the probes, so that they are no burst either.
    fn opens(&self, key: &Key) -> Instant {
        let spread = (Self::APART * self.order.len() as i64).min(Self::LONGEST_SPREAD);
        self.clock.now() + phase(&self.source, &key.group, &key.target, spread)
    }

    fn settings(&self, group: &Group, target: &str) -> anyhow::Result<Settings> {
        let seed = u64::from_ne_bytes(random_bytes()?);
        let schedule = if group.poisson {
            Schedule::Poisson(Poisson::new(group.interval, least(group.interval)?, seed)?)
        } else {
            Schedule::Fixed(group.interval)
        };
        let settings = Settings {
            dialect: group.dialect,
            size: group.size,
            schedule,
            flows: Some(group.flows),
            count: self.count,
            phase: (!group.poisson).then(|| phase(&self.source, &group.name, target, group.interval.get())),
            deadline: Some(group.deadline),
            grace: group.give_up - group.deadline,
            // Losses count soon, also where nothing comes back that could tell their direction.
            query: Some(group.give_up),
            wait_for_server: self.count.is_none(),
            heed_ending: true,
            ..Settings::every(group.interval, seed)
        };
        Ok(with_key(group, self.key.as_ref(), settings))
    }

    /// The histories of the targets.
    pub(super) fn histories(&self) -> Histories {
        let (counts, clock) = (self.counts.clone(), self.clock);
        Arc::new(move |key: &Key, span: Span| {
            let now = clock.now();
            counts.history(key, |history| Past { periods: history.span(span, now), now })
        })
    }

    /// Every target with its counts, in the order of the configuration.
    pub(super) fn views(&self) -> Vec<TargetView> {
        let now = self.clock.now();
        self.order.iter().filter_map(|key| self.view(key, now)).collect()
    }

    fn view(&self, key: &Key, now: Instant) -> Option<TargetView> {
        let wanted = self.targets.get(key)?;
        let (figures, recent) = self.counts.of(*self.ids.get(key)?, now)?;
        let figures = if wanted.address.is_none() { figures.without_address() } else { figures };
        Some(TargetView { wanted: wanted.clone(), figures, recent })
    }

    /// Waits for what is in flight after a stop; every target with its last counts.
    pub(super) fn finish(mut self) -> anyhow::Result<Vec<TargetView>> {
        self.changes = None;
        if let Some(thread) = self.thread.take() {
            let ran = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            ran.context("the sockets failed")?;
        }
        Ok(self.views())
    }
}

/// Random intervals are never shorter than a tenth of their mean.
fn least(mean: Interval) -> anyhow::Result<Interval> {
    Ok(Interval::new(mean.get() / 10)?)
}
