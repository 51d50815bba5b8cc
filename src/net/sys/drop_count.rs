//! The kernel's count of what a socket dropped, which is 32 bits wide, as one that does not wrap. Pure.

#[derive(Clone, Copy, Debug, Default)]
pub struct DropCount {
    total: u64,
    last: u32,
}

impl DropCount {
    /// The kernel has counted so many, and some four thousand million more for each time it began anew.
    pub fn note(&mut self, count: u32) {
        self.total += u64::from(count.wrapping_sub(self.last));
        self.last = count;
    }

    pub fn total(&self) -> u64 {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_on_where_the_kernel_begins_anew() {
        let mut drops = DropCount::default();
        let mut totals = Vec::new();
        for count in [0, 5, 5, u32::MAX, 2, 2, u32::MAX - 1, 0] {
            drops.note(count);
            totals.push(drops.total());
        }
        let round = 1 << 32;
        assert_eq!(totals, [0, 5, 5, round - 1, round + 2, round + 2, 2 * round - 2, 2 * round]);
    }
}
