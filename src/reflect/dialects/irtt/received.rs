//! The probes of a session that arrived: their count, and a window over the last 64.

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Received {
    /// Duplicates included.
    count: u32,
    /// Bit k: the probe k before the highest arrived.
    window: u64,
    highest: Option<u32>,
    /// Different numbers up to the highest, the first included.
    span: u64,
}

impl Received {
    pub(super) fn note(&mut self, seq: u32) {
        self.count = self.count.wrapping_add(1);
        let Some(highest) = self.highest else {
            (self.highest, self.window, self.span) = (Some(seq), 1, 1);
            return;
        };
        let ahead = seq.wrapping_sub(highest).cast_signed();
        if ahead > 0 {
            self.window = shifted(self.window, ahead.unsigned_abs(), u64::checked_shl) | 1;
            self.highest = Some(seq);
            self.span += u64::from(ahead.unsigned_abs());
        } else {
            self.window |= shifted(1, ahead.unsigned_abs(), u64::checked_shl);
        }
    }

    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// The count, and the window of the reply to this probe: bit k is that of the probe k before it.
    pub(super) fn told(&self, seq: u32) -> (u32, u64) {
        let behind = self.highest.map_or(0, |highest| highest.wrapping_sub(seq));
        (self.count, shifted(self.window, behind, u64::checked_shr))
    }

    /// The share of the numbers so far that did not arrive; the first probe had number 0.
    pub(super) fn missing(&self) -> Option<f64> {
        (self.span > 0).then(|| (1.0 - f64::from(self.count) / self.span as f64).max(0.0))
    }
}

fn shifted(window: u64, by: u32, shift: fn(u64, u32) -> Option<u64>) -> u64 {
    shift(window, by).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(seqs: &[u32]) -> Received {
        let mut received = Received::default();
        seqs.iter().for_each(|seq| received.note(*seq));
        received
    }

    #[test]
    fn the_window_shows_what_arrived_before_each_probe_whatever_the_order() {
        assert_eq!(after(&[0]).told(0), (1, 0b1));
        assert_eq!(after(&[0, 1, 3]).told(3), (3, 0b1101));
        assert_eq!(after(&[0, 1, 3, 2]).told(2), (4, 0b111));
        assert_eq!(after(&[0, 1, 3, 2, 4]).told(4), (5, 0b11111));
        assert_eq!(after(&[5, 5]).told(5), (2, 0b1));
        assert_eq!(after(&[0, 64]).told(64), (2, 0b1));
        assert_eq!(after(&[0, 63]).told(63), (2, 1 << 63 | 1));
        assert_eq!(after(&[100, 1]).told(1), (2, 0), "too far back to be shown");
        assert_eq!(after(&[u32::MAX, 0]).told(0), (2, 0b11), "numbers wrap");
    }

    #[test]
    fn missing_is_the_share_of_numbers_that_did_not_arrive() {
        assert_eq!(after(&[]).missing(), None);
        assert_eq!(after(&[7, 8, 10, 9]).missing(), Some(0.0));
        assert_eq!(after(&[0, 3]).missing(), Some(0.5));
    }
}
