//! Where a run with a decaying interval leaves its plateau.
//!
//! Blocks of 20 probes are compared with the first one. The knee is the first probe of the first
//! block that, like the block after it, has a median RTT above twice that of the first or a loss
//! 25 points higher: at 10 % loss chance does that to two blocks running once in ten thousand runs.

use crate::probe::{Outcome, Resolved};
use crate::time::Duration;

const BLOCK: usize = 20;
const SLOWER: f64 = 2.0;
const LOSSIER: f64 = 0.25;

/// The probe at which the path stopped keeping up, and the interval and rate there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Knee {
    pub seq: u64,
    /// Its place on the horizontal axis.
    pub x: u64,
    pub interval: Duration,
    /// Bits a second, both ways.
    pub rate: f64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct KneeFinder {
    plateau: Option<Level>,
    candidate: Option<Knee>,
    start: Option<Knee>,
    rtts: Vec<i64>,
    probes: usize,
}

#[derive(Clone, Copy, Debug)]
struct Level {
    median: Option<f64>,
    loss: f64,
}

impl KneeFinder {
    pub(super) fn push(&mut self, probe: &Resolved, x: u64) -> Option<Knee> {
        if self.probes == 0 {
            self.start = Some(Knee {
                seq: probe.seq,
                x,
                interval: probe.interval,
                rate: f64::from(probe.size) * 16.0 / probe.interval.as_secs_f64().max(1e-9),
            });
        }
        self.probes += 1;
        if let (Outcome::Ok, Some(rtt)) = (probe.outcome, probe.rtt) {
            self.rtts.push(rtt.as_nanos());
        }
        if self.probes < BLOCK {
            return None;
        }
        let level = self.close();
        self.judge(level)
    }

    fn close(&mut self) -> Level {
        self.rtts.sort_unstable();
        let median = self.rtts.get(self.rtts.len().saturating_sub(1) / 2).map(|rtt| *rtt as f64);
        let loss = 1.0 - self.rtts.len() as f64 / self.probes as f64;
        self.rtts.clear();
        self.probes = 0;
        Level { median, loss }
    }

    fn judge(&mut self, level: Level) -> Option<Knee> {
        let Some(plateau) = self.plateau else {
            self.plateau = Some(level);
            return None;
        };
        let slower = matches!((level.median, plateau.median), (Some(now), Some(then)) if now > SLOWER * then);
        if slower || level.loss >= plateau.loss + LOSSIER {
            if self.candidate.is_some() {
                return self.candidate;
            }
            self.candidate = self.start;
        } else {
            self.candidate = None;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::probe;
    use super::*;
    use crate::probe::Cause;
    use crate::rng::Stream;

    fn find(fate: impl Fn(u64, f64) -> Result<f64, Cause>) -> Option<u64> {
        let mut finder = KneeFinder::default();
        let stream = Stream::new(3, "knee");
        let mut probes = (0..400).map(|seq| probe(seq, seq as f64, fate(seq, stream.unit(seq))));
        probes.find_map(|probe| finder.push(&probe, probe.seq)).map(|knee| knee.seq)
    }

    #[test]
    fn a_steady_path_has_none() {
        assert_eq!(find(|_, chance| Ok(0.010 + chance * 0.010)), None);
        assert_eq!(find(|_, chance| if chance < 0.1 { Err(Cause::Up) } else { Ok(0.010) }), None);
        assert_eq!(find(|_, _| Err(Cause::Up)), None);
    }

    #[test]
    fn loss_and_delay_each_make_one() {
        assert_eq!(find(|seq, _| if seq >= 200 { Err(Cause::Up) } else { Ok(0.010) }), Some(200));
        assert_eq!(find(|seq, _| Ok(if seq >= 107 { 0.050 } else { 0.010 })), Some(100));
        // One bad block is an accident.
        assert_eq!(find(|seq, _| Ok(if seq / 20 == 7 { 0.050 } else { 0.010 })), None);
    }
}
