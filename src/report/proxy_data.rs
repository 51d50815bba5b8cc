//! The fates of a proxy's datagrams, from the rows of `datagrams.csv`: totals and a bounded number of bins of time.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use crate::impair::Direction;
use crate::record::RecordedDatagram;
use crate::relay::{DropCause, Fate};
use crate::time::Duration;

/// Both directions, over time and in all.
#[derive(Clone, Debug)]
pub struct ProxyData {
    /// Up, then down: of all mappings together.
    pub(in crate::report) directions: [DirectionData; 2],
    /// Of each mapping: up, then down.
    pub(in crate::report) mappings: BTreeMap<String, [Totals; 2]>,
    pub(in crate::report) bin: Duration,
    /// The last arrival.
    pub(in crate::report) end: Duration,
}

#[derive(Clone, Debug)]
pub(in crate::report) struct DirectionData {
    pub(in crate::report) bins: Vec<Bin>,
    pub(in crate::report) totals: Totals,
}

/// The arrivals of a span of time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::report) struct Bin {
    pub(in crate::report) arrived: u64,
    pub(in crate::report) passed: u64,
    /// In the order of `LOST`.
    pub(in crate::report) lost: [u64; LOST],
    hold_sum: f64,
    pub(in crate::report) hold_max: Duration,
    /// The longest wait at the bottleneck.
    pub(in crate::report) queue_max: Duration,
}

/// The causes of loss, and send errors.
pub(in crate::report) const LOST: usize = DropCause::ALL.len() + 1;

/// The name of each way in which a datagram does not pass.
pub(in crate::report) fn lost_names() -> [&'static str; LOST] {
    let mut names = ["send_error"; LOST];
    names[..DropCause::ALL.len()].copy_from_slice(&DropCause::ALL.map(DropCause::label));
    names
}

/// The sums of one direction.
#[derive(Clone, Debug)]
pub(in crate::report) struct Totals {
    pub(in crate::report) arrived: u64,
    pub(in crate::report) bytes: u64,
    pub(in crate::report) passed: u64,
    pub(in crate::report) lost: [u64; LOST],
    pub(in crate::report) copies: u64,
    pub(in crate::report) queue_max: Option<Duration>,
    /// Nanoseconds, of those that passed.
    holds: Histogram<u64>,
}

impl Default for Totals {
    fn default() -> Self {
        Self {
            arrived: 0,
            bytes: 0,
            passed: 0,
            lost: [0; LOST],
            copies: 0,
            queue_max: None,
            holds: Histogram::new(3).expect("three digits are allowed"),
        }
    }
}

impl Default for ProxyData {
    fn default() -> Self {
        let empty = || DirectionData { bins: vec![Bin::default(); Self::BINS], totals: Totals::default() };
        Self {
            directions: [empty(), empty()],
            mappings: BTreeMap::new(),
            bin: Self::SHORTEST,
            end: Duration::ZERO,
        }
    }
}

impl ProxyData {
    /// Twice as many as are needed: of a run that ends, between half and all are used.
    const BINS: usize = 240;
    const SHORTEST: Duration = Duration::from_millis(1);

    /// Takes a row.
    pub fn push(&mut self, row: &RecordedDatagram) {
        while row.arrived >= self.bin * Self::BINS as i64 {
            self.double();
        }
        self.end = self.end.max(row.arrived);
        let at = usize::try_from(row.arrived.as_nanos() / self.bin.as_nanos()).unwrap_or(0);
        let index = usize::from(row.direction == Direction::Down);
        let direction = &mut self.directions[index];
        direction.bins[at].take(row);
        direction.totals.take(row);
        if !self.mappings.contains_key(&row.mapping) {
            self.mappings.insert(row.mapping.clone(), Default::default());
        }
        if let Some(totals) = self.mappings.get_mut(&row.mapping) {
            totals[index].take(row);
        }
    }

    /// The bins up to the last arrival.
    #[cfg(feature = "report")]
    pub(in crate::report) fn used(&self, direction: usize) -> &[Bin] {
        let used = usize::try_from(self.end.as_nanos() / self.bin.as_nanos()).unwrap_or(0) + 1;
        &self.directions[direction].bins[..used.min(Self::BINS)]
    }

    /// Each bin becomes twice as long.
    fn double(&mut self) {
        for direction in &mut self.directions {
            let bins: Vec<Bin> = direction.bins.chunks(2).map(Bin::sum).collect();
            direction.bins = bins;
            direction.bins.resize(Self::BINS, Bin::default());
        }
        self.bin = self.bin * 2;
    }
}

impl Bin {
    fn take(&mut self, row: &RecordedDatagram) {
        self.arrived += 1;
        match row.fate {
            Fate::Passed => {
                self.passed += 1;
                let hold = row.hold.unwrap_or_default();
                self.hold_sum += hold.as_nanos() as f64;
                self.hold_max = self.hold_max.max(hold);
                self.queue_max = self.queue_max.max(row.queued.unwrap_or_default());
            }
            fate => self.lost[place(fate)] += 1,
        }
    }

    /// The mean hold of those that passed.
    #[cfg(feature = "report")]
    pub(in crate::report) fn hold_mean(&self) -> Option<f64> {
        (self.passed > 0).then(|| self.hold_sum / self.passed as f64)
    }

    fn sum(bins: &[Self]) -> Self {
        bins.iter().fold(Self::default(), |mut sum, bin| {
            sum.arrived += bin.arrived;
            sum.passed += bin.passed;
            for (of, count) in sum.lost.iter_mut().zip(bin.lost) {
                *of += count;
            }
            sum.hold_sum += bin.hold_sum;
            sum.hold_max = sum.hold_max.max(bin.hold_max);
            sum.queue_max = sum.queue_max.max(bin.queue_max);
            sum
        })
    }
}

impl Totals {
    fn take(&mut self, row: &RecordedDatagram) {
        self.arrived += 1;
        self.bytes += row.size;
        match row.fate {
            Fate::Passed => {
                self.passed += 1;
                self.copies += u64::from(row.copies);
                self.queue_max = self.queue_max.max(row.queued);
                let hold = row.hold.unwrap_or_default().as_nanos();
                // A histogram that grows takes any value.
                let _ = self.holds.record(u64::try_from(hold).unwrap_or(0));
            }
            fate => self.lost[place(fate)] += 1,
        }
    }

    /// The hold below which this share of the passed datagrams lies, in nanoseconds.
    pub(in crate::report) fn hold(&self, share: f64) -> Option<f64> {
        (!self.holds.is_empty()).then(|| self.holds.value_at_quantile(share) as f64)
    }

    /// All that did not pass.
    #[cfg(feature = "report")]
    pub(in crate::report) fn not_passed(&self) -> u64 {
        self.lost.iter().sum()
    }
}

/// Of a fate that is a loss, in the order of `lost_names`.
fn place(fate: Fate) -> usize {
    match fate {
        Fate::Dropped(cause) => cause as usize,
        Fate::SendError | Fate::Passed => LOST - 1,
    }
}

#[cfg(test)]
pub(in crate::report) mod tests {
    use super::*;

    pub(in crate::report) fn row(millis: i64, direction: Direction, fate: Fate) -> RecordedDatagram {
        RecordedDatagram {
            mapping: "m1".into(),
            flow: Some(0),
            direction,
            seq: Some(0),
            arrived: Duration::from_millis(millis),
            size: 100,
            fate,
            hold: (fate == Fate::Passed).then(|| Duration::from_millis(20 + millis % 10)),
            queued: (fate == Fate::Passed).then(|| Duration::from_millis(millis % 10)),
            copies: 0,
            corrupted_byte: None,
        }
    }

    #[test]
    fn bins_grow_with_the_run_and_lose_nothing() {
        let mut data = ProxyData::default();
        for millis in (0..10_000).step_by(7) {
            let fate = if millis % 5 == 0 { Fate::Dropped(DropCause::Queue) } else { Fate::Passed };
            data.push(&row(millis, Direction::Up, fate));
        }
        let bins = data.used(0);
        assert!((120..=240).contains(&bins.len()), "{}", bins.len());
        let (arrived, queue) = (bins.iter().map(|bin| bin.arrived).sum::<u64>(), DropCause::Queue as usize);
        let totals = &data.directions[0].totals;
        assert_eq!((arrived, totals.arrived, totals.passed + totals.not_passed()), (1_429, 1_429, 1_429));
        assert_eq!(bins.iter().map(|bin| bin.lost[queue]).sum::<u64>(), totals.lost[queue]);
        assert_eq!(totals.queue_max, Some(Duration::from_millis(9)));
        assert_eq!(data.directions[1].totals.arrived, 0);
    }
}
