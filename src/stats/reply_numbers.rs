//! How many probes were lost on the way up and how many on the way down, by the numbers that the server gives its
//! replies, where it counts them.
//!
//! From one reply to a later one, as many probes reached the server as its count went on. Exact also where no single
//! probe can be said to be lost up or down. A stretch of the run ends when replies have come in step for a while, so
//! that a duplicated probe, which counts twice, spoils its own stretch only.

use crate::probe::{Cause, Outcome, Resolved};

/// Losses with an unknown direction that the numbers tell of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Lost by the network on the way up.
    pub up: u64,
    /// Lost by the network on the way down.
    pub down: u64,
}

/// Takes the probes of a run in their order.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReplyNumbers {
    told: Told,
    stretch: Option<Stretch>,
}

/// From a reply on, until replies are in step.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    /// The number of the last reply.
    last: u32,
    /// The highest number, counted from the first.
    highest: i64,
    /// That of the last reply.
    at: i64,
    /// Numbers seen after the first.
    seen: i64,
    /// Between replies, and after the last one.
    lost: Lost,
    trailing: Lost,
    /// Replies in step at its end.
    in_step: u32,
    /// Probes that overtook the first: their numbers are below its own. `None` where the replies before the first were
    /// in step, so that nothing can have overtaken it.
    overtook: Option<u32>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Lost {
    up: i64,
    down: i64,
    unknown: i64,
}

impl Lost {
    fn add(&mut self, cause: Option<Cause>) {
        match cause {
            Some(Cause::Up) => self.up += 1,
            Some(Cause::Down | Cause::ClientOverflow) => self.down += 1,
            _ => self.unknown += 1,
        }
    }

    /// Resolves the unknown losses, given how many probes reached the server.
    fn told(self, reached: i64) -> Option<Told> {
        let down = reached - self.down;
        let up = self.unknown - down;
        Some(Told { up: u64::try_from(up).ok()?, down: u64::try_from(down).ok()? })
    }
}

impl Stretch {
    /// A stretch ends with so many replies in step.
    const IN_STEP: u32 = 16;
    /// A count that falls back by more began anew.
    const FALL_BACK: i64 = 64;
    /// More numbers below the first come from a new count.
    const OVERTAKING: u32 = 8;

    fn starting(number: u32, copies: i64, in_step: bool) -> Self {
        let (lost, trailing) = (Lost::default(), Lost::default());
        let overtook = (!in_step).then_some(0);
        Self { last: number, highest: 0, at: 0, seen: copies - 1, lost, trailing, in_step: 0, overtook }
    }

    /// Takes a reply; false if the server began to count anew.
    fn reply(&mut self, number: u32, copies: i64) -> bool {
        let step = i64::from(number.wrapping_sub(self.last).cast_signed());
        self.at += step;
        self.last = number;
        if self.at < self.highest - Self::FALL_BACK && step < 0 {
            return false;
        }
        match &mut self.overtook {
            _ if self.at > 0 => self.seen += copies,
            Some(overtook) if self.at < 0 && *overtook < Self::OVERTAKING => *overtook += 1,
            _ => return false,
        }
        self.highest = self.highest.max(self.at);
        let trailing = std::mem::take(&mut self.trailing);
        self.in_step = if step == 1 && trailing == Lost::default() { self.in_step + 1 } else { 0 };
        self.lost.up += trailing.up;
        self.lost.down += trailing.down;
        self.lost.unknown += trailing.unknown;
        true
    }

    fn told(&self) -> Told {
        self.lost.told(self.highest - self.seen).unwrap_or_default()
    }
}

impl ReplyNumbers {
    /// Takes the next probe.
    pub fn push(&mut self, probe: &Resolved) {
        let copies = i64::from(probe.probe_copies.unwrap_or(1).max(1));
        match (probe.reply_number, &mut self.stretch) {
            (Some(number), None) => self.stretch = Some(Stretch::starting(number, copies, false)),
            (Some(number), Some(stretch)) => {
                let goes_on = stretch.reply(number, copies);
                let ends = goes_on && stretch.in_step >= Stretch::IN_STEP;
                if ends {
                    let told = stretch.told();
                    self.told.up += told.up;
                    self.told.down += told.down;
                }
                // Nothing is told of losses around a new count.
                if ends || !goes_on {
                    self.stretch = Some(Stretch::starting(number, copies, ends));
                }
            }
            (None, Some(stretch)) if probe.outcome == Outcome::Lost => stretch.trailing.add(probe.cause),
            _ => {}
        }
    }

    /// So far. Losses after the last reply have no direction yet.
    pub fn told(&self) -> Told {
        let last = self.stretch.map_or(Told::default(), |stretch| stretch.told());
        Told { up: self.told.up + last.up, down: self.told.down + last.down }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{answered, probe};
    use super::*;
    use crate::time::Duration;

    fn reply(number: u32) -> Resolved {
        Resolved { reply_number: Some(number), ..answered(Duration::from_millis(1)) }
    }

    fn lost(cause: Cause) -> Resolved {
        Resolved { outcome: Outcome::Lost, cause: Some(cause), ..probe() }
    }

    fn told(rows: &[Resolved]) -> (u64, u64) {
        let mut numbers = ReplyNumbers::default();
        rows.iter().for_each(|row| numbers.push(row));
        (numbers.told().up, numbers.told().down)
    }

    #[test]
    fn of_the_probes_between_two_replies_as_many_arrived_as_the_count_went_on() {
        let unknown = lost(Cause::Unknown);
        for reached in 0..=3 {
            let rows = [reply(7), unknown, unknown, unknown, reply(8 + reached)];
            assert_eq!(told(&rows), (3 - u64::from(reached), u64::from(reached)));
        }
        assert_eq!(
            told(&[reply(7), unknown, unknown, unknown, reply(12)]),
            (0, 0),
            "the count went on by more"
        );
        assert_eq!(told(&[unknown, reply(7), unknown]), (0, 0), "no reply on one side");
        assert_eq!(told(&[reply(u32::MAX), unknown, reply(0)]), (1, 0), "numbers wrap");
        assert_eq!(told(&[reply(900), unknown, reply(0), unknown, reply(2)]), (0, 1), "the count began anew");
    }

    #[test]
    fn what_is_known_of_single_probes_is_not_told_again() {
        let rows = [reply(7), lost(Cause::Up), lost(Cause::Unknown), lost(Cause::ClientOverflow), reply(9)];
        assert_eq!(told(&rows), (1, 0));
        let rows = [reply(7), lost(Cause::Down), lost(Cause::Unknown), reply(10)];
        assert_eq!(told(&rows), (0, 1));
    }

    /// A probe that was lost on the way down had been overtaken by the next one.
    #[test]
    fn a_number_out_of_order_belongs_to_a_probe_before() {
        let rows = [reply(0), lost(Cause::Unknown), reply(1), reply(3)];
        assert_eq!(told(&rows), (0, 1));
        let rows = [reply(0), reply(3), reply(1), lost(Cause::Unknown), reply(2), reply(4)];
        assert_eq!(told(&rows), (1, 0));
    }

    /// The first reply is that of the probe that was overtaken.
    #[test]
    fn probes_that_overtook_the_first_are_not_taken_for_probes_after_it() {
        let rows = [reply(2), reply(0), reply(1), lost(Cause::Unknown), lost(Cause::Unknown), reply(4)];
        assert_eq!(told(&rows), (1, 1));
    }

    #[test]
    fn a_count_that_begins_anew_early_in_a_run_tells_nothing_of_the_losses_around() {
        let unknown = lost(Cause::Unknown);
        // The same number again; numbers below the first, which all had been seen; more than overtake.
        let again = [vec![reply(2), unknown, reply(0), unknown, reply(2)], vec![reply(3), unknown, reply(5)]];
        assert_eq!(told(&again.concat()), (0, 1), "of 4, once the count went on");
        let in_step = (0..20).map(reply).chain([unknown, reply(5), unknown, reply(7)]);
        assert_eq!(told(&in_step.collect::<Vec<_>>()), (0, 1), "of 6");
        let low = (0..9).map(reply).chain([unknown, unknown, reply(40)]);
        let rows: Vec<_> = [reply(30)].into_iter().chain(low).collect();
        assert_eq!(told(&rows), (0, 0));
    }

    #[test]
    fn a_duplicated_probe_spoils_its_own_stretch_only() {
        let mut rows = vec![reply(0), lost(Cause::Unknown), reply(2)];
        rows.extend((3..20).map(reply));
        // It counted twice.
        rows.extend([reply(21), lost(Cause::Unknown), reply(22)]);
        assert_eq!(told(&rows).1, 1 + 1, "one more than there was");
        let known = Resolved { probe_copies: Some(2), ..reply(20) };
        let mut rows = vec![reply(19), known, lost(Cause::Unknown), reply(22)];
        assert_eq!(told(&rows), (1, 0));
        rows.insert(0, reply(18));
        assert_eq!(told(&rows), (1, 0));
    }
}
