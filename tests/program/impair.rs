//! Impairments on the command line.

use crate::common::process::{Finished, Serve, command, run};
use udpecho::impair::profiles;
use udpecho::record::Folder;

fn udpecho(words: &[&str]) -> Finished {
    let mut command = command(std::env::temp_dir().as_path(), "");
    command.args(words);
    run(command)
}

#[test]
fn a_bad_impairment_is_named_in_one_line_and_shows_a_good_one() {
    for (words, said) in [
        (&["--delay", "soon"][..], "'soon' for '--delay': "),
        (&["--delay", "uniform:5ms"], "uniform:0.1ms..500ms"),
        (&["--loss", "120%"], "'120%' for '--loss': "),
        (&["--loss", "gilbert:p=2"], "p: must be between 0 and 1"),
        (&["--rate", "fast"], "'fast' for '--rate': "),
        (&["--direction", "sideways"], "'sideways' for '--direction': "),
        (&["--profile", "nlc-3g"], "for each direction: use udpecho proxy --profile nlc-3g"),
        (&["--profile", "modem"], "unknown profile 'modem' (classic, clean, wifi,"),
        (&["--delay", "empirical:/nowhere/delays"], "/nowhere/delays"),
        (&["--scenario", "/nowhere/scenario.toml"], "cannot read /nowhere/scenario.toml"),
        (&["--scenario", "Cargo.toml"], "Cargo.toml is not a valid scenario"),
        (&["--clean", "--profile", "wifi"], "--clean"),
    ] {
        let mut command = command(env!("CARGO_MANIFEST_DIR").as_ref(), "serve");
        command.args(words);
        let finished = run(command);
        assert_eq!(finished.code, Some(2), "{words:?} {finished:#?}");
        assert!(finished.stderr[0].contains(said), "{words:?} {finished:#?}");
    }
}

#[test]
fn the_profiles_are_listed_with_a_line_each_for_their_numbers_and_their_sources() {
    let finished = udpecho(&["profiles"]);
    // Behind them stand the families of paths for a proxy.
    for (profile, lines) in profiles().iter().zip(finished.stdout[..2 * profiles().len()].chunks(2)) {
        assert_eq!(lines[0], format!("{:<12} {}", profile.name, profile.spec));
        assert_eq!(lines[1].trim_start(), profile.about);
    }
}

#[test]
fn a_client_is_given_the_injection_it_asks_for_only_if_it_may() {
    let ping = |port: u16, folder: &std::path::Path| {
        let mut command = command(folder, "ping -n 40 -i 5ms -W 1 -q -o run");
        command.args(["-p", &port.to_string(), "-ip", "127.0.0.1", "--impair", "clean loss=nth:4"]);
        run(command)
    };
    let folder = tempfile::tempdir().unwrap();
    let refusing = Serve::start("--clean");
    let refused = ping(refusing.port, folder.path());
    assert_eq!(refused.code, Some(2), "{refused:#?}");
    assert!(refused.stderr[0].contains("--client-impair"), "{refused:#?}");
    assert!(!folder.path().join("run").exists());

    let granting = Serve::start("--clean --client-impair");
    let granted = ping(granting.port, folder.path());
    assert_eq!(granted.code, Some(0), "{granted:#?}");
    let record = Folder::open(&folder.path().join("run")).unwrap().read_run().unwrap();
    assert_eq!(record.server.unwrap().injects, "loss=nth:4");
    let summary = record.summary.unwrap();
    assert_eq!((summary.sent, summary.lost), (40, 10));
}

/// A moment in which all passes, then a day in which nothing does.
#[test]
fn a_scenario_changes_what_is_injected_over_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scenario.toml");
    std::fs::write(&path, "[[step]]\nfor = \"1ms\"\n[[step]]\nfor = \"1d\"\nloss = \"100%\"\n").unwrap();
    let serve = Serve::start(&format!("--scenario {}", path.display()));
    let ping = format!("ping -ip 127.0.0.1 -p {} -n 20 -i 5ms -q -o run", serve.port);
    let finished = run(command(folder.path(), &ping));
    assert_eq!(finished.code, Some(1), "{finished:#?}");
    let record = Folder::open(&folder.path().join("run")).unwrap().read_run().unwrap();
    assert!(record.server.unwrap().injects.starts_with("scenario="));
    let summary = record.summary.unwrap();
    assert_eq!(summary.causes.get(&udpecho::probe::Cause::InjectedDown), Some(&20));
}
