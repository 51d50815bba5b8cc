//! Makes text from other sources safe for a terminal, a log or a page.
//!
//! A control character can clear a screen or set its title; a change of direction or a zero-width
//! character can disguise a text. They are shown as `\u{1b}`.

use std::borrow::Cow;

/// Characters of a text that are shown; a longer one ends with an ellipsis.
const LONGEST: usize = 4096;

/// Whether a reader sees the character as itself: no control, no change of direction, no zero width.
pub fn is_printable(c: char) -> bool {
    match c {
        ' '..='~' => true,
        '\0'..='\u{9f}' => false,
        // Exactly what the standard library does not escape.
        c => c.escape_debug().len() == 1,
    }
}

/// The text with every other character escaped, cut where it is too long to be read.
pub fn printable(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST && text.chars().all(is_printable) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len().min(LONGEST));
    for c in text.chars().take(LONGEST) {
        if is_printable(c) { shown.push(c) } else { shown.extend(c.escape_unicode()) }
    }
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harmless_text_stays_unchanged() {
        for text in ["", "delay=uniform:100us..500ms loss=10%", "höst → ∞", "日本", "'a' \"b\" \\", "│█⣿…±"]
        {
            assert!(matches!(printable(text), Cow::Borrowed(shown) if shown == text), "{text}");
        }
    }

    #[test]
    fn control_direction_and_zero_width_characters_are_escaped() {
        assert_eq!(printable("\x1b]0;title\x07"), "\\u{1b}]0;title\\u{7}");
        let hostile = [
            ("C0, DEL and C1", "\0\t\n\r\x1b\x7f\u{80}\u{9b}\u{9f}"),
            (
                "direction",
                "\u{61c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}",
            ),
            ("zero width", "\u{ad}\u{200b}\u{200c}\u{200d}\u{2060}\u{feff}\u{fe0f}\u{e0041}\u{301}"),
            ("ends of lines", "\u{85}\u{2028}\u{2029}"),
        ];
        for (kind, text) in hostile {
            for c in text.chars() {
                assert!(!is_printable(c), "{kind}: U+{:04X}", u32::from(c));
                assert!(printable(&c.to_string()).is_ascii(), "{kind}: U+{:04X}", u32::from(c));
            }
        }
    }

    #[test]
    fn a_long_text_is_cut() {
        let shown = printable(&"é".repeat(1 << 20)).into_owned();
        assert!(shown.ends_with("é…") && shown.chars().count() == LONGEST + 1);
        // The limit counts characters before they are escaped.
        assert_eq!(printable(&"\x1b".repeat(5000)).matches("\\u{1b}").count(), LONGEST);
    }
}
