//! Cells of equal width along a run. When a value lies beyond the last cell that memory allows, neighbours
//! are joined.

mod history;
mod seconds;

pub use history::{SecondHistory, Slot};
pub(crate) use seconds::Seconds;
pub use seconds::{Completed, Delay, Second};

/// The content of a cell; of two cells the earlier takes in the later.
pub trait Join: Default + Clone {
    /// Takes in a cell that follows this one.
    fn join(&mut self, later: &Self);
}

/// Joins all of them into one.
pub fn joined<C: Join>(cells: &[C]) -> C {
    let mut sum = C::default();
    cells.iter().for_each(|cell| sum.join(cell));
    sum
}

#[derive(Clone, Debug)]
pub(crate) struct Timeline<C> {
    /// The widths a cell may have; each is a multiple of the one before.
    widths: &'static [u64],
    level: usize,
    limit: usize,
    cells: Vec<C>,
}

impl<C: Join> Timeline<C> {
    pub(crate) fn new(widths: &'static [u64], limit: usize) -> Self {
        Self { widths, level: 0, limit, cells: Vec::new() }
    }

    pub(crate) fn width(&self) -> u64 {
        self.widths[self.level]
    }

    /// The cell that `x` lies in. Beyond the widest cells there is only the last.
    pub(crate) fn at(&mut self, x: u64) -> &mut C {
        while x / self.width() >= self.limit as u64 && self.level + 1 < self.widths.len() {
            self.widen();
        }
        let index = (x / self.width()).min(self.limit as u64 - 1) as usize;
        if self.cells.len() <= index {
            self.cells.resize(index + 1, C::default());
        }
        &mut self.cells[index]
    }

    /// From zero to the last that was used.
    pub(crate) fn cells(&self) -> &[C] {
        &self.cells
    }

    fn widen(&mut self) {
        let before = self.width();
        self.level += 1;
        let group = (self.width() / before) as usize;
        self.cells = self.cells.chunks(group).map(joined).collect();
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    impl Join for u64 {
        fn join(&mut self, later: &Self) {
            *self += later;
        }
    }

    proptest! {
        #[test]
        fn every_value_is_in_its_cell_however_often_cells_are_joined(values in vec(0_u64..3000, 0..200)) {
            let mut timeline: Timeline<u64> = Timeline::new(&[1, 2, 10, 50, 100], 16);
            values.iter().for_each(|x| *timeline.at(*x) += 1);
            let (width, cells) = (timeline.width(), timeline.cells());
            prop_assert!(cells.len() <= 16);
            for (k, count) in (0..).zip(cells) {
                let last = k == 15;
                let inside = |x: &&u64| **x / width == k || (last && **x / width > k);
                prop_assert_eq!(values.iter().filter(inside).count() as u64, *count);
            }
        }
    }
}
