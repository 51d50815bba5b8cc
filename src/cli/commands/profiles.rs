//! `udpecho profiles`: the named impairments.

use crate::cli::exit::Exit;
use crate::cli::printer::{Printer, terminal_width};
use crate::impair::profiles;
use crate::report::wrapped;

/// The width of the column of names.
const NAMES: usize = 13;

pub(crate) fn run() -> anyhow::Result<Exit> {
    let printer = Printer::start(|| {})?;
    let width = terminal_width().map_or(usize::MAX, |width| width.saturating_sub(NAMES));
    for profile in profiles() {
        let spec = wrapped(profile.spec, width);
        for (index, line) in spec.into_iter().chain(wrapped(profile.about, width)).enumerate() {
            let name = if index == 0 { profile.name } else { "" };
            printer.line(format!("{name:<12} {line}"));
        }
    }
    Ok(Exit::Success)
}
