//! The lines of a file that are whole, without holding the file in memory.

use std::io::{self, Read};

/// Reads up to the last line break.
pub(super) struct WholeLines<R> {
    file: R,
    /// Read, and not given yet.
    held: Vec<u8>,
    /// Of these, the bytes of whole lines.
    whole: usize,
}

impl<R: Read> WholeLines<R> {
    /// More than any row has. Zeros that a power failure left after the last row may be of any length.
    const LONGEST: usize = 1 << 16;

    pub(super) fn of(file: R) -> Self {
        Self { file, held: Vec::new(), whole: 0 }
    }

    /// The last line, if it is cut short; once all others are read. Of a longer one the first `LONGEST` bytes.
    pub(super) fn rest(&self) -> &[u8] {
        &self.held
    }
}

impl<R: Read> Read for WholeLines<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        const PIECE: usize = 1 << 14;
        while self.whole == 0 {
            self.held.truncate(Self::LONGEST);
            let before = self.held.len();
            if (&mut self.file).take(PIECE as u64).read_to_end(&mut self.held)? == 0 {
                return Ok(0);
            }
            let new = &self.held[before..];
            self.whole = new.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| before + at + 1);
            if before == Self::LONGEST && self.whole > 0 {
                let why = format!("a line is longer than {} bytes", Self::LONGEST);
                return Err(io::Error::new(io::ErrorKind::InvalidData, why));
            }
        }
        let count = self.whole.min(into.len());
        into[..count].copy_from_slice(&self.held[..count]);
        self.held.drain(..count);
        self.whole -= count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_lines_are_given_and_the_rest_is_kept() {
        let long = format!("{}\nb\n{}", "a".repeat(40_000), "c".repeat(40_000));
        for (text, whole) in [("", 0), ("a", 0), ("a\n", 2), ("a\n\nbc", 3), (&long, 40_003)] {
            let mut lines = WholeLines::of(text.as_bytes());
            let mut given = String::new();
            lines.read_to_string(&mut given).unwrap();
            assert_eq!((&*given, lines.rest()), (&text[..whole], &text.as_bytes()[whole..]));
        }
    }

    #[test]
    fn a_line_that_no_row_is_fills_no_memory() {
        let zeros = format!("a\n{}", "\0".repeat(1_000_000));
        let mut lines = WholeLines::of(zeros.as_bytes());
        let mut given = String::new();
        lines.read_to_string(&mut given).unwrap();
        assert_eq!((&*given, lines.rest().len()), ("a\n", WholeLines::<&[u8]>::LONGEST));
        let ended = zeros + "\n";
        let error = WholeLines::of(ended.as_bytes()).read_to_string(&mut given).unwrap_err();
        assert_eq!(error.to_string(), "a line is longer than 65536 bytes");
    }
}
