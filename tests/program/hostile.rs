//! Names, descriptions, records and files that somebody prepared to harm: nothing of them reaches a
//! terminal raw, nothing is written through a link, nothing hangs.
#![cfg(unix)]

use std::fs;
use std::net::UdpSocket;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::thread;

use tempfile::TempDir;
use udpecho::printable::is_printable;
use udpecho::wire::native::{Accept, Cookie, Message, Nonce, Token, decode};

use crate::common::process::{Finished, Serve, command, names, run, udpecho};

/// Sets the title, clears the screen, hides what follows, writes to the clipboard, runs backwards.
const ATTACK: &str =
    "\x1b]0;owned\x07\x1b[2J\x1b[8m\x1b]52;c;ZXZpbA==\x1b\\\u{9b}31m\u{202e}txt\u{200b}\x7f\r\n";

fn assert_harmless(what: &str, finished: &Finished) {
    for line in finished.stdout.iter().chain(&finished.stderr) {
        assert!(line.chars().all(is_printable), "{what}: {line:?}");
    }
}

/// A recorded run in a folder of its own.
fn recorded(options: &str) -> TempDir {
    let place = TempDir::new().unwrap();
    let finished =
        run(command(place.path(), &format!("ping -n 3 -i 0.01 -W 5 --impair clean -q -o run {options}")));
    assert_eq!(finished.code, Some(0), "{finished:#?}");
    place
}

fn udpecho_in(place: &TempDir, words: &str) -> Finished {
    run(command(place.path(), words))
}

/// A server that describes itself like this.
fn server_that_says(injects: &'static str) -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    thread::spawn(move || {
        let (mut received, mut answer) = ([0; 65_536], [0; 65_536]);
        while let Ok((length, client)) = socket.recv_from(&mut received) {
            let length = match decode(&received[..length]) {
                Ok(Message::Hello(hello)) => Cookie { nonce: hello.nonce, cookie: [7; 16] }.emit(&mut answer),
                Ok(Message::Open(open)) => accept(open.nonce, open.size, injects).emit(&mut answer, length),
                _ => continue,
            };
            socket.send_to(&answer[..length], client).unwrap();
        }
    });
    port
}

fn accept(nonce: Nonce, size: u32, injects: &str) -> Accept<'_> {
    Accept {
        nonce,
        token: Token(1),
        size,
        max_size: 65_507,
        remember: 1000,
        seed: 1,
        longest_hold: udpecho::time::Duration::ZERO,
        socket: udpecho::wire::native::SocketMark::default(),
        session_rate: 0,
        grants_load: false,
        injects,
        kernel_stamps: false,
        idle_secs: 0,
        host: Default::default(),
    }
}

#[test]
fn a_servers_description_that_a_terminal_would_obey_opens_no_session() {
    let place = TempDir::new().unwrap();
    let port = server_that_says(ATTACK);
    let finished = udpecho_in(&place, &format!("ping 127.0.0.1:{port} -n 1 -i 0.01 -o run"));
    assert_harmless("description", &finished);
    assert_eq!(finished.stdout, [""; 0], "{finished:#?}");
    assert_eq!((finished.code, finished.stderr.len()), (Some(2), 1), "{finished:#?}");
    assert!(finished.stderr[0].contains("describes itself with control characters"), "{finished:#?}");
    // A harmless one does, from the same server.
    let port = server_that_says("loss=42%");
    let finished = udpecho_in(&place, &format!("ping 127.0.0.1:{port} -n 1 -i 0.01 -o run"));
    assert!(finished.has_line("loss 42%"), "{finished:#?}");
}

#[test]
fn no_text_of_a_record_reaches_the_terminal_a_picture_or_a_page_raw() {
    let place = recorded("");
    let path = place.path().join("run/run.json");
    let mut record: serde_json::Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    record["server"]["injects"] = ATTACK.into();
    for name in ["host", "address", "source"] {
        record["config"][name] = ATTACK.into();
    }
    record["udpecho"] = ATTACK.into();
    record["argv"] = [ATTACK, "</script><script>alert(1)</script>"].as_slice().into();
    record["stamps"]["client_send"] = ATTACK.into();
    record["events"] = serde_json::json!([{ "at_us": 1.0, "kind": ATTACK, "text": ATTACK }]);
    fs::write(&path, record.to_string()).unwrap();
    for format in ["png", "svg", "html"] {
        let finished = udpecho_in(&place, &format!("report run --format {format}"));
        assert_eq!(finished.code, Some(0), "{finished:#?}");
        assert_harmless(format, &finished);
        assert!(finished.has_line("\\u{1b}]0;owned"), "{finished:#?}");
    }
    for name in ["report.svg", "report.html"] {
        let drawn = fs::read_to_string(place.path().join("run").join(name)).unwrap();
        assert!(drawn.contains("owned") && !drawn.contains("<script>alert"), "{name}");
        assert!(drawn.chars().all(|c| c == '\n' || is_printable(c)), "{name}");
    }
    let finished = udpecho_in(&place, "compare run run");
    assert_harmless("compare", &finished);
    // A name that no field may have is told in the error.
    record["summary"]["causes"] = serde_json::json!({ ATTACK: 1 });
    fs::write(&path, record.to_string()).unwrap();
    let finished = udpecho_in(&place, "report run");
    assert_eq!((finished.code, finished.stderr.len()), (Some(2), 1), "{finished:#?}");
    assert_harmless("causes", &finished);
}

#[test]
fn a_cell_of_probes_csv_is_told_without_its_escapes() {
    let place = recorded("");
    let path = place.path().join("run/probes.csv");
    let rows = fs::read_to_string(&path).unwrap();
    let attack = ATTACK.trim_end();
    fs::write(&path, rows.replacen(",ok,", &format!(",{attack},"), 1)).unwrap();
    for words in ["report run", "compare run run"] {
        let finished = udpecho_in(&place, words);
        assert_eq!((finished.code, finished.stderr.len()), (Some(2), 1), "{finished:#?}");
        let told = &finished.stderr[0];
        assert!(told.contains("line 2: ") && told.contains("'\\u{1b}]0;owned"), "{finished:#?}");
        assert_harmless(words, &finished);
    }
}

#[test]
fn names_of_files_and_hosts_are_printed_without_their_escapes() {
    let place = recorded("");
    let name = ATTACK.replace('/', "");
    fs::rename(place.path().join("run"), place.path().join(&name)).unwrap();
    for words in [
        vec!["report", &name],
        vec!["report", "--format", "html", &name],
        vec!["compare", &name, &name],
        vec!["ping", "-n", "1", "-o", &name],
        vec!["ping", "-n", "1", "-i", "0.01", "--force", "-o", &name],
        vec!["ping", "-n", "1", &name],
        vec!["ping", "-n", &name],
        vec!["ping", "--key-file", &name],
        vec!["serve", "--scenario", &name],
        vec!["serve", "--loss", &name],
        vec!["serve", "--http", &name],
    ] {
        let mut command = udpecho();
        command.current_dir(&place).args(&words);
        let finished = run(command);
        assert!(finished.stdout.len() + finished.stderr.len() > 0, "{words:?}");
        assert_harmless(&format!("{words:?}"), &finished);
    }
}

/// Links of every name that was ever written to, to one file of the user.
fn plant(folder: &Path, target: &Path) {
    for name in [
        ".trial",
        ".run.json.part",
        ".report.png.part",
        ".report.svg.part",
        ".report.html.part",
        "out.png.part",
        "report.png",
        "report.svg",
        "report.html",
        "seconds.csv",
    ] {
        let _ = fs::remove_file(folder.join(name));
        symlink(target, folder.join(name)).unwrap();
    }
}

#[test]
fn links_planted_in_a_folder_let_nothing_be_written_elsewhere() {
    let place = recorded("");
    let (folder, precious) = (place.path().join("run"), place.path().join("precious"));
    let words = [
        "report run",
        "report run --format svg",
        "report run --format html",
        "report run --force -o run/out.png",
        "report run --force -o run/report.svg",
        "compare run run --force -o run/out.png",
        "ping -n 2 -i 0.01 -W 5 --impair clean -q --force -o run",
    ];
    for words in words {
        fs::write(&precious, "precious").unwrap();
        plant(&folder, &precious);
        let finished = udpecho_in(&place, words);
        assert_eq!(finished.code, Some(0), "{words}: {finished:#?}");
        assert_eq!(fs::read_to_string(&precious).unwrap(), "precious", "{words}");
    }
    // What comes from elsewhere may have links in place of its own files, too.
    for name in ["run.json", "probes.csv"] {
        fs::rename(folder.join(name), &precious).unwrap();
        symlink(&precious, folder.join(name)).unwrap();
        let before = fs::read(&precious).unwrap();
        let finished = udpecho_in(&place, "ping -n 2 -i 0.01 -W 5 --impair clean -q --force -o run");
        assert_eq!(finished.code, Some(0), "{finished:#?}");
        assert_eq!(fs::read(&precious).unwrap(), before, "{name}");
        assert!(!folder.join(name).is_symlink(), "{name}");
    }
    // And in the current folder.
    fs::write(&precious, "precious").unwrap();
    plant(place.path(), &precious);
    symlink(&precious, place.path().join("rows.csv")).unwrap();
    let finished = udpecho_in(&place, "report run -o out.png");
    assert_eq!(finished.code, Some(0), "{finished:#?}");
    let finished = udpecho_in(&place, "ping -n 2 -i 0.01 --no-record --force --csv rows.csv");
    assert_eq!(finished.code, Some(2), "{finished:#?}");
    assert!(finished.stderr[0].contains("rows.csv is a link; name the file itself"), "{finished:#?}");
    assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
}

#[test]
fn an_output_that_is_a_link_is_replaced_only_by_force_and_its_target_never() {
    let place = recorded("");
    let precious = place.path().join("precious");
    fs::write(&precious, "precious").unwrap();
    for (target, what) in [(precious.clone(), "a file"), (place.path().join("nothing"), "no file")] {
        let link = place.path().join("picture.png");
        let _ = fs::remove_file(&link);
        symlink(&target, &link).unwrap();
        let refused = udpecho_in(&place, "report run -o picture.png");
        assert_eq!(refused.code, Some(2), "{what}: {refused:#?}");
        assert!(link.is_symlink());
        let forced = udpecho_in(&place, "report run -o picture.png --force");
        assert_eq!(forced.code, Some(0), "{what}: {forced:#?}");
        assert!(!link.is_symlink() && fs::read(&link).unwrap().starts_with(b"\x89PNG"), "{what}");
    }
    assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
    assert!(!place.path().join("nothing").exists());
}

#[test]
fn files_without_end_and_pipes_without_a_writer_are_one_line_of_error() {
    let place = recorded("");
    let made = Command::new("mkfifo").arg("fifo").current_dir(&place).status().unwrap();
    assert!(made.success());
    fs::write(place.path().join("text"), "x\ny\n").unwrap();
    let sparse = fs::File::create(place.path().join("sparse")).unwrap();
    sparse.set_len(10 << 30).unwrap();
    thread::scope(|scope| {
        for file in ["/dev/zero", "sparse", "fifo"] {
            for words in [
                format!("serve -p 0 --key-file {file}"),
                format!("ping -n 1 --key-file {file}"),
                format!("serve -p 0 --scenario {file}"),
                format!("serve -p 0 --loss trace:{file}"),
                format!("serve -p 0 --delay empirical:{file}"),
            ] {
                let place = &place;
                scope.spawn(move || {
                    let finished = udpecho_in(place, &words);
                    assert_eq!(finished.code, Some(2), "{words}: {finished:#?}");
                    let remarks: Vec<_> =
                        finished.stderr.iter().filter(|line| !line.contains("warning: others")).collect();
                    assert_eq!(remarks.len(), 1, "{words}: {finished:#?}");
                });
            }
        }
    });
    for name in ["run.json", "probes.csv"] {
        let kept = fs::read(place.path().join("run").join(name)).unwrap();
        for file in ["/dev/zero", "../sparse", "../fifo", "../text"] {
            let path = place.path().join("run").join(name);
            fs::remove_file(&path).unwrap();
            symlink(file, &path).unwrap();
            for words in ["report run", "compare run run"] {
                let finished = udpecho_in(&place, words);
                assert_eq!(finished.code, Some(2), "{words} of {file}: {finished:#?}");
                assert_eq!(finished.stderr.len(), 1, "{words} of {file}: {finished:#?}");
                let is_regular = file.starts_with("../") && file != "../fifo";
                let is_refused = finished.stderr[0].contains("not a regular file");
                assert_eq!(is_refused, !is_regular, "{file}: {finished:#?}");
            }
        }
        fs::remove_file(place.path().join("run").join(name)).unwrap();
        fs::write(place.path().join("run").join(name), kept).unwrap();
    }
}

#[test]
fn a_key_may_come_through_a_pipe_and_one_that_others_can_read_is_told() {
    let place = TempDir::new().unwrap();
    let keygen = udpecho_in(&place, "keygen -o key");
    assert_eq!(keygen.code, Some(0), "{keygen:#?}");
    let words = "ping -n 2 -i 0.01 -W 5 --impair clean --no-record --key-file key";
    let finished = udpecho_in(&place, words);
    assert_eq!((finished.code, finished.stderr.len()), (Some(0), 0), "{finished:#?}");
    fs::set_permissions(place.path().join("key"), fs::Permissions::from_mode(0o640)).unwrap();
    let finished = udpecho_in(&place, words);
    assert_eq!(finished.code, Some(0), "{finished:#?}");
    assert_eq!(finished.stderr, ["udpecho: warning: others can read the key in key; chmod 600 key"]);
    let script =
        format!("{} {} <(cat key)", env!("CARGO_BIN_EXE_udpecho"), words.strip_suffix(" key").unwrap());
    let mut bash = Command::new("bash");
    bash.args(["-c", &script]).current_dir(&place);
    let finished = run(bash);
    assert_eq!((finished.code, finished.stderr.len()), (Some(0), 0), "{finished:#?}");
}

#[test]
fn a_new_key_replaces_nothing_and_says_why() {
    let place = TempDir::new().unwrap();
    assert_eq!(udpecho_in(&place, "keygen -o key").code, Some(0));
    let before = fs::read_to_string(place.path().join("key")).unwrap();
    symlink("key", place.path().join("link")).unwrap();
    symlink("nothing", place.path().join("dangling")).unwrap();
    for (file, why) in [
        ("key", "key exists, and keygen replaces no key; give -o another name, or remove it first"),
        ("link", "link is a link; name the file itself"),
        ("dangling", "dangling is a link; name the file itself"),
    ] {
        let finished = udpecho_in(&place, &format!("keygen -o {file}"));
        assert_eq!(finished.code, Some(2), "{finished:#?}");
        assert_eq!(finished.stderr, [format!("udpecho: {why}")]);
    }
    assert_eq!(fs::read_to_string(place.path().join("key")).unwrap(), before);
    assert!(!place.path().join("nothing").exists());
}

#[test]
fn runs_to_one_host_that_begin_together_have_a_folder_each() {
    let (place, serve) = (TempDir::new().unwrap(), Serve::start("--clean"));
    const MANY: usize = 8;
    thread::scope(|scope| {
        for _ in 0..MANY {
            scope.spawn(|| {
                let words = format!("ping 127.0.0.1:{} -n 2 -i 0.01 -W 5 -q", serve.port);
                let finished = udpecho_in(&place, &words);
                assert_eq!(finished.code, Some(0), "{finished:#?}");
            });
        }
    });
    let results = place.path().join("results");
    let folders = names(&results);
    assert_eq!(folders.len(), MANY, "{folders:?}");
    for folder in folders {
        let record = crate::common::files::Record::complete(&results.join(&folder));
        assert_eq!(record.rows.len(), 2, "{folder}");
    }
}
