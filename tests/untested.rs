//! The last test crate by name. It ends `cargo test` with one line that says what was not tested and why.

#[path = "common/cgroup.rs"]
#[allow(dead_code, reason = "what needs.rs sees of it")]
mod cgroup;
#[path = "common/needs.rs"]
#[allow(dead_code, reason = "each test uses its own part")]
mod needs;

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial, run};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let skipped = if arguments.list { BTreeMap::new() } else { needs::take_skipped() };
    let all_ran = skipped.is_empty() || !needs::everything_is_required();
    let mut trials = vec![Trial::test("what_is_required_was_tested", move || {
        if all_ran { Ok(()) } else { Err("a test was skipped although everything is required".into()) }
    })];
    let ignored = |test: &String| Trial::test(test, || Ok(())).with_ignored_flag(true);
    trials.extend(skipped.keys().map(ignored));
    let conclusion = run(&arguments, trials);
    if !skipped.is_empty() {
        writeln!(std::io::stdout(), "{}", closing_line(&skipped)).expect("standard output");
    }
    conclusion.exit_code()
}

/// The modules that were skipped, by what they lacked.
fn closing_line(skipped: &BTreeMap<String, String>) -> String {
    let mut lacks: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    for (test, why) in skipped {
        let module = test.rsplit_once("::").map_or(test.as_str(), |(module, _)| module);
        *lacks.entry(why).or_default().entry(module).or_default() += 1;
    }
    let of_one = |(why, modules): (&&str, &BTreeMap<&str, usize>)| {
        let modules: Vec<String> = modules.iter().map(|(name, count)| format!("{count} of {name}")).collect();
        format!("{} ({why})", modules.join(", "))
    };
    let parts: Vec<String> = lacks.iter().map(of_one).collect();
    format!("not tested, {} tests: {}", skipped.len(), parts.join("; "))
}
