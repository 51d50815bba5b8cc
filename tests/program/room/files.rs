//! Files through the shelf: our own client, the client of ten lines, a disk that is full, a kept room.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{Room, assert_described};
use crate::common::process::{Finished, Process, command, names, output, port_in, python, run, udpecho};

/// `join --do` in this folder.
fn order(folder: &Path, port: u16, name: &str, line: &str) -> Finished {
    let mut join = udpecho();
    join.current_dir(folder).args([
        "join",
        &format!("127.0.0.1:{port}"),
        "--name",
        name,
        "--json",
        "--do",
        line,
    ]);
    run(join)
}

fn answer(finished: &Finished) -> Value {
    assert_eq!(finished.code, Some(0), "{finished:#?}");
    let answer =
        serde_json::from_str(&finished.stdout.join("\n")).unwrap_or_else(|_| panic!("{finished:#?}"));
    assert_described(&answer);
    answer
}

#[test]
fn a_file_and_the_folder_of_a_run_go_from_one_member_to_another() {
    let room = Room::start("");
    let place = tempfile::tempdir().unwrap();
    let content: Vec<u8> = (0..3_000_000_u32).map(|k| (k % 251) as u8).collect();
    fs::write(place.path().join("big file.bin"), &content).unwrap();
    let sent = answer(&order(place.path(), room.port, "anna", "/send big file.bin"));
    assert_eq!((&sent["event"], &sent["file"]["name"]), (&"shelved".into(), &"big file.bin".into()));
    // The same content is known already, and is not sent again.
    assert_eq!(answer(&order(place.path(), room.port, "carl", "/send big file.bin"))["file"]["number"], 1);
    fs::copy(place.path().join("big file.bin"), place.path().join("copy.bin")).unwrap();
    assert_eq!(answer(&order(place.path(), room.port, "carl", "/send copy.bin"))["file"]["number"], 1);
    for name in ["big file.bin", "big file (2).bin"] {
        let saved = answer(&order(place.path(), room.port, "bea", "/get 1"));
        assert_eq!(saved["path"], format!("inbox/{name}"));
        assert!(fs::read(place.path().join("inbox").join(name)).unwrap() == content);
    }
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("results/sample");
    let run = answer(&order(&sample, room.port, "anna", "/send ."));
    assert_eq!((&run["file"]["kind"], &run["file"]["name"]), (&"run".into(), &"sample".into()));
    assert_eq!(answer(&order(place.path(), room.port, "bea", "/get 2"))["path"], "inbox/sample");
    for name in names(&place.path().join("inbox/sample")) {
        let [sent, received] =
            [sample.join(&name), place.path().join("inbox/sample").join(&name)].map(fs::read);
        assert!(sent.unwrap() == received.unwrap(), "{name}");
    }
    let files = answer(&order(place.path(), room.port, "bea", "/files"));
    assert_eq!(files["files"].as_array().unwrap().len(), 2, "{files}");
    let missing = order(place.path(), room.port, "bea", "/get 7");
    assert_eq!(
        (missing.code, &missing.stderr[0][..]),
        (Some(2), "udpecho: no file 7 on the shelf; /files lists them")
    );
    assert_eq!(order(place.path(), room.port, "bea", "/send nothing-here").code, Some(2));
    assert_eq!(names(place.path()), ["big file.bin", "copy.bin", "inbox"]);
}

#[test]
fn a_file_for_one_member_is_not_for_another_and_a_guest_gets_none() {
    let room = Room::start("");
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("a.txt"), "for bea").unwrap();
    answer(&order(place.path(), room.port, "anna", "/send a.txt @bea"));
    assert_eq!(order(place.path(), room.port, "carl", "/get 1").code, Some(2));
    answer(&order(place.path(), room.port, "bea", "/get 1"));
    assert_eq!(fs::read_to_string(place.path().join("inbox/a.txt")).unwrap(), "for bea");
    let mut guest = room.member("dora");
    guest.send("/files\n/get 1\n/send x\n");
    assert_eq!(guest.line_with("-- the shelf"), "-- the shelf is empty");
    guest.line_with("-- only members can do this");
    guest.line_with("-- a file is sent by udpecho join or by the page");
}

/// The original's client: one `recv` for the verdict, then the file until the end.
#[test]
fn a_client_of_ten_lines_fetches_a_file_that_is_offered_in_the_clear() {
    crate::needs!(Python);
    let room = Room::start("");
    let place = tempfile::tempdir().unwrap();
    let content = vec![9; 500_000];
    fs::write(place.path().join("a.bin"), &content).unwrap();
    // It is on the shelf already the second time; the last offer stands.
    let offered = ["/send a.bin --plain", "/send a.bin --plain", "/plain 1"]
        .map(|line| answer(&order(place.path(), room.port, "anna", line)));
    let word = offered[2]["word"].as_str().unwrap();
    assert!(
        offered.iter().all(|offered| offered["event"] == "plain_offer" && offered["file"]["number"] == 1)
    );
    let sum: u64 = content.iter().map(|byte| u64::from(*byte)).sum();
    let whole = format!("verdict AUTH_SUCCESS\nreceived {} {sum}\n", content.len());
    for (sent, said) in [(word, &whole[..]), ("SECRET_KEY", "verdict AUTH_ERROR\nreceived 0 0\n")] {
        let mut client = python("room_client.py");
        client.args(["fetch", &room.port.to_string(), sent]);
        assert_eq!(String::from_utf8(output(client, "").stdout).unwrap(), said);
    }
}

#[test]
fn a_kept_room_has_its_talk_its_files_its_runs_and_a_page() {
    let place = tempfile::tempdir().unwrap();
    let kept = place.path().join("kept");
    let room = Room::start(&format!("--keep {}", kept.display()));
    let (mut anna, mut bea) = (room.member("anna"), room.member("bea"));
    anna.send("hello <b>bea</b>\n@bea a secret\n");
    bea.line_with("anna to bea: a secret");
    fs::write(place.path().join("a.txt"), "content").unwrap();
    answer(&order(place.path(), room.port, "carl", "/send a.txt"));
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("results/sample");
    answer(&order(&sample, room.port, "carl", "/send ."));
    room.process.signal("TERM");
    assert_eq!(room.process.finish().code, Some(0));
    assert_eq!(names(&kept), ["files", "runs", "talk.html", "talk.ndjson"]);
    let talk = fs::read_to_string(kept.join("talk.ndjson")).unwrap();
    let events: Vec<Value> = talk.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(&kinds[..4], ["joined", "joined", "said", "said"], "{talk}");
    assert!(events.iter().all(|event| event["at"].as_str().is_some_and(|at| at.ends_with('Z'))));
    assert!(talk.contains("hello <b>bea</b>") && !talk.contains("a secret") && talk.contains("\"bytes\":8"));
    let page = fs::read_to_string(kept.join("talk.html")).unwrap();
    assert!(page.contains("anna: hello &lt;b&gt;bea&lt;/b&gt;") && !page.contains("a secret"), "{page}");
    let hash = blake3_of(b"content");
    assert!(page.contains(&format!("href=\"files/{hash}\"")), "{page}");
    assert_eq!(fs::read_to_string(kept.join("files").join(hash)).unwrap(), "content");
    let report = fs::read_to_string(kept.join("runs/sample/report.html")).unwrap();
    assert!(report.contains("<h2>Causes of loss</h2>"));
    // Another room in the same folder replaces nothing.
    let again = Room::start(&format!("--keep {}", kept.display()));
    again.process.signal("TERM");
    assert_eq!(again.process.finish().code, Some(0));
    assert_eq!(names(&kept), ["files", "runs", "talk-2.html", "talk-2.ndjson", "talk.html", "talk.ndjson"]);
    assert_eq!(fs::read_to_string(kept.join("talk.ndjson")).unwrap(), talk);
}

fn blake3_of(bytes: &[u8]) -> String {
    udpecho::room::ContentHash::of(bytes).to_string()
}

#[test]
fn without_keep_a_room_writes_nothing() {
    let place = tempfile::tempdir().unwrap();
    let mut process = Process::spawn(command(place.path(), "room -4 -p 0"));
    let port = port_in(&process.line_with("room on TCP and UDP port ").replace("port ", ":"));
    let sender = tempfile::tempdir().unwrap();
    fs::write(sender.path().join("a.txt"), "content").unwrap();
    answer(&order(sender.path(), port, "anna", "/send a.txt"));
    process.signal("TERM");
    assert_eq!(process.finish().code, Some(0));
    assert!(names(place.path()).is_empty());
}

/// A disk of a megabyte: the upload ends, its part goes, the room stays.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_ends_the_upload_and_not_the_room() {
    crate::needs!(UserNamespace);
    let place = tempfile::tempdir().unwrap();
    let kept = place.path().join("kept");
    fs::create_dir(&kept).unwrap();
    let mut inside = std::process::Command::new("unshare");
    let script = "mount -t tmpfs -o size=1m none \"$1\" && shift && exec \"$@\"";
    inside
        .args(["--map-root-user", "--mount", "sh", "-c", script, "sh"])
        .arg(&kept)
        .arg(env!("CARGO_BIN_EXE_udpecho"));
    inside.args(["room", "-4", "-p", "0", "--keep"]).arg(&kept);
    let mut process = Process::spawn(inside);
    let port = port_in(&process.line_with("room on TCP and UDP port ").replace("port ", ":"));
    fs::write(place.path().join("big"), vec![1; 2_000_000]).unwrap();
    fs::write(place.path().join("small"), "small").unwrap();
    let full = order(place.path(), port, "anna", "/send big");
    assert_eq!(full.code, Some(2));
    assert!(full.stderr[0].contains("the room's disk is full"), "{full:#?}");
    answer(&order(place.path(), port, "anna", "/send small"));
    process.signal("TERM");
    assert_eq!(process.finish().code, Some(0));
}

/// A file that the receiver's disk cannot hold is deleted, and one that fits still comes.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_of_the_receiver_keeps_nothing_of_the_file() {
    crate::needs!(UserNamespace);
    let room = Room::start("");
    let place = tempfile::tempdir().unwrap();
    fs::create_dir(place.path().join("inbox")).unwrap();
    fs::write(place.path().join("big"), vec![1; 2_000_000]).unwrap();
    fs::write(place.path().join("small"), "small").unwrap();
    for name in ["big", "small"] {
        answer(&order(place.path(), room.port, "anna", &format!("/send {name}")));
    }
    let mut inside = std::process::Command::new("unshare");
    let script = "mount -t tmpfs -o size=1m none inbox && for number in 1 2; do \
        \"$1\" join \"127.0.0.1:$2\" --name bea --do \"/get $number\"; echo $? $(ls -A inbox); done";
    inside.current_dir(place.path()).args(["--map-root-user", "--mount", "sh", "-c", script, "sh"]);
    inside.args([env!("CARGO_BIN_EXE_udpecho"), &room.port.to_string()]);
    let fetched = run(inside);
    assert_eq!(fetched.stdout, ["2", "inbox/small", "0 small"], "{fetched:#?}");
    assert!(fetched.stderr[0].contains("No space left"), "{fetched:#?}");
}
