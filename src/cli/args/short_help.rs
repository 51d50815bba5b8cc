//! `-h` on one screen: the options that most runs use, a line each. `--help` has all of them, in groups.

use clap::Command;

/// The commands that a first look can do without.
const MINOR: [&str; 7] = ["completions", "keygen", "profiles", "scenario", "schema", "trace", "help"];

/// By command: the arguments to show, each with its line.
const SHORT: &[(&str, &[(&str, &str)])] = &[
    (
        "serve",
        &[
            ("port", "UDP port to listen on"),
            ("bind", "Address to listen on [default: all addresses]"),
            ("clean", "Inject nothing"),
            ("profile", "Emulate a named path, as in lte [default: classic]"),
            ("delay", "Delay, as in uniform:0.1ms..500ms"),
            ("loss", "Loss, as in 10%"),
            ("client_impair", "Allow clients to request impairments"),
            ("key_file", "Answer only clients with the key in FILE"),
            ("tui", "Show traffic and clients on a full screen"),
            ("http", "Serve a live web page and /metrics, as in 8081"),
        ],
    ),
    (
        "ping",
        &[
            ("host", "Server [default: one started inside this process]"),
            ("port", "The server's port [default: 8080]"),
            ("count", "Number of probes [default: until interrupted]"),
            ("interval", "Time between probes, as in 500ms [default: 1s]"),
            ("size", "Bytes of UDP payload [default: 512]"),
            ("deadline", "When a reply is late [default: the interval]"),
            ("output", "Folder for the record"),
            ("quiet", "Print the header and the summary only"),
            ("tui", "Show the run on a full screen"),
            ("http", "Serve a live web page and /metrics"),
            ("json", "Print one JSON object at the end, and no text"),
        ],
    ),
    (
        "proxy",
        &[
            ("listen", "Address to listen on; a bare port is on localhost"),
            ("to", "Server to relay to, as HOST:PORT"),
            ("profile", "Emulate a named path, as in lte"),
            ("delay", "Delay, as in constant:20ms"),
            ("loss", "Loss, as in 10%"),
            ("rate", "Bottleneck and its queue: 2Mbit,queue=64k"),
            ("up", "Impairments toward the server only"),
            ("down", "Impairments toward the client only"),
            ("seed", "The same seed gives the same fates"),
            ("expect", "Exit with 3 unless this happened: 'up.lost>=1'"),
            ("command", "Command to run behind the proxy"),
        ],
    ),
    (
        "watch",
        &[
            ("targets", "Targets to measure, as HOST or HOST:PORT"),
            ("file", "Configuration with groups of targets"),
            ("check", "Check the file, and print what it costs"),
            ("sample", "Print a sample configuration"),
            ("interval", "Time between the probes of a target"),
            ("key_file", "File with the servers' key"),
            ("http", "Serve a live page and /metrics, as in 9476"),
            ("json", "Print JSON instead of the table"),
            ("quiet", "Print nothing but errors"),
        ],
    ),
    (
        "room",
        &[
            ("port", "TCP and UDP port to listen on"),
            ("bind", "Address to listen on [default: all addresses]"),
            ("key_file", "Members need the key in FILE"),
            ("guests", "Addresses from which guests may come"),
            ("quiet", "Print nothing but errors"),
        ],
    ),
    (
        "join",
        &[
            ("host", "Host of the room, as HOST or HOST:PORT"),
            ("port", "The room's port [default: 33000]"),
            ("key_file", "File with the room's key"),
            ("name", "Your name in the room"),
            ("share", "What the room may see of this host"),
            ("agent", "Take part without a person"),
            ("do_command", "Carry out one command and leave"),
            ("json", "Print events as JSON lines"),
        ],
    ),
    (
        "find-size",
        &[
            ("host", "Server [default: one started inside this process]"),
            ("port", "The server's port [default: 8080]"),
            ("key_file", "File with the server's key"),
            ("json", "Print a JSON object instead of a line"),
        ],
    ),
    (
        "locate",
        &[
            ("reports", "Files of watch --json, or http://HOST:PORT of pages"),
            ("json", "Print a JSON object instead of sentences"),
        ],
    ),
    (
        "report",
        &[
            ("runs", "Folders of recorded runs, or a record of watch"),
            ("output", "File; - is standard output [default: report.png]"),
            ("force", "Replace the file that -o names"),
            ("format", "png, svg, html, or openmetrics of a record"),
            ("dark", "Dark background"),
        ],
    ),
    (
        "ports",
        &[
            ("host", "Host whose ports to ask"),
            ("range", "Ports to ask, as FIRST-LAST or one port"),
            ("udp", "Ask UDP ports"),
            ("deadline", "Time for an answer"),
            ("json", "Print a JSON object instead of lines"),
        ],
    ),
];

/// The command line as `-h` shows it.
pub(in crate::cli) fn short_help(program: Command) -> Command {
    let minor: Vec<&str> = MINOR.into_iter().filter(|name| program.find_subcommand(name).is_some()).collect();
    let also = format!("Also: {}.\nAll of it: udpecho --help", minor.join(", "));
    let program = program.after_help(also).mut_subcommands(|command| {
        let name = command.get_name().to_owned();
        let is_minor = MINOR.contains(&name.as_str());
        command.hide(is_minor)
    });
    SHORT.iter().fold(program, |program, (name, shown)| {
        if program.find_subcommand(name).is_none() {
            return program;
        }
        program.mut_subcommand(name, |command| shorten(command, shown))
    })
}

fn shorten(command: Command, shown: &[(&str, &'static str)]) -> Command {
    let all = format!("Examples and all options: udpecho {} --help", command.get_name());
    command.after_help(all).mut_args(|argument| match shown.iter().find(|(id, _)| argument.get_id() == *id) {
        Some((_, line)) => argument.help(*line).help_heading(None::<&str>),
        None => argument.hide_short_help(true),
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::args::Arguments;

    #[test]
    fn the_short_help_of_every_command_fits_a_screen_of_24_lines() {
        let mut program = short_help(Arguments::command());
        program.build();
        let all: Vec<Command> = program.get_subcommands().cloned().chain([program.clone()]).collect();
        for mut command in all {
            let help = command.render_help().to_string();
            let name = command.get_name();
            assert!(help.lines().count() <= 24, "{name} needs an entry in SHORT:\n{help}");
            assert!(help.lines().all(|line| line.chars().count() <= 80), "{name}\n{help}");
        }
    }

    #[test]
    fn every_argument_that_the_short_help_shows_exists() {
        let program = Arguments::command();
        for (name, shown) in SHORT {
            let command = program.find_subcommand(name).unwrap_or_else(|| panic!("no command {name}"));
            for (id, _) in *shown {
                assert!(command.get_arguments().any(|argument| argument.get_id() == *id), "{name}: {id}");
            }
        }
    }
}
