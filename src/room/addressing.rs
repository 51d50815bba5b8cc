//! The addressees of a line: `@a text`, `@a: text`, `@a @b: text`, or everybody.

/// A line taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Addressed<'a> {
    /// As typed, without `@`; empty for everybody.
    pub to: Vec<&'a str>,
    pub text: &'a str,
}

/// With a colon all names before it are meant, without one the first alone.
pub(super) fn addressed(line: &str) -> Addressed<'_> {
    let everybody = Addressed { to: Vec::new(), text: line };
    if !line.starts_with('@') {
        return everybody;
    }
    if let Some((names, text)) = line.split_once(':') {
        let names: Option<Vec<&str>> = names.split_whitespace().map(name_in).collect();
        if let Some(to) = names.filter(|to| !to.is_empty()) {
            return Addressed { to, text: text.trim_start() };
        }
    }
    let (first, text) = line.split_once(' ').unwrap_or((line, ""));
    match name_in(first) {
        Some(name) => Addressed { to: vec![name], text: text.trim_start() },
        None => everybody,
    }
}

fn name_in(word: &str) -> Option<&str> {
    word.strip_prefix('@').filter(|name| !name.is_empty() && !name.contains('@'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_go_to_all_to_one_or_to_some() {
        for (line, to, text) in [
            ("hello", &[][..], "hello"),
            ("@bea which kernel?", &["bea"][..], "which kernel?"),
            ("@bea which: this?", &["bea"], "which: this?"),
            ("@rishu:helloooo", &["rishu"], "helloooo"),
            ("@parul @rishu:hey", &["parul", "rishu"], "hey"),
            ("@bea @carl: look at #4", &["bea", "carl"], "look at #4"),
            ("mail me @home", &[], "mail me @home"),
            ("@", &[], "@"),
            ("@ a", &[], "@ a"),
            ("@bea", &["bea"], ""),
            ("@@bea hi", &[], "@@bea hi"),
        ] {
            assert_eq!(addressed(line), Addressed { to: to.to_vec(), text }, "{line}");
        }
    }
}
