//! Our own client: in person, for one command, as an agent; with the right key, another and none.

use std::path::Path;

use serde_json::{Value, json};

use super::{Room, assert_described};
use crate::common::process::{Finished, Process, command, free_port, output, run, udpecho};

fn join(port: u16, words: &str) -> Finished {
    run(command(Path::new("."), &format!("join 127.0.0.1:{port} {words}")))
}

/// `join --do`, where the command has blanks.
fn order(port: u16, words: &str, line: &str) -> Finished {
    let mut join = udpecho();
    join.args(["join", &format!("127.0.0.1:{port}")]).args(words.split_whitespace()).args(["--do", line]);
    run(join)
}

#[test]
fn one_command_is_answered_on_stdout_and_by_the_exit_code() {
    let room = Room::start("");
    let mut anna = room.member("anna");
    let who = order(room.port, "--name bea --json", "/who");
    assert_eq!(who.code, Some(0), "{who:#?}");
    let answer: Value = serde_json::from_str(&who.stdout.join("\n")).unwrap();
    let here = json!([
        {"name": "anna", "role": "guest", "via": "text"},
        {"name": "bea", "role": "member", "via": "client"},
    ]);
    assert_eq!(answer, json!({"event": "who", "here": here}));
    assert_described(&answer);
    let said = order(room.port, "--name bea", "@anna all done");
    assert_eq!((said.code, said.stdout), (Some(0), vec!["bea to anna: all done".to_owned()]));
    anna.line_with("bea to anna: all done");

    let refused = order(room.port, "--name bea", "@nobody hello");
    assert_eq!(refused.code, Some(2));
    assert_eq!(refused.stderr, ["udpecho: nobody is not here; /who lists who is"]);
    assert_eq!(order(room.port, "--name bea", "/dance").code, Some(2));
    assert_eq!(join(room.port, "--name all").code, Some(2));
    let nobody = order(free_port(), "", "/who");
    assert_eq!(nobody.code, Some(1));
    assert!(nobody.stderr[0].starts_with("udpecho: cannot join the room at 127.0.0.1:"), "{nobody:#?}");
}

#[test]
fn another_key_is_not_answered_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["room.key", "other.key"] {
        assert_eq!(run(command(folder.path(), &format!("keygen -o {name}"))).code, Some(0));
    }
    let key = |name: &str| format!("--key-file {}", folder.path().join(name).display());
    let room = Room::start(&key("room.key"));
    let right = order(room.port, &format!("--name bea --json {}", key("room.key")), "/who");
    assert_eq!(right.code, Some(0), "{right:#?}");
    for other in [key("other.key"), String::new()] {
        let refused = order(room.port, &format!("--name eve {other}"), "/who");
        assert_eq!(refused.code, Some(1), "{refused:#?}");
        assert!(refused.stderr[0].contains("is the key the same?"), "{refused:#?}");
    }
    room.process.signal("TERM");
    let ended = room.process.finish();
    assert!(ended.has_line("2 with another key"), "{ended:#?}");
}

#[test]
fn guests_can_be_kept_out() {
    let room = Room::start("--guests none");
    let mut guest = room.connect();
    guest.send("anna\n");
    let refusal =
        "-- plain connections from your address are not allowed; use udpecho join with the room's key\n";
    assert_eq!(guest.rest(), refusal);
    assert_eq!(order(room.port, "--name bea", "/who").code, Some(0));
}

#[test]
fn lines_on_stdin_are_said_and_its_end_leaves() {
    let room = Room::start("");
    let mut anna = room.member("anna");
    let mut join = udpecho();
    join.args(["join", &format!("127.0.0.1:{}", room.port), "--name", "bea", "--share", "nothing"]);
    let said = output(join, "hello\n@anna psst\n");
    assert_eq!(said.status.code(), Some(0));
    assert_eq!(
        String::from_utf8(said.stdout).unwrap(),
        "Welcome bea! If you ever want to quit, type {quit} to exit.\n\
         -- here: anna (text). Encrypted; you are a member. /help\n\
         bea: hello\nbea to anna: psst\n{quit}\n"
    );
    assert_eq!(anna.line(), "bea has joined the chat!");
    assert_eq!(anna.line(), "bea: hello");
}

#[test]
fn an_agent_shares_its_load_and_joins_a_killed_and_restarted_room_again() {
    let port = free_port();
    let room = Room::at(port, "");
    let mut command = udpecho();
    command.args(["join", &format!("127.0.0.1:{port}"), "--name", "bea", "--agent"]);
    let mut agent = Process::spawn(command);
    agent.remark_with("joined 127.0.0.1:");
    let mut anna = room.member("anna");
    loop {
        anna.send("/load bea\n");
        let load = anna.line();
        if load.starts_with("-- bea: [") && load.contains("busy: ") && load.contains("CPU ") {
            break;
        }
        assert_eq!(load, "-- bea: does not share its load");
        std::thread::sleep(std::time::Duration::from_millis(400));
    }
    room.process.signal("KILL");
    agent.remark_with("again in 1 s");
    drop(room);
    let again = Room::at(port, "");
    agent.remark_with("joined 127.0.0.1:");
    let mut anna = again.connect();
    anna.send("anna\n/who\n");
    anna.line_with("-- here: bea (agent), anna (text)");
}
