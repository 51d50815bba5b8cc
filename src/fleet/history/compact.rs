//! A count in two bytes: exact up to 2047, and within 0.05 % up to 4 x 10^12.

/// Eleven bits of value and five of exponent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Compact(u16);

impl Compact {
    const BITS: u32 = 11;
    const LARGEST: u64 = ((1 << Self::BITS) - 1) << 31;

    /// Rounded to the nearest.
    pub(super) fn of(value: u64) -> Self {
        let value = value.min(Self::LARGEST);
        let mut shift = (u64::BITS - value.leading_zeros()).saturating_sub(Self::BITS);
        let mut mantissa = (value + ((1 << shift) >> 1)) >> shift;
        if mantissa >> Self::BITS != 0 {
            (mantissa, shift) = (mantissa >> 1, shift + 1);
        }
        if shift > 31 {
            return Self::of(Self::LARGEST);
        }
        Self((shift as u16) << Self::BITS | mantissa as u16)
    }

    pub(super) fn get(self) -> u64 {
        u64::from(self.0 & ((1 << Self::BITS) - 1)) << (self.0 >> Self::BITS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_counts_are_exact_and_large_ones_within_a_two_thousandth() {
        for value in 0..2048 {
            assert_eq!(Compact::of(value).get(), value);
        }
        for value in [2048, 2049, 4095, 4096, 65_535, 180_000, 1 << 40, Compact::LARGEST] {
            let kept = Compact::of(value).get();
            assert!(kept.abs_diff(value) as f64 <= value as f64 / 2048.0, "{value} became {kept}");
        }
        assert_eq!(Compact::of(u64::MAX).get(), Compact::LARGEST);
    }
}
