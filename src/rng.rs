//! Random numbers as a function: one seed, a named stream for each purpose, a draw for each index.
//!
//! A draw depends only on the seed, the name of its stream and its index. So a packet's treatment does
//! not depend on when it arrives, and switching one model on does not change the draws of another.
//!
//! The generator is Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy
//! as 1, 2, 3", SC 2011), whose state is a counter.

use std::convert::Infallible;

use rand::rand_core::TryRng;

/// Printed and recorded, so that a run can be repeated.
pub type Seed = u64;

/// The random numbers of one purpose: `stream.at(k)` is a separate generator for each index `k`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    key: [u32; 2],
}

impl Stream {
    /// The stream of this seed for one purpose; streams of different purposes are independent.
    pub fn new(seed: Seed, purpose: &str) -> Self {
        // FNV-1a tells the names apart; one Philox block mixes them with the seed.
        let name = purpose.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let block = philox(words(name, 0), halves(seed));
        Self { key: [block[0], block[1]] }
    }

    /// The draws with this number; the same number gives the same draws.
    pub fn at(&self, index: u64) -> Draws {
        Draws { key: self.key, index, block: 0, buffer: [0; 4], used: 4 }
    }

    /// A seed for each index: of one host of many, or one flow.
    pub fn seed(&self, index: u64) -> Seed {
        let block = philox(words(index, 0), self.key);
        u64::from(block[0]) | u64::from(block[1]) << 32
    }

    /// A uniform number in [0, 1) for this index.
    pub fn unit(&self, index: u64) -> f64 {
        unit_from(self.seed(index))
    }
}

/// The generator of one index, for distributions that need several draws.
#[derive(Clone, Debug)]
pub struct Draws {
    key: [u32; 2],
    index: u64,
    block: u64,
    buffer: [u32; 4],
    used: usize,
}

impl Draws {
    /// A uniform number in [0, 1).
    pub fn unit(&mut self) -> f64 {
        let low = u64::from(self.word());
        unit_from(low | u64::from(self.word()) << 32)
    }

    fn word(&mut self) -> u32 {
        if self.used == self.buffer.len() {
            self.buffer = philox(words(self.index, self.block), self.key);
            self.block += 1;
            self.used = 0;
        }
        self.used += 1;
        self.buffer[self.used - 1]
    }
}

impl TryRng for Draws {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.word())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let low = u64::from(self.word());
        Ok(low | u64::from(self.word()) << 32)
    }

    fn try_fill_bytes(&mut self, destination: &mut [u8]) -> Result<(), Infallible> {
        for chunk in destination.chunks_mut(4) {
            chunk.copy_from_slice(&self.word().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

fn unit_from(bits: u64) -> f64 {
    (bits >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
}

fn halves(value: u64) -> [u32; 2] {
    [value as u32, (value >> 32) as u32]
}

fn words(low: u64, high: u64) -> [u32; 4] {
    [low as u32, (low >> 32) as u32, high as u32, (high >> 32) as u32]
}

fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    const MULTIPLIERS: [u64; 2] = [0xD251_1F53, 0xCD9E_8D57];
    const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
    for _ in 0..10 {
        let first = MULTIPLIERS[0] * u64::from(counter[0]);
        let second = MULTIPLIERS[1] * u64::from(counter[2]);
        counter = [
            (second >> 32) as u32 ^ counter[1] ^ key[0],
            second as u32,
            (first >> 32) as u32 ^ counter[3] ^ key[1],
            first as u32,
        ];
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
    }
    counter
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;

    /// Known answers published with the paper's reference code (Random123, kat_vectors).
    #[test]
    fn philox_gives_the_published_answers() {
        assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(
            philox([u32::MAX; 4], [u32::MAX; 2]),
            [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
        );
        assert_eq!(
            philox([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn a_draw_depends_on_seed_name_and_index_only() {
        let loss = Stream::new(7, "loss up");
        assert_eq!(loss.at(41).next_u64(), Stream::new(7, "loss up").at(41).next_u64());
        assert_ne!(loss.at(41).next_u64(), loss.at(42).next_u64());
        assert_ne!(loss.at(41).next_u64(), Stream::new(8, "loss up").at(41).next_u64());
        assert_ne!(loss.at(41).next_u64(), Stream::new(7, "loss down").at(41).next_u64());
        assert_eq!(loss.unit(41), loss.at(41).unit());
    }

    #[test]
    fn the_unit_draw_is_uniform() {
        let stream = Stream::new(1, "test");
        let n = 100_000;
        let mut bins = [0_f64; 20];
        for k in 0..n {
            bins[(stream.unit(k) * 20.0) as usize] += 1.0;
        }
        let expected = n as f64 / 20.0;
        let chi2: f64 = bins.iter().map(|count| (count - expected).powi(2) / expected).sum();
        // 19 degrees of freedom: 43.8 is the 99.9 % point.
        assert!(chi2 < 43.8, "chi2 {chi2}");
    }
}
