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
mod printer;
mod signals;
mod talk;
mod target;
mod text_file;
mod tui;
mod web;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

pub use args::Arguments;
use args::{Command, legacy_flags};
use commands::{
    compare, documents, find_size, join, keygen, ping, ports, profiles, proxy, report, room, serve, watch,
};
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
        Command::Watch(arguments) => watch::run(&arguments),
        Command::Room(arguments) => room::run(&arguments),
        Command::Join(arguments) => join::run(&arguments),
        Command::FindSize(arguments) => find_size::run(&arguments),
        Command::Ports(arguments) => ports::run(&arguments),
        Command::Keygen(arguments) => keygen::run(&arguments),
        Command::Profiles => profiles::run(),
        Command::Scenario => documents::scenario(),
        Command::Schema(arguments) => documents::schema(arguments.which),
        Command::Report(arguments) => report::run(&arguments),
        Command::Compare(arguments) => compare::run(&arguments),
    };
    outcome.unwrap_or_else(|error| exit::print_error(&error, Exit::Error)).into()
}

/// The definition of the command line, for help, man page and tests.
pub fn command() -> clap::Command {
    Arguments::command()
}

/// Parses the arguments, the first being the program's name.
pub fn parse(arguments: Vec<OsString>) -> Result<Arguments, clap::Error> {
    let matches = command().try_get_matches_from(legacy_flags::for_clap(arguments))?;
    Arguments::from_arg_matches(&matches)
}
