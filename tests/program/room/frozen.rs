//! A host that stands still while it answers a measurement is named as the suspect.

use std::time::Duration;

use super::Room;
use super::orders::{agent, order};

/// The longest stall that the room tells of this host, in milliseconds.
fn stalled(lines: &[String], host: &str) -> u32 {
    let of_host = lines.iter().filter(|line| line.contains(&format!("{host} was BUSY")));
    let stalls = of_host.filter_map(|line| {
        let rest = line.split("suspended or stalled for ").nth(1)?;
        rest.split(' ').next()?.parse().ok()
    });
    stalls.max().unwrap_or(0)
}

#[test]
fn an_agent_that_is_frozen_every_second_is_the_suspect_and_the_other_host_is_not() {
    let room = Room::start("");
    let port = room.port;
    let folder = tempfile::tempdir().unwrap();
    let _bea = agent(&room, folder.path(), "--name bea --agent");
    let carl = agent(&room, folder.path(), "--name carl --agent");
    let mut anna = room.member("anna");
    let ordered = std::thread::scope(|scope| {
        let ordered = scope.spawn(move || order(port, "/ping bea carl -n 150 -i 20ms"));
        anna.line_with("-- #1 carl agrees, direct");
        for _ in 0..3 {
            std::thread::sleep(Duration::from_millis(400));
            carl.signal("STOP");
            std::thread::sleep(Duration::from_millis(500));
            carl.signal("CONT");
        }
        ordered.join().unwrap()
    });
    assert_eq!(ordered.code, Some(0), "{ordered:#?}");
    let mut lines = vec![anna.line_with("-- #1 150 sent")];
    anna.send("over?\n");
    loop {
        let line = anna.line();
        if line == "anna: over?" {
            break;
        }
        lines.push(line);
    }
    assert!(stalled(&lines, "carl") >= 300, "{lines:#?}");
    assert!(stalled(&lines, "bea") < 300, "{lines:#?}");
}
