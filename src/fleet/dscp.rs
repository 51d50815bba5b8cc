//! Code points of differentiated services by number or name.

use serde::Deserialize;

/// As it is written in a file.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Dscp {
    Number(u8),
    Name(String),
}

impl Dscp {
    /// Names of RFC 2474, 2597, 3246 and 8622.
    pub(super) fn read(&self) -> Option<u8> {
        match self {
            Self::Number(number) => Some(*number).filter(|number| *number < 64),
            Self::Name(name) => match name.to_ascii_uppercase().as_str() {
                "DF" | "CS0" => Some(0),
                "LE" => Some(1),
                "EF" => Some(46),
                name => class(name, "CS").map(|(class, _)| 8 * class).or_else(|| {
                    let (class, drop) = class(name, "AF")?;
                    Some(8 * class + 2 * drop).filter(|_| (1..=4).contains(&class) && (1..=3).contains(&drop))
                }),
            },
        }
    }
}

/// The class and the drop precedence behind a prefix, as in AF31 and CS5.
fn class(name: &str, prefix: &str) -> Option<(u8, u8)> {
    let digits = name.strip_prefix(prefix)?.as_bytes();
    let digit = |at: usize| digits.get(at).filter(|byte| byte.is_ascii_digit()).map(|byte| byte - b'0');
    let expected = if prefix == "CS" { 1 } else { 2 };
    let class = digit(0).filter(|class| *class < 8 && digits.len() == expected)?;
    Some((class, digit(1).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_points_have_the_names_of_their_rfcs() {
        for (name, number) in [("EF", 46), ("cs6", 48), ("AF11", 10), ("AF43", 38), ("LE", 1), ("CS0", 0)] {
            assert_eq!(Dscp::Name(name.into()).read(), Some(number), "{name}");
        }
        for name in ["AF14", "AF01", "CS8", "CS", "AF", "AF111", "x"] {
            assert_eq!(Dscp::Name(name.into()).read(), None, "{name}");
        }
        assert_eq!((Dscp::Number(63).read(), Dscp::Number(64).read()), (Some(63), None));
    }
}
