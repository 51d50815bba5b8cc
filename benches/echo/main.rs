//! The server against the plainest echo loop in C and against irtt's and sockperf's servers, each
//! in turn on the same pinned cores: the server on core 1, its load on core 0; while it injects, against
//! the least server in C that does so. Its table is `results/server.md`.
//!
//! `cargo bench --bench echo -- [BYTES SOURCES [OPTION...]]`, with which only that load is put on, on a
//! server with these options, and nothing is written; with one number, the injecting server only.
#![allow(clippy::print_stdout, reason = "its result")]

mod injection;
mod load;
mod peers;
mod servers;
mod table;

use std::path::PathBuf;

use udpecho::time::Duration;

use load::{Client, Dialect, Load};
use servers::Server;
use table::Table;

const SIZES: [usize; 3] = [64, 512, 1400];
const SOURCES: [usize; 3] = [1, 64, 4096];
/// A B A B: so often each of them gets its turn.
const ROUNDS: usize = 11;
/// The loop that asks the kernel for what this server asks it for.
const DUTIES: &str = "C, same duties";
/// The least server that injects.
const HOLDS: &str = "C, holds";
const DIALECTS: [(Dialect, &str); 3] =
    [(Dialect::Plain, "plain"), (Dialect::Native, "native"), (Dialect::Text, "text")];
const PEER_ROUNDS: usize = 3;
const INJECTING_ROUNDS: usize = 5;

fn main() {
    servers::pin_this_thread_to(0);
    let c_loops = [
        ("C loop", servers::build_c("echo/echo.c", "echo-c", &[])),
        (DUTIES, servers::build_c("echo/echo.c", "echo-c-duties", &["-DDUTIES"])),
    ];
    let mut table = Table::default();
    let numbers: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    if numbers.len() == 1 {
        return println!("{}", injecting());
    }
    let only = if let [size, sources, ..] = numbers[..] { Some((size, sources)) } else { None };
    let options: Vec<String> =
        std::env::args().skip(1).skip_while(|a| a.parse::<usize>().is_err()).skip(2).collect();
    let options: Vec<&str> = ["--clean", "--source-rate", "4000000000", "--stranger-rate", "4000000000"]
        .into_iter()
        .chain(options.iter().map(String::as_str))
        .filter(|a| *a != "--bench")
        .collect();
    let all = SIZES.into_iter().flat_map(|size| SOURCES.map(|sources| (size, sources)));
    for (size, sources) in all.filter(|load| only.is_none_or(|only| only == *load)) {
        take_turns(&mut table, &c_loops, &options, &DIALECTS, |dialect| Load::single(dialect, size, sources));
    }
    if only.is_some() {
        return;
    }
    for size in SIZES {
        take_turns(&mut table, &c_loops[..1], &options, &DIALECTS[..2], |dialect| {
            Load::trains(dialect, size)
        });
    }
    let peers = peers::measure(PEER_ROUNDS);
    table.write(&peers, &injecting());
}

/// The account of a server that injects, under what it should bear and under twice what it can.
fn injecting() -> String {
    let holds = servers::build_c("echo/hold.c", "hold-c", &[]);
    let length = Duration::from_secs(2);
    let (mut text, mut comparisons) = (format!("{}\n", injection::HEADER), String::new());
    for (rate, ahead) in [(100_000, false), (100_000, true), (200_000, false)] {
        let run = |server, dialect| injection::run(server, dialect, rate, length, ahead);
        let mut accounts = Vec::new();
        for _ in 0..INJECTING_ROUNDS {
            if let Some(holds) = &holds {
                accounts.push(run(Server::start_c(HOLDS, holds), Dialect::Plain));
            }
            accounts.push(run(Server::start_udpecho(&[]), Dialect::Native));
        }
        accounts.iter().for_each(|account| text += &format!("{account}\n"));
        comparisons.extend(injection::comparison(&accounts));
    }
    let rate = 500_000;
    let (account, recovery) = injection::overload(rate, length);
    let ping = injection::overload_beside_a_ping(rate, length);
    // Without one, too: the load computes on the core of the `ping` all the same.
    let floods = [0, 100_000, 200_000, 400_000].map(|rate| injection::flood_beside_a_ping(rate, length));
    text + &format!(
        "{account}\n\nIn the last row two other processes compute on the server's core, so that a third of it is left, \
         and it is sent **{:.1}** times what it takes. Under that overload, repeated, a `ping` of 200 probes a second beside it \
         {ping}; {recovery}.\n\n{}\n{comparisons}\n\
         Beside one client that floods the server, a `ping` of 200 probes a second:\n\n\
         | flood, probes/s | sent | lost, by cause | RTT less what was held, p50 us | p99 us |\n\
         |--:|--:|:--|--:|--:|\n{}\n",
        account.excess(),
        injection::AHEAD,
        floods.join("\n")
    )
}

/// All servers are there all the time; who has no turn stands still.
fn take_turns(
    table: &mut Table,
    c_loops: &[(&'static str, Option<PathBuf>)],
    options: &[&str],
    dialects: &[(Dialect, &'static str)],
    load: impl Fn(Dialect) -> Load,
) {
    let own = Server::start_udpecho(options);
    let loops: Vec<Server> =
        c_loops.iter().filter_map(|(name, binary)| Some(Server::start_c(name, binary.as_ref()?))).collect();
    let mut clients = Vec::new();
    for server in &loops {
        clients.push((server.name, server, Client::open(server.address, load(Dialect::Plain))));
    }
    for (dialect, name) in dialects {
        clients.push((name, &own, Client::open(own.address, load(*dialect))));
    }
    loops.iter().chain([&own]).for_each(Server::freeze);
    for _ in 0..ROUNDS {
        for (name, server, client) in &mut clients {
            server.wake();
            table.add(name, client.load, client.measure(server));
            server.freeze();
        }
    }
    table.print_last();
}
