//! Lines of text of a given width.

/// The text cut at spaces into lines of at most `width` characters; a longer word stands alone.
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// A line, cut where it is longer than `width` characters; all parts but the first are indented.
pub fn folded(line: &str, width: usize) -> Vec<String> {
    const INDENT: &str = "   ";
    if line.chars().count() <= width {
        return vec![line.to_owned()];
    }
    let mut lines = wrapped(line, width.saturating_sub(INDENT.len()));
    lines.iter_mut().skip(1).for_each(|line| line.insert_str(0, INDENT));
    lines
}
