//! Names of files from others: one component of a path, and harmless on any system.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::room::shown;

/// Up to 200 bytes that no system, shell or terminal takes for anything but a name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct FileName(String);

/// Room below 255 bytes for a number and the ending of a partial file.
const LONGEST: usize = 200;
/// An ending of at most this many bytes outlives a cut.
const ENDING: usize = 16;
const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];
const NUMBERED_DEVICES: [&str; 2] = ["COM", "LPT"];

impl FileName {
    /// The nearest safe name: the last component of what was offered, other characters replaced.
    pub fn nearest(offered: &str) -> Self {
        let component = offered.rsplit(['/', '\\']).find(|part| !part.trim_matches(['.', ' ']).is_empty());
        let replaced = shown(component.unwrap_or_default()).replace(is_special, "_");
        let kept = cut(replaced.trim_end_matches(['.', ' ']));
        let kept = kept.trim_end_matches(['.', ' ']);
        let first_replaced = kept.strip_prefix(['.', '-', '~', ' ']).map(|rest| format!("_{rest}"));
        let name = first_replaced.unwrap_or_else(|| kept.to_owned());
        match name {
            name if name.is_empty() => Self("unnamed".to_owned()),
            name if is_device(&name) => Self(format!("_{name}")),
            name => Self(name),
        }
    }

    /// This name, then `name (2).txt`, `name (3).txt` and so on.
    pub fn variants(&self) -> impl Iterator<Item = String> {
        let (stem, ending) = self.parts();
        let numbered = (2_u32..).map(move |number| format!("{stem} ({number}){ending}"));
        std::iter::once(self.0.clone()).chain(numbered)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parts(&self) -> (&str, &str) {
        parts(&self.0)
    }
}

/// The name and its ending, which begins with a dot.
fn parts(name: &str) -> (&str, &str) {
    let dot = name.rfind('.').filter(|dot| *dot > 0 && name.len() - dot <= ENDING);
    name.split_at(dot.unwrap_or(name.len()))
}

/// Separators, and what shells and Windows treat as more than a letter.
fn is_special(c: char) -> bool {
    matches!(c, '/' | '\\' | ':' | '<' | '>' | '"' | '|' | '?' | '*')
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let numbered = |device: &str| {
        let number = stem.strip_prefix(device).unwrap_or_default();
        matches!(number, "¹" | "²" | "³")
            || number.len() == 1 && number.bytes().all(|byte| byte.is_ascii_digit())
    };
    DEVICES.contains(&stem.as_str()) || NUMBERED_DEVICES.into_iter().any(numbered)
}

fn cut(name: &str) -> String {
    if name.len() <= LONGEST {
        return name.to_owned();
    }
    let (stem, ending) = parts(name);
    // A device's name gets one byte more.
    let end = (0..=LONGEST - ending.len() - 1).rev().find(|at| stem.is_char_boundary(*at)).unwrap_or(0);
    format!("{}{ending}", &stem[..end])
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<String> for FileName {
    fn from(text: String) -> Self {
        Self::nearest(&text)
    }
}

impl From<FileName> for String {
    fn from(name: FileName) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Component, Path};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_keeps_what_is_harmless_and_loses_what_is_not() {
        for (offered, name) in [
            ("capture.pcap", "capture.pcap"),
            ("grüße 1.txt", "grüße 1.txt"),
            ("../../etc/passwd", "passwd"),
            ("C:\\windows\\system32\\x.dll", "x.dll"),
            ("/", "unnamed"),
            ("..", "unnamed"),
            ("", "unnamed"),
            ("a/..", "a"),
            ("a/", "a"),
            (".bashrc", "_bashrc"),
            ("-rf", "_rf"),
            ("~root", "_root"),
            ("CON", "_CON"),
            ("con.txt", "_con.txt"),
            ("lpt1.x.y", "_lpt1.x.y"),
            ("COM10", "COM10"),
            ("a:b|c?.txt", "a_b_c_.txt"),
            ("name. . .", "name"),
            ("a\nb", "a_u{a}b"),
            ("x\u{1b}[2J", "x_u{1b}[2J"),
            ("evil\u{202e}fdp.exe", "evil_u{202e}fdp.exe"),
            ("e\u{301}te\u{301}.txt", "e\u{301}te\u{301}.txt"),
        ] {
            assert_eq!(FileName::nearest(offered).as_str(), name, "{offered:?}");
        }
    }

    #[test]
    fn a_long_name_keeps_its_ending() {
        let name = FileName::nearest(&format!("{}.pcapng", "ä".repeat(300)));
        assert!(name.as_str().len() <= LONGEST && name.as_str().ends_with("ä.pcapng"));
        assert!(FileName::nearest(&"x".repeat(255)).as_str().len() <= LONGEST);
    }

    #[test]
    fn a_name_that_is_there_gets_a_number_before_its_ending() {
        let variants = |name: &str| FileName::nearest(name).variants().take(3).collect::<Vec<_>>();
        assert_eq!(variants("a.tar.gz"), ["a.tar.gz", "a.tar (2).gz", "a.tar (3).gz"]);
        assert_eq!(variants("README"), ["README", "README (2)", "README (3)"]);
    }

    /// Names that attackers try, beside random text.
    fn offered() -> impl Strategy<Value = String> {
        let parts = proptest::sample::select(vec![
            "..", ".", "/", "\\", "~", "-", " ", ":", "CON", "nul", "com1", "a", "ä", ".txt", "\u{202e}",
            "\0", "\n", "\u{301}", "%2e%2e", "$(x)", "`x`", "<img>", "😀",
        ]);
        prop_oneof![
            any::<String>(),
            proptest::collection::vec(parts, 0..12).prop_map(|parts| parts.concat()),
            "\\PC{180,300}",
        ]
    }

    proptest! {
        #[test]
        fn any_name_becomes_one_plain_component_and_stays_it(offered in offered()) {
            let name = FileName::nearest(&offered);
            let text = name.as_str();
            prop_assert!((1..=LONGEST).contains(&text.len()), "{text:?}");
            let mut components = Path::new(text).components();
            prop_assert_eq!(components.next(), Some(Component::Normal(text.as_ref())));
            prop_assert_eq!(components.next(), None);
            prop_assert!(!text.chars().any(|c| c.is_control() || is_special(c)));
            prop_assert!(!text.starts_with(['.', '-', '~', ' ']) && !text.ends_with(['.', ' ']));
            prop_assert!(!is_device(text));
            prop_assert_eq!(&FileName::nearest(text), &name);
            let variant = name.variants().nth(1).unwrap();
            prop_assert!(variant.len() <= 255 && !is_device(&variant) && !variant.contains('/'));
        }
    }
}
