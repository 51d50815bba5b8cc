//! The confidence interval of a share (Wilson 1927), for statistics and for the search of a rate.

/// The two-sided 95 % point of the normal distribution.
pub(crate) const Z95: f64 = 1.959_963_984_540_054;

/// The ends of a confidence interval of a share, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// Of a share of `n` trials, for `z` standard deviations; `n` need not be a whole number.
pub(crate) fn wilson(share: f64, n: f64, z: f64) -> Bounds {
    let z2 = z * z;
    let centre = share + z2 / (2.0 * n);
    let half = z * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z2 / n;
    // At the ends one bound is the share itself; rounding would leave a hair beside it.
    let low = if share == 0.0 { 0.0 } else { (centre - half) / scale };
    let high = if share == 1.0 { 1.0 } else { (centre + half) / scale };
    Bounds { low, high }
}
