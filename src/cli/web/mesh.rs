//! All directed paths that the known monitors counted, with the place of a fault.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::fleet::{Mesh, MeshPath, MonitorReport, Verdict};

/// The mesh as of one moment.
#[derive(Debug, Default)]
pub(crate) struct MeshView {
    /// Each later one has a larger number.
    pub version: u64,
    pub verdict: Verdict,
    mesh: Mesh,
    monitors: usize,
    /// By the name of a monitor.
    pages: BTreeMap<String, String>,
}

impl MeshView {
    /// Of these monitors; the pages of those that have one, by name.
    pub(crate) fn new(version: u64, reports: &[MonitorReport], pages: BTreeMap<String, String>) -> Self {
        let mesh = Mesh::of(reports);
        Self { version, verdict: Verdict::of_mesh(&mesh), mesh, monitors: reports.len(), pages }
    }

    /// For the page's script.
    pub(super) fn document(&self) -> String {
        let hosts = self.mesh.hosts.iter().map(|host| {
            json!({ "name": host.name, "rack": host.rack, "zone": host.zone, "page": self.pages.get(&host.name) })
        });
        let document = json!({
            "version": self.version,
            "verdict": self.verdict.to_string(),
            "monitors": self.monitors,
            "hosts": hosts.collect::<Vec<_>>(),
            "paths": self.mesh.paths.iter().map(path).collect::<Vec<_>>(),
        });
        document.to_string()
    }
}

/// As a list, since there may be 10,000 of them.
fn path(path: &MeshPath) -> Value {
    let counts = &path.counts;
    json!([counts.from, counts.to, counts.sent, counts.lost, path.overflow, path.unknown, path.median_us])
}
