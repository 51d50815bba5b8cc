//! Turns the sums of successive reports into what happened between them.

use crate::probe::rate_search::Report;
use crate::wire::native::Sums;

#[derive(Debug, Default)]
pub(crate) struct Differences(Option<Sums>);

impl Differences {
    /// More packets between two reports are none of a path.
    const MOST: u64 = 1 << 32;
    const LARGEST: u64 = 65_535;

    /// None if a newer report came before, or if the sums cannot be. `headers`: bytes of each packet that the sums do
    /// not count.
    pub(crate) fn of(&mut self, sums: Sums, headers: u64) -> Option<Report> {
        let before = self.0.unwrap_or(Sums { number: 0, newest: 0, arrived: 0, bytes: 0, ..sums });
        let more = |now: u64, before: u64| now.checked_sub(before).filter(|more| *more < Self::MOST);
        let (sent, arrived) = (more(sums.newest, before.newest)?, more(sums.arrived, before.arrived)?);
        let bytes = sums.bytes.checked_sub(before.bytes).filter(|bytes| *bytes <= arrived * Self::LARGEST)?;
        if sums.number <= before.number {
            return None;
        }
        self.0 = Some(sums);
        let is_next = sums.number == before.number + 1;
        let [delay_p10, delay_p50, delay_p90, delay_max] = sums.delays;
        Some(Report {
            sent,
            arrived,
            bytes: bytes + arrived * headers,
            // The arrivals of a lost report came after the last one of the report before it.
            first_arrival: if is_next { sums.first } else { before.last },
            last_arrival: sums.last,
            delay_p10,
            delay_p50,
            delay_p90,
            delay_max,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Duration, Instant};

    fn sums(number: u32, newest: u64, arrived: u64, from: i64, to: i64) -> Sums {
        let at = |millis| Instant::ZERO + Duration::from_millis(millis);
        Sums {
            number,
            newest,
            arrived,
            bytes: arrived * 100,
            first: at(from),
            last: at(to),
            delays: [Duration::ZERO; 4],
        }
    }

    #[test]
    fn a_lost_report_costs_time_alone_and_an_old_one_says_nothing() {
        let mut differences = Differences::default();
        let first = differences.of(sums(1, 10, 9, 1, 5), 28).unwrap();
        assert_eq!((first.sent, first.arrived, first.bytes), (10, 9, 9 * 128));
        let third = differences.of(sums(3, 30, 29, 12, 15), 28).unwrap();
        assert_eq!((third.sent, third.arrived, third.bytes), (20, 20, 20 * 128));
        let millis = |at: Instant| (at - Instant::ZERO).as_millis_f64();
        assert_eq!((millis(third.first_arrival), millis(third.last_arrival)), (5.0, 15.0));
        assert_eq!(differences.of(sums(2, 20, 19, 6, 10), 28), None);
        // Impossible sums are ignored.
        let good = sums(4, 40, 39, 16, 20);
        for lie in [
            Sums { newest: u64::MAX, ..good },
            Sums { arrived: u64::MAX, ..good },
            Sums { bytes: u64::MAX, ..good },
            Sums { arrived: 0, ..good },
        ] {
            assert_eq!(differences.of(lie, 28), None);
        }
        assert_eq!(differences.of(good, 28).unwrap().arrived, 10);
    }
}
