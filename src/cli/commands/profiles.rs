//! `udpecho profiles`: the named impairments.

use crate::cli::exit::Exit;
use crate::cli::printer::{Printer, terminal_width};
use crate::impair::profiles;
use crate::relay::{PathProfile, families};
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
    for family in families() {
        printer.line(String::new());
        let heading = format!("{} (udpecho proxy): {}", family.title, family.source);
        wrapped(&heading, width.saturating_add(NAMES)).into_iter().for_each(|line| printer.line(line));
        family.profiles.iter().flat_map(|profile| lines(profile, width)).for_each(|line| printer.line(line));
    }
    Ok(Exit::Success)
}

/// The name of a path, then what happens in each direction; long names have a line of their own.
fn lines(profile: &PathProfile, width: usize) -> Vec<String> {
    let both = format!("both: {}", profile.up);
    let apart = [format!("up: {}", profile.up), format!("down: {}", profile.down)];
    let nat = (!profile.nat.is_empty()).then(|| format!("nat: {}", profile.nat));
    let parts = if profile.up == profile.down { vec![both] } else { apart.to_vec() };
    let parts = parts.into_iter().chain(nat).flat_map(|part| wrapped(&part, width));
    let indented = parts.map(|part| format!("{:<12} {part}", ""));
    std::iter::once(profile.name.to_owned()).chain(indented).collect()
}
