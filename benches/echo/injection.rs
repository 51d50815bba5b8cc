//! The server while it injects: probes of many sources, sent when they are due whatever comes back,
//! and the account of every one of them.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::process::{Child, Command};
use std::time::Duration as Real;

use udpecho::net::Clock;
use udpecho::stats::Quantiles;
use udpecho::time::{Duration, Instant};
use udpecho::wire::native::{Message, Probe, decode};

use super::HOLDS;
use super::load::{Client, Dialect, Load};
use super::servers::{SERVER_CORE, Server, UDPECHO, pinned, run_ahead, run_among_all};
use super::table::Spread;

const SIZE: usize = 64;
const SOURCES: usize = 4096;
/// Where a plain probe has its number, and its reply also for how long it was held.
const PLAIN_NUMBERS: Range<usize> = 8..24;
/// So many leave by one call at most.
const AT_ONCE: u64 = 8;
/// Where times are of no interest.
const MANY_AT_ONCE: u64 = 64;
/// Beyond this a server is overloaded.
const ENOUGH: u64 = 200_000;
const WAKE: Duration = Duration::from_millis(1);
const NAP: Real = Real::from_micros(80);
/// Who does nothing for so long was kept from it by the machine.
const STANDSTILL: Duration = Duration::from_micros(500);
const TAIL: Duration = Duration::from_millis(1_000);

/// What became of the probes of one run.
pub struct Account {
    name: &'static str,
    rate: u64,
    achieved: f64,
    sent: u64,
    replies: u64,
    /// What the server says it did with the others.
    server: BTreeMap<String, u64>,
    client_overflows: u64,
    ahead: bool,
    server_core: f64,
    /// For how long others had the server's core while it had something to do.
    server_waited: Duration,
    /// For how long the load could do nothing, which says how quiet the machine was.
    stood: Duration,
    /// RTT without what was held on purpose.
    extra: Quantiles,
}

impl Account {
    fn unexplained(&self) -> i64 {
        let named =
            ["dropped (injected)", "refused by a limit", "lost in a full socket buffer", "could not be sent"];
        let explained: u64 = named.iter().filter_map(|what| self.server.get(*what)).sum();
        self.sent as i64 - (self.replies + explained + self.client_overflows) as i64
    }

    /// How many times what the server had room for it was sent.
    pub fn excess(&self) -> f64 {
        self.sent as f64 / (self.sent - self.server("lost in a full socket buffer")) as f64
    }

    fn server(&self, what: &str) -> u64 {
        self.server.get(what).copied().unwrap_or(0)
    }

    fn micros(&self, p: f64) -> f64 {
        self.extra.at(p).map_or(f64::NAN, |extra| extra.as_micros_f64())
    }

    fn mode(&self) -> &'static str {
        if self.ahead { "ahead of all" } else { "among all" }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "| {} | {} | {:.0} | {} | {} | {} | {} | {} | {} | **{}** | {:.0} | {:.0} | {:.0} | {:.0} % | {:.1} | {:.0} | {} |",
            self.name,
            self.rate,
            self.achieved,
            self.sent,
            self.replies,
            self.server("dropped (injected)"),
            self.server("refused by a limit"),
            self.server("lost in a full socket buffer"),
            self.client_overflows,
            self.unexplained(),
            self.micros(0.5),
            self.micros(0.99),
            self.micros(0.999),
            self.server_core * 100.0,
            self.server_waited.as_micros_f64() / 1e3,
            self.stood.as_micros_f64() / 1e3,
            self.mode(),
        )
    }
}

pub const HEADER: &str = "| server | probes/s | sent/s | sent | replies | injected | refused | server overflow | \
                          own overflow | unexplained | p50 us | p99 us | p99.9 us | server core | server kept waiting, ms | load stood still, ms | run |\n\
                          |:--|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--|";

pub const AHEAD: &str = "\"Ahead of all\": server and load at real-time priority (`chrt -f 10`), so that no other \
                         process of the machine stops them. At 200,000 a second the server needs more of a core \
                         than the kernel leaves to such processes.\n";

/// The default profile under so many probes a second. Server and client run ahead of what else the
/// machine has to do where that is allowed: what stops a core for milliseconds is not the server's.
pub fn run(server: Server, dialect: Dialect, rate: u64, length: Duration, ahead: bool) -> Account {
    let mut client = client(&server, dialect, SOURCES);
    let myself = std::process::id();
    let ahead = ahead && server.run_ahead() && run_ahead(myself);
    let account = send(&server, &mut client, rate, length, ahead);
    run_among_all(myself);
    finish(server, account)
}

/// How runs of the same load compare with those of the server in C, if that had its turns.
pub fn comparison(accounts: &[Account]) -> Option<String> {
    let (base, own): (Vec<_>, Vec<_>) = accounts.iter().partition(|account| account.name == HOLDS);
    let Account { rate, .. } = base.first()?;
    let compare = |p| {
        let [own, base] = [&own, &base].map(|all| Spread::of(all.iter().map(|account| account.micros(p))));
        format!("{own} and {base} us, **{:.2}**", own.median / base.median)
    };
    Some(format!(
        "- {rate} probes/s {}, medians (least-most) of this server and \"{HOLDS}\", and their ratio: \
         p50 {}; p99 {}\n",
        base[0].mode(),
        compare(0.5),
        compare(0.99)
    ))
}

/// Processes that do nothing but compute, and leave a third of a core to whoever else is on it.
struct Rivals([Child; 2]);

impl Rivals {
    fn start(core: usize) -> Self {
        let mut computing = Command::new("sh");
        computing.args(["-c", "while :; do :; done"]);
        Self([(); 2].map(|()| pinned(&computing, core).spawn().expect("a shell")))
    }
}

impl Drop for Rivals {
    fn drop(&mut self) {
        for rival in &mut self.0 {
            let _ = rival.kill();
            let _ = rival.wait();
        }
    }
}

fn client(server: &Server, dialect: Dialect, sources: usize) -> Client {
    let load = Load { stamps: true, ..Load::single(dialect, SIZE, sources) };
    Client::open(server.address, load)
}

/// More than twice what it can do on the third of a core, then a rate that it can.
pub fn overload(rate: u64, length: Duration) -> (Account, String) {
    let server = Server::start_udpecho(&[]);
    let mut client = client(&server, Dialect::Native, SOURCES);
    let rivals = Rivals::start(SERVER_CORE);
    let mut account = send(&server, &mut client, rate, length, false);
    drop(rivals);
    let recovery = recovery(&server, &mut client, &mut account);
    (finish(server, account), recovery)
}

/// What a `ping` makes of it that runs beside an overload. What it sends besides its probes is in the
/// server's counts, so they are no account of the probes.
pub fn overload_beside_a_ping(rate: u64, length: Duration) -> String {
    let rivals = Rivals::start(SERVER_CORE);
    let summary = beside_a_ping(rate, SOURCES, length);
    drop(rivals);
    format!("lost {} of {}, by cause: {}", summary["lost"], summary["sent"], summary["causes"])
}

/// What a `ping` makes of it that another client floods the server.
pub fn flood_beside_a_ping(rate: u64, length: Duration) -> String {
    let summary = beside_a_ping(rate, 1, length);
    let net = &summary["net_rtt_us"];
    format!("| {rate} | {} | {} | {} | {} |", summary["sent"], summary["causes"], net["p50"], net["p99"])
}

/// The summary of a `ping` that is there for as long as the other clients are, and a little longer.
fn beside_a_ping(rate: u64, sources: usize, length: Duration) -> serde_json::Value {
    let server = Server::start_udpecho(&[]);
    let mut client = client(&server, Dialect::Native, sources);
    let folder = std::env::temp_dir().join(format!("udpecho-beside-{}", std::process::id()));
    let mut ping = Command::new(UDPECHO);
    let port = server.address.port().to_string();
    let count = (length.as_nanos() / 5_000_000 + 100).to_string();
    ping.args(["ping", "-ip", "127.0.0.1", "-port", &port, "-i", "5ms", "-n", &count, "-W", "1", "-q", "-o"])
        .arg(&folder);
    let mut ping = pinned(&ping, 0).spawn().expect("ping starts");
    send(&server, &mut client, rate, length, false);
    ping.wait().expect("ping ends");
    let record = std::fs::read(folder.join("run.json")).expect("ping wrote its record");
    let mut record: serde_json::Value = serde_json::from_slice(&record).expect("a record");
    let _ = std::fs::remove_dir_all(folder);
    record["summary"].take()
}

/// What it is like in the second after the overload.
fn recovery(server: &Server, client: &mut Client, account: &mut Account) -> String {
    let after = send(server, client, 20_000, Duration::from_secs(1), false);
    account.sent += after.sent;
    account.replies += after.replies;
    account.client_overflows += after.client_overflows;
    let late = after.extra.at(0.99).map_or(f64::NAN, |late| late.as_micros_f64());
    format!("in the second after the last of its replies p99 of what is added to an RTT was {late:.0} us")
}

fn send(server: &Server, client: &mut Client, rate: u64, length: Duration, ahead: bool) -> Account {
    let clock = Clock::start();
    let begin = clock.now();
    let (cpu, waited) = (server.cpu_nanos(), server.waited_nanos());
    let overflows = client.socket.overflows();
    let total = (rate as i64 * length.as_nanos() / 1_000_000_000) as u64;
    let (mut sent, mut replies, mut extra) = (0, 0, Quantiles::new());
    let mut departures = Departures::new();
    let mut sending = None;
    let (mut cpu_used, mut server_waited) = (0, Duration::ZERO);
    let lead = clock.wall_offset();
    let (mut woken, mut looked) = (begin, begin);
    let mut stood = Duration::ZERO;
    let at_once = if rate > ENOUGH { MANY_AT_ONCE } else { AT_ONCE };
    loop {
        let now = clock.now();
        if now - looked > STANDSTILL {
            stood += now - looked;
        }
        looked = now;
        let due = ((now - begin).as_nanos() as u128 * u128::from(rate) / 1_000_000_000) as u64;
        let batch = sent + at_once;
        while sent < due.min(total).min(batch) {
            let source = sent as usize % client.sources.len();
            let source = &mut client.sources[source];
            let buffer = &mut client.outbox.next_buffer()[..SIZE];
            match client.load.dialect {
                Dialect::Native => {
                    let number = Instant::from_nanos(sent as i64);
                    Probe { token: source.token, seq: source.seq, sent: number }.emit(buffer);
                }
                _ => buffer[PLAIN_NUMBERS][..8].copy_from_slice(&sent.to_be_bytes()),
            }
            source.seq += 1;
            client.outbox.queue_written(source.path, SIZE);
            sent += 1;
        }
        if client.outbox.has_outgoing() {
            let begin = clock.now();
            client.send();
            departures.spread(sent, begin, clock.now());
        }
        while client.socket.receive(&mut client.inbox).is_ok() {
            let now = clock.now();
            for arrival in 0..client.inbox.arrived() {
                let received = client.inbox.arrival(arrival).stamp.map_or(now, |stamp| stamp - lead);
                for place in client.inbox.datagrams(arrival) {
                    if let Some((number, hold)) = answered(client.load.dialect, client.inbox.bytes(place)) {
                        replies += 1;
                        extra.record(received - departures.of(number) - hold);
                    }
                }
            }
            if !client.inbox.was_filled() {
                break;
            }
        }
        if sent == total && sending.is_none() {
            sending = Some(now - begin);
            cpu_used = server.cpu_nanos() - cpu;
            server_waited = Duration::from_nanos((server.waited_nanos() - waited) as i64);
        }
        if sending.is_some_and(|sending| now - begin > sending + TAIL) {
            break;
        }
        // Who never sleeps is stopped for longer, by the kernel or by the machine's host, and leaves what
        // else the machine has to do nothing but the server's core.
        if clock.now() > woken + WAKE {
            std::thread::sleep(NAP);
            woken = clock.now();
        }
    }
    let sending = sending.expect("the loop ends when all are sent");
    let seconds = sending.as_nanos() as f64 / 1e9;
    Account {
        name: server.name,
        rate,
        achieved: sent as f64 / seconds,
        sent,
        replies,
        server: BTreeMap::new(),
        client_overflows: client.socket.overflows() - overflows,
        ahead,
        server_core: cpu_used as f64 / 1e9 / seconds,
        server_waited,
        stood,
        extra,
    }
}

/// When each probe left of which a reply may still come. The kernel sends what it is given by one call
/// one after another, and each is with the server before the next.
struct Departures {
    moments: Vec<Instant>,
    known: u64,
}

impl Departures {
    /// More than are sent while one is held.
    const KEPT: usize = 1 << 20;

    fn new() -> Self {
        Self { moments: vec![Instant::ZERO; Self::KEPT], known: 0 }
    }

    /// Those up to `sent` left by a call that took from `begin` to `end`.
    fn spread(&mut self, sent: u64, begin: Instant, end: Instant) {
        let each = (end - begin) / (sent - self.known) as i64;
        for (k, number) in (self.known..sent).enumerate() {
            self.moments[number as usize % Self::KEPT] = begin + each * k as i64;
        }
        self.known = sent;
    }

    fn of(&self, number: u64) -> Instant {
        self.moments[number as usize % Self::KEPT]
    }
}

/// The number of the probe of such a reply, and for how long the reply was held.
fn answered(dialect: Dialect, reply: &[u8]) -> Option<(u64, Duration)> {
    if dialect == Dialect::Native {
        let Ok(Message::Reply(reply)) = decode(reply) else { return None };
        return Some((reply.sent.as_nanos() as u64, reply.hold));
    }
    let &[number, hold] = reply.get(PLAIN_NUMBERS)?.as_chunks().0 else { return None };
    Some((u64::from_be_bytes(number), Duration::from_nanos(i64::from_be_bytes(hold))))
}

/// Adds what the server says at its end.
fn finish(server: Server, mut account: Account) -> Account {
    std::thread::sleep(Real::from_millis(100));
    let said = server.stop();
    for part in said.split([',', '\n']) {
        if let Some((count, what)) = part.trim().split_once(' ')
            && let Ok(count) = count.parse()
        {
            account.server.insert(what.to_owned(), count);
        }
    }
    account
}
