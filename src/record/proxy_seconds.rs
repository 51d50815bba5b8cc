//! `seconds.csv` of a proxy: a row for each mapping, direction and second in which a datagram had its fate.
//!
//! A datagram counts in the second in which it left, or in which it was dropped: the rows come in order, and their sum
//! is the number of arrivals.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::impair::Direction;
use crate::relay::{DropCause, Fate};
use crate::time::Duration;

/// One direction of one mapping in one second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: u64,
    passed_bytes: u64,
    dropped: [u64; DropCause::ALL.len()],
    send_errors: u64,
    hold_max: Option<Duration>,
    queue_max: Option<Duration>,
}

/// A datagram that has its fate.
#[derive(Clone, Copy, Debug)]
pub struct Settled<'a> {
    /// The name of the mapping.
    pub mapping: &'a str,
    /// Toward the server or the client.
    pub direction: Direction,
    /// When it left or was dropped, since the start.
    pub at: Duration,
    /// Its fate.
    pub fate: Fate,
    /// Payload.
    pub size: usize,
    /// How long it was held on purpose.
    pub hold: Option<Duration>,
    /// The part of it spent at the bottleneck.
    pub queued: Option<Duration>,
}

/// Writes the rows of a second when the next one begins.
#[derive(Debug)]
pub struct ProxySeconds<W> {
    out: W,
    second: i64,
    /// By mapping, up and down.
    counts: BTreeMap<String, [Option<Counts>; 2]>,
}

impl<W: Write> ProxySeconds<W> {
    /// Writes the header.
    pub fn new(mut out: W) -> io::Result<Self> {
        let causes = DropCause::ALL.map(DropCause::label).join(",");
        writeln!(out, "second,mapping,dir,passed,passed_bytes,{causes},send_error,hold_max_us,queue_max_us")?;
        Ok(Self { out, second: 1, counts: BTreeMap::new() })
    }

    /// Counts a datagram.
    pub fn note(&mut self, settled: &Settled) -> io::Result<()> {
        let second = settled.at.as_nanos().div_euclid(1_000_000_000) + 1;
        if second > self.second {
            self.end_second()?;
            self.second = second;
        }
        let both = match self.counts.get_mut(settled.mapping) {
            Some(both) => both,
            None => self.counts.entry(settled.mapping.to_owned()).or_default(),
        };
        let counts = both[settled.direction.index()].get_or_insert_default();
        match settled.fate {
            Fate::Passed => {
                counts.passed += 1;
                counts.passed_bytes += settled.size as u64;
            }
            Fate::Dropped(cause) => counts.dropped[cause as usize] += 1,
            Fate::SendError => counts.send_errors += 1,
        }
        counts.hold_max = counts.hold_max.max(settled.hold);
        counts.queue_max = counts.queue_max.max(settled.queued);
        Ok(())
    }

    /// Whole seconds are readable then.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Writes the rows of the last second.
    pub fn finish(&mut self) -> io::Result<()> {
        self.end_second()?;
        self.out.flush()
    }

    fn end_second(&mut self) -> io::Result<()> {
        for (mapping, both) in std::mem::take(&mut self.counts) {
            for (direction, counts) in [Direction::Up, Direction::Down].into_iter().zip(both) {
                if let Some(counts) = counts {
                    self.write(&mapping, direction, counts)?;
                }
            }
        }
        Ok(())
    }

    fn write(&mut self, mapping: &str, direction: Direction, counts: Counts) -> io::Result<()> {
        let Counts { passed, passed_bytes, dropped, send_errors, hold_max, queue_max } = counts;
        let dropped = dropped.map(|count| count.to_string()).join(",");
        let micros = |time: Option<Duration>| {
            time.map_or(String::new(), |time| format!("{:.3}", time.as_micros_f64()))
        };
        writeln!(
            self.out,
            "{},{mapping},{},{passed},{passed_bytes},{dropped},{send_errors},{},{}",
            self.second,
            direction.name(),
            micros(hold_max),
            micros(queue_max),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_for_each_second_mapping_and_direction_in_which_something_happened() {
        let mut seconds = ProxySeconds::new(Vec::new()).unwrap();
        let passed = Settled {
            mapping: "m1",
            direction: Direction::Up,
            at: Duration::from_millis(10),
            fate: Fate::Passed,
            size: 100,
            hold: Some(Duration::from_millis(3)),
            queued: None,
        };
        let queue = Fate::Dropped(DropCause::Queue);
        let down = Settled { direction: Direction::Down, fate: queue, hold: None, ..passed };
        for settled in [passed, down, passed, Settled { at: Duration::from_millis(3_999), ..passed }] {
            seconds.note(&settled).unwrap();
        }
        seconds.finish().unwrap();
        let text = String::from_utf8(seconds.out).unwrap();
        assert_eq!(
            text.lines().collect::<Vec<_>>(),
            [
                "second,mapping,dir,passed,passed_bytes,lost,queue,mtu,outage,nat,down,limit,send_error,\
                 hold_max_us,queue_max_us",
                "1,m1,up,2,200,0,0,0,0,0,0,0,0,3000.000,",
                "1,m1,down,0,0,0,1,0,0,0,0,0,0,,",
                "4,m1,up,1,100,0,0,0,0,0,0,0,0,3000.000,",
            ]
        );
    }
}
