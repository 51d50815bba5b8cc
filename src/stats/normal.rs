//! The normal distribution.

/// The complementary error function of x >= 0, to 1.2e-7 of its value (Press et al., "Numerical
/// Recipes", section 6.2: a Chebyshev fit).
pub(super) fn erfc(x: f64) -> f64 {
    const FIT: [f64; 10] = [
        -1.265_512_23,
        1.000_023_68,
        0.374_091_96,
        0.096_784_18,
        -0.186_288_06,
        0.278_868_07,
        -1.135_203_98,
        1.488_515_87,
        -0.822_152_23,
        0.170_872_77,
    ];
    let t = 1.0 / (1.0 + 0.5 * x);
    let fit = FIT.iter().rev().fold(0.0, |sum, coefficient| sum * t + coefficient);
    t * (fit - x * x).exp()
}
