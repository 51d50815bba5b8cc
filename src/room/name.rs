//! Names of members: short, plain, and unique without regard to case.

use std::fmt;

use serde::{Deserialize, Serialize};

/// 1 to 24 of `A-Z a-z 0-9 _ . -`, with neither a blank nor a colon, and no `-` in front: `-- to bea: x` of a
/// member `--` would look like a line of the room.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// Why a name is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not 1 to 24 letters, digits or any of `_ . -`, or a `-` in front.
    #[error("a name has 1 to 24 letters, digits or any of _ . -, and no - in front; for example anna")]
    Form,
    /// The room itself uses it.
    #[error("this name is reserved for the room; for example anna")]
    Reserved,
}

const LONGEST: usize = 24;
const RESERVED: [&str; 4] = ["room", "host", "server", "all"];

impl Name {
    /// A name that a member may take.
    pub(crate) fn new(text: &str) -> Result<Self, NameError> {
        let name = Self::well_formed(text)?;
        if RESERVED.iter().any(|reserved| text.eq_ignore_ascii_case(reserved)) {
            return Err(NameError::Reserved);
        }
        Ok(name)
    }

    fn well_formed(text: &str) -> Result<Self, NameError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        if text.is_empty() || text.len() > LONGEST || text.starts_with('-') || !text.bytes().all(allowed) {
            return Err(NameError::Form);
        }
        Ok(Self(text.to_owned()))
    }

    /// The nearest name to what somebody typed: blanks become `_`, other characters go.
    pub fn nearest(typed: &str) -> Result<Self, NameError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        let plain: String = typed
            .trim()
            .chars()
            .map(|c| if c == ' ' { '_' } else { c })
            .filter(|c| allowed(*c))
            .skip_while(|c| *c == '-')
            .take(LONGEST)
            .collect();
        Self::new(&plain)
    }

    /// This name, or the first of `name-2`, `name-3`, … that is not taken.
    pub fn made_unique(self, taken: impl Fn(&Self) -> bool) -> Self {
        let variants = (2_u32..).map(|number| {
            let suffix = format!("-{number}");
            let kept = self.0.len().min(LONGEST - suffix.len());
            Self(format!("{}{suffix}", &self.0[..kept]))
        });
        std::iter::once(self.clone()).chain(variants).find(|name| !taken(name)).expect("numbers do not end")
    }

    /// The name of the person in front of the server, which nobody else can take.
    pub fn of_operator() -> Self {
        Self("host".to_owned())
    }

    /// Whether the two differ in nothing but case.
    pub fn is(&self, other: &str) -> bool {
        self.0.eq_ignore_ascii_case(other)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;
    /// Of an event, which may name the operator.
    fn try_from(text: String) -> Result<Self, NameError> {
        Self::well_formed(&text)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_plain() {
        for good in ["anna", "a", "A.b_c-9", &"x".repeat(24)] {
            assert!(Name::new(good).is_ok(), "{good}");
        }
        for bad in ["", "--", "-a", "a b", "a:b", "ä", "a\u{202e}b", "<b>", "\u{1b}[2J", &"x".repeat(25)] {
            assert_eq!(Name::new(bad), Err(NameError::Form), "{bad:?}");
        }
        assert_eq!(Name::new("Server"), Err(NameError::Reserved));
        assert_eq!(Name::nearest(" Anna Maria\u{1b} ").unwrap().as_str(), "Anna_Maria");
        assert_eq!(Name::nearest("-- anna").unwrap().as_str(), "_anna");
        assert!(Name::nearest("\u{7}").is_err() && Name::nearest("--").is_err());
    }

    #[test]
    fn a_taken_name_gets_a_number() {
        let taken = ["anna", "ANNA-2"];
        let is_taken = |name: &Name| taken.iter().any(|taken| name.is(taken));
        assert_eq!(Name::new("Anna").unwrap().made_unique(is_taken).as_str(), "Anna-3");
        let long = "x".repeat(24);
        let other = Name::new(&long).unwrap().made_unique(|name| name.is(&long));
        assert_eq!(other.as_str(), format!("{}-2", "x".repeat(22)));
    }

    proptest! {
        #[test]
        fn the_nearest_name_is_a_name(typed in "\\PC{0,40}") {
            if let Ok(name) = Name::nearest(&typed) {
                prop_assert_eq!(Name::new(name.as_str()), Ok(name));
            }
        }
    }
}
