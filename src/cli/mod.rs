//! The command line: arguments, commands, and everything that users see. The only module that prints.

mod args;
mod commands;
mod exit;
mod impair;
mod key;
mod listening;
mod local_server;
mod log_limit;
mod measurement;
mod output;
mod picture;
mod printer;
mod signals;
#[cfg(all(feature = "control", feature = "tui"))]
mod talk;
mod target;
mod text_file;
#[cfg(feature = "tui")]
mod tui;
#[cfg(feature = "control")]
mod web;
#[cfg(not(feature = "control"))]
mod without_control;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

pub use args::Arguments;
use args::{Command, legacy_flags, short_help};
#[cfg(feature = "control")]
use commands::watch;
#[cfg(feature = "report")]
use commands::{compare, report};
use commands::{
    completions, documents, find_size, keygen, locate, ping, ports, profiles, proxy, serve, trace,
};
#[cfg(all(feature = "control", feature = "tui"))]
use commands::{join, room};
use exit::Exit;

/// Runs the program with these arguments, the first being its own name.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let typed: Vec<OsString> = arguments.into_iter().collect();
    let argv = typed.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    if documents::is_help_on_impairments(&typed) {
        return documents::impairments()
            .unwrap_or_else(|error| exit::print_error(&error, Exit::Error))
            .into();
    }
    let parsed = match parse(typed) {
        Ok(parsed) => parsed,
        Err(error) => return exit::usage(&error),
    };
    let outcome = match parsed.command {
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Ping(arguments) => ping::run(&arguments, argv),
        Command::Proxy(arguments) => proxy::run(&arguments),
        Command::Locate(arguments) => locate::run(&arguments),
        #[cfg(feature = "control")]
        Command::Watch(arguments) => watch::run(&arguments),
        #[cfg(all(feature = "control", feature = "tui"))]
        Command::Room(arguments) => room::run(&arguments),
        #[cfg(all(feature = "control", feature = "tui"))]
        Command::Join(arguments) => join::run(&arguments),
        Command::FindSize(arguments) => find_size::run(&arguments),
        Command::Ports(arguments) => ports::run(&arguments),
        Command::Keygen(arguments) => keygen::run(&arguments),
        Command::Profiles => profiles::run(),
        Command::Scenario => documents::scenario(),
        Command::Schema(arguments) => documents::schema(arguments.which),
        #[cfg(feature = "report")]
        Command::Report(arguments) => report::run(&arguments),
        #[cfg(feature = "report")]
        Command::Compare(arguments) => compare::run(&arguments),
        Command::Completions(arguments) => completions::completions(arguments.shell),
        Command::Trace(arguments) => trace::run(&arguments),
    };
    outcome.unwrap_or_else(|error| exit::of_error(&error)).into()
}

/// The definition of the command line, for help, man page and tests.
pub fn command() -> clap::Command {
    Arguments::command()
}

/// Parses the arguments, the first being the program's name.
pub fn parse(arguments: Vec<OsString>) -> Result<Arguments, clap::Error> {
    // Without arguments clap prints the short help too.
    let is_short = arguments.len() <= 1 || arguments.iter().any(|word| word == "-h");
    let command = if is_short { short_help::short_help(command()) } else { command() };
    let matches = command.try_get_matches_from(legacy_flags::for_clap(arguments))?;
    Arguments::from_arg_matches(&matches)
}
