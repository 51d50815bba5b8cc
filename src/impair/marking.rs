//! Changes of the TOS byte on a path: ECN bits bleached, mangled or marked, the DSCP bleached.

use std::fmt;
use std::str::FromStr;

use super::rounding::Share;
use super::spec::SpecError;
use crate::rng::Stream;

/// The ECN field is the lower two bits: 00 not capable, 01 ECT(1), 10 ECT(0), 11 congestion experienced.
const ECN: u8 = 0b11;
const CONGESTION_EXPERIENCED: u8 = 0b11;

/// The change of the ECN field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ecn {
    /// It is cleared.
    Bleach,
    /// Each packet of an ECN-capable sender arrives as if it had met congestion.
    Mangle,
    /// This share of the packets of an ECN-capable sender does.
    Mark(Share),
}

/// The change of the DSCP, the upper six bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dscp {
    /// It is cleared.
    Bleach,
}

impl Ecn {
    fn of(self, tos: u8, stream: &Stream, seq: u64) -> u8 {
        let is_capable = tos & ECN != 0;
        match self {
            Self::Bleach => tos & !ECN,
            Self::Mangle if is_capable => tos | CONGESTION_EXPERIENCED,
            Self::Mark(share) if is_capable && share.takes(stream.unit(seq)) => tos | CONGESTION_EXPERIENCED,
            Self::Mangle | Self::Mark(_) => tos,
        }
    }
}

/// The TOS byte as it leaves.
pub(super) fn marked(ecn: Option<Ecn>, dscp: Option<Dscp>, tos: u8, stream: &Stream, seq: u64) -> u8 {
    let tos = ecn.map_or(tos, |ecn| ecn.of(tos, stream, seq));
    match dscp {
        Some(Dscp::Bleach) => tos & ECN,
        None => tos,
    }
}

impl FromStr for Ecn {
    type Err = SpecError;
    fn from_str(text: &str) -> Result<Self, SpecError> {
        let read = || match text.trim().split_once(':') {
            None if text.trim() == "bleach" => Ok(Self::Bleach),
            None if text.trim() == "mangle" => Ok(Self::Mangle),
            Some(("mark", share)) => Ok(Self::Mark(share.parse()?)),
            _ => Err(SpecError::new(format!("'{text}' is not bleach, mangle or mark:SHARE"), "mark:1%")),
        };
        read().map_err(|error: SpecError| error.within("ecn"))
    }
}

impl fmt::Display for Ecn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bleach => f.write_str("bleach"),
            Self::Mangle => f.write_str("mangle"),
            Self::Mark(share) => write!(f, "mark:{share}"),
        }
    }
}

impl FromStr for Dscp {
    type Err = SpecError;
    fn from_str(text: &str) -> Result<Self, SpecError> {
        match text.trim() {
            "bleach" => Ok(Self::Bleach),
            text => Err(SpecError::new(format!("'{text}' is not bleach"), "bleach").within("dscp")),
        }
    }
}

impl fmt::Display for Dscp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bleach")
    }
}

#[cfg(test)]
mod tests {
    use super::super::goodness_of_fit;
    use super::*;

    fn after(ecn: &str, dscp: Option<Dscp>, tos: u8) -> u8 {
        let ecn = (ecn != "none").then(|| ecn.parse().unwrap());
        marked(ecn, dscp, tos, &Stream::new(1, "ecn"), 0)
    }

    #[test]
    fn only_what_is_named_changes() {
        // DSCP 46 with ECT(0).
        for (ecn, dscp, tos) in [
            ("none", None, 0xBA),
            ("bleach", None, 0xB8),
            ("mangle", None, 0xBB),
            ("mark:100%", None, 0xBB),
            ("mark:0%", None, 0xBA),
            ("none", Some(Dscp::Bleach), 0x02),
            ("mangle", Some(Dscp::Bleach), 0x03),
        ] {
            assert_eq!(after(ecn, dscp, 0xBA), tos, "{ecn} {dscp:?}");
        }
        // A sender that is not ECN-capable is never told of congestion by a mark.
        assert_eq!((after("mangle", None, 0xB8), after("mark:100%", None, 0xB8)), (0xB8, 0xB8));
    }

    #[test]
    fn the_configured_share_is_marked() {
        let ecn = "mark:3%".parse().unwrap();
        let marks = goodness_of_fit::draws(100_000, |stream, seq| {
            f64::from(u8::from(marked(Some(ecn), None, 2, stream, seq) == 3))
        });
        goodness_of_fit::share(marks.iter().sum(), 100_000.0, 0.03);
    }

    #[test]
    fn it_reads_what_it_prints() {
        for text in ["bleach", "mangle", "mark:1%"] {
            assert_eq!(text.parse::<Ecn>().unwrap().to_string(), text);
        }
        for (text, error) in [
            ("lose", "ecn: 'lose' is not bleach, mangle or mark:SHARE; for example mark:1%"),
            ("mark:2", "ecn: must be between 0 and 1 (0% and 100%); for example 10% or 0.1"),
        ] {
            assert_eq!(text.parse::<Ecn>().unwrap_err().to_string(), error);
        }
        assert!("EF".parse::<Dscp>().is_err());
    }
}
