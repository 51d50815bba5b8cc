//! Numbers as people read them: three or four digits and a unit.

#[cfg(feature = "report")]
mod units;

#[cfg(feature = "report")]
pub(super) use units::{
    Unit, clock, count, digits, plain, rate_unit, span, span_unit, step, time, time_unit,
};

use crate::time::Duration;

/// A number of things, with the noun that agrees with it.
pub(crate) fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// As `ping` prints times: `0.123 ms`, `1.23 ms`, `12.3 ms`, `123 ms`.
pub fn milliseconds(time: Duration) -> String {
    format!("{} ms", milliseconds_bare(time))
}

pub(crate) fn milliseconds_bare(time: Duration) -> String {
    let ms = time.as_millis_f64();
    let decimals = match ms.abs() {
        ms if ms >= 99.95 => 0,
        ms if ms >= 9.995 => 1,
        ms if ms >= 0.9995 => 2,
        _ => 3,
    };
    format!("{ms:.decimals$}")
}

/// `11 %`, `11.2 %`, `0.037 %`: three digits, trailing zeros cut. Rounding makes no 100 % of less.
pub fn percent(share: f64) -> String {
    format!("{} %", percent_bare(share))
}

pub(super) fn percent_bare(share: f64) -> String {
    let percent = share * 100.0;
    let decimals = match percent {
        p if p >= 10.0 => 1,
        p if p >= 1.0 => 2,
        p if p >= 0.1 => 3,
        _ => 4,
    };
    let percent = if share < 1.0 { percent.min(99.99) } else { percent };
    let decimals = if percent > 99.9 && share < 1.0 { 2 } else { decimals };
    trimmed(format!("{percent:.decimals$}"))
}

/// `131 kbit/s`.
pub fn bit_rate(bits_per_second: f64) -> String {
    let (scaled, prefix) = match bits_per_second {
        b if b >= 999.5e6 => (b / 1e9, "G"),
        b if b >= 999.5e3 => (b / 1e6, "M"),
        b if b >= 999.5 => (b / 1e3, "k"),
        b => (b, ""),
    };
    let decimals = match scaled {
        s if s >= 99.95 || s == 0.0 => 0,
        s if s >= 9.995 => 1,
        _ => 2,
    };
    format!("{scaled:.decimals$} {prefix}bit/s")
}

fn trimmed(number: String) -> String {
    if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.').to_owned() } else { number }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_figures_and_a_unit() {
        for (micros, text) in [
            (0, "0.000 ms"),
            (123, "0.123 ms"),
            (999, "0.999 ms"),
            (1_234, "1.23 ms"),
            (9_994, "9.99 ms"),
            (9_996, "10.0 ms"),
            (12_345, "12.3 ms"),
            (123_456, "123 ms"),
            (-45, "-0.045 ms"),
        ] {
            assert_eq!(milliseconds(Duration::from_micros(micros)), text);
        }
        for (share, text) in
            [(0.0, "0 %"), (0.11, "11 %"), (0.1124, "11.2 %"), (0.00037, "0.037 %"), (1.0, "100 %")]
        {
            assert_eq!(percent(share), text);
        }
        for (bits, text) in [
            (0.0, "0 bit/s"),
            (8192.0, "8.19 kbit/s"),
            (131_072.0, "131 kbit/s"),
            (999_600.0, "1.00 Mbit/s"),
            (2e9, "2.00 Gbit/s"),
        ] {
            assert_eq!(bit_rate(bits), text);
        }
    }

    #[test]
    fn one_thing_has_a_noun_in_the_singular() {
        assert_eq!([0, 1, 2].map(|n| counted(n, "reply", "replies")), ["0 replies", "1 reply", "2 replies"]);
    }

    #[test]
    fn rounding_makes_no_loss_of_all() {
        assert_eq!([0.99999, 0.9995, 1.0].map(percent), ["99.99 %", "99.95 %", "100 %"]);
    }
}
