//! A target of `watch` that is killed and comes back.

use std::fs;

use tempfile::TempDir;

use crate::common::process::{Process, command, free_port};
use crate::live::web::page_of;
use crate::watch::{metrics_once, series};

#[test]
fn a_server_that_is_killed_and_comes_back_goes_on_with_its_counts_and_only_the_gap_is_lost() {
    let (folder, port) = (TempDir::new().unwrap(), free_port());
    let start = || {
        let mut server = Process::spawn(command(folder.path(), &format!("serve --clean -p {port}")));
        server.line_with("listening");
        server
    };
    let text =
        format!("[[group]]\nname = 'a'\ninterval = '20ms'\ngive-up = '1s'\ntargets = ['127.0.0.1:{port}']\n");
    fs::write(folder.path().join("watch.toml"), text).unwrap();
    let server = start();
    let mut watching = Process::spawn(command(folder.path(), "watch -f watch.toml -q --http 0"));
    let page = page_of(&mut watching);
    let value = |now: &str, name: &str| series(now, name, &["target="]).unwrap_or(0);
    let lost = |now: &str| {
        let of_a_cause = now.lines().filter(|line| line.starts_with("udpecho_probes_lost_total{"));
        of_a_cause.map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()).sum::<u64>()
    };
    let up = |now: &str| value(now, "udpecho_target_up") == 1;

    let before = metrics_once(page, |now| up(now) && value(now, "udpecho_replies_total") > 20);
    assert_eq!(lost(&before), 0, "{before}");
    server.signal("KILL");
    let gone = metrics_once(page, |now| !up(now) && lost(now) > 10);
    assert_eq!(series(&gone, "udpecho_watch_targets", &["state=\"closed\""]), Some(1), "{gone}");
    let replies = value(&gone, "udpecho_replies_total");
    assert!(replies >= value(&before, "udpecho_replies_total"));

    let _back = start();
    // Probes are resolved in order: those of the gap are, once later ones have counted.
    let back = metrics_once(page, |now| up(now) && value(now, "udpecho_replies_total") > replies + 60);
    let later = metrics_once(page, |now| value(now, "udpecho_replies_total") > replies + 200);
    assert!(up(&later) && lost(&later) == lost(&back), "{later}");
}
