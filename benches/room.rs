//! How long a line takes from one member of a full room to the others: 64 members, each at its rate limit
//! of 3 lines a second, so about 12,000 deliveries a second. Each pair of rows has the members talk one
//! after the other and all at the same instant. In the last row 8 further members send without a pause what
//! the room drops. Fails if a line is lost, the 99th percentile of a row reaches 50 ms, or a line takes a second.
//!
//! `cargo bench --bench room -- [SECONDS]`
#![allow(clippy::print_stdout, reason = "its result")]

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use udpecho::net::{Clock, join_room};
use udpecho::room::{Event, Message};
use udpecho::time::Instant;

/// As many as a room takes, with the flooding ones.
const MEMBERS: u32 = 64;
const FLOODING: u32 = 8;
/// A little longer than the limit allows, so that nothing is dropped.
const PERIOD: Duration = Duration::from_millis(340);
/// Milliseconds of the 99th percentile, and of the longest delay.
const MOST: [f64; 2] = [50.0, 1_000.0];

#[derive(Clone, Copy)]
enum Form {
    /// As with `nc`.
    Lines,
    /// As with `udpecho join`.
    Encrypted,
}

/// The moment at which a row begins.
#[derive(Clone, Copy)]
struct Begin {
    clock: Clock,
    at: Instant,
}

impl Begin {
    fn now() -> Self {
        let clock = Clock::start();
        Self { clock, at: clock.now() }
    }

    fn elapsed(&self) -> Duration {
        (self.clock.now() - self.at).to_std()
    }
}

/// Says a line, and ends the connection.
struct Member {
    say: Box<dyn FnMut(String)>,
    leave: Box<dyn FnOnce()>,
}

fn main() {
    let seconds = std::env::args().filter_map(|argument| argument.parse().ok()).next().unwrap_or(10);
    println!(
        "{:<34} {:>9} {:>8} {:>8} {:>8}",
        "64 members, 3 lines/s each", "delivered", "p50 ms", "p99 ms", "max ms"
    );
    let mut is_quick = true;
    for (form, at_once, flooding, row) in [
        (Form::Lines, false, 0, "nc, one after the other"),
        (Form::Lines, true, 0, "nc, all at once"),
        (Form::Encrypted, false, 0, "join, one after the other"),
        (Form::Encrypted, true, 0, "join, all at once"),
        (Form::Lines, false, FLOODING, "nc, beside 8 that flood"),
    ] {
        let mut delays = run(form, at_once, flooding, seconds);
        delays.sort_by(f64::total_cmp);
        let at = |share: f64| delays[((delays.len() - 1) as f64 * share) as usize];
        let [p50, p99, most] = [0.5, 0.99, 1.0].map(at);
        println!("{row:<34} {:>9} {p50:>8.2} {p99:>8.2} {most:>8.2}", delays.len());
        is_quick &= p99 < MOST[0] && most < MOST[1];
    }
    assert!(is_quick, "of 50 ms and 1 s one is reached");
}

/// The delay of every delivery, in milliseconds.
fn run(form: Form, at_once: bool, flooding: u32, seconds: u32) -> Vec<f64> {
    let (mut room, address) = start_room();
    let begin = Begin::now();
    let (delays, delivered) = channel();
    let count = MEMBERS - flooding;
    let mut members: Vec<Member> =
        (0..count).map(|number| enter(form, address, number, begin, &delays)).collect();
    drop(delays);
    (0..flooding).for_each(|number| flood(address, number));
    let rounds = Duration::from_secs(seconds.into()).as_millis() / PERIOD.as_millis();
    let first = begin.elapsed() + PERIOD;
    for round in 0..rounds as u32 {
        for (number, member) in (0..count).zip(&mut members) {
            let phase = if at_once { Duration::ZERO } else { PERIOD * number / count };
            let due = first + PERIOD * round + phase;
            thread::sleep(due.saturating_sub(begin.elapsed()));
            (member.say)(begin.elapsed().as_nanos().to_string());
        }
    }
    let expected = rounds as usize * (count * count) as usize;
    let patience = Duration::from_secs(10);
    let delays: Vec<f64> = (0..expected).map_while(|_| delivered.recv_timeout(patience).ok()).collect();
    assert_eq!(delays.len(), expected, "lines were lost");
    members.into_iter().for_each(|member| (member.leave)());
    room.kill().unwrap();
    room.wait().unwrap();
    delays
}

/// Sends short lines until the connection ends, and reads what comes.
fn flood(address: SocketAddr, number: u32) {
    let mut stream = TcpStream::connect(address).unwrap();
    writeln!(stream, "flood{number}").unwrap();
    let reading = BufReader::new(stream.try_clone().unwrap());
    thread::spawn(move || reading.lines().map_while(Result::ok).for_each(drop));
    thread::spawn(move || while stream.write_all(&b"x\n".repeat(2_048)).is_ok() {});
}

fn start_room() -> (Child, SocketAddr) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_udpecho"));
    command.args(["room", "-4", "-p", "0"]).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut room = command.spawn().unwrap();
    let mut said = BufReader::new(room.stdout.take().unwrap()).lines();
    let line = said.next().unwrap().unwrap();
    let port = line.split(|c: char| !c.is_ascii_digit()).find_map(|word| word.parse().ok()).expect("a port");
    // The room's other lines need a reader.
    thread::spawn(move || said.for_each(drop));
    (room, SocketAddr::from(([127, 0, 0, 1], port)))
}

fn enter(form: Form, address: SocketAddr, number: u32, begin: Begin, delays: &Sender<f64>) -> Member {
    let delays = delays.clone();
    let note = move |sent: &str| {
        let sent: u64 = sent.parse().expect("a time");
        let delay = begin.elapsed().as_nanos() as f64 - sent as f64;
        let _ = delays.send(delay / 1e6);
    };
    match form {
        Form::Lines => {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.set_nodelay(true).unwrap();
            writeln!(stream, "m{number}").unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            lines.find(|line| line.starts_with("-- here: ")).expect("a welcome");
            thread::spawn(move || {
                let talk = lines.filter(|line| line.starts_with('m'));
                talk.filter_map(|line| Some(line.split_once(": ")?.1.to_owned()))
                    .for_each(|sent| note(&sent));
            });
            let closing = stream.try_clone().unwrap();
            Member {
                say: Box::new(move |line| writeln!(stream, "{line}").unwrap()),
                leave: Box::new(move || closing.shutdown(Shutdown::Both).unwrap()),
            }
        }
        Form::Encrypted => {
            let (mut sender, mut receiver) = join_room(address, &[0; 32]).unwrap();
            sender.send(&Message::Name(format!("m{number}"))).unwrap();
            while !matches!(receiver.next_event().unwrap(), Event::Welcome { .. }) {}
            thread::spawn(move || {
                while let Ok(event) = receiver.next_event() {
                    if let Event::Said { text, .. } = event {
                        note(&text);
                    }
                }
            });
            let sender = std::rc::Rc::new(std::cell::RefCell::new(sender));
            let speaking = sender.clone();
            Member {
                say: Box::new(move |line| speaking.borrow_mut().send(&Message::Say(line)).unwrap()),
                leave: Box::new(move || sender.borrow().close()),
            }
        }
    }
}
