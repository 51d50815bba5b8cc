//! The command line: arguments, one file a command, what people see. The only room that prints.

mod args;
mod compare;
mod documents;
mod embedded;
mod exit;
mod impair;
mod input;
mod key;
mod line_cap;
mod output;
mod ping;
mod printer;
mod profiles;
mod recorder;
mod report;
mod rewrite;
mod serve;
mod signals;
mod target;
mod tui;
mod web;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

pub use args::Arguments;
use args::Command;
use exit::Exit;

/// Runs the program with these arguments, the first being its own name.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let typed: Vec<OsString> = arguments.into_iter().collect();
    let argv = typed.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    if documents::is_help_on_impairments(&typed) {
        return documents::impairments().unwrap_or_else(|error| exit::complain(&error, Exit::Error)).into();
    }
    let parsed = match parse(typed) {
        Ok(parsed) => parsed,
        Err(error) => return exit::usage(&error),
    };
    let outcome = match parsed.command {
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Ping(arguments) => ping::run(&arguments, argv),
        Command::Keygen(arguments) => key::generate(&arguments),
        Command::Profiles => profiles::run(),
        Command::Scenario => documents::scenario(),
        Command::Schema(arguments) => documents::schema(arguments.which),
        Command::Report(arguments) => report::run(&arguments),
        Command::Compare(arguments) => compare::run(&arguments),
    };
    outcome.unwrap_or_else(|error| exit::complain(&error, Exit::Error)).into()
}

/// The command line's definition, for the help, the man page and the tests.
pub fn command() -> clap::Command {
    Arguments::command()
}

/// What was typed, the program's own name first.
pub fn parse(arguments: Vec<OsString>) -> Result<Arguments, clap::Error> {
    let matches = command().try_get_matches_from(rewrite::for_clap(arguments))?;
    Arguments::from_arg_matches(&matches)
}
