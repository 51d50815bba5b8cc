//! How busy the hosts of the members are, as a line each.

use serde::{Deserialize, Serialize};

use super::name::Name;

/// How busy a member's host is, as its client last said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostLoad {
    pub(crate) name: Name,
    /// `None`: it does not share its load.
    pub verdict: Option<String>,
}

impl HostLoad {
    /// Roughly its bytes as text.
    pub(super) fn weight(&self) -> usize {
        const OVERHEAD: usize = 60;
        OVERHEAD + self.verdict.as_ref().map_or(0, String::len)
    }

    /// The use of its processors as a bar, where the client tells it, and the verdict.
    pub(super) fn line(&self) -> String {
        let Self { name, verdict } = self;
        match verdict {
            None => format!("{name}: does not share its load"),
            Some(verdict) => match cpu_percent(verdict) {
                Some(percent) => format!("{name}: {} {verdict}", bar(percent)),
                None => format!("{name}: {verdict}"),
            },
        }
    }
}

/// From `... CPU 97 %, ...`.
fn cpu_percent(verdict: &str) -> Option<u32> {
    let mut after = verdict.split("CPU ").skip(1);
    after.find_map(|rest| rest.split_once(" %")?.0.parse().ok())
}

fn bar(percent: u32) -> String {
    const CELLS: u32 = 10;
    let full = (percent.min(100) * CELLS).div_ceil(100) as usize;
    format!("[{}{}]", "#".repeat(full), ".".repeat(CELLS as usize - full))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_tells_its_processors_has_a_bar() {
        for (verdict, line) in [
            (None, "bea: does not share its load"),
            (Some("away"), "bea: away"),
            (Some("not busy: CPU 0 %, load 0.0"), "bea: [..........] not busy: CPU 0 %, load 0.0"),
            (Some("not busy: CPU 12 %"), "bea: [##........] not busy: CPU 12 %"),
            (
                Some("busy: CPU pressure 61.4 % (CPU 97 %, load 8.1)"),
                "bea: [##########] busy: CPU pressure 61.4 % (CPU 97 %, load 8.1)",
            ),
            (Some("busy: CPU 4000000000 %"), "bea: [##########] busy: CPU 4000000000 %"),
        ] {
            let load = HostLoad { name: Name::new("bea").unwrap(), verdict: verdict.map(str::to_owned) };
            assert_eq!(load.line(), line);
        }
    }
}
