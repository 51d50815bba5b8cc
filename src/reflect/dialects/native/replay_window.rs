//! Remembers the numbers of answered messages: with a key each is answered once.

/// The newest number and the 63 before it. Numbers count up and wrap around.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ReplayWindow {
    newest: u32,
    /// Bit k: `newest - k` was answered. Zero before the first message.
    answered: u64,
}

impl ReplayWindow {
    /// Whether this number is new; one too old to tell is not.
    pub(super) fn admits(&mut self, number: u32) -> bool {
        let ahead = number.wrapping_sub(self.newest).cast_signed();
        if self.answered == 0 || ahead > 0 {
            self.answered = self.answered.checked_shl(ahead.unsigned_abs()).unwrap_or(0) | 1;
            self.newest = number;
            return true;
        }
        let bit = 1_u64.checked_shl(ahead.unsigned_abs()).unwrap_or(0);
        let is_new = bit != 0 && self.answered & bit == 0;
        self.answered |= bit;
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_admitted_once_in_any_order_within_64() {
        for first in [0, 5, u32::MAX - 3] {
            let mut window = ReplayWindow::default();
            let mut admits = |ahead: u32| window.admits(first.wrapping_add(ahead));
            assert!(admits(10) && !admits(10));
            assert!(admits(12) && admits(11) && !admits(11) && !admits(12));
            assert!(admits(80) && !admits(12) && admits(17) && !admits(17));
            assert!(!admits(16), "63 before the newest are known");
            assert!(admits(1_000) && !admits(80) && admits(999));
        }
    }
}
