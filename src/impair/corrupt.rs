//! Corruption: a share of the payloads arrives with one bit flipped, as netem's does.

use super::rounding::Share;
use crate::rng::Stream;

/// The byte that arrives changed, if any.
pub(super) fn corrupted(share: Share, stream: &Stream, seq: u64) -> Option<u32> {
    if share == Share::ZERO {
        return None;
    }
    let mut draws = stream.at(seq);
    share.takes(draws.unit()).then(|| (draws.unit() * f64::from(u32::MAX)) as u32)
}

/// Flips one bit of the byte at this index modulo the payload's length. Twice restores it.
pub(super) fn flip(payload: &mut [u8], byte: u32) {
    let at = (byte as usize).checked_rem(payload.len());
    if let Some(byte_there) = at.and_then(|at| payload.get_mut(at)) {
        *byte_there ^= 1 << (byte >> 29);
    }
}

#[cfg(test)]
mod tests {
    use super::super::goodness_of_fit;
    use super::*;

    #[test]
    fn the_configured_share_is_corrupted_and_each_byte_equally_often() {
        let share: Share = "20%".parse().unwrap();
        let hits = goodness_of_fit::draws(100_000, |stream, seq| {
            corrupted(share, stream, seq).map_or(f64::NAN, |byte| f64::from(byte % 100))
        });
        let bytes: Vec<f64> = hits.into_iter().filter(|byte| !byte.is_nan()).collect();
        goodness_of_fit::share(bytes.len() as f64, 100_000.0, 0.2);
        let counts: Vec<f64> =
            (0..100).map(|byte| bytes.iter().filter(|&&hit| hit == f64::from(byte)).count() as f64).collect();
        // 99 degrees of freedom: 148.23 is the 99.9 % point.
        goodness_of_fit::chi_square(&counts, &[bytes.len() as f64 / 100.0; 100], 148.23);
    }

    #[test]
    fn one_bit_changes_and_changes_back() {
        let mut payload = *b"udpecho";
        flip(&mut payload, 0x6000_0001);
        let changed: u32 = payload.iter().zip(b"udpecho").map(|(a, b)| (a ^ b).count_ones()).sum();
        assert_eq!(changed, 1);
        flip(&mut payload, 0x6000_0001);
        assert_eq!(&payload, b"udpecho");
        flip(&mut [], 5);
    }
}
