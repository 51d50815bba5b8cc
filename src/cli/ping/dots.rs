//! As `ping -f`: a dot for each probe that was sent, erased when it is answered. What stays is lost.

/// Dots on a terminal. As many as it takes in a moment, so a flood of probes is not one of bytes.
#[derive(Debug, Default)]
pub struct Dots {
    shown: u64,
}

impl Dots {
    const MOST_AT_ONCE: u64 = 500;
    const ERASE: &str = "\x08 \x08";

    /// What brings the screen nearer to showing so many.
    pub fn show(&mut self, wanted: u64) -> String {
        let by = wanted.abs_diff(self.shown).min(Self::MOST_AT_ONCE);
        if wanted > self.shown {
            self.shown += by;
            ".".repeat(by as usize)
        } else {
            self.shown -= by;
            Self::ERASE.repeat(by as usize)
        }
    }

    /// Something else is printed: what was shown stays. Whether a line was begun.
    pub fn interrupt(&mut self) -> bool {
        std::mem::take(&mut self.shown) > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_come_and_go_no_faster_than_a_terminal_takes_them() {
        let mut dots = Dots::default();
        assert_eq!(dots.show(3), "...");
        assert_eq!(dots.show(1), "\x08 \x08\x08 \x08");
        assert_eq!(dots.show(1000).len(), 500);
        assert_eq!(dots.show(1000).len(), 499);
        assert!(dots.interrupt() && !dots.interrupt());
    }
}
