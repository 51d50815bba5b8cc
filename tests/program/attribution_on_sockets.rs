//! The same truth over real sockets: on loopback with any profile, and through a relay that loses
//! probes and replies of its own accord.

use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::sync::{Arc, Mutex};
use std::thread;

use crate::common::process::{Serve, command, run};
use crate::common::relay::{pass, relay};
use udpecho::impair::{Direction, Impairment, SessionLinks, profiles};
use udpecho::probe::{Cause, Corruption, Outcome, Resolved};
use udpecho::record::Folder;
use udpecho::time::Instant;
use udpecho::wire::native::{Message, decode};

const SEED: u64 = 7;
const COUNT: usize = 80;

/// Measures through this port; the rows of the record.
fn measured(port: u16) -> Vec<Resolved> {
    let folder = tempfile::tempdir().unwrap();
    let ping = format!("ping -ip 127.0.0.1 -p {port} -n {COUNT} -i 10ms -W 4 -s 128 -q -o run");
    run(command(folder.path(), &ping));
    let run = Folder::open(&folder.path().join("run")).unwrap();
    run.probe_reader().unwrap().map(Result::unwrap).collect()
}

fn injected(impairment: &Impairment, seq: u64) -> udpecho::impair::Treatment {
    SessionLinks::new(impairment.clone(), SEED).admit(Instant::ZERO, seq, 128)
}

#[test]
fn over_loopback_every_loss_of_every_profile_is_the_servers() {
    let check = |name: &'static str, impairment: Impairment| {
        let serve = Serve::start(&format!("--profile {name} --impair-seed {SEED}"));
        let rows = measured(serve.port);
        assert_eq!(rows.len(), COUNT, "{name}");
        // A limited rate and an order that is kept look at when probes come, the others do not.
        let by_number = impairment.rate.is_none() && !impairment.delay.is_ordered();
        // A host that stalls skips probes.
        for row in rows.iter().filter(|row| !row.skipped) {
            let network = matches!(row.cause, Some(Cause::Up | Cause::Down | Cause::Unknown));
            assert!(!network, "{name}: {row:?}");
            if !by_number {
                continue;
            }
            let fate = injected(&impairment, row.seq);
            let cause = fate.dropped.map(|dropped| match dropped.direction {
                Direction::Up => Cause::InjectedUp,
                Direction::Down => Cause::InjectedDown,
            });
            assert_eq!(row.cause, cause, "{name}: {row:?}");
            if row.outcome == Outcome::Ok {
                assert_eq!(row.hold, Some(fate.hold), "{name}: {row:?}");
                assert_eq!(row.injected_copies, Some(u32::from(fate.extra_copies)), "{name}: {row:?}");
                assert_eq!(row.corrupted, fate.corrupted.map(|_| Corruption::Injected), "{name}: {row:?}");
            }
        }
    };
    let running: Vec<_> = profiles()
        .iter()
        .map(|profile| thread::spawn(move || check(profile.name, Impairment::of_profile(profile))))
        .collect();
    running.into_iter().for_each(|thread| thread.join().unwrap());
}

/// What the relay lost, by the number of the probe.
#[derive(Default)]
struct Lost {
    up: BTreeSet<u64>,
    down: BTreeSet<u64>,
}

/// Loses every seventh probe and every fifth reply; returns its port.
fn lossy_relay(server: u16) -> (u16, Arc<Mutex<Lost>>) {
    let lost = Arc::new(Mutex::new(Lost::default()));
    let [lost_up, lost_down] = [(); 2].map(|()| Arc::clone(&lost));
    let up = move |inside: &UdpSocket, datagram: &[u8]| match decode(datagram) {
        Ok(Message::Probe(probe)) if probe.seq % 7 == 3 => {
            lost_up.lock().unwrap().up.insert(probe.seq);
        }
        _ => pass(inside, datagram),
    };
    let down = move |outside: &UdpSocket, datagram: &[u8]| match decode(datagram) {
        Ok(Message::Reply(reply)) if reply.seq % 5 == 1 => {
            lost_down.lock().unwrap().down.insert(reply.seq);
        }
        _ => pass(outside, datagram),
    };
    (relay(server, up, down), lost)
}

#[test]
fn through_a_lossy_relay_the_networks_loss_is_exactly_the_relays() {
    let impairment: Impairment = "delay=uniform:1ms..60ms loss=20%".parse().unwrap();
    let serve = Serve::start(&format!("--delay uniform:1ms..60ms --loss 20% --impair-seed {SEED}"));
    let (port, lost) = lossy_relay(serve.port);
    let rows = measured(port);
    assert_eq!(rows.len(), COUNT);
    let lost = lost.lock().unwrap();
    assert!(lost.up.len() >= 10 && lost.down.len() >= 5);
    for row in &rows {
        let expected = if lost.up.contains(&row.seq) {
            Some(Cause::Up)
        } else if injected(&impairment, row.seq).dropped.is_some() {
            Some(Cause::InjectedDown)
        } else if lost.down.contains(&row.seq) {
            Some(Cause::Down)
        } else {
            None
        };
        assert_eq!(row.cause, expected, "{row:?}");
    }
}

#[test]
fn what_finds_no_room_is_refused_and_the_client_is_told() {
    let serve = Serve::start("--delay constant:2s --loss none --max-held 4096");
    let rows = measured(serve.port);
    let refused = rows.iter().filter(|row| row.cause == Some(Cause::Refused)).count();
    let answered = rows.iter().filter(|row| row.rtt.is_some()).count();
    assert!(
        refused > 0 && answered >= 10,
        "4096 bytes hold ten replies and what the queue needs for them: {answered}"
    );
    assert_eq!(refused + answered, COUNT, "each was held or refused");
}
