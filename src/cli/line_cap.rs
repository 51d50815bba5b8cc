//! So many lines a second about what goes wrong, and then how many more there were: a storm of errors
//! fills no disk. Pure; `now` is an argument.

use crate::time::{Duration, Instant};

#[derive(Debug)]
pub struct LineCap {
    most: u32,
    /// The second at hand, and its lines.
    began: Option<Instant>,
    lines: u32,
    left_out: u64,
    left_out_in_all: u64,
}

impl LineCap {
    const SECOND: Duration = Duration::from_secs(1);

    pub fn new(most: u32) -> Self {
        Self { most, began: None, lines: 0, left_out: 0, left_out_in_all: 0 }
    }

    /// Whether there is room for one more line. Ask `tell` first.
    pub fn admits(&mut self, now: Instant) -> bool {
        if self.is_over(now) {
            self.began = Some(now);
            self.lines = 0;
        }
        let room = self.lines < self.most;
        self.lines += u32::from(room);
        self.left_out += u64::from(!room);
        self.left_out_in_all += u64::from(!room);
        room
    }

    /// How many lines were left out in a second that is over by now, if any were; told once.
    pub fn tell(&mut self, now: Instant) -> Option<u64> {
        let told = if self.is_over(now) { std::mem::take(&mut self.left_out) } else { 0 };
        (told > 0 && self.most > 0).then_some(told)
    }

    pub fn left_out_in_all(&self) -> u64 {
        self.left_out_in_all
    }

    fn is_over(&self, now: Instant) -> bool {
        // A clock that was set back begins a second too.
        self.began.is_none_or(|began| !(began..began + Self::SECOND).contains(&now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Instant {
        Instant::from_nanos(5_000_000_000) + Duration::from_millis(millis)
    }

    #[test]
    fn beyond_so_many_a_second_lines_are_counted_and_their_number_is_told_once() {
        let mut cap = LineCap::new(3);
        let admitted = (0..100).filter(|k| cap.admits(at(k * 5))).count();
        assert_eq!((admitted, cap.tell(at(999))), (3, None));
        assert_eq!((cap.tell(at(1000)), cap.tell(at(1000))), (Some(97), None));
        assert!(cap.admits(at(1000)) && cap.admits(at(1999)) && cap.admits(at(1999)));
        assert!(!cap.admits(at(1999)));
        // The next second begins with the next line, whenever that is.
        assert_eq!(cap.tell(at(60_000)), Some(1));
        assert!(cap.admits(at(60_000)));
        assert_eq!((cap.tell(at(99_000)), cap.left_out_in_all()), (None, 98));
    }

    #[test]
    fn a_clock_set_back_silences_nothing() {
        let mut cap = LineCap::new(1);
        assert!(cap.admits(at(0)) && !cap.admits(at(10)));
        assert!(cap.admits(at(-3_600_000)));
    }

    #[test]
    fn without_any_there_is_none_and_nothing_is_told() {
        let mut cap = LineCap::new(0);
        assert!((0..10).all(|k| !cap.admits(at(k * 1000)) && cap.tell(at(k * 1000)).is_none()));
        assert_eq!(cap.left_out_in_all(), 10);
    }
}
