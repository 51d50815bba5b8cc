//! `udpecho completions`: clap's scripts, with the names of profiles, and what clap leaves out for bash and fish.

use std::fmt::Write;

use clap::Command;
use clap::builder::PossibleValuesParser;
use clap_complete::Shell;

use super::documents::print;
use crate::cli::exit::Exit;
use crate::cli::impair::path_names;
use crate::impair::profiles;

pub(crate) fn completions(shell: Shell) -> anyhow::Result<Exit> {
    print(&script(shell)?)
}

fn script(shell: Shell) -> anyhow::Result<String> {
    let mut command = with_profiles(crate::cli::command());
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "udpecho", &mut script);
    let script = String::from_utf8(script)?;
    Ok(match shell {
        Shell::Bash => with_values_after_equals_signs(&script),
        Shell::Fish => script + &fish_arguments(&command),
        _ => script,
    })
}

/// Completions alone have the names: the help would list all fifty.
fn with_profiles(command: Command) -> Command {
    let of_serve = profiles().iter().map(|profile| profile.name).collect();
    let named = |command: Command, names: Vec<&'static str>| {
        command.mut_arg("profile", |argument| argument.value_parser(PossibleValuesParser::new(names)))
    };
    command
        .mut_subcommand("serve", |serve| named(serve, of_serve))
        .mut_subcommand("proxy", |proxy| named(proxy, path_names()))
}

/// Bash takes `--dialect=s` for three words.
fn with_values_after_equals_signs(script: &str) -> String {
    const PREVIOUS: &str = "    prev=\"$3\"\n";
    let repaired = format!(
        "{PREVIOUS}    if [[ \"${{prev}}\" == \"=\" ]]; then\n        prev=\"${{COMP_WORDS[COMP_CWORD-2]}}\"\n    fi\n"
    );
    script.replacen(PREVIOUS, &repaired, 1)
}

/// The values of arguments without a flag, as in `udpecho schema run`.
fn fish_arguments(command: &Command) -> String {
    let mut lines = String::new();
    for subcommand in command.get_subcommands() {
        let name = subcommand.get_name();
        for value in subcommand.get_positionals().flat_map(|argument| argument.get_possible_values()) {
            let about =
                value.get_help().map(|help| help.to_string().replace('\'', "\\'")).unwrap_or_default();
            let value = value.get_name();
            let _ = writeln!(
                lines,
                "complete -c udpecho -n \"__fish_udpecho_using_subcommand {name}\" -f -a \"{value}\" -d '{about}'"
            );
        }
    }
    lines
}
