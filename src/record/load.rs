//! The steady load beside the probes (`ping --load`), as `run.json` has it. Rates are bits a second of IP packets.

use serde::{Deserialize, Serialize};

use crate::probe::{SteadyResult, SteadySettings};

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
            ended: None,
        }
    }

    /// From the results, up and then down.
    pub fn of(settings: &SteadySettings, results: [Option<SteadyResult>; 2], ended: Option<String>) -> Self {
        let mut load = Self { ended, ..Self::asked(settings) };
        for (direction, result) in [&mut load.up, &mut load.down].into_iter().zip(results) {
            if let (Some(direction), Some(result)) = (direction, result) {
                *direction = LoadDirection::of(&result, settings.packet);
            }
        }
        load
    }

    /// The directions with a load, with their names.
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
    use crate::time::Duration;

    #[test]
    fn rates_are_those_of_whole_packets_and_only_of_the_directions_that_were_asked_for() {
        let settings =
            SteadySettings { rate: 1e6, up: false, down: true, size: 972, packet: 1_000, seed: 1, key: None };
        let result = SteadyResult { sent: 1_000, arrived: 900, span: Duration::from_secs(8) };
        let load = Load::of(&settings, [None, Some(result)], None);
        let down = LoadDirection { sent_bps: Some(1e6), received_bps: Some(9e5), loss: Some(0.1) };
        let found: Vec<_> = load.directions().collect();
        assert_eq!(found.len(), 1);
        let (name, direction) = found[0];
        assert_eq!(
            (name, direction.sent_bps, direction.received_bps),
            ("down", down.sent_bps, down.received_bps)
        );
        assert!((direction.loss.unwrap() - 0.1).abs() < 1e-9);
        assert_eq!(Load::of(&settings, [None, None], None), Load::asked(&settings));
    }
}
