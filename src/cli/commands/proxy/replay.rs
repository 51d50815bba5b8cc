//! `--replay`: the fates of an earlier run, by mapping.

use std::collections::HashMap;
use std::path::Path;

use anyhow::bail;

use crate::record::Folder;
use crate::relay::Replay;

pub(super) fn read(path: Option<&Path>) -> anyhow::Result<HashMap<String, Replay>> {
    let Some(path) = path else { return Ok(HashMap::new()) };
    let folder = Folder::open(path)?;
    if !folder.holds_proxy()? {
        bail!("{} is not the record of a proxy", path.display());
    }
    let mut replays: HashMap<String, Replay> = HashMap::new();
    folder.each_datagram(|row| {
        if let (Some(flow), Some(seq)) = (row.flow, row.seq) {
            let hold = row.hold.unwrap_or_default();
            let replay = replays.entry(row.mapping).or_default();
            replay.take((flow, row.direction, seq), row.fate, hold, row.copies, row.corrupted_byte);
        }
    })?;
    Ok(replays)
}
