//! Text of members as others may see it: safe on a terminal, and still UTF-8 of any language.

use crate::printable::is_printable;

/// Marks that stay on one letter; a stack of them would cover the lines above.
const MARKS: usize = 2;

/// The text with controls, changes of direction and invisible characters escaped as `\u{1b}`.
pub fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut marks = 0;
    for c in text.chars() {
        marks = if is_mark(c) { marks + 1 } else { 0 };
        let on_a_letter = !out.is_empty() && (1..=MARKS).contains(&marks);
        if is_printable(c) || on_a_letter {
            out.push(c);
        } else {
            out.extend(c.escape_unicode());
        }
    }
    out
}

/// Whether the character is drawn on the letter before it: accents, vowel signs, tones.
fn is_mark(c: char) -> bool {
    matches!(u32::from(c),
        0x0300..=0x036F | 0x0483..=0x0489 | 0x0591..=0x05C7 | 0x0610..=0x061A | 0x064B..=0x065F | 0x0670
        | 0x06D6..=0x06ED | 0x0711 | 0x0730..=0x074A | 0x07A6..=0x07B0 | 0x0900..=0x0903 | 0x093A..=0x094F
        | 0x0951..=0x0957 | 0x0962..=0x0963 | 0x0980..=0x0983 | 0x09BC | 0x09BE..=0x09CD | 0x0A01..=0x0A03
        | 0x0A3C..=0x0A51 | 0x0A81..=0x0A83 | 0x0ABC | 0x0ABE..=0x0ACD | 0x0B01..=0x0B03 | 0x0B3C
        | 0x0B3E..=0x0B57 | 0x0B82 | 0x0BBE..=0x0BCD | 0x0C00..=0x0C04 | 0x0C3E..=0x0C56 | 0x0C81..=0x0C83
        | 0x0CBC | 0x0CBE..=0x0CD6 | 0x0D00..=0x0D03 | 0x0D3B..=0x0D3C | 0x0D3E..=0x0D4D | 0x0DCA..=0x0DDF
        | 0x0E31 | 0x0E34..=0x0E3A | 0x0E47..=0x0E4E | 0x0EB1 | 0x0EB4..=0x0EBC | 0x0EC8..=0x0ECE
        | 0x102B..=0x103E | 0x17B6..=0x17D3 | 0x1AB0..=0x1ACE | 0x1DC0..=0x1DFF | 0x20D0..=0x20F0
        | 0x3099..=0x309A | 0xFE20..=0xFE2F)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_language_is_shown_as_it_was_written() {
        for text in
            ["hello", "grüße", "e\u{301}te\u{301}", "Tiếng Việt", "नमस्ते", "สวัสดี", "日本語", "שָׁלוֹם", "→ ∞ 😀"]
        {
            assert_eq!(shown(text), text);
        }
    }

    #[test]
    fn what_a_terminal_obeys_or_a_reader_cannot_see_is_escaped() {
        assert_eq!(shown("\u{1b}[2Jx"), "\\u{1b}[2Jx");
        assert_eq!(shown("a\u{202e}b\u{200d}c"), "a\\u{202e}b\\u{200d}c");
        assert_eq!(shown("\u{301}x"), "\\u{301}x");
        assert_eq!(shown("x\u{301}\u{301}\u{301}"), "x\u{301}\u{301}\\u{301}");
    }

    proptest! {
        #[test]
        fn no_text_carries_a_control_or_a_change_of_direction(text: String) {
            let hidden = |c: char| c.is_control()
                || matches!(u32::from(c), 0x200B..=0x200F | 0x2028..=0x202E | 0x2060..=0x2069 | 0xFEFF);
            prop_assert!(!shown(&text).chars().any(hidden));
        }
    }
}
