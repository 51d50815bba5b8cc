//! A DNS server that changes its mind: thousands of addresses by TCP, failures, another question's answer, silence.

use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::sync::{Arc, Mutex};
use std::{fs, thread};

use tempfile::TempDir;

use crate::common::process::{Process, Serve, command, free_port};
use crate::live::web::page_of;
use crate::watch::{metrics_once, series};

/// The answers of the moment.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    /// A records with consecutive addresses.
    Records { first: u16, count: u16 },
    /// An SRV record for this port of n7.test, whose address is asked for next.
    Service { port: u16, host: HostMood },
    /// Response code 2.
    ServFail,
    /// It has another number than the question.
    OtherQuestion,
    /// None at all.
    Silent,
}

#[derive(Clone, Copy, PartialEq)]
enum HostMood {
    Address,
    NoAddress,
    ServFail,
}

const TRUNCATED: u8 = 2;

/// The kind of a question: 1 is A, 33 SRV.
fn kind_of(question: &[u8]) -> Option<(usize, u8)> {
    let end = 12 + question[12..].iter().position(|byte| *byte == 0)? + 5;
    Some((end, question[end - 3]))
}

/// The answer of a server that lists one host with a port.
fn service_answer(question: &[u8], port: u16, host: HostMood) -> Option<Vec<u8>> {
    let (end, kind) = kind_of(question)?;
    let [high, low] = port.to_be_bytes();
    let name = b"\x02n7\x04test\0";
    let data = match (kind, host) {
        (33, _) => [&[0, 1, 0, 1, high, low], &name[..]].concat(),
        (1, HostMood::Address) => vec![127, 0, 0, 1],
        _ => Vec::new(),
    };
    let fails = kind != 33 && host == HostMood::ServFail;
    let count = u8::from(!data.is_empty());
    let mut message = [&question[..2], &[0x80, u8::from(fails) * 2, 0, 1, 0, count, 0, 0, 0, 0]].concat();
    message.extend(&question[12..end]);
    if count == 1 {
        message.extend([0xC0, 12, 0, kind, 0, 1, 0, 0, 0, 5, 0, data.len() as u8]);
        message.extend(data);
    }
    Some(message)
}

/// The answer to a question; none if there is none. By UDP there is no room for records.
fn answer(question: &[u8], mood: Mood, by_udp: bool) -> Option<Vec<u8>> {
    if let Mood::Service { port, host } = mood {
        return service_answer(question, port, host);
    }
    let (end, kind) = kind_of(question)?;
    let is_a = kind == 1;
    let (first, count) = match mood {
        Mood::Records { first, count } if is_a => (first, count),
        _ => (0, 0),
    };
    let flags =
        [0x80 | if by_udp && count > 0 { TRUNCATED } else { 0 }, u8::from(mood == Mood::ServFail) * 2];
    let records = if by_udp { 0 } else { count };
    let [high, low] = records.to_be_bytes();
    let number =
        if mood == Mood::OtherQuestion { [question[0], !question[1]] } else { [question[0], question[1]] };
    let mut message = [&number[..], &flags, &[0, 1, high, low, 0, 0, 0, 0], &question[12..end]].concat();
    for n in first..first + records {
        let [high, low] = n.to_be_bytes();
        message.extend([0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 127, 3, high, low]);
    }
    (mood != Mood::Silent).then_some(message)
}

fn dns_server(mood: &Arc<Mutex<Mood>>) -> u16 {
    let port = free_port();
    let udp = UdpSocket::bind(("127.0.0.1", port)).unwrap();
    let tcp = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let (of_udp, of_tcp) = (Arc::clone(mood), Arc::clone(mood));
    thread::spawn(move || {
        let mut question = [0; 512];
        while let Ok((length, from)) = udp.recv_from(&mut question) {
            let mood = *of_udp.lock().unwrap();
            if let Some(answer) = answer(&question[..length], mood, true) {
                let _ = udp.send_to(&answer, from);
            }
        }
    });
    thread::spawn(move || {
        for mut stream in tcp.incoming().flatten() {
            let mut length = [0; 2];
            let _ = stream.read_exact(&mut length);
            let mut question = vec![0; u16::from_be_bytes(length).into()];
            let mood = *of_tcp.lock().unwrap();
            if stream.read_exact(&mut question).is_ok()
                && let Some(answer) = answer(&question, mood, false)
            {
                let _ = stream.write_all(&[&(answer.len() as u16).to_be_bytes()[..], &answer].concat());
            }
        }
    });
    port
}

/// Each target is an address of one server. A probe a minute: their number is the point here.
#[test]
fn the_last_list_stays_while_a_server_fails_in_any_way() {
    let (folder, server) = (TempDir::new().unwrap(), Serve::start("--clean"));
    let mood = Arc::new(Mutex::new(Mood::Silent));
    let dns = dns_server(&mood);
    let text = format!(
        "[[group]]\nname = 'mesh'\ninterval = '60s'\ndetail = 'counts'\n\
         dns = {{ name = 'many.test', port = {}, server = '127.0.0.1:{dns}', refresh = '1s' }}\n",
        server.port
    );
    fs::write(folder.path().join("watch.toml"), text).unwrap();
    let mut watching = Process::spawn(command(folder.path(), "watch -f watch.toml -q --http 0"));
    let page = page_of(&mut watching);
    let failures = |now: &str| series(now, "udpecho_watch_sd_failures_total", &[]);
    let targets = |now: &str| now.matches("udpecho_target_up{").count();
    let silent = metrics_once(page, |now| failures(now) > Some(0));
    assert_eq!(targets(&silent), 0, "dead at the start");
    let has = |now: &str, n: u16| {
        let [high, low] = n.to_be_bytes();
        now.contains(&format!("target=\"127.3.{high}.{low}:{}\"", server.port))
    };
    let set = |new: Mood| *mood.lock().unwrap() = new;
    set(Mood::Records { first: 1, count: 3_000 });
    let all = metrics_once(page, |now| targets(now) == 3_000);
    assert!(has(&all, 1) && has(&all, 3_000));
    for bad in [Mood::ServFail, Mood::OtherQuestion, Mood::Silent] {
        set(bad);
        let before = failures(&metrics_once(page, |_| true)).unwrap();
        let now = metrics_once(page, |now| failures(now) > Some(before));
        assert_eq!(targets(&now), 3_000);
    }
    // A tenth is new.
    set(Mood::Records { first: 301, count: 3_000 });
    let changed = metrics_once(page, |now| has(now, 3_300));
    assert_eq!((targets(&changed), has(&changed, 300), has(&changed, 301)), (3_000, false, true));
    watching.interrupt_until_it_ends();
}

/// An error keeps the last address. An answer without one is a change: nothing is sent until there is one again.
#[test]
fn a_host_that_loses_its_address_is_unresolved_and_goes_on_counting_with_the_next_one() {
    let (folder, server) = (TempDir::new().unwrap(), Serve::start("--clean"));
    let service = |host| Mood::Service { port: server.port, host };
    let mood = Arc::new(Mutex::new(service(HostMood::Address)));
    let dns = dns_server(&mood);
    let text = format!(
        "[[group]]\nname = 'mesh'\ninterval = '20ms'\n\
         dns = {{ name = '_udpecho._udp.test', kind = 'srv', server = '127.0.0.1:{dns}', refresh = '1s' }}\n"
    );
    fs::write(folder.path().join("watch.toml"), text).unwrap();
    let mut watching = Process::spawn(command(folder.path(), "watch -f watch.toml -q --http 0"));
    let page = page_of(&mut watching);
    let replies = |now: &str| series(now, "udpecho_replies_total", &["target=\"n7.test:"]);
    let up = |now: &str| series(now, "udpecho_target_up", &[]);
    let first = metrics_once(page, |now| replies(now) > Some(5));

    *mood.lock().unwrap() = service(HostMood::ServFail);
    let failed = metrics_once(page, |now| series(now, "udpecho_watch_sd_failures_total", &[]) > Some(0));
    watching.remark_with("n7.test: the DNS server refuses (code 2)");
    let later = metrics_once(page, |now| replies(now) > replies(&failed).map(|count| count + 50));
    assert_eq!(up(&later), Some(1));

    *mood.lock().unwrap() = service(HostMood::NoAddress);
    let lost = metrics_once(page, |now| up(now) == Some(0));
    assert_eq!(series(&lost, "udpecho_target_down", &["reason=\"unresolved\""]), Some(1));
    assert_eq!(series(&lost, "udpecho_watch_targets", &["state=\"unresolved\""]), Some(1));
    assert_eq!(series(&lost, "udpecho_target_info", &["address=\"\""]), Some(1));
    assert!(replies(&lost) > replies(&first), "the counters stay");
    // The last probe is resolved by the next answer of the DNS server.
    let answered_at = |now: &str| {
        let is_it = |line: &&str| line.starts_with("udpecho_watch_sd_last_success_timestamp_seconds{");
        now.lines().find(is_it).map(str::to_owned)
    };
    let after = |before: &str| metrics_once(page, |now| answered_at(now) != answered_at(before));
    let quiet = after(&lost);
    let next = after(&quiet);
    let resolved = |now: &str| series(now, "udpecho_probes_sent_total", &[]);
    assert_eq!(resolved(&next), resolved(&quiet), "nothing is sent");

    *mood.lock().unwrap() = service(HostMood::Address);
    let again = metrics_once(page, |now| up(now) == Some(1) && replies(now) > replies(&next));
    assert_eq!(series(&again, "udpecho_probes_lost_total", &["cause=\"unknown\""]), Some(0));
    watching.interrupt_until_it_ends();
}
