//! Selection: which packets loss, duplication, corruption, reordering and marking act on, by the size
//! of their payload or by bytes of it. A path's own properties (delay, rate, MTU, outages) act on all.

use std::fmt;
use std::str::FromStr;

use super::packet::Packet;
use super::spec::SpecError;
use crate::units::UnitError;

const EXAMPLE: &str = "size:1201- or byte:0=c0/f0";

/// All of its tests must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Only(Vec<Test>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Test {
    /// Bytes of payload, from and to.
    Size(Option<u16>, Option<u16>),
    /// The byte at this place, under the mask.
    Byte { at: u16, value: u8, mask: u8 },
}

impl Only {
    /// A line has at most so many tests.
    const MOST: usize = 4;

    pub(super) fn takes(&self, packet: &Packet) -> bool {
        self.0.iter().all(|test| test.holds(packet))
    }

    /// Whether it has to see the payload.
    pub(super) fn reads_bytes(&self) -> bool {
        self.0.iter().any(|test| matches!(test, Test::Byte { .. }))
    }
}

impl Test {
    fn holds(self, packet: &Packet) -> bool {
        match self {
            Self::Size(from, to) => {
                from.is_none_or(|from| packet.length >= usize::from(from))
                    && to.is_none_or(|to| packet.length <= usize::from(to))
            }
            Self::Byte { at, value, mask } => {
                packet.payload.get(usize::from(at)).is_some_and(|byte| byte & mask == value)
            }
        }
    }
}

impl FromStr for Only {
    type Err = SpecError;
    fn from_str(text: &str) -> Result<Self, SpecError> {
        let tests = text.split(',').map(str::parse).collect::<Result<Vec<Test>, UnitError>>();
        let tests = tests.map_err(|problem| SpecError::from(problem).within("only"))?;
        if tests.len() > Self::MOST {
            return Err(SpecError::new("has more than four tests", EXAMPLE).within("only"));
        }
        Ok(Self(tests))
    }
}

impl FromStr for Test {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let bad = || UnitError::new(format!("'{text}' is not size:FROM-TO or byte:AT=VALUE/MASK"), EXAMPLE);
        match text.trim().split_once(':').ok_or_else(bad)? {
            ("size", range) => {
                let (from, to) = range.split_once('-').ok_or_else(bad)?;
                let end = |text: &str| match text {
                    "" => Ok(None),
                    text => text.parse().map(Some).map_err(|_| bad()),
                };
                let (from, to) = (end(from)?, end(to)?);
                if from.is_none() && to.is_none() || from.zip(to).is_some_and(|(from, to)| from > to) {
                    return Err(UnitError::new(format!("'{text}' takes every size or none"), EXAMPLE));
                }
                Ok(Self::Size(from, to))
            }
            ("byte", rest) => {
                let (at, value) = rest.split_once('=').ok_or_else(bad)?;
                let (value, mask) = value.split_once('/').unwrap_or((value, "ff"));
                let hex = |text: &str| u8::from_str_radix(text, 16).map_err(|_| bad());
                let (at, value, mask) = (at.parse().map_err(|_| bad())?, hex(value)?, hex(mask)?);
                if value & !mask != 0 {
                    return Err(UnitError::new(
                        format!("'{text}' never holds: a bit lies outside the mask"),
                        EXAMPLE,
                    ));
                }
                Ok(Self::Byte { at, value, mask })
            }
            _ => Err(bad()),
        }
    }
}

impl fmt::Display for Only {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, test) in self.0.iter().enumerate() {
            let gap = if index > 0 { "," } else { "" };
            write!(f, "{gap}{test}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Size(from, to) => {
                let end = |end: Option<u16>| end.map_or(String::new(), |end| end.to_string());
                write!(f, "size:{}-{}", end(from), end(to))
            }
            Self::Byte { at, value, mask: 0xFF } => write!(f, "byte:{at}={value:02x}"),
            Self::Byte { at, value, mask } => write!(f, "byte:{at}={value:02x}/{mask:02x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Instant;

    fn takes(only: &str, payload: &[u8]) -> bool {
        let only: Only = only.parse().unwrap();
        only.takes(&Packet { payload, ..Packet::new(Instant::ZERO, 0, payload.len()) })
    }

    #[test]
    fn sizes_are_inclusive_and_bytes_are_masked() {
        for (only, taken, left) in [
            ("size:3-", vec![1, 2, 3], vec![1, 2]),
            ("size:-2", vec![1, 2], vec![1, 2, 3]),
            ("size:2-2", vec![1, 2], vec![1]),
            // A long header of QUIC whose type is Initial.
            ("byte:0=c0/f0", vec![0xC3, 9], vec![0xE3, 9]),
            ("byte:1=09", vec![0xC3, 9], vec![9]),
            ("size:2-,byte:0=40/c0", vec![0x7F, 0], vec![0x7F]),
        ] {
            assert!(takes(only, &taken) && !takes(only, &left), "{only}");
        }
    }

    #[test]
    fn it_reads_what_it_prints() {
        for (typed, printed) in [
            ("size:1201-", "size:1201-"),
            ("size:-100, byte:0=C0/F0", "size:-100,byte:0=c0/f0"),
            ("byte:4=0/ff", "byte:4=00"),
        ] {
            let only: Only = typed.parse().unwrap();
            assert_eq!(only.to_string(), printed);
            assert_eq!(printed.parse::<Only>().unwrap(), only);
        }
        for (text, why) in [
            ("", "is not size:FROM-TO or byte:AT=VALUE/MASK"),
            ("size:12", "is not size:FROM-TO"),
            ("size:-", "takes every size or none"),
            ("size:9-8", "takes every size or none"),
            ("byte:0=c0/0f", "never holds"),
            ("byte:0=100", "is not size:FROM-TO"),
            ("size:1-,size:2-,size:3-,size:4-,size:5-", "more than four"),
        ] {
            let error = text.parse::<Only>().unwrap_err().to_string();
            assert!(error.starts_with("only: ") && error.contains(why), "{error}");
        }
    }
}
