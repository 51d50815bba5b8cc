//! The page's requests and its files over loopback, asked by hand.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::*;
use crate::net::clock::Clock;
use crate::net::random_bytes;
use crate::net::room::files::pack_run;
use crate::net::room::{RoomServer, RoomSettings};
use crate::room::{ContentHash, Shelf};

const QUOTA: u64 = 4 << 20;

struct Served {
    server: RoomServer,
    room: RoomService,
}

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{} {}", self.status, self.text()))
    }
}

impl Served {
    fn start(access: Access, word: Option<&str>) -> Self {
        let shelf = Shelf::new(random_bytes().unwrap(), QUOTA);
        let room = RoomService::new(Clock::start()).with_shelf(shelf);
        let files = RoomFiles::new(room.clone(), None).unwrap();
        let report: RunReport = Arc::new(|folder| {
            std::fs::read_to_string(folder.join("run.json")).map_err(|error| error.to_string())
        });
        let page = RoomPage { access, word: word.map(str::to_owned), report };
        let routes = page.routes(room.clone(), files.clone());
        let settings = RoomSettings { access, ..RoomSettings::default() };
        let any = "127.0.0.1:0".parse().unwrap();
        let server = RoomServer::start(any, room.clone(), files, settings, routes).unwrap();
        Self { server, room }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.server.address()).unwrap();
        stream.set_read_timeout(Some(std::time::Duration::from_secs(30))).unwrap();
        stream
    }

    fn ask(&self, head: &str, body: &[u8]) -> Answer {
        let mut stream = self.connect();
        let length = body.len();
        let head =
            format!("{head}\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        // The room may refuse before it has read all.
        let _ = stream.write_all(body);
        read_answer(stream)
    }

    fn post(&self, path: &str, session: &str, body: &str) -> Answer {
        self.ask(&format!("POST {path} HTTP/1.1\r\nX-Room-Session: {session}"), body.as_bytes())
    }

    fn enter(&self, name: &str) -> String {
        let answer = self.post("/room/enter", "", &json!({ "name": name }).to_string());
        answer.json()["session"].as_str().unwrap().to_owned()
    }

    fn offer(&self, session: &str, offer: Value) -> Answer {
        self.post("/room/offer", session, &offer.to_string())
    }

    /// The ticket for a file of this length.
    fn ticket(&self, session: &str, bytes: usize) -> String {
        let answer = self.offer(session, json!({ "name": "../a.txt", "bytes": bytes }));
        answer.json()["upload"]["ticket"].as_str().unwrap().to_owned()
    }

    fn put(&self, ticket: &str, offset: usize, body: &[u8]) -> Answer {
        self.ask(&format!("PUT /room/files/{ticket} HTTP/1.1\r\nX-Offset: {offset}"), body)
    }

    fn get(&self, session: &str, number: u32, more: &str) -> Answer {
        let ticket = self.post("/room/ask", session, &number.to_string()).json()["ticket"]
            .as_str()
            .unwrap()
            .to_owned();
        self.ask(&format!("GET /room/files/{ticket} HTTP/1.1{more}"), b"")
    }
}

fn read_answer(mut stream: TcpStream) -> Answer {
    let mut bytes = Vec::new();
    // A refused upload may be reset behind its answer.
    let _ = stream.read_to_end(&mut bytes);
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("the end of the head");
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head.split_whitespace().nth(1).unwrap().parse().unwrap();
    Answer { status, head, body: bytes[end + 4..].to_vec() }
}

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|k| (k * 31 % 251) as u8).collect()
}

#[test]
fn pages_talk_and_see_each_other_and_nobody_without_a_session_does() {
    let served = Served::start(Access::default(), None);
    let page = served.ask("GET / HTTP/1.1", b"");
    assert!(page.status == 200 && page.text().contains("Not encrypted."));
    assert!(!page.text().contains("innerHTML") && !page.text().contains("/*S"), "{}", page.text());
    let anna = served.enter("anna");
    let mut stream = served.connect();
    write!(stream, "GET /room/events HTTP/1.1\r\nHost: localhost\r\nX-Room-Session: {anna}\r\n\r\n").unwrap();
    let mut told = String::new();
    let mut until = |text: &str| {
        while !told.contains(text) {
            let mut part = [0; 4096];
            let length = stream.read(&mut part).unwrap();
            assert!(length > 0, "no {text} in {told}");
            told += &String::from_utf8_lossy(&part[..length]);
        }
    };
    until("\"you\":\"anna\"");
    let bea = served.enter("bea");
    assert_eq!(served.post("/room/say", &bea, "hello <b>anna</b>\u{1b}[2J").status, 204);
    until("\"text\":\"hello <b>anna</b>\\\\u{1b}[2J\"");
    until("\"lines\":[\"bea has joined the chat!\"]");
    for (head, status) in [
        ("POST /room/say HTTP/1.1\r\nX-Room-Session: 00", 401),
        ("POST /room/offer HTTP/1.1", 401),
        ("GET /room/events HTTP/1.1", 401),
        ("POST /room/enter HTTP/1.1\r\nOrigin: http://evil.example", 403),
        ("GET /room/files/00 HTTP/1.1", 404),
        ("GET /room/runs/00 HTTP/1.1", 404),
        ("PUT /room/files/00 HTTP/1.1", 409),
    ] {
        assert_eq!(served.ask(head, b"{}").status, status, "{head}");
    }
    assert_eq!(served.post("/room/leave", &bea, "").status, 204);
    until("\"lines\":[\"bea has left the chat.\"]");
}

#[test]
fn a_request_whose_body_does_not_come_gives_its_place_back() {
    let served = Served::start(Access::default(), None);
    let mut stream = served.connect();
    let head = "POST /room/enter HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20\r\n\r\n{";
    stream.write_all(head.as_bytes()).unwrap();
    let refused = read_answer(stream);
    assert!(refused.status == 408 && refused.text().contains("did not come"), "{}", refused.head);
}

#[test]
fn a_bad_name_and_a_wrong_word_are_refused_in_words() {
    let served = Served::start(Access { keyed: true, ..Access::default() }, Some("tulip"));
    let enter = |body: Value| served.post("/room/enter", "", &body.to_string());
    for name in ["<>", "--", "/who", "{quit}"] {
        let bad = enter(json!({ "name": name }));
        assert!(bad.status == 422 && bad.text().contains("for example anna"), "{name}: {}", bad.text());
    }
    let wrong = enter(json!({ "name": "anna", "word": "rose" }));
    assert!(wrong.status == 403 && wrong.text().contains("word"), "{}", wrong.text());
    assert!(served.room.here().is_empty());
    // Without the word a page is a guest where the room has a key.
    for (word, status) in [("", 403), ("tulip", 200)] {
        let answer = enter(json!({ "name": "anna", "word": word })).json();
        let session = answer["session"].as_str().unwrap();
        assert_eq!(served.offer(session, json!({ "name": "a", "bytes": 1 })).status, status, "{answer}");
    }
    // After three wrong ones within a minute the right one is not looked at.
    for word in ["rose", "rose", "tulip"] {
        assert_eq!(enter(json!({ "name": "eve", "word": word })).status, 403, "{word}");
    }
}

#[test]
fn a_file_goes_to_the_shelf_and_comes_back_whole_or_from_a_byte_on() {
    let served = Served::start(Access::default(), None);
    let anna = served.enter("anna");
    let bytes = content(200_000);
    let put = served.put(&served.ticket(&anna, bytes.len()), 0, &bytes).json();
    assert_eq!((put["name"].as_str(), put["number"].as_u64()), (Some("a.txt"), Some(1)));
    assert_eq!(put["hash"], ContentHash::of(&bytes).to_string());
    let whole = served.get(&anna, 1, "");
    assert_eq!((whole.status, &whole.body), (200, &bytes));
    assert!(whole.head.contains("content-disposition: attachment; filename=\"a.txt\""), "{}", whole.head);
    assert!(
        whole.head.contains("application/octet-stream") && whole.head.contains("nosniff"),
        "{}",
        whole.head
    );
    let rest = served.get(&anna, 1, "\r\nRange: bytes=150000-");
    assert_eq!((rest.status, &rest.body[..]), (206, &bytes[150_000..]));
    assert!(rest.head.contains("content-range: bytes 150000-199999/200000"), "{}", rest.head);
    let empty = served.put(&served.ticket(&anna, 0), 0, b"");
    assert_eq!((empty.status, served.get(&anna, 2, "").body.len()), (200, 0));
    let hash = ContentHash::of(&bytes).to_string();
    let known = served.offer(&anna, json!({ "name": "b", "bytes": bytes.len(), "hash": hash }));
    assert_eq!(known.json()["known"]["number"], 1);
}

#[test]
fn a_cut_upload_goes_on_at_its_last_block() {
    let served = Served::start(Access::default(), None);
    let anna = served.enter("anna");
    let bytes = content(300_000);
    let ticket = served.ticket(&anna, bytes.len());
    let mut stream = served.connect();
    write!(stream, "PUT /room/files/{ticket} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 300000\r\n\r\n")
        .unwrap();
    stream.write_all(&bytes[..200_000]).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let _ = stream.read_to_end(&mut Vec::new());
    // The room may still be writing what came.
    let answer = (0..500).map(|_| served.put(&ticket, 0, b"")).find(|answer| answer.status == 416);
    let answer = answer.expect("an offset");
    assert!(answer.head.contains("x-offset: 196608"), "{}", answer.head);
    let put = served.put(&ticket, 196_608, &bytes[196_608..]).json();
    assert_eq!(put["hash"], ContentHash::of(&bytes).to_string());
    assert_eq!(served.get(&anna, 1, "").body, bytes);
}

#[test]
fn too_much_too_many_and_too_large_are_refused_and_leave_nothing() {
    let served = Served::start(Access::default(), None);
    let anna = served.enter("anna");
    let huge = served.offer(&anna, json!({ "name": "huge", "bytes": 1_u64 << 40 }));
    assert!(huge.status == 409 && huge.text().contains("the shelf has room for 4194304"), "{}", huge.text());
    for nonsense in ["", "{}", "{\"name\":\"a\",\"bytes\":-1}", "{\"name\":\"a\",\"bytes\":1e99}"] {
        assert_eq!(served.post("/room/offer", &anna, nonsense).status, 400, "{nonsense}");
    }
    let ticket = served.ticket(&anna, 100_000);
    let longer = served.put(&ticket, 0, &content(200_000));
    assert!(longer.status == 409 && longer.text().contains("more bytes came"), "{}", longer.text());
    assert_eq!(served.put(&ticket, 0, b"x").status, 409);
    let [first, _second] = [1, 2].map(|_| served.ticket(&anna, 10));
    assert!(served.offer(&anna, json!({ "name": "c", "bytes": 1 })).text().contains("two files of yours"));
    // A changed file is not kept.
    let hash = ContentHash::of(b"told").to_string();
    let bea = served.enter("bea");
    let offered = served.offer(&bea, json!({ "name": "d", "bytes": 4, "hash": hash })).json();
    let wrong = served.put(offered["upload"]["ticket"].as_str().unwrap(), 0, b"sent");
    assert!(wrong.text().contains("its hash is another"), "{}", wrong.text());
    assert_eq!(served.put(&first, 0, &content(10)).status, 200);
    let listed = served.post("/room/ask", &anna, "4");
    assert!(listed.status == 409 && listed.text().contains("no file 4"), "{}", listed.text());
    assert_eq!(served.get(&anna, 2, "").body, content(10));
}

#[test]
fn a_run_is_shown_as_a_report_made_here() {
    let served = Served::start(Access::default(), None);
    let anna = served.enter("anna");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("run.json"), "the record").unwrap();
    std::fs::write(folder.path().join("report.html"), "<script>a member's</script>").unwrap();
    let mut archive = Vec::new();
    pack_run(folder.path()).unwrap().read_to_end(&mut archive).unwrap();
    for (kind, status) in [("run", 200), ("file", 409)] {
        let offered =
            served.offer(&anna, json!({ "name": "run", "bytes": archive.len(), "kind": kind })).json();
        let number =
            served.put(offered["upload"]["ticket"].as_str().unwrap(), 0, &archive).json()["number"].clone();
        let ticket = served.post("/room/ask", &anna, &number.to_string()).json()["ticket"]
            .as_str()
            .unwrap()
            .to_owned();
        let report = served.ask(&format!("GET /room/runs/{ticket} HTTP/1.1"), b"");
        assert_eq!(report.status, status, "{}", report.text());
        assert_eq!(report.text() == "the record", status == 200);
    }
}

/// The original's client: one `recv` for the verdict, then the file until the end.
#[test]
fn a_client_of_ten_lines_gets_the_file_for_the_word() {
    let served = Served::start(Access::default(), None);
    let anna = served.enter("anna");
    let bytes = content(100_000);
    served.put(&served.ticket(&anna, bytes.len()), 0, &bytes);
    let fetch = |word: &[u8]| {
        let mut stream = served.connect();
        stream.write_all(word).unwrap();
        let mut verdict = [0; 1024];
        let length = stream.read(&mut verdict).unwrap();
        let mut file = Vec::new();
        let _ = stream.read_to_end(&mut file);
        (String::from_utf8_lossy(&verdict[..length]).into_owned(), file)
    };
    // Nothing is on offer: a word is a name.
    assert!(fetch_greets(&served), "no greeting");
    assert_eq!(served.post("/room/say", &anna, "/plain 1 SECRET_KEY").status, 204);
    assert_eq!(fetch(b"SECRET_KEY"), ("AUTH_SUCCESS".to_owned(), bytes.clone()));
    assert_eq!(fetch(b"WRONG"), ("AUTH_ERROR".to_owned(), Vec::new()));
    assert_eq!(fetch(b"SECRET_KEY").1, bytes);
    assert_eq!(fetch(b"SECRET_KEY").1, bytes);
    // Three fetches, then it is a room again.
    assert!(fetch_greets(&served), "no greeting");
}

fn fetch_greets(served: &Served) -> bool {
    let mut stream = served.connect();
    stream.write_all(b"SECRET_KEY").unwrap();
    let mut greeting = [0; 20];
    stream.read_exact(&mut greeting).unwrap();
    greeting.starts_with(b"Greetings")
}
