//! One unit for an axis and all its labels, and values in the unit that fits them.

use super::trimmed;

/// A unit and how many of the base unit it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Unit {
    pub name: &'static str,
    pub size: f64,
}

/// For round trips in nanoseconds.
pub(crate) fn time_unit(nanos: f64) -> Unit {
    pick(&[("ns", 1.0), ("µs", 1e3), ("ms", 1e6), ("s", 1e9)], nanos)
}

/// For the length of a run in nanoseconds: a clock's units above ten minutes.
pub(crate) fn span_unit(nanos: f64) -> Unit {
    match nanos {
        n if n <= 600e9 => time_unit(n),
        n if n <= 3.0 * 3_600e9 => Unit { name: "min", size: 60e9 },
        n if n <= 3.0 * 86_400e9 => Unit { name: "h", size: 3_600e9 },
        _ => Unit { name: "d", size: 86_400e9 },
    }
}

/// For bits in a second.
pub(crate) fn rate_unit(bits: f64) -> Unit {
    pick(&[("bit/s", 1.0), ("kbit/s", 1e3), ("Mbit/s", 1e6), ("Gbit/s", 1e9)], bits)
}

fn pick(units: &[(&'static str, f64)], value: f64) -> Unit {
    let fits = units.iter().rev().find(|(_, size)| value >= *size).unwrap_or(&units[0]);
    Unit { name: fits.0, size: fits.1 }
}

/// A round trip with its unit: `42.80 ms`.
pub(crate) fn time(nanos: f64) -> String {
    let unit = time_unit(nanos);
    format!("{} {}", digits(nanos / unit.size, unit), unit.name)
}

/// A moment of a run: `1.234 s`.
pub(crate) fn clock(nanos: u64) -> String {
    format!("{:.3} s", nanos as f64 / 1e9)
}

/// The length of a run: `49.5 s`, `12.4 min`.
pub(crate) fn span(nanos: f64) -> String {
    let unit = span_unit(nanos);
    format!("{} {}", trimmed(format!("{:.3}", significant(nanos / unit.size, 4))), unit.name)
}

/// A step of time that is round on a clock: `500 ms`, `30 s`, `10 min`, `6 h`.
pub(crate) fn step(nanos: f64) -> String {
    let unit = match nanos {
        n if n < 60e9 => time_unit(n),
        n if n < 3_600e9 => Unit { name: "min", size: 60e9 },
        n if n < 86_400e9 => Unit { name: "h", size: 3_600e9 },
        _ => Unit { name: "d", size: 86_400e9 },
    };
    format!("{} {}", plain(nanos / unit.size), unit.name)
}

/// Three digits, four from ten to a hundred; a base unit has no fractions to show.
pub(crate) fn digits(value: f64, unit: Unit) -> String {
    match value.abs() {
        _ if unit.size == 1.0 && value.fract() == 0.0 => format!("{value:.0}"),
        // A value that rounds up to the next digit has that width.
        v if v >= 999.95 => format!("{value:.0}"),
        v if v >= 99.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// A whole number with thousands apart.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (k, digit) in digits.chars().enumerate() {
        if k > 0 && (digits.len() - k).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number without needless zeros.
pub(crate) fn plain(value: f64) -> String {
    trimmed(format!("{value:.6}"))
}

fn significant(value: f64, digits: i32) -> f64 {
    if value == 0.0 {
        return 0.0;
    }
    let scale = 10_f64.powi(digits - 1 - value.abs().log10().floor() as i32);
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_take_the_unit_that_fits() {
        for (nanos, text) in [
            (0.0, "0 ns"),
            (420.0, "420 ns"),
            (1_500.0, "1.50 µs"),
            (10_710_000.0, "10.71 ms"),
            (412_345_678.0, "412.3 ms"),
            (99_996_000.0, "100.0 ms"),
            (1.2e9, "1.20 s"),
            (4.2e12, "4200 s"),
        ] {
            assert_eq!(time(nanos), text);
        }
        assert_eq!(span(49.5e9), "49.5 s");
        assert_eq!(span(3_600e9), "60 min");
        assert_eq!(step(600e9), "10 min");
        assert_eq!(step(20e6), "20 ms");
    }

    #[test]
    fn counts_have_their_thousands_apart() {
        assert_eq!((count(1_234_567), count(999)), ("1,234,567".to_owned(), "999".to_owned()));
    }
}
