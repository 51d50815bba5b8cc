//! `ping` on a terminal, without its full screen: lines, the status under them, dots.

use tempfile::TempDir;

use super::terminal::Terminal;
use crate::common::process::{Serve, command, run};

fn ping(port: u16, flags: &str) -> String {
    format!("ping 127.0.0.1:{port} --no-record {flags}")
}

#[test]
fn a_status_line_stays_under_the_lines_and_is_gone_at_the_end() {
    let (folder, serve) = (TempDir::new().unwrap(), Serve::start("--clean"));
    let terminal = Terminal::start(folder.path(), &ping(serve.port, "-n 8 -i 0.25"), (80, 40));
    let screen = terminal.wait_for(|screen| screen.contains(" sent, ") && screen.contains("p50/p99"));
    let status = screen.trim_end().lines().last().unwrap();
    for part in [" sent, ", " in flight, 0 % lost or late, p50/p99 ", " ms, 0:0", " left"] {
        assert!(status.contains(part), "no '{part}' in: {status}");
    }
    assert!(screen.contains("udp_seq=0 ttl="), "{screen}");
    let (code, screen) = terminal.finish();
    assert_eq!(code, 0);
    assert!(!screen.contains(" in flight"), "{screen}");
    assert_eq!(screen.matches("udp_seq=").count(), 8, "{screen}");
    assert!(screen.trim_end().lines().last().unwrap().starts_with("rtt min/avg/max/mdev = "), "{screen}");
}

#[test]
fn without_a_terminal_there_is_plain_text() {
    let (folder, serve) = (TempDir::new().unwrap(), Serve::start("--clean"));
    for flags in ["-n 3 -i 0.05", "-n 3 -i 0.05 -f", "-n 3 -i 0.05 -D -O", "-n 3 -i 0.05 -q"] {
        let finished = run(command(folder.path(), &ping(serve.port, flags)));
        assert!(finished.assert_summed_up().stdout.iter().all(|line| !line.contains(['\x1b', '\r', '\x08'])));
        assert!(!finished.has_line("in flight"), "{finished:#?}");
    }
    let serve = Serve::start("--clean --loss nth:2");
    let finished = run(command(folder.path(), &ping(serve.port, "-n 8 -i 0.05 -f")));
    assert!(finished.stdout.contains(&"....".to_owned()), "{finished:#?}");
}

#[test]
fn quiet_on_a_terminal_prints_the_header_and_the_summary() {
    let (folder, serve) = (TempDir::new().unwrap(), Serve::start("--clean"));
    let terminal = Terminal::start(folder.path(), &ping(serve.port, "-n 3 -i 0.1 -q"), (80, 24));
    terminal.wait_for_text("rtt min/avg");
    let written = terminal.written();
    assert!(!written.contains("in flight") && !written.contains("udp_seq"), "{written}");
    assert_eq!(terminal.finish().0, 0);
}

#[test]
fn a_dumb_terminal_and_one_without_colour_get_what_they_can_show() {
    let (folder, serve) = (TempDir::new().unwrap(), Serve::start("--clean"));
    for (variable, value) in [("TERM", "dumb"), ("NO_COLOR", "1")] {
        let words = ping(serve.port, "-n 3 -i 0.2");
        let terminal = Terminal::with_environment(folder.path(), &words, (80, 24), &[(variable, value)]);
        terminal.wait_for_text("rtt min/avg");
        let written = terminal.written();
        // No colours in either; where the cursor cannot be moved nothing moves it.
        assert!(!written.contains("\x1b[3") && !written.contains("\x1b[38"), "{written:?}");
        assert_eq!(variable == "TERM", !written.contains('\x1b'), "{written:?}");
    }
}

#[test]
fn the_time_stands_before_each_line_if_it_is_asked_for() {
    let (folder, serve) = (TempDir::new().unwrap(), Serve::start("--clean"));
    let finished = run(command(folder.path(), &ping(serve.port, "-n 2 -i 0.05 -D")));
    let stamped = finished.stdout.iter().filter(|line| {
        let (stamp, rest) = line.split_once("] ").unwrap_or_default();
        let seconds: Option<f64> = stamp.strip_prefix('[').and_then(|stamp| stamp.parse().ok());
        seconds.is_some_and(|seconds| seconds > 1.7e9)
            && rest.starts_with("512 bytes from 127.0.0.1: udp_seq=")
    });
    assert_eq!(stamped.count(), 2, "{finished:#?}");
}

#[test]
fn what_has_no_answer_yet_is_told_of_when_the_next_one_leaves() {
    let (folder, serve) = (TempDir::new().unwrap(), Serve::start("--clean --delay constant:500ms"));
    let finished = run(command(folder.path(), &ping(serve.port, "-n 3 -i 0.2 -W 2 -O")));
    assert_eq!(finished.code, Some(0));
    let place = |text: &str| finished.stdout.iter().position(|line| line.contains(text));
    let (waits, comes) = (place("no answer yet for seq=0"), place("udp_seq=0 "));
    assert!(waits.is_some() && waits < comes, "{finished:#?}");
    assert_eq!(place("no answer yet for seq=2"), None);
}

#[test]
fn dots_are_erased_by_answers_and_losses_stay() {
    let (folder, serve) = (TempDir::new().unwrap(), Serve::start("--clean --loss nth:3"));
    let terminal = Terminal::start(folder.path(), &ping(serve.port, "-n 30 -i 0.02 -f"), (80, 24));
    terminal.wait_for_text("rtt min/avg");
    let (code, screen) = terminal.finish();
    assert_eq!(code, 0);
    assert!(screen.lines().any(|line| line.trim_end() == ".".repeat(10)), "{screen}");
    assert!(!screen.contains("udp_seq"), "{screen}");
}

#[test]
fn an_interrupt_and_a_terminal_that_goes_away_end_the_run() {
    let (folder, serve) = (TempDir::new().unwrap(), Serve::start("--clean"));
    let mut terminal = Terminal::start(folder.path(), &ping(serve.port, "-i 0.05"), (80, 24));
    terminal.wait_for_text("in flight");
    terminal.press("\x03");
    let (code, screen) = terminal.finish();
    assert!(code == 0 && screen.contains("packets transmitted"), "{screen}");
    let terminal = Terminal::start(folder.path(), &ping(serve.port, "-i 0.05"), (80, 24));
    terminal.wait_for_text("in flight");
    terminal.signal("HUP");
    assert_eq!(terminal.finish().0, 0);
}

#[test]
fn the_status_line_says_less_in_a_small_window() {
    let (folder, serve) = (TempDir::new().unwrap(), Serve::start("--clean"));
    let terminal = Terminal::start(folder.path(), &ping(serve.port, "-n 12 -i 0.25"), (80, 24));
    terminal.wait_for_text("p50/p99");
    terminal.resize(20, 5);
    terminal.wait_for(|screen| {
        let last = screen.trim_end().lines().last().unwrap_or("");
        last.ends_with(" % lost or late") && last.chars().count() <= 20
    });
    terminal.resize(80, 24);
    terminal.wait_for_text("p50/p99");
    assert_eq!(terminal.finish().0, 0);
}
