//! The constants of a run: the target and the schedule.

use crate::probe::Dialect;
use crate::record::Config;
use crate::time::Duration;

/// The settings of a run, in the words of the views.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunInfo {
    /// As the user wrote it.
    pub host: String,
    pub(crate) address: String,
    pub(crate) dialect: Dialect,
    pub(crate) size: u32,
    /// For example `every 20ms`.
    pub pace: String,
    pub(crate) count: Option<u64>,
    /// From time zero until the last probe is due; none of an endless run.
    pub length: Option<Duration>,
}

impl RunInfo {
    /// From the configuration as it is recorded.
    pub fn of(config: &Config) -> Self {
        let interval = duration(config.interval_us);
        let pace = match (config.decay, config.poisson_seed) {
            (Some(share), _) => format!("every {interval}, each {} % shorter", (share * 1e5).round() / 1e3),
            (None, Some(_)) => format!("every {interval} on average"),
            (None, None) => format!("every {interval}"),
        };
        let total = config.total_us.map(duration);
        Self {
            host: config.host.clone(),
            address: config.address.clone(),
            dialect: config.dialect,
            size: config.size,
            pace,
            count: config.count,
            length: config.count.map(|count| length(config, count)).into_iter().chain(total).min(),
        }
    }
}

/// The sum of the intervals between `count` probes.
fn length(config: &Config, count: u64) -> Duration {
    let gaps = count.saturating_sub(1) as f64;
    let first = config.interval_us;
    let micros = match config.decay {
        None => gaps * first,
        Some(share) => {
            let factor = 1.0 - share;
            let floor = config.min_interval_us.unwrap_or(0.0).min(first);
            let shrinking = ((floor / first).ln() / factor.ln()).ceil().clamp(0.0, gaps);
            first * (1.0 - factor.powf(shrinking)) / share + (gaps - shrinking) * floor
        }
    };
    duration(micros)
}

fn duration(micros: f64) -> Duration {
    Duration::from_secs_f64(micros / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{Decay, Schedule};

    fn config(count: Option<u64>, decay: Option<f64>, total_us: Option<f64>) -> Config {
        Config {
            host: "h".into(),
            address: "192.0.2.1:8080".into(),
            dialect: Dialect::Native,
            embedded: false,
            count,
            interval_us: 500_000.0,
            decay,
            min_interval_us: decay.map(|_| 1000.0),
            poisson_seed: None,
            size: 512,
            deadline_us: None,
            total_us,
            source: None,
            dscp: None,
            ttl: None,
            dont_fragment: false,
        }
    }

    #[test]
    fn a_run_ends_with_its_last_probe_or_its_total_time() {
        let length = |count, total| RunInfo::of(&config(count, None, total)).length;
        assert_eq!(length(None, None), None);
        assert_eq!(length(Some(11), None), Some(Duration::from_secs(5)));
        assert_eq!(length(Some(11), Some(2e6)), Some(Duration::from_secs(2)));
        assert_eq!(length(None, Some(2e6)), Some(Duration::from_secs(2)));
    }

    #[test]
    fn the_length_of_a_decay_is_the_sum_of_the_schedules_intervals() {
        for count in [1, 2, 100, 500] {
            let first = "0.5".parse().unwrap();
            let floor = "1ms".parse().unwrap();
            let mut schedule = Schedule::Decay(Decay::new(first, "5%".parse().unwrap(), floor));
            let sum: Duration = (1..count).map(|_| schedule.next_interval()).sum();
            let length = RunInfo::of(&config(Some(count), Some(0.05), None)).length.unwrap();
            assert!((length - sum).abs() < Duration::from_micros(2), "{count}: {length} for {sum}");
        }
    }
}
