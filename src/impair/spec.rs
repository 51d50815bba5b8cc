//! Shared by all specifications: errors that name the key, lists of `key=value`, fingerprints of data
//! too long for a line.

use std::fmt;
use std::str::FromStr;

use crate::units::UnitError;

/// Reads a file named in a specification; the models do not access files.
pub type ReadFile<'a> = &'a dyn Fn(&str) -> std::io::Result<String>;

/// The part of a specification that is wrong, the reason, and a valid example.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}{problem}")]
pub struct SpecError {
    path: String,
    problem: UnitError,
}

impl SpecError {
    pub(super) fn new(why: impl Into<String>, example: &'static str) -> Self {
        UnitError::new(why, example).into()
    }

    /// Adds the name of the part that contains the error.
    pub(crate) fn within(mut self, key: &str) -> Self {
        self.path.insert_str(0, &format!("{key}: "));
        self
    }
}

impl From<UnitError> for SpecError {
    fn from(problem: UnitError) -> Self {
        Self { path: String::new(), problem }
    }
}

/// A list such as `p=1%,r=25%`; each key is taken once.
pub(super) struct Fields<'a> {
    fields: Vec<(&'a str, &'a str)>,
    example: &'static str,
}

impl<'a> Fields<'a> {
    pub(super) fn read(text: &'a str, example: &'static str) -> Result<Self, SpecError> {
        let pair = |word: &'a str| {
            word.split_once('=')
                .map(|(key, value)| (key.trim(), value.trim()))
                .ok_or_else(|| SpecError::new(format!("'{word}' is not key=value"), example))
        };
        let fields = text.split(',').filter(|word| !word.trim().is_empty()).map(pair);
        Ok(Self { fields: fields.collect::<Result<_, _>>()?, example })
    }

    pub(super) fn take<V: FromStr<Err = UnitError>>(&mut self, key: &str) -> Result<Option<V>, SpecError> {
        let Some(at) = self.fields.iter().position(|(name, _)| *name == key) else { return Ok(None) };
        let (_, value) = self.fields.remove(at);
        value.parse().map(Some).map_err(|problem| SpecError::from(problem).within(key))
    }

    pub(super) fn need<V: FromStr<Err = UnitError>>(&mut self, key: &str) -> Result<V, SpecError> {
        self.take(key)?.ok_or_else(|| SpecError::new(format!("{key}= is missing"), self.example))
    }

    /// Fails if a key is left.
    pub(super) fn finish(self) -> Result<(), SpecError> {
        match self.fields.first() {
            Some((key, _)) => Err(SpecError::new(format!("{key}= is unknown or given twice"), self.example)),
            None => Ok(()),
        }
    }
}

/// A whole number, as lists of fields carry it.
pub(super) struct WholeNumber(pub(super) u64);

impl FromStr for WholeNumber {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        text.parse().map(Self).map_err(|_| UnitError::new(format!("'{text}' is not a whole number"), "10"))
    }
}

/// Identifies data too long for a line: FNV-1a, folded to 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint(u32);

impl Fingerprint {
    pub(super) fn of(bytes: impl IntoIterator<Item = u8>) -> Self {
        let hash = bytes.into_iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self((hash >> 32) as u32 ^ hash as u32)
    }
}

impl FromStr for Fingerprint {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        u32::from_str_radix(text, 16)
            .map(Self)
            .map_err(|_| UnitError::new(format!("'{text}' is not a fingerprint"), "1a2b3c4d"))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// The text of a file that a specification names.
pub(super) fn read_named(
    file: &str,
    files: ReadFile<'_>,
    example: &'static str,
) -> Result<String, SpecError> {
    files(file).map_err(|error| SpecError::new(format!("cannot read {file}: {error}"), example))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_say_what_is_missing_twice_or_unknown() {
        const EXAMPLE: &str = "a=1,b=2";
        let read = |text| {
            let mut fields = Fields::read(text, EXAMPLE)?;
            let WholeNumber(a) = fields.need("a")?;
            let b = fields.take::<WholeNumber>("b")?.map(|WholeNumber(b)| b);
            fields.finish().map(|()| (a, b))
        };
        assert_eq!(read("a=1"), Ok((1, None)));
        assert_eq!(read(" b=2 , a = 1"), Ok((1, Some(2))));
        for (text, why) in [
            ("b=2", "a= is missing; for example a=1,b=2"),
            ("a=1,a=2", "a= is unknown or given twice; for example a=1,b=2"),
            ("a=1,c=2", "c= is unknown or given twice; for example a=1,b=2"),
            ("a=1,2", "'2' is not key=value; for example a=1,b=2"),
            ("a=x", "a: 'x' is not a whole number; for example 10"),
        ] {
            assert_eq!(read(text).unwrap_err().to_string(), why);
        }
    }
}
