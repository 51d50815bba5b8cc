//! Exit codes, and errors in one line.

use std::process::ExitCode;

use clap::error::ErrorKind;

use super::printer::remark;

/// What the program's exit code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All went well; for `ping`, at least one reply came.
    Success = 0,
    /// `ping`: not one reply, or no server that answers.
    NoReply = 1,
    /// Usage, name, socket or file.
    Error = 2,
    /// A threshold was not kept, or a comparison asked for failed.
    Failed = 3,
    /// A second interrupt.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Says what went wrong, in one line on stderr.
pub fn complain(error: &anyhow::Error, exit: Exit) -> Exit {
    remark(format_args!("udpecho: {}", one_line(&format!("{error:#}"))));
    exit
}

/// Says which threshold was not kept, in one line on stderr.
pub fn complain_of_threshold(breach: &str) {
    remark(format_args!("udpecho: failed: {breach}"));
}

/// Help and version as clap has them; an error in one line that names the argument.
pub fn usage(error: &clap::Error) -> ExitCode {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    ) {
        // A closed pipe ends the help quietly.
        let _ = error.print();
        return if error.use_stderr() { Exit::Error } else { Exit::Success }.into();
    }
    remark(format_args!("udpecho: {}", one_line(&error.to_string())));
    Exit::Error.into()
}

/// The lines of a message as one: of clap's with its tips, without the usage below them.
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
