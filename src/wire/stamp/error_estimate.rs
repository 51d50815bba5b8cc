//! How far a clock may be wrong, by its owner (RFC 4656 section 4.1.2, RFC 8186 section 2.3).
//!
//! ```text
//! +-+-+-----------+---------------+   S: synchronized to UTC   Z: timestamps are PTP, not NTP
//! |S|Z|   scale   |  multiplier   |   error = multiplier * 2^(scale - 32) seconds
//! +-+-+-----------+---------------+
//! ```

use super::timestamp::Format;
use crate::time::Duration;

/// How far the sender's clock may be from the true time (RFC 4656 section 4.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorEstimate {
    /// Whether its clock is set from outside, as by NTP or GPS.
    pub synchronized: bool,
    /// That of its timestamps.
    pub format: Format,
    /// 6 bits.
    pub scale: u8,
    /// Zero is not allowed, and means that the packet is damaged.
    pub multiplier: u8,
}

const S: u16 = 1 << 15;
const Z: u16 = 1 << 14;

impl ErrorEstimate {
    /// The smallest estimate that is not below this bound.
    pub fn new(synchronized: bool, format: Format, bound: Duration) -> Self {
        // In units of 2^-32 s, rounded up.
        let nanos = bound.as_nanos().max(0) as u128;
        let units = (nanos << 32).div_ceil(1_000_000_000);
        let scale = (0..63).find(|scale| units.div_ceil(1 << scale) <= 255).unwrap_or(63);
        let multiplier = u8::try_from(units.div_ceil(1 << scale)).unwrap_or(u8::MAX).max(1);
        Self { synchronized, format, scale, multiplier }
    }

    /// Reads the 16 bits of a packet.
    pub fn from_bits(bits: u16) -> Self {
        let [high, multiplier] = bits.to_be_bytes();
        let format = if bits & Z == 0 { Format::Ntp } else { Format::Ptp };
        Self { synchronized: bits & S != 0, format, scale: high & 0x3F, multiplier }
    }

    /// The 16 bits of a packet.
    pub fn to_bits(self) -> u16 {
        let flag = |set, bit| if set { bit } else { 0 };
        flag(self.synchronized, S)
            | flag(self.format == Format::Ptp, Z)
            | u16::from(self.scale & 0x3F) << 8
            | u16::from(self.multiplier)
    }

    /// The error that it claims; `None` for the multiplier that is not allowed.
    pub fn bound(self) -> Option<Duration> {
        let units = u128::from(self.multiplier) << (self.scale & 0x3F);
        let nanos = (units * 1_000_000_000) >> 32;
        (self.multiplier > 0).then(|| Duration::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_have_the_bits_worked_out_by_hand() {
        for (bound, bits) in [
            (Duration::from_micros(1), 0x0587),
            (Duration::from_micros(100), 0x0BD2),
            (Duration::from_millis(1), 0x0F84),
            (Duration::from_secs(1), 0x1980),
            (Duration::ZERO, 0x0001),
        ] {
            let estimate = ErrorEstimate::new(false, Format::Ntp, bound);
            assert_eq!(estimate.to_bits(), bits, "{bound}");
            assert!(estimate.bound().is_some_and(|claimed| claimed >= bound));
        }
        assert_eq!(ErrorEstimate::new(true, Format::Ptp, Duration::ZERO).to_bits(), 0xC001);
    }

    #[test]
    fn every_value_is_read_and_written_alike() {
        for bits in 0..=u16::MAX {
            let estimate = ErrorEstimate::from_bits(bits);
            assert_eq!(estimate.to_bits(), bits);
            assert_eq!(estimate.bound().is_none(), bits & 0xFF == 0);
        }
    }

    /// Values that devices are known to send.
    #[test]
    fn claims_of_real_devices_are_understood() {
        let zero_error = ErrorEstimate::from_bits(0x8001);
        assert!(zero_error.synchronized);
        assert_eq!(zero_error.bound(), Some(Duration::ZERO));
        assert_eq!(ErrorEstimate::from_bits(0x3FFF).scale, 63);
        assert!(ErrorEstimate::from_bits(0x3FFF).bound() > Some(Duration::from_secs(86_400)));
    }
}
