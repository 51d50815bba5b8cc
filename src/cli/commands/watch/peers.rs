//! Reads the pages of the targets that are monitors too, for the matrix and the verdict of the whole mesh.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::num::NonZero;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;

use crate::cli::web::MeshView;
use crate::fleet::{Claims, MonitorReport, Snapshot, TargetView};
use crate::net::http_get;

/// Of a page of a monitor with 10,000 targets.
const LONGEST: u64 = 8 << 20;
/// Pages read at once: one that does not answer keeps the others waiting for its ten seconds no longer.
const AT_ONCE: usize = 8;

/// The page of another monitor.
struct PeerPage {
    place: SocketAddr,
    report: MonitorReport,
}

/// The thread that reads, and what it read last.
pub(super) struct Peers {
    port: NonZero<u16>,
    places: SyncSender<Vec<SocketAddr>>,
    pages: Arc<Mutex<Vec<PeerPage>>>,
}

impl Peers {
    /// Of targets that have their page at this port.
    pub(super) fn start(port: NonZero<u16>) -> anyhow::Result<Self> {
        let (places, to_read) = sync_channel(1);
        let pages = Arc::<Mutex<Vec<PeerPage>>>::default();
        let read = Arc::clone(&pages);
        let run = move || read_again_and_again(&to_read, &read);
        std::thread::Builder::new().name("peers".into()).spawn(run).context("cannot start a thread")?;
        Ok(Self { port, places, pages })
    }

    /// Reads them again, unless the last round still goes on.
    pub(super) fn ask(&self, now: &Snapshot) {
        let address = |target: &TargetView| {
            target.wanted.address.map(|address| SocketAddr::new(address.ip(), self.port.get()))
        };
        let places: BTreeSet<SocketAddr> = now.targets.iter().filter_map(address).collect();
        let _ = self.places.try_send(places.into_iter().collect());
    }
}

fn read_again_and_again(places: &Receiver<Vec<SocketAddr>>, pages: &Mutex<Vec<PeerPage>>) {
    while let Ok(places) = places.recv() {
        let share = places.len().div_ceil(AT_ONCE).max(1);
        let read: Vec<PeerPage> = std::thread::scope(|scope| {
            let readers: Vec<_> = places
                .chunks(share)
                .map(|part| {
                    scope.spawn(move || part.iter().filter_map(|place| page(*place)).collect::<Vec<_>>())
                })
                .collect();
            readers.into_iter().flat_map(|reader| reader.join().unwrap_or_default()).collect()
        });
        *pages.lock().unwrap_or_else(PoisonError::into_inner) = read;
    }
}

fn page(place: SocketAddr) -> Option<PeerPage> {
    let text = http_get(place, &place.to_string(), "api/targets.json", LONGEST).ok()?;
    let report = serde_json::from_str(&text).ok()?;
    Some(PeerPage { place, report })
}

/// The mesh as this monitor and the monitors whose pages were read know it. A page that has the name of another target
/// counts for nothing.
pub(super) fn mesh_view(version: u64, now: &Snapshot, peers: Option<&Peers>) -> MeshView {
    let mut reports = vec![MonitorReport::of(now)];
    let mut pages = BTreeMap::new();
    if let Some(peers) = peers {
        let (read, claims) = (peers.pages.lock().unwrap_or_else(PoisonError::into_inner), Claims::of(now));
        for PeerPage { place, report } in read.iter() {
            if claims.allow(&report.source, place.ip()) && !pages.contains_key(&report.source) {
                pages.insert(report.source.clone(), format!("http://{place}/"));
                reports.push(report.clone());
            }
        }
    }
    MeshView::new(version, &reports, pages)
}
