//! A check of ports on order: how many, how fast, and for how long at most.

use serde::{Deserialize, Serialize};

use super::{Pace, PortRange};
use crate::time::Duration;

/// How a port is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PortProtocol {
    /// By a connection.
    Tcp,
    /// By a datagram.
    Udp,
}

impl PortProtocol {
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        }
    }
}

/// One host listens on a range of ports, another knocks at them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortCheck {
    pub(crate) range: PortRange,
    /// How they are asked.
    pub protocol: PortProtocol,
}

impl PortCheck {
    /// The answering host needs a socket for each.
    pub const MOST: usize = 512;
    /// Knocks without an answer yet.
    pub const AT_ONCE: usize = 64;
    /// A port is called filtered after this many knocks.
    pub const TRIES: u32 = 2;
    /// For the answer to one.
    pub const PATIENCE: Duration = Duration::from_secs(1);
    /// Knocks at an address where nothing has proven to be the other host.
    pub const UNPROVEN: usize = 16;

    /// Whether the range is one of an order.
    pub fn is_bounded(&self) -> bool {
        self.range.len() <= Self::MOST
    }

    /// The ports to check.
    pub fn ports(&self) -> impl Iterator<Item = u16> + Clone + use<> {
        self.range.ports()
    }

    /// If nothing answers.
    pub(crate) fn length(&self) -> Duration {
        let rounds = self.range.len().div_ceil(Self::AT_ONCE) + 1;
        (Self::PATIENCE * count(rounds) + Pace::STEP * count(self.range.len())) * i64::from(Self::TRIES)
    }

    /// Both directions together, headers included, where every knock is answered.
    pub(crate) fn bits_per_second(&self) -> f64 {
        /// Of ten packets: the handshake of TCP, the knock and its answer, and the end of the connection.
        const TCP_BYTES: f64 = 500.0;
        const UDP_BYTES: f64 = 104.0;
        let bytes = match self.protocol {
            PortProtocol::Tcp => TCP_BYTES,
            PortProtocol::Udp => UDP_BYTES,
        };
        bytes * 8.0 / Pace::STEP.as_secs_f64()
    }
}

fn count(of: usize) -> i64 {
    i64::try_from(of).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_takes_half_a_minute_at_most_and_less_than_a_megabit_a_second() {
        let check = |range: &str| PortCheck { range: range.parse().unwrap(), protocol: PortProtocol::Tcp };
        assert!(check("1-512").is_bounded() && !check("1-513").is_bounded());
        // Nine rounds of two seconds, the first with the few ports that prove the host.
        assert_eq!(check("1-512").length(), Duration::from_millis(23_120));
        assert_eq!(check("22").length(), Duration::from_millis(4_010));
        assert_eq!(check("1-512").bits_per_second(), 800_000.0);
    }

    #[test]
    fn a_check_is_read_from_json() {
        let json = r#"{"range":"33000-33119","protocol":"udp"}"#;
        let check: PortCheck = serde_json::from_str(json).unwrap();
        assert_eq!(check.ports().count(), 120);
        assert_eq!(serde_json::to_string(&check).unwrap(), json);
        assert!(serde_json::from_str::<PortCheck>(r#"{"range":"1-9000","protocol":"udp"}"#).is_err());
    }
}
