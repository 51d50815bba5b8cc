//! Moments as UTC text, `2026-11-28T19:30:00.000Z`, and back.

use crate::time::{Duration, Instant};

const SECONDS_OF_A_DAY: i64 = 86_400;

/// `2026-11-28`.
pub(super) fn day(at: Instant) -> String {
    date(seconds(at).div_euclid(SECONDS_OF_A_DAY))
}

/// To the millisecond, rounded down.
pub(super) fn text(at: Instant) -> String {
    let rest = seconds(at).rem_euclid(SECONDS_OF_A_DAY);
    let [hours, minutes, seconds] = [rest / 3_600, rest / 60 % 60, rest % 60];
    let millis = at.as_nanos().rem_euclid(1_000_000_000) / 1_000_000;
    format!("{}T{hours:02}:{minutes:02}:{seconds:02}.{millis:03}Z", day(at))
}

/// The reverse of `text`.
pub(super) fn moment(text: &str) -> Option<Instant> {
    let number = |from: usize, until: usize| text.get(from..until)?.parse::<u16>().ok().map(i64::from);
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hours, minutes, seconds) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let of_day = hours * 3_600 + minutes * 60 + seconds;
    let since = Duration::from_secs(days(year, month, day) * SECONDS_OF_A_DAY + of_day);
    let at = Instant::ZERO + since + Duration::from_millis(number(20, 23)?);
    // Nothing else than what it writes, as a 31st of November.
    (self::text(at) == text).then_some(at)
}

fn seconds(at: Instant) -> i64 {
    at.as_nanos().div_euclid(1_000_000_000)
}

/// Days since 1970 as a date of the Gregorian calendar: years begin in March, so that the leap day is the last.
fn date(days: i64) -> String {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// The reverse.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_back_and_what_is_no_moment_is_not() {
        for (at, written) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_795_894_261_007, "2026-11-28T19:31:01.007Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            let at = Instant::ZERO + Duration::from_millis(at);
            assert_eq!((text(at).as_str(), moment(written)), (written, Some(at)));
            assert!(written.starts_with(&day(at)));
        }
        for wrong in [
            "",
            "2026-11-28",
            "2026-11-31T00:00:00.000Z",
            "2026-11-28T24:00:00.000Z",
            "2026-13-01T00:00:00.000Z",
            "2026-11-28 00:00:00.000Z",
            "2026-11-28T00:00:00.000Zz",
            "-026-11-28T00:00:00.000Z",
            "äöü6-11-28T00:00:00.000Z",
            "+026-11-28T00:00:00.000Z",
        ] {
            assert_eq!(moment(wrong), None, "{wrong}");
        }
    }
}
