//! `udpecho profiles`: the impairments that have a name.

use super::exit::Exit;
use super::printer::Printer;
use crate::impair::profiles;
use crate::report::wrapped;

pub fn run() -> anyhow::Result<Exit> {
    let printer = Printer::start(|| {})?;
    for profile in profiles() {
        printer.line(format!("{:<12} {}", profile.name, profile.spec));
        for line in wrapped(profile.about, 66) {
            printer.line(format!("             {line}"));
        }
    }
    Ok(Exit::Success)
}
