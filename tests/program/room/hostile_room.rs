//! A room by hand that does what it likes to those who join it.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use serde_json::{Value, json};
use udpecho::net::{Frame, Opener, Sealer, accept_handshake};
use udpecho::room::{ContentHash, MAGIC};

use crate::common::process::{Finished, Process, command, names, run};

/// The room's end of a connection that is encrypted without a key.
struct Visitor {
    stream: TcpStream,
    sealer: Sealer,
    opener: Opener,
}

impl Visitor {
    fn accept(listener: &TcpListener) -> Self {
        let (mut stream, _) = listener.accept().unwrap();
        let mut magic = [0; MAGIC.len()];
        stream.read_exact(&mut magic).unwrap();
        let (answer, sealer, opener) = accept_handshake(&[0; 32], &read_frame(&mut stream)).unwrap();
        stream.write_all(&answer).unwrap();
        Self { stream, sealer, opener }
    }

    /// The next message that has this field.
    fn message(&mut self, field: &str) -> Value {
        loop {
            let Some(Frame::Json(line)) = self.opener.open(&read_frame(&mut self.stream)) else {
                panic!("no message with {field}");
            };
            let message: Value = serde_json::from_str(&line).unwrap();
            if let Some(content) = message.get(field) {
                return content.clone();
            }
        }
    }

    /// As it is: no type of ours makes a name in it safe.
    fn send(&mut self, event: &Value) {
        let sealed = self.sealer.seal(&Frame::Json(event.to_string()));
        self.stream.write_all(&sealed).unwrap();
    }

    /// False once the other end takes no more.
    fn send_part(&mut self, part: &[u8]) -> bool {
        let sealed = self.sealer.seal(&Frame::Data(part.to_vec()));
        self.stream.write_all(&sealed).is_ok()
    }

    fn welcome(&mut self) {
        let name = self.message("name");
        self.send(
            &json!({"event": "welcome", "name": name, "role": "member", "encrypted": true, "here": []}),
        );
    }
}

fn read_frame(stream: &mut TcpStream) -> Vec<u8> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    let mut frame = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut frame).unwrap();
    frame
}

fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// What `/get 1` leaves when the room answers with this file, and sends these parts of it.
fn fetch(folder: &std::path::Path, file: &Value, parts: impl Iterator<Item = Vec<u8>> + Send) -> Finished {
    let (listener, address) = listen();
    let get = |number: u32, name: &Value| {
        let mut file = file.clone();
        (file["number"], file["name"]) = (number.into(), name.clone());
        json!({"event": "get", "transfer": {"ticket": "0", "offset": 0, "file": file}})
    };
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut visitor = Visitor::accept(&listener);
            visitor.welcome();
            assert_eq!(visitor.message("say"), "/get 1");
            // One that nobody asked for, first.
            visitor.send(&get(2, &"unasked".into()));
            visitor.send(&get(1, &file["name"]));
            let mut fetching = Visitor::accept(&listener);
            fetching.message("get_file");
            let mut parts = parts.chain([Vec::new()]);
            while parts.next().is_some_and(|part| fetching.send_part(&part)) {}
        });
        let mut join = command(folder, &format!("join {address} --name bea --do"));
        join.arg("/get 1");
        run(join)
    })
}

#[test]
fn a_file_of_a_hostile_room_stays_in_the_inbox_and_is_no_longer_than_it_was_told() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("bea");
    fs::create_dir(&folder).unwrap();
    let hash = ContentHash::of(b"evil").to_string();
    let file = |name: &str| json!({"name": name, "bytes": 4, "from": "eve", "hash": hash});
    let absolute = place.path().join("evil");
    for name in ["../../evil", absolute.to_str().unwrap(), "evil\u{0}", "..", &"x/".repeat(3_000)] {
        let fetched = fetch(&folder, &file(name), [b"evil".to_vec()].into_iter());
        assert_eq!(fetched.code, Some(0), "{name}: {fetched:#?}");
        assert_eq!(fs::read_to_string(folder.join(&fetched.stdout[0])).unwrap(), "evil");
        assert!(fetched.stdout[0].starts_with("inbox/"), "{fetched:#?}");
    }
    let received = names(&folder.join("inbox"));
    assert_eq!(received, ["evil", "evil (2)", "evil_u{0}", "unnamed", "x"]);
    // Without an end, and without a hash that would show it at the end.
    let mut endless = file("endless");
    endless["hash"] = Value::Null;
    let fetched = fetch(&folder, &endless, std::iter::repeat_with(|| vec![0; 32 << 10]));
    assert_eq!(fetched.code, Some(2), "{fetched:#?}");
    assert!(fetched.stderr[0].contains("another length than the room told"), "{fetched:#?}");
    assert_eq!(names(&folder.join("inbox")), received);
    assert_eq!((names(place.path()), names(&folder)), (vec!["bea".to_owned()], vec!["inbox".to_owned()]));
}

#[test]
fn an_agent_carries_out_no_order_beyond_its_bounds() {
    let place = tempfile::tempdir().unwrap();
    let (listener, address) = listen();
    let mut agent = Process::spawn(command(place.path(), &format!("join {address} --agent --name bea")));
    let mut visitor = Visitor::accept(&listener);
    visitor.welcome();
    let prepare = |order: u32, interval_us: u32| {
        json!({"event": "order", "news": "prepare", "order": order, "key": "00".repeat(32), "answers": true,
            "terms": {"count": 100, "interval_us": interval_us, "size": 1_000}})
    };
    // 16 Mbit/s, and then 330 kbit/s.
    visitor.send(&prepare(1, 1_000));
    visitor.send(&prepare(2, 50_000));
    assert_eq!(visitor.message("addresses")["order"], 2);
    agent.remark_with("order 1: the room asks for more than this host accepts");
}
