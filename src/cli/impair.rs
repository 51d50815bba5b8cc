//! From flags to impairments.

use std::path::Path;

use anyhow::{Context, anyhow, bail};

use super::args::{Impair, Proxy};
use super::text_file;
use crate::impair::{Impairment, Scenario, SpecError, Ways, profiles};
use crate::reflect::Injection;
use crate::relay::{PathProfile, families};

/// The longest scenario or trace in bytes: enough for ten million samples.
const MAX_FILE: u64 = 128 << 20;

/// A server's impairments: the classic ones unless others are named.
pub(super) fn injection(arguments: &Impair) -> anyhow::Result<Injection> {
    match &arguments.scenario {
        Some(path) => {
            let scenario = scenario(path)?;
            let servable = scenario.steps().iter().try_for_each(|step| step.impairment.servable());
            servable.with_context(|| format!("{}: a step", path.display()))?;
            Ok(Injection::Scenario(scenario))
        }
        None => {
            let impairment = steady(arguments)?;
            impairment.servable()?;
            Ok(Injection::steady(impairment))
        }
    }
}

/// A proxy's impairments up and down: none unless named.
pub(super) fn both_directions(arguments: &Proxy) -> anyhow::Result<[Impairment; 2]> {
    let Proxy {
        profile, delay, loss, duplicate, corrupt, reorder, rate, mtu, outage, ecn, dscp, only, ..
    } = arguments;
    let parts = [
        ("delay", delay),
        ("loss", loss),
        ("duplicate", duplicate),
        ("corrupt", corrupt),
        ("reorder", reorder),
        ("rate", rate),
        ("mtu", mtu),
        ("outage", outage),
        ("ecn", ecn),
        ("dscp", dscp),
        ("only", only),
    ];
    let profile = profile.as_deref().unwrap_or("clean");
    let names = path_names();
    if !names.contains(&profile) {
        bail!(
            "'{profile}' for '--profile' is unknown; {}udpecho profiles lists all",
            nearest(profile, &names)
        );
    }
    let lines = match PathProfile::named(profile) {
        Some(path) => [path.up, path.down],
        None if profile.parse::<Impairment>()?.direction == Ways::Up => [profile, "clean"],
        None => [profile; 2],
    };
    let [up, down] = lines.map(|name| changed(name, &parts));
    let one_way = |line| Impairment { direction: Ways::Down, ..line };
    Ok([one_way(up?), one_way(down?)])
}

/// The profiles of a proxy.
pub(super) fn path_names() -> Vec<&'static str> {
    let paths = families().iter().flat_map(|family| family.profiles).map(|path| path.name);
    profiles().iter().map(|profile| profile.name).chain(paths).collect()
}

/// `did you mean 'lte'? ` if a name differs by a few letters.
fn nearest(typed: &str, names: &[&str]) -> String {
    let distance = |name: &str| strsim::damerau_levenshtein(name, typed);
    let nearest = names.iter().min_by_key(|name| distance(name));
    let nearest = nearest.filter(|name| distance(name) <= 2.max(typed.len() / 3));
    nearest.map_or(String::new(), |name| format!("did you mean '{name}'? "))
}

/// The impairments of one direction, as a line.
pub(super) fn line(flag: &str, text: &str) -> anyhow::Result<Impairment> {
    Ok(line_and_ways(flag, text)?.0)
}

/// A line for both directions; that of a profile for an uplink leaves the way down clean.
pub(super) fn line_of_both(flag: &str, text: &str) -> anyhow::Result<[Impairment; 2]> {
    let (up, ways) = line_and_ways(flag, text)?;
    let down = if ways == Ways::Up { Impairment::clean() } else { up.clone() };
    Ok([up, down])
}

/// And the directions of a profile in it.
fn line_and_ways(flag: &str, text: &str) -> anyhow::Result<(Impairment, Ways)> {
    let parsed = Impairment::from_spec(text, &read).and_then(|line| {
        let ways = line.direction;
        Ok((line.one_way(text)?, ways))
    });
    parsed.map_err(|error| anyhow!("'{text}' for '{flag}': {error}"))
}

/// The classic impairments unless others are named.
fn steady(arguments: &Impair) -> anyhow::Result<Impairment> {
    let parts = [
        ("delay", &arguments.delay),
        ("loss", &arguments.loss),
        ("duplicate", &arguments.duplicate),
        ("corrupt", &arguments.corrupt),
        ("reorder", &arguments.reorder),
        ("rate", &arguments.rate),
        ("mtu", &arguments.mtu),
        ("outage", &arguments.outage),
        ("direction", &arguments.direction),
    ];
    // A direction alone names no impairment.
    let named = parts.iter().any(|(key, value)| *key != "direction" && value.is_some());
    let usual = if arguments.clean || named { "clean" } else { "classic" };
    if let Some(path) = arguments.profile.as_deref().and_then(PathProfile::named) {
        let name = path.name;
        bail!("--profile: '{name}' has a line for each direction: use udpecho proxy --profile {name}");
    }
    changed(arguments.profile.as_deref().unwrap_or(usual), &parts)
}

/// A profile, changed by flags.
fn changed(name: &str, parts: &[(&str, &Option<String>)]) -> anyhow::Result<Impairment> {
    let mut impairment = Impairment::from_spec(name, &read).map_err(|error| {
        let error = error.to_string();
        anyhow!("--profile: {}", error.strip_prefix("profile: ").unwrap_or(&error))
    })?;
    for (key, value) in parts {
        if let Some(value) = value {
            impairment.set(key, value, &read).map_err(|error| {
                let error = error.to_string();
                let why = error.strip_prefix(&format!("{key}: ")).unwrap_or(&error);
                anyhow!("'{value}' for '--{key}': {why}")
            })?;
        }
    }
    Ok(impairment.fits_a_line()?)
}

/// The impairments that a client requests. They travel as a line, so they can name no file.
pub(super) fn requested(spec: &str) -> anyhow::Result<Impairment> {
    let parsed = spec.parse::<Impairment>().and_then(|impairment| impairment.servable().map(|()| impairment));
    parsed.map_err(|error: SpecError| anyhow!("'{spec}' for '--impair': {error}"))
}

fn scenario(path: &Path) -> anyhow::Result<Scenario> {
    let text = text_file::read(path, MAX_FILE).with_context(|| format!("cannot read {}", path.display()))?;
    Scenario::from_toml(&text, &read).with_context(|| format!("{} is not a valid scenario", path.display()))
}

/// A file that a line names.
pub(super) fn read(path: &str) -> std::io::Result<String> {
    text_file::read(Path::new(path), MAX_FILE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::Command;
    use crate::cli::parse;

    fn injected(flags: &str) -> String {
        let words = ["udpecho", "serve"].into_iter().chain(flags.split_whitespace());
        let parsed = parse(words.map(Into::into).collect()).unwrap();
        let Command::Serve(serve) = parsed.command else { panic!("no serve: {flags}") };
        match injection(&serve.impair).unwrap() {
            Injection::Steady(impairment) => impairment.to_string(),
            Injection::Scenario(scenario) => scenario.to_string(),
        }
    }

    fn proxied(profile: &str) -> Result<(), String> {
        let words = ["udpecho", "proxy", "-l", "0", "-t", "h:1", "--profile", profile];
        let Command::Proxy(proxy) = parse(words.map(Into::into).into()).unwrap().command else {
            panic!("no proxy: {profile}")
        };
        both_directions(&proxy).map(drop).map_err(|error| error.to_string())
    }

    #[test]
    fn an_unknown_profile_of_a_proxy_is_told_with_the_nearest_of_all() {
        assert!(path_names().into_iter().all(|name| proxied(name).is_ok()));
        let unknown = |name: &str, nearest: &str| {
            Err(format!("'{name}' for '--profile' is unknown; {nearest}udpecho profiles lists all"))
        };
        assert_eq!(proxied("ltee"), unknown("ltee", "did you mean 'lte'? "));
        let path = families()[1].profiles[0].name;
        let typed = format!("{path}x");
        assert_eq!(proxied(&typed), unknown(&typed, &format!("did you mean '{path}'? ")));
        assert_eq!(proxied("quantum"), unknown("quantum", ""));
    }

    #[test]
    fn naming_any_impairment_starts_from_clean() {
        for (flags, injects) in [
            ("", "delay=uniform:100us..500ms loss=10%"),
            ("--clean", "clean"),
            ("--delay constant:150ms", "delay=constant:150ms"),
            ("--loss 5%", "loss=5%"),
            ("--duplicate 1% --direction up", "duplicate=1% direction=up"),
            ("--rate 2Mbit,queue=64k", "rate=2Mbit,queue=64000"),
            ("--clean --loss 5%", "loss=5%"),
            ("--direction up", "delay=uniform:100us..500ms loss=10% direction=up"),
            ("--profile classic --delay constant:150ms", "delay=constant:150ms loss=10%"),
            ("--profile classic --loss none", "delay=uniform:100us..500ms"),
        ] {
            assert_eq!(injected(flags), injects, "{flags}");
        }
        // A client's request and the steps of a scenario start from clean, too.
        assert_eq!(requested("delay=constant:150ms").unwrap().to_string(), "delay=constant:150ms");
        let step = Scenario::from_toml("[[step]]\nfor = '1s'\ndelay = 'constant:150ms'", &read).unwrap();
        assert_eq!(step.steps()[0].impairment.to_string(), "delay=constant:150ms");
    }
}
