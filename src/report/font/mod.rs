//! The letters of every picture: DejaVu Sans, embedded, so that no system font is ever asked for.

use skrifa::instance::{LocationRef, Size};
use skrifa::{FontRef, MetadataProvider};

pub(super) const REGULAR: &[u8] = include_bytes!("DejaVuSans.ttf");
pub(super) const BOLD: &[u8] = include_bytes!("DejaVuSans-Bold.ttf");

/// The embedded family, and what a browser without it takes instead: Verdana was drawn by the same
/// rules and is as wide.
pub(super) const FAMILY: &str = "DejaVu Sans, Verdana, Arial, sans-serif";
pub(super) const EMBEDDED: &str = "DejaVu Sans";

/// How wide a line of text is, in the unit of its size.
pub(super) fn width(text: &str, size: f64, bold: bool) -> f64 {
    let font = FontRef::new(if bold { BOLD } else { REGULAR }).expect("the embedded font is a font");
    let (letters, metrics) = (font.charmap(), font.glyph_metrics(Size::unscaled(), LocationRef::default()));
    let em = f64::from(font.metrics(Size::unscaled(), LocationRef::default()).units_per_em);
    let advance = |letter| {
        // A letter that the font lacks is drawn as an empty box of glyph 0.
        metrics.advance_width(letters.map(letter).unwrap_or_default()).map_or(em, f64::from)
    };
    text.chars().map(advance).sum::<f64>() / em * size
}

/// The text, or as much of its beginning as fits, with an ellipsis.
pub(super) fn fit(text: &str, size: f64, bold: bool, room: f64) -> String {
    if width(text, size, bold) <= room {
        return text.to_owned();
    }
    let mut short: String = text.to_owned();
    while short.pop().is_some() && width(&short, size, bold) + width("…", size, bold) > room {}
    short.trim_end().to_owned() + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_the_fonts_own() {
        // hmtx of DejaVu Sans: a digit is 1303 of 2048 units wide.
        assert!((width("12", 2048.0, false) - 2606.0).abs() < 1e-9);
        assert!(width("wide", 10.0, true) > width("wide", 10.0, false));
        assert_eq!(fit("short", 10.0, false, 100.0), "short");
        let cut = fit("a very long name of a host", 10.0, false, 60.0);
        assert!(cut.ends_with('…') && width(&cut, 10.0, false) <= 60.0);
    }
}
