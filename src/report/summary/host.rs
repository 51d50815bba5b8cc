//! Whether a host was busy, beside the losses that it may explain.

use crate::host::{Figures, Summary};
use crate::record::Run;

pub(super) fn busy_hosts(run: &Run) -> Vec<String> {
    let of_one = |(name, seconds): (&str, &[Figures])| {
        let summary = Summary::of_record(seconds).filter(Summary::is_busy)?;
        Some(format!("the {name}'s host was {summary}"))
    };
    run.hosts.iter().flat_map(|hosts| hosts.each()).filter_map(of_one).collect()
}
