//! Spellings that clap does not have: `-ip`, `-port`, `--decay` with an optional share, `ping --find-size` for the
//! command `find-size`, and `ping --dialect stamp` for `ping --stamp`.

use std::ffi::OsString;

use super::ping::DialectName;

const SINGLE_DASH: [&str; 2] = ["ip", "port"];
const FIND_SIZE: &str = "--find-size";
const DIALECT: &str = "--dialect";

/// Rewrites the arguments up to a bare `--`: `-ip HOST` to `--ip HOST`, `-port=N` to `--port=N`, and
/// `--decay 5%` to `--decay=5%`, so that a host behind a bare `--decay` is not taken for its share.
pub(crate) fn for_clap(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let find_size = arguments.iter().take_while(|word| *word != "--").position(|word| word == FIND_SIZE);
    if let Some(at) = find_size.filter(|_| arguments.get(1).is_some_and(|word| word == "ping")) {
        arguments.remove(at);
        arguments[1] = "find-size".into();
    }
    let is_ping = arguments.get(1).is_some_and(|word| word == "ping");
    let mut rewritten: Vec<OsString> = Vec::with_capacity(arguments.len());
    let mut options = true;
    for argument in arguments {
        options &= argument != "--";
        let text = if options { argument.to_str() } else { None };
        let after = |option| rewritten.last().is_some_and(|last| last == option);
        let (after_decay, after_dialect) = (after("--decay"), after(DIALECT));
        let named = if after_dialect { text } else { text.and_then(|text| text.strip_prefix("--dialect=")) };
        if let Some(option) = named.filter(|_| is_ping).and_then(DialectName::option) {
            rewritten.truncate(rewritten.len() - usize::from(after_dialect));
            rewritten.push(option.into());
            continue;
        }
        match text {
            Some(share) if after_decay && is_number(share) => {
                rewritten.pop();
                rewritten.push(format!("--decay={share}").into());
            }
            Some(text) if is_single_dash_word(text) => rewritten.push(format!("-{text}").into()),
            _ => rewritten.push(argument),
        }
    }
    rewritten
}

/// A number or a share, as in `3`, `0.05`, `5%`; no host is spelt so.
fn is_number(word: &str) -> bool {
    let number = word.strip_suffix('%').unwrap_or(word);
    number.starts_with(|c: char| c.is_ascii_digit() || c == '.') && number.parse::<f64>().is_ok()
}

fn is_single_dash_word(text: &str) -> bool {
    let name = text.split_once('=').map_or(text, |(name, _)| name);
    name.strip_prefix('-').is_some_and(|word| SINGLE_DASH.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(line: &str) -> String {
        let words = for_clap(line.split(' ').map(OsString::from).collect());
        words.iter().map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn other_spellings_become_those_of_clap() {
        for (typed, meant) in [
            ("udpecho ping -ip 10.0.0.1", "udpecho ping --ip 10.0.0.1"),
            ("udpecho ping -ip=10.0.0.1 -port=9", "udpecho ping --ip=10.0.0.1 --port=9"),
            ("udpecho ping -port 9 -p 9", "udpecho ping --port 9 -p 9"),
            ("udpecho ping --ip x -i 1 -ipx", "udpecho ping --ip x -i 1 -ipx"),
            ("udpecho ping -- -ip", "udpecho ping -- -ip"),
            ("udpecho ping -i p", "udpecho ping -i p"),
            ("udpecho ping --decay 7% host", "udpecho ping --decay=7% host"),
            ("udpecho ping --decay 0.1", "udpecho ping --decay=0.1"),
            ("udpecho ping --decay 3 host", "udpecho ping --decay=3 host"),
            ("udpecho ping --decay 150% host", "udpecho ping --decay=150% host"),
            ("udpecho ping --decay 10.0.0.1", "udpecho ping --decay 10.0.0.1"),
            ("udpecho ping --decay inf", "udpecho ping --decay inf"),
            ("udpecho ping --decay host", "udpecho ping --decay host"),
            ("udpecho ping --decay", "udpecho ping --decay"),
            ("udpecho ping -- --decay 7%", "udpecho ping -- --decay 7%"),
            ("udpecho ping -ip x --find-size", "udpecho find-size --ip x"),
            ("udpecho ping -- --find-size", "udpecho ping -- --find-size"),
            ("udpecho report --find-size", "udpecho report --find-size"),
            ("udpecho ping --dialect stamp x", "udpecho ping --stamp x"),
            ("udpecho ping --dialect=plain x", "udpecho ping --plain x"),
            ("udpecho ping --dialect auto x", "udpecho ping --dialect auto x"),
            ("udpecho ping --dialect=native x", "udpecho ping --dialect=native x"),
            ("udpecho ping --dialect morse x", "udpecho ping --dialect morse x"),
            ("udpecho watch --dialect stamp", "udpecho watch --dialect stamp"),
            ("udpecho ping -- --dialect stamp", "udpecho ping -- --dialect stamp"),
        ] {
            assert_eq!(rewritten(typed), meant);
        }
    }
}
