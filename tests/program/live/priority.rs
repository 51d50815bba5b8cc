//! Threads that write and show have a lower priority than the thread that measures.

use std::collections::BTreeMap;
use std::process::Command;

use tempfile::TempDir;

use super::terminal::Terminal;
use super::web::{free_tcp_port, get};
use crate::common::process::{Process, Serve, command};

const OTHER: u32 = 0;
const BATCH: u32 = 3;

/// The nice value and the scheduling policy of each thread, by its name.
fn threads(pid: u32) -> BTreeMap<String, (i32, u32)> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let of_one = |task: std::fs::DirEntry| {
        let stat = std::fs::read_to_string(task.path().join("stat")).ok()?;
        let (head, tail) = stat.rsplit_once(") ")?;
        // The 19th and the 41st field; the third is the first behind the name.
        let fields: Vec<&str> = tail.split(' ').collect();
        let found = (fields.get(19 - 3)?.parse().ok()?, fields.get(41 - 3)?.parse().ok()?);
        Some((head.split_once('(')?.1.to_owned(), found))
    };
    tasks.filter_map(|task| of_one(task.ok()?)).collect()
}

#[test]
fn threads_that_show_or_write_have_a_lower_priority_than_the_client() {
    let (folder, serve, page) = (TempDir::new().unwrap(), Serve::start("--clean"), free_tcp_port());
    let words = format!("ping 127.0.0.1:{} -i 0.05 --no-record --tui --http {page}", serve.port);
    let mut terminal = Terminal::start(folder.path(), &words, (80, 24));
    terminal.wait_for_text("p50 ");
    get(page, "/healthz");
    let found = threads(terminal.pid());
    let (nice, policy) = found["client"];
    assert_eq!(policy, OTHER, "{found:?}");
    for name in ["udpecho", "printer", "screen", "control"] {
        assert_eq!(found.get(name), Some(&(nice.max(10), BATCH)), "{name} of {found:?}");
    }
    terminal.press("q");
    assert_eq!(terminal.finish().0, 0);
}

/// With a lower priority the recorder could not keep up, and memory would grow.
#[test]
fn at_a_high_rate_the_recorder_has_the_priority_of_the_client() {
    let (folder, serve) = (TempDir::new().unwrap(), Serve::start("--clean"));
    let words = format!("ping 127.0.0.1:{} --rate 21k -q --no-record", serve.port);
    let process = Process::spawn(command(folder.path(), &words));
    let found = (0..3000).find_map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        let found = threads(process.pid());
        found.get("udpecho").is_some_and(|(_, policy)| *policy == BATCH).then_some(found)
    });
    let found = found.expect("it starts within a minute");
    assert_eq!(found["udpecho"].0, found["client"].0, "{found:?}");
    process.interrupt_until_it_ends();
}

#[test]
fn the_views_of_a_server_have_a_lower_priority_than_the_server() {
    let folder = TempDir::new().unwrap();
    let mut terminal = Terminal::start(folder.path(), "serve --clean -p 0 --tui --http 0", (80, 24));
    terminal.wait_for_text("no client yet");
    let found = threads(terminal.pid());
    let (nice, policy) = found["udpecho"];
    assert_eq!(policy, OTHER, "{found:?}");
    for name in ["printer", "screen", "control", "views"] {
        assert_eq!(found.get(name), Some(&(nice.max(10), BATCH)), "{name} of {found:?}");
    }
    terminal.press("q");
    assert_eq!(terminal.finish().0, 0);
}

#[test]
fn a_scheduling_policy_given_from_outside_is_kept() {
    crate::needs!(Chrt);
    let (folder, serve) = (TempDir::new().unwrap(), Serve::start("--clean"));
    let mut chrt = Command::new("chrt");
    chrt.current_dir(folder.path()).args(["--batch", "0", env!("CARGO_BIN_EXE_udpecho")]);
    chrt.args(format!("ping 127.0.0.1:{} -i 0.05 --no-record", serve.port).split(' '));
    let mut process = Process::spawn(chrt);
    process.line_with("udp_seq=0");
    let found = threads(process.pid());
    assert_eq!(found["client"].1, BATCH, "{found:?}");
    process.signal("INT");
    assert_eq!(process.finish().code, Some(0));
}
