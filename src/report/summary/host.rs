//! Whether a host was busy, beside the losses that it may explain.

use crate::host::{Figures, Summary};
use crate::record::Run;

pub(super) fn busy_hosts(run: &Run) -> Vec<String> {
    let Some(hosts) = &run.hosts else { return Vec::new() };
    let server = hosts.server.as_deref().unwrap_or_default();
    let of_one = |(name, seconds): (&str, &[Figures])| {
        let summary = Summary::of(seconds).filter(Summary::is_busy)?;
        // Of a long run the record keeps not every second; they are numbered from 1.
        let last = seconds.last().map_or(0, |figures| figures.second as usize);
        let summary = Summary { seconds: summary.seconds.max(last), ..summary };
        Some(format!("the {name}'s host was {summary}"))
    };
    [("client", hosts.client.as_slice()), ("server", server)].into_iter().filter_map(of_one).collect()
}
