//! The kernel's count of what a socket dropped, which is 32 bits wide, as one that does not wrap. Pure.

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct DropCount {
    total: u64,
    last: u32,
}

impl DropCount {
    /// Takes the kernel's 32-bit count, which wraps. A datagram bears the count at the time it was queued, which may be
    /// lower than one read since.
    pub(super) fn note(&mut self, count: u32) {
        let more = count.wrapping_sub(self.last);
        if more <= i32::MAX as u32 {
            self.total += u64::from(more);
            self.last = count;
        }
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: u32 = 1 << 31;

    #[test]
    fn it_goes_on_where_the_kernel_begins_anew() {
        let mut drops = DropCount::default();
        let mut totals = Vec::new();
        for count in [0, 5, 5, HALF, u32::MAX, 2, 2, HALF, u32::MAX - 1, 0] {
            drops.note(count);
            totals.push(drops.total());
        }
        let (half, round) = (u64::from(HALF), 1 << 32);
        let again = [round + 2, round + 2, round + half, 2 * round - 2, 2 * round];
        assert_eq!(totals, [&[0, 5, 5, half, round - 1], &again[..]].concat());
    }

    #[test]
    fn what_is_told_of_an_older_datagram_takes_nothing_back() {
        let mut drops = DropCount::default();
        let totals = [7, 3, 7, 8, u32::MAX].map(|count| {
            drops.note(count);
            drops.total()
        });
        assert_eq!(totals, [7, 7, 7, 8, 8]);
    }
}
