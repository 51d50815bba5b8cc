//! As `ping -f`: a dot per probe, erased by its reply. The dots that remain are lost probes.

/// Dots on a terminal, limited so that a flood of probes is no flood of bytes.
#[derive(Debug, Default)]
pub(super) struct Dots {
    shown: u64,
}

impl Dots {
    const MAX_AT_ONCE: u64 = 500;
    const ERASE: &str = "\x08 \x08";

    /// The text that brings the number of dots closer to `wanted`.
    pub(super) fn show(&mut self, wanted: u64) -> String {
        let by = wanted.abs_diff(self.shown).min(Self::MAX_AT_ONCE);
        if wanted > self.shown {
            self.shown += by;
            ".".repeat(by as usize)
        } else {
            self.shown -= by;
            Self::ERASE.repeat(by as usize)
        }
    }

    /// Another line is printed: the dots stay. Whether there are any on the line.
    pub(super) fn interrupt(&mut self) -> bool {
        std::mem::take(&mut self.shown) > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_change_by_at_most_500_at_once() {
        let mut dots = Dots::default();
        assert_eq!(dots.show(3), "...");
        assert_eq!(dots.show(1), "\x08 \x08\x08 \x08");
        assert_eq!(dots.show(1000).len(), 500);
        assert_eq!(dots.show(1000).len(), 499);
        assert!(dots.interrupt() && !dots.interrupt());
    }
}
