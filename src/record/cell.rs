//! One value of a row, written as CSV or as JSON: both forms come from here, so they agree.

use std::io::{self, Write};

use crate::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cell<'a> {
    Count(u64),
    Time(Duration),
    /// None needs quoting.
    Name(&'a str),
    /// Eight hexadecimal digits.
    Hash(u32),
    /// Unknown: an empty cell in CSV, `null` in JSON.
    Missing,
}

impl<'a> Cell<'a> {
    pub(super) fn count(value: Option<impl Into<u64>>) -> Self {
        value.map_or(Self::Missing, |value| Self::Count(value.into()))
    }

    pub(super) fn time(value: Option<Duration>) -> Self {
        value.map_or(Self::Missing, Self::Time)
    }

    pub(super) fn name(name: Option<&'a str>) -> Self {
        name.map_or(Self::Missing, Self::Name)
    }

    pub(super) fn put_csv(self, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Count(count) => out.write_all(itoa::Buffer::new().format(count).as_bytes()),
            Self::Time(time) => put_micros(time, out),
            Self::Name(name) => out.write_all(name.as_bytes()),
            Self::Hash(hash) => {
                let digit = |shift: u32| b"0123456789abcdef"[(hash >> shift & 0xF) as usize];
                out.write_all(&[28, 24, 20, 16, 12, 8, 4, 0].map(digit))
            }
            Self::Missing => Ok(()),
        }
    }

    pub(super) fn put_json(self, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Name(name) => write!(out, "\"{name}\""),
            Self::Hash(hash) => write!(out, "\"{hash:08x}\""),
            Self::Missing => out.write_all(b"null"),
            Self::Count(_) | Self::Time(_) => self.put_csv(out),
        }
    }
}

/// Writes a duration as microseconds with three decimals.
fn put_micros(value: Duration, out: &mut impl Write) -> io::Result<()> {
    let nanos = value.as_nanos();
    if nanos < 0 {
        out.write_all(b"-")?;
    }
    let nanos = nanos.unsigned_abs();
    out.write_all(itoa::Buffer::new().format(nanos / 1_000).as_bytes())?;
    let digit = |unit: u64| b'0' + (nanos / unit % 10) as u8;
    out.write_all(&[b'.', digit(100), digit(10), digit(1)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_and_json_show_the_same_value() {
        let micros = |nanos| Cell::Time(Duration::from_nanos(nanos));
        for (cell, csv, json) in [
            (Cell::Count(u64::MAX), "18446744073709551615", "18446744073709551615"),
            (micros(1_234_567), "1234.567", "1234.567"),
            (micros(-45), "-0.045", "-0.045"),
            (micros(0), "0.000", "0.000"),
            (micros(1_007), "1.007", "1.007"),
            (Cell::Name("lost"), "lost", "\"lost\""),
            (Cell::Hash(0xAB12), "0000ab12", "\"0000ab12\""),
            (Cell::Missing, "", "null"),
        ] {
            let text = |put: &dyn Fn(&mut Vec<u8>) -> io::Result<()>| {
                let mut out = Vec::new();
                put(&mut out).unwrap();
                String::from_utf8(out).unwrap()
            };
            assert_eq!(text(&|out| cell.put_csv(out)), csv);
            assert_eq!(text(&|out| cell.put_json(out)), json);
        }
    }
}
