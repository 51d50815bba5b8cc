//! The two 64-bit timestamp formats of RFC 8877: NTP (section 4.2.1) and truncated PTP (section 4.3).

/// How a timestamp counts; an error estimate tells which, and not all devices tell the truth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Seconds since 1900 and a binary fraction; wraps in 2036.
    #[default]
    Ntp,
    /// Seconds since 1970 and nanoseconds; wraps in 2106. TAI by the standard, UTC in most software.
    Ptp,
}

/// A timestamp as it stands in a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timestamp(pub u64);

const NTP_EPOCH: i64 = 2_208_988_800;
const NANOS: i64 = 1_000_000_000;
const ERA: i64 = 1 << 32;
const DAY: i64 = 86_400;

impl Format {
    fn other(self) -> Self {
        match self {
            Self::Ntp => Self::Ptp,
            Self::Ptp => Self::Ntp,
        }
    }
}

impl Timestamp {
    /// From nanoseconds since 1970, UTC.
    pub fn from_unix(nanos: i64, format: Format) -> Self {
        let (seconds, nanos) = (nanos.div_euclid(NANOS), nanos.rem_euclid(NANOS));
        let (seconds, fraction) = match format {
            // Rounded up, so that the nanoseconds come back exactly.
            Format::Ntp => (seconds + NTP_EPOCH, ((nanos << 32) as u64).div_ceil(NANOS as u64)),
            Format::Ptp => (seconds, nanos as u64),
        };
        Self(((seconds as u64) << 32) | fraction)
    }

    /// Nanoseconds since 1970, in the era that is nearest to `near`; `None` if the fraction is impossible.
    pub fn to_unix(self, format: Format, near: i64) -> Option<i64> {
        let (seconds, fraction) = ((self.0 >> 32) as i64, self.0 & 0xFFFF_FFFF);
        let (seconds, nanos) = match format {
            Format::Ntp => (seconds - NTP_EPOCH, ((fraction * NANOS as u64) >> 32) as i64),
            Format::Ptp => (seconds, i64::try_from(fraction).ok().filter(|nanos| *nanos < NANOS)?),
        };
        let eras = (near.div_euclid(NANOS) - seconds + ERA / 2).div_euclid(ERA);
        (seconds + eras * ERA).checked_mul(NANOS)?.checked_add(nanos)
    }

    /// Its value and format: the claimed format, else the other one, whichever lies within a day of
    /// `near`. Some reflectors copy the claim of the sender and stamp in their own format.
    pub fn read(self, claimed: Format, near: i64) -> Option<(i64, Format)> {
        let plausible = |format| {
            let nanos = self.to_unix(format, near)?;
            nanos.checked_sub(near).is_some_and(|apart| apart.abs() <= DAY * NANOS).then_some((nanos, format))
        };
        plausible(claimed).or_else(|| plausible(claimed.other()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 2026-11-28 02:00:00 UTC.
    const NOW: i64 = 1_795_831_200 * NANOS;

    #[test]
    fn known_moments_have_known_bits() {
        assert_eq!(Timestamp::from_unix(0, Format::Ntp), Timestamp(0x83AA_7E80_0000_0000));
        assert_eq!(Timestamp::from_unix(NANOS / 2, Format::Ntp), Timestamp(0x83AA_7E80_8000_0000));
        assert_eq!(Timestamp::from_unix(NANOS + 7, Format::Ptp), Timestamp(0x0000_0001_0000_0007));
    }

    #[test]
    fn ntp_time_goes_on_after_the_wrap_of_2036() {
        // 2036-02-07 06:28:16 UTC is second 0 of the next era.
        let wrap = 2_085_978_496 * NANOS;
        assert_eq!(Timestamp::from_unix(wrap + 1_500, Format::Ntp).0 >> 32, 0);
        for nanos in [wrap - 1, wrap, wrap + 1_500] {
            let stamp = Timestamp::from_unix(nanos, Format::Ntp);
            assert_eq!(stamp.to_unix(Format::Ntp, wrap - 5 * NANOS), Some(nanos));
        }
    }

    /// A reflector that copies the bit of the sender and stamps in its own format.
    #[test]
    fn the_format_is_told_by_plausibility_and_not_by_the_claim_alone() {
        let ntp = Timestamp::from_unix(NOW, Format::Ntp);
        let ptp = Timestamp::from_unix(NOW, Format::Ptp);
        assert_eq!(ntp.read(Format::Ptp, NOW + 5), Some((NOW, Format::Ntp)));
        assert_eq!(ptp.read(Format::Ntp, NOW + 5), Some((NOW, Format::Ptp)));
        assert_eq!(Timestamp(0).read(Format::Ntp, NOW), None);
        assert_eq!(Timestamp::from_unix(NOW - 3 * DAY * NANOS, Format::Ntp).read(Format::Ntp, NOW), None);
    }

    proptest! {
        #[test]
        fn nanoseconds_come_back_exactly(offset in -(i64::from(u32::MAX) / 2 - 9)..i64::from(u32::MAX) / 2, nanos in 0..NANOS) {
            let unix = NOW + offset * NANOS + nanos;
            for format in [Format::Ntp, Format::Ptp] {
                prop_assert_eq!(Timestamp::from_unix(unix, format).to_unix(format, NOW), Some(unix));
            }
        }

        #[test]
        fn any_bits_near_any_time_are_survived(bits: u64, near: i64) {
            for format in [Format::Ntp, Format::Ptp] {
                Timestamp(bits).to_unix(format, near);
                Timestamp(bits).read(format, near);
            }
        }
    }
}
