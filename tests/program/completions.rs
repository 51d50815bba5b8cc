//! Completions, in the shells themselves.

use std::path::Path;
use std::process::Command;

use crate::common::process::{command, run};

/// The scripts say what the last word may become; the words before it are typed.
const BASH: &str = r#"
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_udpecho udpecho "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
"#;
const FISH: &str = r#"source $argv[1]; complete -C "$argv[2..]""#;

fn completed(shell: &str, program: &str, typed: &[&str]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("udpecho");
    let printed = run(command(Path::new("."), &format!("completions {shell}"))).stdout;
    std::fs::write(&script, printed.join("\n")).unwrap();
    let mut completing = Command::new(shell);
    completing.args(["-c", program]).args((shell == "bash").then_some("bash")).arg(&script).args(typed);
    // Files of this folder are no values.
    completing.current_dir(folder.path()).env("HOME", folder.path());
    let finished = run(completing);
    let word = |line: &String| line.split('\t').next().unwrap_or_default().to_owned();
    finished.stdout.iter().map(word).filter(|word| !word.is_empty() && word != "udpecho").collect()
}

fn completes(
    shell: &str,
    program: &str,
    split: impl Fn(&'static str) -> Vec<&'static str>,
    cases: &[(&'static str, &str)],
) {
    for (typed, words) in cases {
        assert_eq!(completed(shell, program, &split(typed)).join(" "), *words, "{typed}");
    }
}

#[test]
fn bash_completes_commands_flags_and_values() {
    crate::needs!(Bash);
    let cases = [
        ("udpecho pi", "ping"),
        ("udpecho ping --fail-l", "--fail-loss"),
        ("udpecho ping --dialect st", "stamp"),
        ("udpecho ping --dialect = st", "stamp"),
        ("udpecho ping --find-rate = e", "each echo"),
        ("udpecho serve --profile l", "lte lossy"),
        ("udpecho proxy --profile wpt-3g", "wpt-3g wpt-3gfast wpt-3gslow"),
        ("udpecho schema comp", "compare"),
    ];
    completes("bash", BASH, |typed| typed.split(' ').collect(), &cases);
}

#[test]
fn fish_completes_commands_flags_and_values() {
    crate::needs!(Fish);
    let cases = [
        ("udpecho pi", "ping"),
        ("udpecho ping --fail-l", "--fail-loss"),
        ("udpecho ping --dialect st", "stamp"),
        ("udpecho ping --dialect=st", "--dialect=stamp"),
        ("udpecho serve --profile l", "lossy lte"),
        ("udpecho completions b", "bash"),
        ("udpecho schema comp", "compare"),
    ];
    completes("fish", FISH, |typed| vec![typed], &cases);
}
