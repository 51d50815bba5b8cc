//! Tells the program its commit and features, for `--version`. Needs no tool: without git, or in a debug build, which
//! would be compiled anew with each commit, the commit is unknown.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::disallowed_macros,
    clippy::print_stdout,
    reason = "a build script talks to cargo by its environment and its output"
)]

use std::env;
use std::fs;
use std::process::Command;

/// In the order in which `--version` names them.
const FEATURES: [&str; 4] = ["net", "report", "tui", "control"];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=UDPECHO_COMMIT");
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let commit = named().or_else(|| packaged().or_else(from_git).filter(|_| is_release));
    println!("cargo:rustc-env=UDPECHO_COMMIT={}", commit.as_deref().unwrap_or("unknown"));
    let has = |feature: &&str| env::var_os(format!("CARGO_FEATURE_{}", feature.to_uppercase())).is_some();
    let features: Vec<&str> = FEATURES.into_iter().filter(has).collect();
    println!("cargo:rustc-env=UDPECHO_FEATURES={}", features.join(" "));
    println!("cargo:rustc-env=UDPECHO_TARGET={}", env::var("TARGET").unwrap_or_default());
}

/// As a packager names it.
fn named() -> Option<String> {
    env::var("UDPECHO_COMMIT").ok().filter(|commit| !commit.is_empty())
}

/// A package of `cargo package` says what it was made from.
fn packaged() -> Option<String> {
    let text = fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let commit = text.split("\"sha1\": \"").nth(1)?.split('"').next()?;
    Some(commit.chars().take(12).collect())
}

fn from_git() -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    // Both change with a commit: the one names a branch, the other lists its history.
    for file in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--git-path", file]) {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    git(&["rev-parse", "--short=12", "HEAD"])
}
