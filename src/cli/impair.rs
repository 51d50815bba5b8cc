//! From the flags that say what to inject to what is injected.

use std::path::Path;

use anyhow::{Context, anyhow};

use super::args::Impair;
use super::input;
use crate::impair::{Impairment, Scenario, SpecError};
use crate::reflect::Injection;

/// Of a scenario, or of a trace: enough for ten million samples.
const LONGEST: u64 = 128 << 20;

pub fn injection(arguments: &Impair) -> anyhow::Result<Injection> {
    if let Some(path) = &arguments.scenario {
        return scenario(path).map(Injection::Scenario);
    }
    let name = if arguments.clean { "clean" } else { &arguments.profile };
    let mut impairment = Impairment::from_spec(name, &read).map_err(|error| anyhow!("--profile: {error}"))?;
    let parts = [
        ("delay", &arguments.delay),
        ("loss", &arguments.loss),
        ("duplicate", &arguments.duplicate),
        ("corrupt", &arguments.corrupt),
        ("reorder", &arguments.reorder),
        ("rate", &arguments.rate),
        ("direction", &arguments.direction),
    ];
    for (key, value) in parts {
        if let Some(value) = value {
            impairment.set(key, value, &read).map_err(|error| {
                let error = error.to_string();
                let why = error.strip_prefix(&format!("{key}: ")).unwrap_or(&error);
                anyhow!("'{value}' for '--{key}': {why}")
            })?;
        }
    }
    Ok(Injection::steady(impairment))
}

/// What a client asks for: no file can stand in it, since it travels as a line.
pub fn wanted(spec: &str) -> anyhow::Result<Impairment> {
    let parsed = spec.parse::<Impairment>().and_then(|impairment| impairment.runnable().map(|()| impairment));
    parsed.map_err(|error: SpecError| anyhow!("'{spec}' for '--impair': {error}"))
}

fn scenario(path: &Path) -> anyhow::Result<Scenario> {
    let text = input::read(path, LONGEST).with_context(|| format!("cannot read {}", path.display()))?;
    Scenario::from_toml(&text, &read).with_context(|| format!("{} is no scenario", path.display()))
}

fn read(path: &str) -> std::io::Result<String> {
    input::read(Path::new(path), LONGEST)
}
