//! Orders as members type them.

use crate::room::command::PING_USAGE;
use crate::room::order_event::OrderTerms;
use crate::room::orders::Terms;
use crate::room::ports::{PortCheck, PortProtocol};
use crate::room::shown::shown;
use crate::time::Duration;
use crate::units::{ByteSize, Interval, UnitError, parse_duration};

/// `33000-33009`.
pub(super) fn check(range: &str, udp: bool) -> Result<PortCheck, String> {
    let range = range.parse().map_err(|error: UnitError| format!("'{}': {error}", shown(range)))?;
    let protocol = if udp { PortProtocol::Udp } else { PortProtocol::Tcp };
    Ok(PortCheck { range, protocol })
}

/// `-n 100 -i 50ms -s 512`, or a rate instead of the interval.
pub(super) fn terms(options: &[String]) -> Result<Terms, String> {
    let mut terms = Terms { count: 100, interval: Duration::from_millis(50), size: 512 };
    let mut words = options.iter();
    while let Some(option) = words.next() {
        if option == "--find-rate" {
            return Err(NO_SEARCH.to_owned());
        }
        let value = words.next().ok_or(PING_USAGE)?;
        set(&mut terms, option, value)?;
    }
    if !terms.is_bounded() {
        return Err("an order has at least 1 probe, every 1 ms or more, of 80 to 1400 bytes".to_owned());
    }
    // As the hosts get it: both of them check it, too.
    Ok(OrderTerms::from(terms).into())
}

/// Its load has no limit that a host could agree to.
const NO_SEARCH: &str = "a search for a rate is no order: use udpecho serve and ping --find-rate";

fn set(terms: &mut Terms, option: &str, value: &str) -> Result<(), String> {
    let wrong = |error: String| format!("'{}' for {}: {error}", shown(value), shown(option));
    let unit = |error: UnitError| wrong(error.to_string());
    match option {
        "-n" => terms.count = value.parse().map_err(|_| wrong("must be a number of probes".to_owned()))?,
        "-i" => terms.interval = parse_duration(value).map_err(unit)?,
        "--rate" => terms.interval = Interval::of_rate(value).map_err(unit)?.get(),
        "-s" => {
            let size: ByteSize = value.parse().map_err(unit)?;
            terms.size = u32::try_from(size.get()).unwrap_or(u32::MAX);
        }
        _ => return Err(PING_USAGE.to_owned()),
    }
    Ok(())
}
