//! Where probes were lost, by the numbers that a reflector gives its replies.
//!
//! A reflector counts what it reflects. Of the probes missing between two replies, as many reached it as numbers are
//! missing between these; the others were lost on the way up. Where all or none did, each probe has its direction.
//! A probe that was overtaken on the way up may have a number outside of its gap, so a number that is missing close by
//! makes a gap unclear.

use std::collections::{BTreeMap, BTreeSet};

/// Where a lost probe was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Up,
    Down,
    Unclear,
}

/// The place of a probe: the opening has the first one.
type Place = u64;

const OPENING: Place = 0;

const fn place(seq: u64) -> Place {
    seq + 1
}

const fn seq_at(place: Place) -> u64 {
    place - 1
}

#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// Probes that left and have no reply.
    missing: BTreeSet<Place>,
    /// Gaps below this place are judged.
    judged: Place,
    /// The number of the first reply to each probe; closing probes follow those of the run.
    by_place: BTreeMap<Place, i64>,
    /// The numbers of all replies. They wrap on the wire, so here they count on from the first.
    seen: BTreeSet<i64>,
    /// The highest number so far, as it is counted and as the reflector wrote it.
    highest: Option<(i64, u32)>,
    /// By how many numbers the worst reply was behind one before it in the order of probes.
    disorder: i64,
    /// For each missing probe whether the window of a later reply shows that it arrived.
    shown: BTreeMap<Place, bool>,
}

/// Whether the reflector goes on counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Noted {
    Next,
    /// The reflector began to count anew.
    Restart,
}

impl Numbers {
    /// A number that falls back by more is of a reflector that began anew.
    const FALL_BACK: i64 = 64;
    /// Numbers this close to a gap must all be known, times the disorder so far if that is more.
    const NEAR: i64 = 8;
    /// Replies that are remembered.
    const REMEMBERED: usize = 4096;
    const MISSING: usize = 1 << 20;
    /// How far a window reaches back.
    const WINDOW: u64 = 63;

    pub(super) fn sent(&mut self, seq: u64) {
        self.missing.insert(place(seq));
        if self.missing.len() > Self::MISSING {
            self.missing.pop_first();
        }
    }

    pub(super) fn not_sent(&mut self, seq: u64) {
        self.missing.remove(&place(seq));
    }

    /// A reply to the opening has come.
    pub(super) fn opened(&mut self, number: u32) {
        self.note(OPENING, number);
    }

    /// A reply to this probe has come.
    pub(super) fn replied(&mut self, seq: u64, number: u32) -> Noted {
        self.note(place(seq), number)
    }

    fn note(&mut self, place: Place, number: u32) -> Noted {
        self.answered(place);
        let (counted, noted) = match self.highest {
            None => (0, Noted::Next),
            Some((highest, written)) => {
                let step = i64::from(number.wrapping_sub(written).cast_signed());
                if step < -Self::FALL_BACK.max(2 * self.disorder) {
                    self.restart();
                    (highest + 2 * Self::FALL_BACK, Noted::Restart)
                } else {
                    (highest + step, Noted::Next)
                }
            }
        };
        if self.highest.is_none_or(|(highest, _)| counted > highest) {
            self.highest = Some((counted, number));
        }
        self.seen.insert(counted);
        if !self.by_place.contains_key(&place) {
            let before = self.by_place.range(..place).next_back().map_or(counted, |(_, before)| *before);
            self.disorder = self.disorder.max(before - counted);
            self.by_place.insert(place, counted);
        }
        self.forget();
        noted
    }

    fn answered(&mut self, place: Place) {
        self.missing.remove(&place);
        self.shown.remove(&place);
    }

    /// Nothing is known of gaps that the restart is in.
    pub(super) fn restart(&mut self) {
        self.by_place.clear();
        self.seen.clear();
        self.highest = None;
    }

    /// The window of the reply to this probe shows which of the probes before it arrived: bit k is that of the k-th
    /// before. Returns those without a reply that did.
    pub(super) fn window(&mut self, seq: u64, window: u64) -> Vec<u64> {
        let at = place(seq);
        let arrived = |before: Place| window >> (at - before) & 1 == 1;
        let covered = at.saturating_sub(Self::WINDOW).max(place(0))..at;
        let missing: Vec<Place> = self.missing.range(covered).copied().collect();
        for before in &missing {
            *self.shown.entry(*before).or_default() |= arrived(*before);
        }
        self.explain(at, arrived);
        missing.into_iter().filter(|before| arrived(*before)).map(seq_at).collect()
    }

    /// Where the window accounts for every number since the reply before, these numbers are those of the probes that
    /// it shows. A server whose window forgets what came before a probe out of order does not show that reply.
    fn explain(&mut self, at: Place, arrived: impl Fn(Place) -> bool) {
        let (Some(&number), Some((&before, &last))) =
            (self.by_place.get(&at), self.by_place.range(..at).next_back())
        else {
            return;
        };
        if at - before > Self::WINDOW || before != OPENING && !arrived(before) {
            return;
        }
        let between: Vec<Place> = (before + 1..at).filter(|place| arrived(*place)).collect();
        if between.len() as i64 == number - last - 1 {
            for (place, number) in between.into_iter().zip(last + 1..) {
                self.answered(place);
                self.seen.insert(number);
                self.by_place.insert(place, number);
            }
        }
    }

    fn forget(&mut self) {
        if self.by_place.len() > Self::REMEMBERED {
            self.by_place.pop_first();
            let oldest = self.by_place.first_key_value().map_or(0, |(place, _)| *place).min(self.judged);
            while self.missing.first().is_some_and(|place| *place < oldest) {
                self.missing.pop_first();
            }
            self.shown = self.shown.split_off(&oldest);
        }
        if self.seen.len() > Self::REMEMBERED {
            self.seen.pop_first();
        }
    }

    /// The lost probes of the first gap that can be judged, each with what is known. `is_over`: no reply to a probe
    /// counts any more.
    pub(super) fn judge(&mut self, is_over: impl Fn(u64) -> bool) -> Option<Vec<(u64, Direction)>> {
        let first =
            self.missing.range(self.judged..).next().copied().filter(|place| is_over(seq_at(*place)))?;
        let (&end, _) = self.by_place.range(first..).next()?;
        // Probes on their way may still show numbers close by.
        let settled = end + self.near().cast_unsigned();
        if self.missing.range(first..=settled).any(|place| !is_over(seq_at(*place))) {
            return None;
        }
        let of_gap = self.direction(first, end);
        let known = |place: &Place| match (self.shown.get(place), of_gap) {
            (Some(true), _) => Direction::Down,
            (Some(false), Direction::Down) => Direction::Unclear,
            (Some(false) | None, of_gap) => of_gap,
        };
        let gap = self.missing.range(first..end).map(|place| (seq_at(*place), known(place))).collect();
        self.shown = self.shown.split_off(&end);
        self.judged = end;
        Some(gap)
    }

    /// The first probe without a reply that is not judged, from this one on.
    pub(super) fn first_missing_from(&self, seq: u64) -> Option<u64> {
        self.missing.range(self.judged.max(place(seq))..).next().map(|place| seq_at(*place))
    }

    /// Probes below this one are resolved, however they were.
    pub(super) fn resolved_below(&mut self, seq: u64) {
        self.judged = self.judged.max(place(seq));
    }

    /// How far from a gap a probe that overtook others may have its number.
    fn near(&self) -> i64 {
        Self::NEAR.max(2 * self.disorder)
    }

    /// The direction of the probes missing from `first` to the reply at `end`.
    fn direction(&self, first: Place, end: Place) -> Direction {
        let before = self.by_place.range(..first).next_back();
        let (Some((&start, &low)), Some(&high)) = (before, self.by_place.get(&end)) else {
            return Direction::Unclear;
        };
        let near = self.near();
        let unseen =
            |from: i64, to: i64| (to - from).max(0) - self.seen.range(from..to.max(from)).count() as i64;
        let missing = |from: Place, to: Place| self.missing.range(from..to).count() as i64;
        let (reflected, lost) = (unseen(low + 1, high), missing(start, end));
        let known = (self.seen.first().copied().unwrap_or(0), self.highest.map_or(0, |(highest, _)| highest));
        let unseen_near = unseen((low - near).max(known.0), (high + near).min(known.1));
        let lost_near = missing(start.saturating_sub(near.cast_unsigned()), end + near.cast_unsigned());
        match reflected {
            _ if high < low => Direction::Unclear,
            0 if unseen_near == 0 => Direction::Up,
            all if all > 0 && all == lost && (self.disorder == 0 || lost_near == lost) => Direction::Down,
            _ => Direction::Unclear,
        }
    }
}
