//! 200 reloads of a running `watch`, in which a tenth of its targets changes each time, as a ConfigMap changes its file.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;

use crate::common::process::{Process, Serve, command};
use crate::common::relay::{pass, relay};
use crate::live::web::page_of;
use crate::watch::{metrics_once, series};

/// A probe and its reply have this length, and no message of a handshake has it.
const PROBE: usize = 128;

/// Puts a file where a ConfigMap has it: `watch.toml` is a link into a folder that is replaced as a whole.
fn swap(folder: &Path, round: u32, text: Option<&str>) {
    let version = folder.join(format!("v{round}"));
    fs::create_dir(&version).unwrap();
    if let Some(text) = text {
        fs::write(version.join("watch.toml"), text).unwrap();
    }
    let _ = fs::remove_file(folder.join("next"));
    symlink(&version, folder.join("next")).unwrap();
    fs::rename(folder.join("next"), folder.join("data")).unwrap();
    if round == 0 {
        symlink("data/watch.toml", folder.join("watch.toml")).unwrap();
    }
}

/// The counters of the targets that stay.
fn counters(metrics: &str) -> BTreeMap<String, u64> {
    let lines = metrics.lines().filter(|line| line.contains("group=\"stays\"") && line.contains("_total{"));
    lines
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(name, count)| (name.to_owned(), count.parse().unwrap()))
        .collect()
}

#[test]
fn two_hundred_reloads_touch_no_target_that_stays() {
    let (folder, server) = (TempDir::new().unwrap(), Serve::start("--clean"));
    let handshakes = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&handshakes);
    let relayed = relay(
        server.port,
        move |to, datagram| {
            counted.fetch_add(u64::from(datagram.len() != PROBE), Ordering::Relaxed);
            pass(to, datagram);
        },
        pass,
    );
    let stays: Vec<String> = (1..=35).map(|n| format!("'127.0.1.{n}:{}'", server.port)).collect();
    let text = |round: u32| {
        let goes = (0..4).map(|n| format!("'127.0.2.{}:{}'", (4 * round + n) % 250 + 1, server.port));
        format!(
            "[defaults]\ninterval = '50ms'\n[[group]]\nname = 'stays'\ntargets = ['127.0.0.1:{relayed}', {}]\n\
             [[group]]\nname = 'goes'\ntargets = [{}]\n",
            stays.join(", "),
            goes.collect::<Vec<_>>().join(", ")
        )
    };
    swap(folder.path(), 0, Some(&text(0)));
    let mut watching = Process::spawn(command(folder.path(), "watch -f watch.toml -q --http 0"));
    let page = page_of(&mut watching);
    let replies = |now: &str, target: &str| series(now, "udpecho_replies_total", &[target]);
    let relayed = format!("target=\"127.0.0.1:{relayed}\"");
    let mut last = counters(&metrics_once(page, |now| replies(now, &relayed) > Some(3)));
    assert_eq!(handshakes.load(Ordering::Relaxed), 2, "Hello and Open");
    let configured = "udpecho_watch_config_last_reload_successful";
    for round in 1..=200 {
        let (file, words) = match round % 50 {
            20 => (Some("[[group]]\nnaem = 'x'\n".to_owned()), "unknown key 'naem'"),
            30 => (None, "cannot read watch.toml"),
            40 => {
                (Some("[[group]]\nname = 'x'\ntargets = ['h'\n".to_owned()), "the targets stay as they were")
            }
            _ => (Some(text(round)), "watch.toml is loaded"),
        };
        swap(folder.path(), round, file.as_deref());
        watching.signal("HUP");
        watching.remark_with(words);
        if round % 10 == 0 {
            let is_bad = words != "watch.toml is loaded";
            let metrics = metrics_once(page, |now| series(now, configured, &[]) == Some(u64::from(!is_bad)));
            let now = counters(&metrics);
            assert!(now.keys().eq(last.keys()), "round {round}");
            let gone_back: Vec<_> = last.iter().filter(|(name, count)| now[*name] < **count).collect();
            assert!(gone_back.is_empty(), "round {round}: {gone_back:?}");
            last = now;
        }
    }
    let lost: Vec<_> =
        last.iter().filter(|(name, count)| name.starts_with("udpecho_probes_lost") && **count > 0).collect();
    assert!(lost.is_empty(), "{lost:?}");
    assert_eq!(handshakes.load(Ordering::Relaxed), 2, "one session throughout");
    let ended = metrics_once(page, |now| replies(now, "127.0.2.") > Some(0));
    assert_eq!(ended.matches("udpecho_target_up{").count(), 40, "nothing of targets that are gone");
    assert_eq!(watching.interrupt_until_it_ends().code, Some(0));
}
