//! The steady load beside the probes (`ping --load`), as `run.json` has it. Rates are bits a second of IP packets.

use serde::{Deserialize, Serialize};

use crate::probe::{SteadyResult, SteadySettings};
use crate::time::Duration;

/// A steady load: its settings and results.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// In each direction.
    pub asked_bps: f64,
    /// Bytes of UDP payload of a packet.
    pub size: u32,
    /// Client to server, if it was asked for.
    pub up: Option<LoadDirection>,
    /// Server to client.
    pub down: Option<LoadDirection>,
    /// How long after the probes it was to begin; 0 in older records.
    #[serde(default)]
    pub after_us: f64,
    /// How long it was to last; None for as long as the probes.
    pub for_us: Option<f64>,
    /// When it began, from time zero; None if it did not, or is still on.
    pub from_us: Option<f64>,
    /// When it ended.
    pub until_us: Option<f64>,
    /// Why the load ended before the probes.
    pub ended: Option<String>,
}

/// One direction; nothing is known until reports have come.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LoadDirection {
    /// The rate sent.
    pub sent_bps: Option<f64>,
    /// The rate that arrived.
    pub received_bps: Option<f64>,
    /// The share that did not arrive.
    pub loss: Option<f64>,
}

impl Load {
    /// A load that is about to start.
    pub fn asked(settings: &SteadySettings) -> Self {
        let direction = |wanted: bool| wanted.then(LoadDirection::default);
        Self {
            asked_bps: settings.rate,
            size: settings.size,
            up: direction(settings.up),
            down: direction(settings.down),
            after_us: settings.after.as_micros_f64(),
            for_us: settings.length.map(Duration::as_micros_f64),
            from_us: None,
            until_us: None,
            ended: None,
        }
    }

    /// A load that is over: the packets up and down, and when it was on, from time zero.
    pub fn of(
        settings: &SteadySettings,
        results: [Option<SteadyResult>; 2],
        period: Option<(Duration, Duration)>,
        ended: Option<String>,
    ) -> Self {
        let (from_us, until_us) =
            period.map(|(from, until)| (from.as_micros_f64(), until.as_micros_f64())).unzip();
        let mut load = Self { from_us, until_us, ended, ..Self::asked(settings) };
        for (direction, result) in [&mut load.up, &mut load.down].into_iter().zip(results) {
            if let (Some(direction), Some(result)) = (direction, result) {
                *direction = LoadDirection::of(&result, settings.packet);
            }
        }
        load
    }

    /// Whether the same was asked for.
    pub fn is_like(&self, other: &Self) -> bool {
        let asked = |load: &Self| {
            (load.asked_bps, load.up.is_some(), load.down.is_some(), load.after_us, load.for_us)
        };
        asked(self) == asked(other)
    }

    /// The directions that were asked for, with their names.
    pub fn directions(&self) -> impl Iterator<Item = (&'static str, &LoadDirection)> {
        [("up", &self.up), ("down", &self.down)]
            .into_iter()
            .filter_map(|(name, of)| Some((name, of.as_ref()?)))
    }
}

impl LoadDirection {
    fn of(result: &SteadyResult, packet: u32) -> Self {
        let seconds = result.span.as_secs_f64();
        let rate = |packets: u64| (seconds > 0.0).then(|| packets as f64 * f64::from(packet) * 8.0 / seconds);
        let loss = 1.0 - (result.arrived as f64 / result.sent.max(1) as f64).min(1.0);
        Self {
            sent_bps: rate(result.sent),
            received_bps: rate(result.arrived),
            loss: (result.sent > 0).then_some(loss),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_those_of_whole_packets_and_only_of_the_directions_that_were_asked_for() {
        let settings = SteadySettings {
            rate: 1e6,
            up: false,
            down: true,
            size: 972,
            packet: 1_000,
            after: Duration::from_secs(5),
            length: None,
            seed: 1,
            key: None,
        };
        let result = SteadyResult { sent: 1_000, arrived: 900, span: Duration::from_secs(8) };
        let period = (Duration::from_secs(5), Duration::from_secs(13));
        let load = Load::of(&settings, [None, Some(result)], Some(period), None);
        assert_eq!(
            (load.after_us, load.for_us, load.from_us, load.until_us),
            (5e6, None, Some(5e6), Some(13e6))
        );
        let down = LoadDirection { sent_bps: Some(1e6), received_bps: Some(9e5), loss: Some(0.1) };
        let found: Vec<_> = load.directions().collect();
        assert_eq!(found.len(), 1);
        let (name, direction) = found[0];
        assert_eq!(
            (name, direction.sent_bps, direction.received_bps),
            ("down", down.sent_bps, down.received_bps)
        );
        assert!((direction.loss.unwrap() - 0.1).abs() < 1e-9);
        let asked = Load::of(&settings, [None, None], None, None);
        assert_eq!(asked, Load::asked(&settings));
        assert!(asked.is_like(&load));
        assert!(!asked.is_like(&Load { for_us: Some(1e6), ..load.clone() }));
        assert!(!asked.is_like(&Load { up: Some(LoadDirection::default()), ..load }));
    }
}
