//! Reads the pages of the targets that are monitors too, for the matrix and the verdict of the whole mesh.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;

use crate::cli::web::MeshView;
use crate::fleet::{Claims, MonitorReport, Snapshot, TargetView};
use crate::net::http_get;

/// Of a page of a monitor with 10,000 targets.
const LONGEST: u64 = 8 << 20;
/// Targets read from one page. A larger mesh needs Prometheus.
const MOST_TARGETS: usize = 2_000;
/// Bytes of a target: the longest DNS name, with a port.
const LONGEST_NAME: usize = 260;
/// Pages read at once. One that does not answer takes ten seconds.
const AT_ONCE: usize = 16;

/// The pages of other monitors, as they were read last.
type Pages = Mutex<BTreeMap<SocketAddr, MonitorReport>>;

/// The thread that reads, and what it read last.
pub(super) struct Peers {
    port: NonZero<u16>,
    places: SyncSender<Vec<SocketAddr>>,
    pages: Arc<Pages>,
}

impl Peers {
    /// Of targets that have their page at this port.
    pub(super) fn start(port: NonZero<u16>) -> anyhow::Result<Self> {
        let (places, to_read) = sync_channel(1);
        let pages = Arc::<Pages>::default();
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

/// A page counts from when it is read, and until it cannot be read: those that do not answer keep no other waiting.
fn read_again_and_again(places: &Receiver<Vec<SocketAddr>>, pages: &Pages) {
    let lock = || pages.lock().unwrap_or_else(PoisonError::into_inner);
    while let Ok(places) = places.recv() {
        lock().retain(|place, _| places.contains(place));
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some(place) = places.get(next.fetch_add(1, Ordering::Relaxed)) {
                match page(*place) {
                    Some(report) => lock().insert(*place, report),
                    None => lock().remove(place),
                };
            }
        };
        std::thread::scope(|scope| (0..AT_ONCE.min(places.len())).for_each(|_| drop(scope.spawn(work))));
    }
}

fn page(place: SocketAddr) -> Option<MonitorReport> {
    let text = http_get(place, &place.to_string(), "api/targets.json", LONGEST).ok()?;
    accepted(&text)
}

/// The report of a page, which may be made by anybody: its first targets, if all names are those of hosts.
fn accepted(text: &str) -> Option<MonitorReport> {
    let mut report: MonitorReport = serde_json::from_str(text).ok()?;
    report.targets.truncate(MOST_TARGETS);
    (!report.source.is_empty() && names(&report).all(|name| name.len() <= LONGEST_NAME)).then_some(report)
}

fn names(report: &MonitorReport) -> impl Iterator<Item = &String> {
    let told = report.targets.iter().filter_map(|target| target.host.as_ref());
    let told = told.flat_map(|host| [&host.name, &host.rack, &host.zone]);
    let listed = report.targets.iter().map(|target| &target.target);
    report.labels.values().chain([&report.source]).chain(listed).chain(told)
}

/// The mesh as this monitor and the monitors whose pages were read know it. A page that has the name of another target
/// counts for nothing.
pub(super) fn mesh_view(version: u64, now: &Snapshot, peers: Option<&Peers>) -> MeshView {
    let mut reports = vec![MonitorReport::of(now)];
    let mut pages = BTreeMap::new();
    if let Some(peers) = peers {
        let (read, claims) = (peers.pages.lock().unwrap_or_else(PoisonError::into_inner), Claims::of(now));
        for (place, report) in read.iter() {
            if claims.allow(&report.source, place.ip()) && !pages.contains_key(&report.source) {
                pages.insert(report.source.clone(), format!("http://{place}/"));
                reports.push(report.clone());
            }
        }
    }
    MeshView::new(version, &reports, pages)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_peer_that_does_not_answer_keeps_no_page_waiting() {
        let listener = || TcpListener::bind("127.0.0.1:0").unwrap();
        let (silent, good) = (listener(), listener());
        let places = [&silent, &good].map(|listener| listener.local_addr().unwrap());
        let answer = move || {
            let (mut stream, _) = good.accept().unwrap();
            let _ = stream.read(&mut [0; 200]);
            stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n{\"source\": \"n2\", \"targets\": []}").unwrap();
        };
        std::thread::spawn(answer);
        let (ask, asked) = sync_channel(1);
        let pages = Arc::<Pages>::default();
        let read = Arc::clone(&pages);
        let round = std::thread::spawn(move || read_again_and_again(&asked, &read));
        ask.send(places.to_vec()).unwrap();
        drop(ask);
        while !pages.lock().unwrap().contains_key(&places[1]) {
            std::thread::yield_now();
        }
        assert!(!round.is_finished(), "the other one has ten seconds");
        drop(silent);
        round.join().unwrap();
        assert_eq!(pages.lock().unwrap().keys().collect::<Vec<_>>(), [&places[1]]);
    }

    #[test]
    fn a_page_has_the_names_of_hosts_and_no_more_targets_than_a_mesh() {
        let page = |source: &str, target: &str, targets: usize| {
            let target = serde_json::json!({ "target": target, "sent": 1, "causes": {} });
            serde_json::json!({ "source": source, "targets": vec![target; targets] }).to_string()
        };
        let long = "x".repeat(LONGEST_NAME);
        assert_eq!(accepted(&page("n1", &long, 3)).unwrap().targets.len(), 3);
        assert_eq!(accepted(&page("n1", "n2", 9_000)).unwrap().targets.len(), MOST_TARGETS);
        for (source, target) in [("", "n2"), ("n1", &*(long.clone() + "x")), (&*(long + "x"), "n2")] {
            assert!(accepted(&page(source, target, 1)).is_none(), "{source:?} {target:?}");
        }
        assert!(accepted("{}").is_none() && accepted("<html>").is_none());
    }
}
