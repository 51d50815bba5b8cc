//! An MTU black hole: packets longer than the path's MTU vanish, and no ICMP says so.

use std::fmt;
use std::str::FromStr;

use super::spec::SpecError;
use crate::units::UnitError;

const EXAMPLE: &str = "1300";

/// The longest IP packet that passes, headers included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mtu(u16);

impl Mtu {
    /// The least that IPv4 allows (RFC 791).
    const LEAST: u16 = 68;

    /// Fails below 68 bytes.
    pub fn new(bytes: u16) -> Result<Self, UnitError> {
        if bytes < Self::LEAST {
            return Err(UnitError::new(format!("must be {} to 65535 bytes", Self::LEAST), EXAMPLE));
        }
        Ok(Self(bytes))
    }

    pub(super) fn passes(self, ip_bytes: usize) -> bool {
        ip_bytes <= usize::from(self.0)
    }
}

impl FromStr for Mtu {
    type Err = SpecError;
    fn from_str(text: &str) -> Result<Self, SpecError> {
        let bytes = text
            .trim()
            .parse()
            .map_err(|_| UnitError::new(format!("'{text}' is not {} to 65535 bytes", Self::LEAST), EXAMPLE));
        bytes.and_then(Self::new).map_err(|problem| SpecError::from(problem).within("mtu"))
    }
}

impl fmt::Display for Mtu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_passes_up_to_the_mtu_and_not_a_byte_longer() {
        let mtu: Mtu = "1300".parse().unwrap();
        assert!(mtu.passes(1_300) && !mtu.passes(1_301));
        assert_eq!(mtu.to_string(), "1300");
        for text in ["67", "65536", "big", ""] {
            let error = text.parse::<Mtu>().unwrap_err().to_string();
            assert!(error.starts_with("mtu: ") && error.contains("68 to 65535 bytes"), "{error}");
        }
    }
}
