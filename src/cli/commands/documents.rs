//! Prints documents: the grammar of impairments, a sample scenario, the JSON schemas.

use std::ffi::OsString;

#[cfg(all(feature = "control", feature = "tui"))]
use super::join;
#[cfg(feature = "control")]
use super::watch;
use super::{find_size, locate, ports};
use crate::cli::args::Which;
use crate::cli::exit::Exit;
use crate::cli::printer::Printer;

const IMPAIRMENTS: &str = include_str!("impairments.txt");
const SCENARIO: &str = include_str!("../../../contrib/scenario.toml");

/// `udpecho help impairments`: a topic, not a command.
pub(crate) fn is_help_on_impairments(typed: &[OsString]) -> bool {
    matches!(typed, [_, help, topic] if help == "help" && topic == "impairments")
}

pub(crate) fn impairments() -> anyhow::Result<Exit> {
    print(IMPAIRMENTS)
}

pub(crate) fn scenario() -> anyhow::Result<Exit> {
    print(SCENARIO)
}

pub(crate) fn schema(which: Which) -> anyhow::Result<Exit> {
    print(match which {
        Which::Run => crate::record::RUN_SCHEMA,
        Which::Events => return print(&crate::record::whole_events_schema()),
        Which::Size => find_size::SCHEMA,
        Which::Ports => ports::SCHEMA,
        Which::Proxy => crate::relay::PROXY_SCHEMA,
        #[cfg(feature = "control")]
        Which::Watch => watch::SCHEMA,
        Which::Locate => locate::SCHEMA,
        #[cfg(all(feature = "control", feature = "tui"))]
        Which::Join => join::SCHEMA,
        #[cfg(feature = "report")]
        Which::Compare => crate::report::compare::SCHEMA,
    })
}

pub(super) fn print(text: &str) -> anyhow::Result<Exit> {
    let printer = Printer::start(|| {})?;
    text.lines().for_each(|line| printer.line(line));
    printer.finish_checked()?;
    Ok(Exit::Success)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::impair::Impairment;

    #[test]
    fn the_grammar_of_impairments_fits_a_terminal_of_80_columns() {
        assert!(IMPAIRMENTS.lines().all(|line| line.chars().count() <= 80));
    }

    /// The parser accepts every example in the grammar.
    #[test]
    fn the_grammar_of_impairments_is_that_of_the_parser() {
        let mut key = "";
        let mut read = 0;
        for line in IMPAIRMENTS.lines().skip_while(|line| !line.starts_with("delay:")) {
            if let Some((name, rest)) = line.split_once(": ").filter(|_| !line.starts_with(' ')) {
                key = name;
                let example = rest.split_whitespace().find(|word| word.starts_with(&format!("{key}=")));
                if let Some(example) = example.map(|word| word.trim_end_matches(',')) {
                    example.parse::<Impairment>().unwrap_or_else(|error| panic!("{example}: {error}"));
                    read += 1;
                }
            } else if line.starts_with("  ") && !line.contains("FILE") {
                let example = line.split_whitespace().last().unwrap();
                let spec = format!("{key}={example}");
                spec.parse::<Impairment>().unwrap_or_else(|error| panic!("{spec}: {error}"));
                read += 1;
            }
        }
        assert_eq!(read, 32);
    }
}
