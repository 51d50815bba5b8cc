//! When in its interval a target is due: by hash, so that targets that come and go move no other, and
//! nothing leaves in bursts. Those of one slot share a wake-up, which costs more than a probe.

use crate::rng::Stream;
use crate::time::Duration;

/// Of an interval of 200 ms or more; a shorter one has `LEAST_SLOTS`.
const SLOT: Duration = Duration::from_millis(10);
const LEAST_SLOTS: i64 = 20;

/// The same for the same names: the start of a slot, from 0 to less than the interval.
pub fn phase(source: &str, group: &str, target: &str, interval: Duration) -> Duration {
    let share = Stream::new(0, &format!("{source}\0{group}\0{target}")).unit(0);
    // Rounding may reach the interval itself.
    let nanos = (share * interval.as_nanos() as f64) as i64;
    let nanos = nanos.min(interval.as_nanos() - 1).max(0);
    let slot = (interval / LEAST_SLOTS).min(SLOT).as_nanos().max(1);
    Duration::from_nanos(nanos - nanos % slot)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phases(targets: u32) -> Vec<i64> {
        let of =
            |n| phase("host", "mesh", &format!("10.0.{}.{}:8080", n / 256, n % 256), Duration::from_secs(1));
        (0..targets).map(|n| of(n).as_nanos()).collect()
    }

    #[test]
    fn a_target_keeps_its_phase_and_another_source_or_group_has_another() {
        let second = Duration::from_secs(1);
        assert_eq!(phase("a", "g", "t", second), phase("a", "g", "t", second));
        assert_ne!(phase("a", "g", "t", second), phase("b", "g", "t", second));
        assert_ne!(phase("a", "g", "t", second), phase("a", "h", "t", second));
        assert_ne!(phase("ab", "c", "t", second), phase("a", "bc", "t", second));
        assert_eq!(phase("a", "g", "t", Duration::from_nanos(1)), Duration::ZERO);
    }

    #[test]
    fn phases_are_starts_of_slots() {
        assert!(phases(1_000).iter().all(|nanos| nanos % SLOT.as_nanos() == 0));
        let fast = |n| phase("a", "g", &format!("t{n}"), Duration::from_millis(30)).as_nanos();
        assert!((0..100).all(|n| fast(n) % 1_500_000 == 0) && (0..100).any(|n| fast(n) % 5_000_000 != 0));
    }

    /// 10,000 targets in 100 slots: 100 each, with the scatter of independent draws (chi squared, 99 degrees of
    /// freedom, lies between 61 and 149 but for one draw in a thousand).
    #[test]
    fn phases_are_spread_evenly_over_the_interval() {
        let mut slots = [0_f64; 100];
        for nanos in phases(10_000) {
            slots[nanos as usize / 10_000_000] += 1.0;
        }
        let squared: f64 = slots.iter().map(|count| (count - 100.0).powi(2) / 100.0).sum();
        assert!((61.0..149.0).contains(&squared), "{squared}");
    }
}
