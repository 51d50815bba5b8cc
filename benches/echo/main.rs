//! The server against the plainest echo loop in C and against irtt's and sockperf's servers, each
//! in turn on the same pinned cores: the server on core 1, its load on core 0. Writes a dated
//! table into `results/`.
//!
//! `cargo bench --bench echo`
#![allow(clippy::print_stdout, reason = "its result")]

mod load;
mod peers;
mod servers;
mod table;

use load::{Dialect, Load};
use servers::Server;
use table::Table;

const SIZES: [usize; 3] = [64, 512, 1400];
const SOURCES: [usize; 3] = [1, 64, 4096];
/// A B A B: so often each of them gets its turn.
const ROUNDS: usize = 3;

fn main() {
    servers::pin_this_thread_to(0);
    let c_loop = servers::build_c_loop();
    let mut table = Table::default();
    for (size, sources) in SIZES.into_iter().flat_map(|size| SOURCES.map(|sources| (size, sources))) {
        for _ in 0..ROUNDS {
            if let Some(c_loop) = &c_loop {
                run(
                    &mut table,
                    &Server::start_c_loop(c_loop),
                    "C loop",
                    Load::single(Dialect::Plain, size, sources),
                );
            }
            let server = Server::start_udpecho(&["--clean"]);
            for (dialect, name) in
                [(Dialect::Plain, "plain"), (Dialect::Native, "native"), (Dialect::Text, "text")]
            {
                run(&mut table, &server, name, Load::single(dialect, size, sources));
            }
        }
    }
    for size in [64, 512, 1400] {
        for _ in 0..ROUNDS {
            if let Some(c_loop) = &c_loop {
                run(&mut table, &Server::start_c_loop(c_loop), "C loop", Load::trains(Dialect::Plain, size));
            }
            let server = Server::start_udpecho(&["--clean"]);
            for (dialect, name) in [(Dialect::Plain, "plain"), (Dialect::Native, "native")] {
                run(&mut table, &server, name, Load::trains(dialect, size));
            }
        }
    }
    let peers = peers::measure(ROUNDS);
    table.write(&peers);
}

fn run(table: &mut Table, server: &Server, name: &'static str, load: Load) {
    let measured = load::run(server, &load);
    println!(
        "{:>7} {:>5} bytes {:>5} sources{}: {:>8.0} echoes/s, {:>5.0} ns of the server's core each, {} lost",
        name,
        load.size,
        load.sources,
        if load.trains { " in trains" } else { "" },
        measured.per_second,
        measured.server_nanos,
        measured.lost
    );
    table.add(name, &load, measured);
}
