//! The key figures: the run's own where it has a summary, else what its probes come to.

use super::digest::{Digest, Miss};
use crate::record::{Distribution, Run};

#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    pub sent: u64,
    pub ok: u64,
    pub late: u64,
    pub send_errors: u64,
    pub duplicates: Option<u64>,
    /// Of what left, the share not answered in time.
    pub loss: Option<f64>,
    pub loss_interval: Option<[f64; 2]>,
    pub rtt: Option<Distribution>,
    pub net: Option<Distribution>,
    /// From time zero, in nanoseconds.
    pub duration: f64,
}

impl Figures {
    pub fn of(run: &Run, digest: &Digest) -> Self {
        match &run.summary {
            Some(summary) => Self {
                sent: summary.sent,
                ok: summary.ok,
                late: summary.late,
                send_errors: summary.send_errors,
                duplicates: Some(summary.duplicates),
                loss: summary.loss_share,
                loss_interval: summary.loss_interval,
                rtt: summary.rtt_us.clone(),
                net: summary.net_rtt_us.clone(),
                duration: summary.duration_us * 1e3,
            },
            None => Self::from_probes(digest),
        }
    }

    fn from_probes(digest: &Digest) -> Self {
        let (sent, ok) = (digest.sent(), digest.rtt.count());
        Self {
            sent,
            ok,
            late: digest.misses[Miss::Late as usize],
            send_errors: digest.misses[Miss::NotSent as usize],
            duplicates: None,
            loss: (sent > 0).then(|| (sent - ok) as f64 / sent as f64),
            loss_interval: wilson(sent - ok, sent),
            rtt: digest.rtt.distribution(),
            net: digest.net.distribution(),
            duration: digest.last as f64,
        }
    }
}

/// The 95 % interval of a share (Wilson 1927).
fn wilson(hits: u64, of: u64) -> Option<[f64; 2]> {
    const Z: f64 = 1.959_963_984_540_054;
    if of == 0 {
        return None;
    }
    let (n, p) = (of as f64, hits as f64 / of as f64);
    let centre = p + Z * Z / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    Some([((centre - half) / scale).max(0.0), ((centre + half) / scale).min(1.0)])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// METRICS: 0 of 100 is 0 to 3.70 %; 10 of 100 is 5.52 to 17.44 %.
    #[test]
    fn wilson_intervals() {
        let percent = |hits, of| wilson(hits, of).unwrap().map(|share| (share * 1e4).round() / 1e2);
        assert_eq!(percent(0, 100), [0.0, 3.70]);
        assert_eq!(percent(10, 100), [5.52, 17.44]);
        assert_eq!(wilson(0, 0), None);
    }
}
