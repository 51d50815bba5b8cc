//! Hosts that watch each other: each reflects, and each measures a sample of the others.

use std::collections::BTreeSet;
use std::fs;

use tempfile::TempDir;

use crate::common::process::{Process, command, free_port};
use crate::live::web::page_of;
use crate::watch::{metrics_once, series};

#[test]
fn each_host_of_a_mesh_answers_as_many_as_it_asks() {
    let (folder, port) = (TempDir::new().unwrap(), free_port());
    let target = |host: u32| format!("127.0.0.{host}:{port}");
    let targets: Vec<String> = (1..=4).map(|host| format!("'{}'", target(host))).collect();
    let start = |host: u32| {
        let text = format!(
            "name = '127.0.0.{host}'\n[reflect]\nlisten = '{}'\n\
             [[group]]\nname = 'mesh'\ninterval = '20ms'\npeers = {{ far = 2 }}\ntargets = [{}]\n",
            target(host),
            targets.join(", ")
        );
        fs::write(folder.path().join(format!("{host}.toml")), text).unwrap();
        let mut watching =
            Process::spawn(command(folder.path(), &format!("watch -f {host}.toml -q --http 0")));
        let page = page_of(&mut watching);
        watching.remark_with(&format!("reflects on UDP {}", target(host)));
        (watching, host, page)
    };
    let hosts: Vec<_> = (1..=4).map(start).collect();
    let mut links = BTreeSet::new();
    for (_, from, page) in &hosts {
        let label = |to: u32| format!("target=\"{}\"", target(to));
        let is_answered = |now: &str, to: u32| series(now, "udpecho_replies_total", &[&label(to)]) > Some(3);
        let now = metrics_once(*page, |now| (1..=4).filter(|to| is_answered(now, *to)).count() == 2);
        let asked = (1..=4).filter(|to| series(&now, "udpecho_replies_total", &[&label(*to)]).is_some());
        links.extend(asked.map(|to| (*from, to)));
    }
    for host in 1..=4 {
        let degrees = [
            links.iter().filter(|(from, _)| *from == host).count(),
            links.iter().filter(|(_, to)| *to == host).count(),
        ];
        assert_eq!(degrees, [2, 2], "{links:?}");
        assert!(!links.contains(&(host, host)), "{links:?}");
    }
}
