//! A target of `watch` that is killed and comes back, and targets that are replaced one by one.

use std::fs;
use std::net::UdpSocket;
use std::time::Duration;

use tempfile::TempDir;
use udpecho::wire::native::{Message, decode};

use crate::common::desk::handshake;
use crate::common::process::{Process, command, free_port};
use crate::live::web::page_of;
use crate::watch::{metrics_once, series};

/// Of all targets.
fn lost(now: &str) -> u64 {
    let of_a_cause = now.lines().filter(|line| line.starts_with("udpecho_probes_lost_total{"));
    of_a_cause.map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()).sum()
}

#[test]
fn a_rollout_of_reflectors_one_by_one_loses_no_probe() {
    let (folder, ports) = (TempDir::new().unwrap(), [free_port(), free_port()]);
    // A monitor that reflects, as in a mesh, and a server.
    let other = format!("127.0.0.1:{}", ports[1]);
    let text = format!("reflect = {{ listen = '127.0.0.1:{}' }}\n[[group]]\nname = 'b'\n", ports[0]);
    fs::write(folder.path().join("peer.toml"), format!("{text}targets = ['{other}']\n")).unwrap();
    let starts: [&dyn Fn() -> Process; 2] = [
        &|| {
            let mut peer = Process::spawn(command(folder.path(), "watch -f peer.toml -q"));
            peer.remark_with("reflects on");
            peer
        },
        &|| {
            let mut server =
                Process::spawn(command(folder.path(), &format!("serve --clean -p {}", ports[1])));
            server.line_with("listening");
            server
        },
    ];
    let targets = ports.map(|port| format!("'127.0.0.1:{port}'")).join(", ");
    let text = format!(
        "[[group]]\nname = 'a'\ninterval = '20ms'\ndeadline = '500ms'\ngive-up = '500ms'\ntargets = [{targets}]\n"
    );
    fs::write(folder.path().join("watch.toml"), text).unwrap();
    let running = starts.map(|start| start());
    let mut watching = Process::spawn(command(folder.path(), "watch -f watch.toml -q --http 0"));
    let page = page_of(&mut watching);
    let mut successors = Vec::new();
    for (port, (peer, start)) in ports.into_iter().zip(running.into_iter().zip(starts)) {
        let target = format!("target=\"127.0.0.1:{port}\"");
        let of = |now: &str, name: &str| series(now, name, &[&target]).unwrap_or(0);
        metrics_once(page, |now| of(now, "udpecho_replies_total") > 20);
        peer.signal("TERM");
        let ended = peer.finish();
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        let away =
            metrics_once(page, |now| series(now, "udpecho_watch_targets", &["state=\"ended\""]) == Some(1));
        assert!(
            of(&away, "udpecho_target_up") == 0 && of(&away, "udpecho_probes_withheld_total") > 20,
            "{away}"
        );
        let replies = of(&away, "udpecho_replies_total");
        successors.push(start());
        // Lost probes are resolved by then: a probe waits twice its give-up time at most.
        let back = metrics_once(page, |now| of(now, "udpecho_replies_total") > replies + 75);
        assert_eq!((of(&back, "udpecho_target_up"), lost(&back)), (1, 0), "{back}");
    }
}

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

#[test]
fn an_interrupt_ends_the_farewell_of_a_server_at_once() {
    let folder = TempDir::new().unwrap();
    for reflects in [false, true] {
        let port = free_port();
        let words = if reflects { "watch -q 127.0.0.1:9 --serve" } else { "serve --clean -p" };
        let mut server = Process::spawn(command(folder.path(), &format!("{words} {port}")));
        if reflects {
            server.remark_with("reflects on")
        } else {
            server.line_with("listening")
        };
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.connect(("127.0.0.1", port)).unwrap();
        let heard = || {
            let mut buffer = [0; 2048];
            client.recv(&mut buffer).ok().map(|length| buffer[..length].to_vec())
        };
        let ask = |datagram: &[u8]| {
            client.send(datagram).unwrap();
            heard()
        };
        let token = handshake(ask, 1, 64).unwrap();
        server.signal("TERM");
        assert_eq!(decode(&heard().unwrap()), Ok(Message::Ending(token)));
        server.signal("INT");
        server.finish();
        // Two more would have come within a second, and the end after two.
        client.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        let more = std::iter::from_fn(heard).count();
        assert!(more < 2, "reflects: {reflects}");
    }
}
