//! Transcripts of each kind of peer, to the letter.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::Room;
use crate::common::process::{Process, output, port_in, python, udpecho};

const GREETING: &str = "Greetings from the cave! Now type your name and press enter!";

#[test]
fn people_with_nc_meet_as_in_the_transcript() {
    let room = Room::start("");
    let mut anna = room.connect();
    assert_eq!(anna.line(), GREETING);
    anna.send("anna\n");
    assert_eq!(anna.line(), "Welcome anna! If you ever want to quit, type {quit} to exit.");
    assert_eq!(anna.line(), "-- here: nobody else. Not encrypted; you are a guest. /help");
    anna.send("hello\n");
    assert_eq!(anna.line(), "anna: hello");
    let mut dora = room.member("dora");
    assert_eq!(anna.line(), "dora has joined the chat!");
    anna.send("@dora which kernel?\n");
    assert_eq!([anna.line(), dora.line()], ["anna to dora: which kernel?"; 2]);
    dora.send("@anna since: noon\n");
    assert_eq!([anna.line(), dora.line()], ["dora to anna: since: noon"; 2]);
    let mut carl = room.member("carl");
    assert_eq!([anna.line(), dora.line()], ["carl has joined the chat!"; 2]);
    anna.send("@dora @carl: look at #4\r\n");
    for peer in [&mut anna, &mut dora, &mut carl] {
        assert_eq!(peer.line(), "anna to dora, carl: look at #4");
    }
    dora.send("{quit}\n");
    assert_eq!(dora.rest(), "{quit}\n");
    assert_eq!(anna.line(), "dora has left the chat.");
    anna.send("/who\n");
    assert_eq!(anna.line(), "-- here: anna (text), carl (text)");
    // A connection that ends without a word has left, too.
    drop(carl);
    assert_eq!(anna.line(), "carl has left the chat.");
}

#[test]
fn a_script_pipes_its_lines_into_any_nc() {
    let told = format!(
        "{GREETING}\nWelcome anna! If you ever want to quit, type {{quit}} to exit.\n\
         -- here: nobody else. Not encrypted; you are a guest. /help\nanna: hi\n{{quit}}\n"
    );
    let room = Room::start("");
    let port = room.port.to_string();
    let mut any = false;
    // The original netcat tells nobody that its input has ended.
    let programs = [
        ("nc.openbsd", &["-N"][..], "anna\nhi\n"),
        ("ncat", &[], "anna\nhi\n"),
        ("nc.traditional", &[], "anna\nhi\n{quit}\n"),
    ];
    for (program, words, typed) in programs {
        let there = Command::new(program).arg("-h").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if there.is_err() {
            continue;
        }
        any = true;
        let mut nc = Command::new(program);
        nc.args(words).args(["127.0.0.1", &port]);
        let said = output(nc, typed);
        assert_eq!(String::from_utf8(said.stdout).unwrap(), told, "{program}");
    }
    if !any {
        crate::needs!(Nc);
    }
}

#[test]
fn a_chat_client_without_ends_of_lines_gets_none() {
    crate::needs!(Python);
    let room = Room::start("");
    let mut client = python("room_client.py");
    client.args(["chat", &room.port.to_string(), "Rahul", "hello", "{quit}"]);
    let mut child = client.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut enter = child.stdin.take().unwrap();
    let mut shown = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let mut next = || shown.next().unwrap().unwrap();
    assert_eq!(next(), format!("greeted '{GREETING}\\n'"));
    enter.write_all(b"\n").unwrap();
    let welcome = "Welcome Rahul! If you ever want to quit, type {quit} to exit.";
    assert_eq!(
        next(),
        format!("shown '{welcome}\\n-- here: nobody else. Not encrypted; you are a guest. /help'")
    );
    enter.write_all(b"\n").unwrap();
    assert_eq!(next(), "shown 'Rahul: hello'");
    let mut anna = room.member("anna");
    assert_eq!(next(), "shown 'anna has joined the chat!'");
    anna.send("@rahul:hey\n");
    assert_eq!(next(), "shown 'anna to Rahul: hey'");
    enter.write_all(b"\n").unwrap();
    assert_eq!(next(), "shown '{quit}'");
    assert_eq!(next(), "closed");
    assert!(child.wait().unwrap().success());
    anna.line_with("anna to Rahul: hey");
    assert_eq!(anna.line(), "Rahul has left the chat.");
}

#[test]
fn strict_turns_are_answered_one_by_one() {
    crate::needs!(Python);
    let room = Room::start("");
    let mut client = python("room_client.py");
    client.args(["one-to-one", &room.port.to_string(), "hi", "how are you?", "bye"]);
    let said = String::from_utf8(output(client, "").stdout).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with(&format!("answered '{GREETING}\\nWelcome hi!")), "{lines:#?}");
    assert_eq!(lines[1..], ["answered 'hi: how are you?'", "answered 'hi: bye'"]);
}

#[test]
fn a_name_and_nine_thousand_bytes_that_arrive_in_one_read_are_a_name_and_messages() {
    crate::needs!(Python);
    let room = Room::start("");
    let mut anna = room.member("anna");
    let mut client = python("room_client.py");
    client.args(["processes", &room.port.to_string(), "Rahul "]);
    output(client, "");
    assert_eq!(anna.line(), "Rahul has joined the chat!");
    let mut all = String::new();
    loop {
        let line = anna.line();
        if line == "Rahul has left the chat." {
            break;
        }
        all += line.strip_prefix("Rahul: ").unwrap_or_else(|| panic!("{line}"));
    }
    for n in [0, 1, 200, 399] {
        assert!(all.contains(&format!("process{n} --> {n}")), "{n}: {all}");
    }
}

#[test]
fn scripts_speak_json_lines() {
    let room = Room::start("");
    let mut script = room.connect();
    script.send("{\"name\":\"js\"}\n{\"say\":\"hello\"}\n{\"say\":\"/who\"}\n");
    assert_eq!(script.line(), r#"{"event":"greeting"}"#);
    assert_eq!(
        script.line(),
        r#"{"event":"welcome","name":"js","role":"guest","encrypted":false,"here":[]}"#
    );
    assert_eq!(script.line(), r#"{"event":"said","from":"js","to":[],"text":"hello"}"#);
    assert_eq!(script.line(), r#"{"event":"who","here":[{"name":"js","role":"guest","via":"json"}]}"#);
    script.send("{\"say\":\"{quit}\"}\n");
    assert_eq!(script.rest(), "{\"event\":\"closed\"}\n");
}

#[test]
fn what_a_terminal_would_obey_is_shown_and_not_obeyed() {
    let room = Room::start("");
    let mut anna = room.member("anna");
    let mut evil = room.member("\u{1b}[31mev\u{202e}il");
    assert_eq!(anna.line(), "31mevil has joined the chat!");
    evil.stream.write_all(b"\x1b[2J\xe2\x80\xaeabc\xff\xfe\x00grob\xc3\xbc\n").unwrap();
    assert_eq!(anna.line(), "31mevil: \\u{1b}[2J\\u{202e}abcgrob\u{fc}");
}

#[test]
fn the_same_port_answers_http_and_udp() {
    let mut room = Room::start("");
    let mut anna = room.member("anna");
    anna.send("hello\n");
    assert_eq!(anna.line(), "anna: hello");
    let mut http = room.connect();
    http.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let page = http.rest();
    assert!(page.starts_with("HTTP/1.1 200 OK"), "{page}");
    assert!(page.contains("\nudpecho_room_members 1\n"), "{page}");
    assert!(page.contains("\nudpecho_room_joined_total 1\n"), "{page}");
    let folder = tempfile::tempdir().unwrap();
    let ping = format!("ping 127.0.0.1:{} -n 1 --no-record -q", room.port);
    assert_eq!(
        crate::common::process::run(crate::common::process::command(folder.path(), &ping)).code,
        Some(0)
    );
    room.process.signal("TERM");
    assert_eq!(anna.line(), "-- disconnected: the room is closed");
    room.process.line_with("1 joined, 1 line said");
}

/// A program that somebody types into; ended when it is dropped.
struct Typing {
    child: Child,
    keyboard: ChildStdin,
    shown: BufReader<ChildStdout>,
}

impl Typing {
    fn start(mut command: Command) -> Self {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (keyboard, shown) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, keyboard, shown }
    }

    fn types(&mut self, line: &str) {
        // In one piece: what comes without the end of its line is taken for a chunk.
        self.keyboard.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// The next line; empty at the end.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.shown.read_line(&mut line).unwrap();
        line.trim_end_matches(['\r', '\n']).to_owned()
    }
}

impl Drop for Typing {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn people_with_telnet_see_what_those_with_nc_do() {
    crate::needs!(Telnet);
    let room = Room::start("");
    let mut anna = room.member("anna");
    let mut telnet = Command::new("telnet");
    telnet.args(["127.0.0.1", &room.port.to_string()]);
    let mut bea = Typing::start(telnet);
    let connecting = std::iter::repeat_with(|| bea.line()).find(|line| line.starts_with("Escape character"));
    assert!(connecting.is_some());
    assert_eq!(bea.line(), GREETING);
    bea.types("bea");
    assert_eq!(bea.line(), "Welcome bea! If you ever want to quit, type {quit} to exit.");
    assert_eq!(bea.line(), "-- here: anna (text). Not encrypted; you are a guest. /help");
    assert_eq!(anna.line(), "bea has joined the chat!");
    bea.types("grüße");
    assert_eq!([anna.line(), bea.line()], ["bea: grüße"; 2]);
    bea.types("{quit}");
    assert_eq!(bea.line(), "{quit}");
    assert_eq!(anna.line(), "bea has left the chat.");
}

/// One room for the addresses of both families.
#[test]
fn people_with_nc_over_ipv4_and_ipv6_meet() {
    crate::needs!(Nc);
    let program = if Command::new("nc.openbsd").arg("-h").output().is_ok() { "nc.openbsd" } else { "ncat" };
    let mut room = udpecho();
    room.args(["room", "-p", "0"]);
    let mut room = Process::spawn(room);
    let port = port_in(&room.line_with("room on TCP and UDP port ").replace("port ", ":")).to_string();
    let mut people = ["127.0.0.1", "::1"].map(|address| {
        let mut nc = Command::new(program);
        nc.args([address, &port]);
        Typing::start(nc)
    });
    let [anna, bea] = &mut people;
    for (person, name, here) in [(&mut *anna, "anna", "nobody else"), (&mut *bea, "bea", "anna (text)")] {
        assert_eq!(person.line(), GREETING);
        person.types(name);
        assert_eq!(
            person.line(),
            format!("Welcome {name}! If you ever want to quit, type {{quit}} to exit.")
        );
        assert_eq!(person.line(), format!("-- here: {here}. Not encrypted; you are a guest. /help"));
    }
    assert_eq!(anna.line(), "bea has joined the chat!");
    bea.types("@anna over IPv6");
    assert_eq!([anna.line(), bea.line()], ["bea to anna: over IPv6"; 2]);
    anna.types("{quit}");
    assert_eq!(anna.line(), "{quit}");
    assert_eq!(bea.line(), "anna has left the chat.");
}

#[test]
fn a_messenger_of_the_command_line_sends_to_one_and_to_a_group() {
    crate::needs!(Python);
    let room = Room::start("");
    let mut anna = room.member("anna");
    let mut messenger = python("room_client.py");
    messenger.args(["messenger", &room.port.to_string(), "rishu"]);
    let mut rishu = Typing::start(messenger);
    assert_eq!(anna.line(), "rishu has joined the chat!");
    let mut shown = rishu.line();
    // Greeting and welcome may come in one read or in two.
    while !shown.ends_with("you are a guest. /help'") {
        shown += &rishu.line();
    }
    assert!(shown.starts_with(&format!("shown '{GREETING}")), "{shown}");
    let mut parul = room.member("parul");
    assert_eq!(
        [anna.line(), rishu.line()],
        ["parul has joined the chat!", "shown 'parul has joined the chat!'"]
    );
    rishu.types("@parul:helloooo");
    assert_eq!(
        [parul.line(), rishu.line()],
        ["rishu to parul: helloooo", "shown 'rishu to parul: helloooo'"]
    );
    rishu.types("@parul @anna:hey");
    assert_eq!([parul.line(), anna.line()], ["rishu to parul, anna: hey"; 2]);
    assert_eq!(rishu.line(), "shown 'rishu to parul, anna: hey'");
    rishu.types("@nobody:hey");
    assert_eq!(rishu.line(), "shown '-- nobody is not here; /who lists who is'");
    parul.send("{quit}\n");
    assert_eq!(rishu.line(), "shown 'parul has left the chat.'");
}
