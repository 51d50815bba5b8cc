//! The keys of a group's targets: read with the configuration, and given to each session.

use std::path::Path;

use anyhow::Context;

use crate::cli::key;
use crate::fleet::{Config, Group, Secret};
use crate::probe::{Dialect, IrttOptions, Settings, StampOptions};
use crate::wire::auth::Key;
use crate::wire::{irtt, stamp};

/// Reads the key files of all groups; they are relative to the configuration's folder.
pub(super) fn read(config: &mut Config, folder: &Path) -> anyhow::Result<()> {
    for group in &mut config.groups {
        let Some(file) = group.key_file.as_ref().map(|file| folder.join(file)) else { continue };
        group.secret = secret(group.dialect, &file).with_context(|| format!("{}: key-file", group.name))?;
    }
    Ok(())
}

fn secret(dialect: Dialect, file: &Path) -> anyhow::Result<Option<Secret>> {
    Ok(match dialect {
        Dialect::Native => key::find(Some(file))?.map(|key| Secret(key.secret().to_vec())),
        _ => key::secret(Some(file))?.map(Secret),
    })
}

/// With the group's own key, or else, in the native dialect, that of all servers.
pub(super) fn with_key(group: &Group, of_all: Option<&Key>, settings: Settings) -> Settings {
    let secret = group.secret.as_ref().map(|secret| &secret.0[..]);
    let native = secret.and_then(|secret| secret.try_into().ok()).map(Key::new).or(of_all.cloned());
    let dscp = group.dscp.unwrap_or(0);
    Settings {
        key: native.filter(|_| group.dialect == Dialect::Native),
        stamp: StampOptions { key: secret.map(stamp::HmacKey::new), dscp, ..settings.stamp },
        irtt: IrttOptions { key: secret.map(irtt::HmacKey::new), dscp },
        ..settings
    }
}
