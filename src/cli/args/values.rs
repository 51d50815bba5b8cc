//! Parsers of flag values that have no type of their own. An error names the bounds and shows an example.

use std::net::IpAddr;
#[cfg(feature = "control")]
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZero;

use crate::units::{BitRate, Probability, UnitError, parse_duration};

/// The load that a server grants: none, or up to a rate.
pub(crate) type LoadLimit = Option<BitRate>;

/// Reads a whole number between two bounds.
pub(super) fn number<T: TryFrom<u64>>(
    least: u64,
    most: u64,
    example: &'static str,
) -> impl Fn(&str) -> Result<T, UnitError> + Clone {
    move |text| {
        let value = text.parse().ok().filter(|value| (least..=most).contains(value));
        value.and_then(|value| T::try_from(value).ok()).ok_or_else(|| {
            let bounds = if most == u64::MAX {
                format!("of at least {least}")
            } else {
                format!("from {least} to {most}")
            };
            UnitError::new(format!("must be a whole number {bounds}"), example)
        })
    }
}

/// An address of this host to send from.
pub(super) fn source(text: &str) -> Result<IpAddr, UnitError> {
    text.parse().map_err(|_| {
        let why = "must be an address of this host, not a name; 'ip address' lists those of each interface";
        UnitError::new(why, "192.0.2.7")
    })
}

/// A bare port means loopback.
#[cfg(feature = "control")]
pub(super) fn http_address(text: &str) -> Result<SocketAddr, UnitError> {
    let port = text.strip_prefix(':').unwrap_or(text).parse().ok();
    let here = port.map(|port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    here.or(text.parse().ok())
        .ok_or_else(|| UnitError::new("must be a port, or an address with a port", "127.0.0.1:8081"))
}

/// A number of at least 1 is in percent.
pub(super) fn decay(text: &str) -> Result<Probability, UnitError> {
    let percent = text.parse::<f64>().is_ok_and(|number| number >= 1.0);
    let share: Probability = if percent { format!("{text}%").parse()? } else { text.parse()? };
    if share > Probability::ZERO && share < Probability::ONE {
        Ok(share)
    } else {
        Err(UnitError::new("an interval can shrink by more than 0% and less than 100%", "5%"))
    }
}

/// A rate, or `none`.
pub(super) fn load(text: &str) -> Result<LoadLimit, UnitError> {
    if text == "none" { Ok(None) } else { text.parse().map(Some) }
}

/// A time in whole seconds, as in `1m`.
pub(super) fn whole_seconds(text: &str) -> Result<NonZero<u64>, UnitError> {
    const SECOND: i64 = 1_000_000_000;
    let nanos = parse_duration(text)?.as_nanos();
    let seconds = u64::try_from(nanos / SECOND).ok().filter(|_| nanos % SECOND == 0).and_then(NonZero::new);
    seconds.ok_or_else(|| UnitError::new("must be a time in whole seconds", "1m"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_interval_is_in_whole_seconds() {
        for (text, seconds) in [("1m", 60), ("1", 1), ("90s", 90), ("1.5m", 90), ("2h", 7200)] {
            assert_eq!(whole_seconds(text).unwrap().get(), seconds, "{text}");
        }
        for text in ["0", "0.5", "1500ms", "-1", "x"] {
            assert!(whole_seconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_decay_of_at_least_1_is_in_percent() {
        for (text, share) in [("3", 0.03), ("1", 0.01), ("50", 0.5), ("0.05", 0.05), ("5%", 0.05)] {
            assert!((decay(text).unwrap().get() - share).abs() < 1e-12, "{text}");
        }
        for text in ["0", "100", "100%", "150", "x", "-5", "nan"] {
            assert!(decay(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_interface_is_no_source() {
        assert_eq!(source("::1").unwrap().to_string(), "::1");
        assert!(source("eth0").unwrap_err().to_string().contains("must be an address of this host"));
    }
}
