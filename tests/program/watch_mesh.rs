//! Hosts that watch each other: each reflects, and each measures a sample of the others.

use std::collections::BTreeSet;
use std::fs;

use tempfile::TempDir;

use crate::common::process::{Process, command, free_port, run};
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

/// Both list each other by address.
#[test]
fn hosts_that_tell_their_names_are_named_by_them() {
    let (folder, ports) = (TempDir::new().unwrap(), [free_port(), free_port()]);
    let start = |own: usize| {
        let text = format!(
            "name = 'n{own}'\nlabels = {{ rack = 'r{own}' }}\n\
             [reflect]\nlisten = '127.0.0.1:{}'\ntell-names = true\n\
             [[group]]\nname = 'mesh'\ninterval = '20ms'\ntargets = ['127.0.0.1:{}']\n",
            ports[own],
            ports[1 - own]
        );
        fs::write(folder.path().join(format!("{own}.toml")), text).unwrap();
        let mut watching =
            Process::spawn(command(folder.path(), &format!("watch -f {own}.toml -q --http 0")));
        let page = page_of(&mut watching);
        (watching, page)
    };
    let [(_first, page), (_second, other)] = [start(0), start(1)];
    let info = [r#"target_name="n1""#, r#"target_rack="r1""#];
    // Names are known with the session, before the first probe is resolved.
    let is_answered = |now: &str| series(now, "udpecho_replies_total", &[]) > Some(0);
    metrics_once(page, |now| series(now, "udpecho_target_info", &info) == Some(1) && is_answered(now));
    let named = |now: &str| series(now, "udpecho_target_info", &[r#"target_name="n0""#]) == Some(1);
    metrics_once(other, |now| named(now) && is_answered(now));
    let locate = format!("locate http://127.0.0.1:{page} http://127.0.0.1:{other}");
    let verdict = run(command(folder.path(), &locate));
    assert!(verdict.has_line("nothing: 2 paths"), "n0 to n1 and back: {verdict:#?}");
}
