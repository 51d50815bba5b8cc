//! Orders as members type them.

use crate::room::orders::Terms;
use crate::room::ports::{PortCheck, PortProtocol};
use crate::room::shown::shown;
use crate::time::Duration;
use crate::units::{ByteSize, UnitError, parse_duration};

/// `33000-33009`.
pub(super) fn check(range: &str, udp: bool) -> Result<PortCheck, String> {
    let range = range.parse().map_err(|error: UnitError| format!("'{}': {error}", shown(range)))?;
    let protocol = if udp { PortProtocol::Udp } else { PortProtocol::Tcp };
    Ok(PortCheck { range, protocol })
}

/// `-n 100 -i 50ms -s 512`.
pub(super) fn terms(options: &[String]) -> Result<Terms, String> {
    const USAGE: &str = "/ping A B [-n N -i TIME -s BYTES]; for example /ping anna bea -n 100 -i 50ms";
    let mut terms = Terms { count: 100, interval: Duration::from_millis(50), size: 512 };
    let mut words = options.iter();
    while let Some(option) = words.next() {
        let value = words.next().ok_or(USAGE)?;
        let wrong = |error: String| format!("'{}' for {}: {error}", shown(value), shown(option));
        match option.as_str() {
            "-n" => {
                terms.count = value.parse().map_err(|_| wrong("must be a number of probes".to_owned()))?
            }
            "-i" => terms.interval = parse_duration(value).map_err(|error| wrong(error.to_string()))?,
            "-s" => {
                let size: ByteSize = value.parse().map_err(|error: UnitError| wrong(error.to_string()))?;
                terms.size = u32::try_from(size.get()).unwrap_or(u32::MAX);
            }
            _ => return Err(USAGE.to_owned()),
        }
    }
    if terms.count == 0 || terms.interval < Duration::from_millis(1) || !(80..=1_400).contains(&terms.size) {
        return Err("an order has at least 1 probe, every 1 ms or more, of 80 to 1400 bytes".to_owned());
    }
    Ok(terms)
}
