//! `udpecho profiles`: the impairments that have a name.

use super::exit::Exit;
use super::printer::Printer;
use crate::impair::profiles;
use crate::report::wrapped;

/// Of what stands beside the name.
const WIDTH: usize = 66;

pub fn run() -> anyhow::Result<Exit> {
    let printer = Printer::start(|| {})?;
    for profile in profiles() {
        let spec = wrapped(profile.spec, WIDTH);
        for (index, line) in spec.into_iter().chain(wrapped(profile.about, WIDTH)).enumerate() {
            let name = if index == 0 { profile.name } else { "" };
            printer.line(format!("{name:<12} {line}"));
        }
    }
    Ok(Exit::Success)
}
