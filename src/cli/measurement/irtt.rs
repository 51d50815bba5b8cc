//! What an irtt run is asked for: the key, the DSCP of replies, and a size that holds what replies tell.

use anyhow::bail;

use crate::cli::args::Ping;
use crate::cli::key;
use crate::probe::IrttOptions;
use crate::wire::irtt::{HmacKey, Params};

pub(super) fn options(arguments: &Ping) -> anyhow::Result<IrttOptions> {
    let destination = &arguments.destination;
    let secret = destination.key_file.as_deref().map(key::secret).transpose()?;
    Ok(IrttOptions { key: secret.map(|secret| HmacKey::new(&secret)), dscp: destination.dscp.unwrap_or(0) })
}

/// The size that was asked for, or the least.
pub(super) fn size(asked: Option<u64>, options: &IrttOptions) -> anyhow::Result<u64> {
    let least = Params::default().header(options.key.is_some()) as u64;
    let size = asked.unwrap_or(least);
    if size < least {
        bail!(
            "'{size}' for '--size' is too small: a probe has {least} bytes at least; for example -s {least}"
        );
    }
    Ok(size)
}
