//! HUP: the configuration once more, applied to the running relay. Flows of mappings that stay go on.

use crate::cli::args::Proxy;
use crate::cli::printer::stderr_line;
use crate::net::{RelayEngine, RelayHandle, RelayMapping};

use super::mappings::Mappings;

/// Applies the file on HUP, and prints each change that failed.
pub(super) struct Reload {
    pub(super) arguments: Proxy,
    pub(super) handle: RelayHandle,
    pub(super) current: Mappings,
}

impl Reload {
    pub(super) fn again(&mut self) {
        let path = self.arguments.config.as_deref().unwrap_or(std::path::Path::new("")).display().to_string();
        let next = match self.current.again(&self.arguments) {
            Ok(next) => next,
            Err(error) => return stderr_line(format_args!("udpecho: {path} stays as it was: {error:#}")),
        };
        let names: Vec<String> = self.current.names().into_iter().map(str::to_owned).collect();
        let wanted = next.settings();
        let problems = self.handle.ask(move |engine| apply(engine, &names, wanted)).unwrap_or_default();
        problems.iter().for_each(|problem| stderr_line(format_args!("udpecho: {problem}")));
        stderr_line(format_args!("{path} is in effect: {} mappings", next.len()));
        self.current = next;
    }
}

/// Applies the changes; returns a line for each that failed.
fn apply(engine: &mut RelayEngine, before: &[String], wanted: Vec<RelayMapping>) -> Vec<String> {
    for name in before.iter().filter(|name| wanted.iter().all(|mapping| mapping.settings.name != **name)) {
        if let Some(mapping) = engine.mapping_named(name) {
            engine.remove_mapping(mapping);
        }
    }
    wanted.into_iter().filter_map(|mapping| apply_one(engine, mapping).err()).collect()
}

fn apply_one(engine: &mut RelayEngine, mapping: RelayMapping) -> Result<(), String> {
    let name = mapping.settings.name.clone();
    let cannot = |error: std::io::Error| format!("{name}: cannot listen on {}: {error}", mapping.listen);
    if engine.listens_at(mapping.upstream) {
        return Err(format!("{name}: the server {} is this proxy itself", mapping.upstream));
    }
    let Some(number) = engine.mapping_named(&name) else {
        return engine.add_mapping(mapping.clone()).map(drop).map_err(cannot);
    };
    let there = engine.mapping(number);
    if there.upstream != mapping.upstream {
        engine.set_server(number, mapping.upstream, mapping.server.clone());
    }
    engine.change(number, |settings| {
        let toxics = std::mem::take(&mut settings.toxics);
        *settings = mapping.settings.clone();
        settings.toxics = toxics;
    });
    if mapping.listen.port() != 0 && there.listen != mapping.listen {
        engine.set_listen(number, mapping.listen).map_err(cannot)?;
    }
    Ok(())
}
