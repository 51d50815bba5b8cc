//! Exit codes, and error messages of one line.

use std::process::ExitCode;

use clap::error::ErrorKind;

use super::printer::stderr_line;

/// The exit code of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// For `ping`: at least one reply came.
    Success,
    /// `ping`: no reply, or no server answers.
    NoReply,
    /// Of usage, name resolution, a socket or a file.
    Error,
    /// A threshold was exceeded, or --fail-regression found a regression.
    Failed,
    /// A second interrupt.
    Interrupted,
    /// The exit code of the command that `proxy` ran.
    Command(u8),
}

impl Exit {
    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::NoReply => 1,
            Self::Error => 2,
            Self::Failed => 3,
            Self::Interrupted => 130,
            Self::Command(code) => code,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// No server answers: the error of a command that ends like a run without a reply.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct NoServer(pub(super) String);

/// Prints the error that ended a command.
pub(super) fn of_error(error: &anyhow::Error) -> Exit {
    print_error(error, if error.is::<NoServer>() { Exit::NoReply } else { Exit::Error })
}

/// Prints an error as one line on stderr.
pub(super) fn print_error(error: &anyhow::Error, exit: Exit) -> Exit {
    stderr_line(format_args!("udpecho: {}", one_line(&format!("{error:#}"))));
    exit
}

/// Prints an exceeded threshold as one line on stderr.
pub(super) fn print_breach(breach: &str) {
    stderr_line(format_args!("udpecho: failed: {breach}"));
}

/// Prints clap's help or version, or its error as one line that names the argument.
pub(super) fn usage(error: &clap::Error) -> ExitCode {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    ) {
        // A closed pipe is no error.
        let _ = error.print();
        return if error.use_stderr() { Exit::Error } else { Exit::Success }.into();
    }
    stderr_line(format_args!("udpecho: {}", one_line(&error.to_string())));
    Exit::Error.into()
}

/// Joins the lines of a message; keeps clap's tips and drops its usage.
fn one_line(message: &str) -> String {
    let kept = message.lines().map(str::trim).filter(|line| {
        !line.is_empty() && !line.starts_with("Usage:") && !line.starts_with("For more information")
    });
    let mut line = String::new();
    for part in kept {
        let part = part.strip_prefix("error: ").or(part.strip_prefix("tip: ")).unwrap_or(part);
        match line.chars().last() {
            None => {}
            Some(':') => line.push(' '),
            Some(_) => line.push_str("; "),
        }
        line.push_str(part);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usage_error_is_one_line() {
        let clap = "error: the argument '--ip <HOST>' cannot be used multiple times\n\nUsage: udpecho ping [OPTIONS]\n\nFor more information, try '--help'.\n";
        assert_eq!(one_line(clap), "the argument '--ip <HOST>' cannot be used multiple times");
        let clap = "error: unrecognized subcommand 'pong'\n\n  tip: a similar subcommand exists: 'ping'\n\nUsage: x\n";
        assert_eq!(one_line(clap), "unrecognized subcommand 'pong'; a similar subcommand exists: 'ping'");
    }
}
