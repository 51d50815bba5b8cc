//! The full screens, looked at and pressed as a person does.

use tempfile::TempDir;

use super::terminal::Terminal;
use crate::common::process::{Process, Serve, command, free_port, port_in, run};

fn ping(port: u16, flags: &str) -> String {
    format!("ping 127.0.0.1:{port} --tui {flags}")
}

#[test]
fn a_run_is_shown_and_its_keys_do_what_they_say() {
    let (folder, serve) = (TempDir::new().unwrap(), Serve::start("--clean --loss nth:5"));
    let mut terminal = Terminal::start(folder.path(), &ping(serve.port, "-i 0.05 -o run"), (80, 24));
    let screen = terminal.wait_for(|screen| screen.contains("p50 ") && screen.contains(" lost"));
    assert!(terminal.in_full_screen());
    for part in
        ["udpecho ping 127.0.0.1", "512 bytes every 50ms", "histogram, linear", "throughput", "q quit"]
    {
        assert!(screen.contains(part), "no '{part}' in:\n{screen}");
    }
    terminal.wait_for_text("▒");
    terminal.press("l");
    terminal.wait_for_text("histogram, log");
    terminal.press("?");
    terminal.wait_for_text("the record stays complete");
    terminal.press("\x1b");
    terminal.wait_for(|screen| !screen.contains("the record stays complete"));
    terminal.press(" ");
    let held = terminal.wait_for_text("the measurement is not");
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(terminal.screen(), held);
    terminal.press(" ");
    terminal.wait_for(|screen| !screen.contains("the measurement is not"));
    terminal.press("s");
    terminal.wait_for_text("written: run/report.png");
    assert!(folder.path().join("run/report.png").is_file());
    let before = sent(&terminal.screen());
    terminal.press("r");
    terminal.wait_for(|screen| sent(screen) < before / 2);
    terminal.resize(20, 5);
    let small = terminal.wait_for(|screen| screen.contains("p50 ") && !screen.contains("quit"));
    assert!(small.contains(" sent") && small.contains("p99 "), "{small}");
    terminal.resize(120, 40);
    terminal.wait_for(|screen| screen.contains("mdev ") && screen.contains("? help"));
    terminal.press("q");
    let (code, screen) = terminal.finish();
    assert_eq!(code, 0);
    // The ordinary summary, of the whole run, on the normal screen.
    assert!(screen.contains("packets transmitted") && screen.contains("rtt min/avg/max/mdev"), "{screen}");
    assert!(!screen.contains("histogram"), "{screen}");
}

/// The count of probes sent that the screen shows.
fn sent(screen: &str) -> u64 {
    let line = screen.lines().find(|line| line.contains(" sent, ")).unwrap_or("0");
    line.trim().split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn a_signal_gives_the_terminal_back() {
    let (folder, serve) = (TempDir::new().unwrap(), Serve::start("--clean"));
    for signal in ["TERM", "INT", "HUP"] {
        let terminal = Terminal::start(folder.path(), &ping(serve.port, "-i 0.05 --no-record"), (80, 24));
        terminal.wait_for(|screen| sent(screen) > 0);
        terminal.signal(signal);
        let (code, screen) = terminal.finish();
        assert!(code == 0 && screen.contains("packets transmitted"), "{signal}:\n{screen}");
    }
}

#[test]
fn an_interim_line_that_is_asked_for_has_its_place_on_the_screen() {
    let (folder, serve) = (TempDir::new().unwrap(), Serve::start("--clean"));
    let mut terminal = Terminal::start(folder.path(), &ping(serve.port, "-i 0.05 --no-record"), (80, 24));
    terminal.wait_for_text("throughput 16");
    terminal.signal("QUIT");
    let screen = terminal.wait_for_text("p50/p99/max");
    let footer = screen.lines().last().unwrap();
    assert!(footer.contains(" sent, ") && footer.contains(" on time, "), "{screen}");
    assert!(screen.starts_with("udpecho ping "), "{screen}");
    terminal.press("l");
    terminal.wait_for(|screen| screen.contains("? help") && !screen.contains("p50/p99/max"));
    terminal.press("q");
    assert_eq!(terminal.finish().0, 0);
}

#[test]
fn a_run_that_does_not_begin_waits_for_a_server_and_leaves_no_full_screen() {
    let folder = TempDir::new().unwrap();
    let mut terminal = Terminal::start(folder.path(), &ping(free_port(), "-n 1 --no-record"), (80, 24));
    terminal.wait_for_text("no server answers yet");
    terminal.press("q");
    let (code, screen) = terminal.finish();
    assert!(code == 1 && screen.contains("stopped before 127.0.0.1"), "{screen}");
}

#[test]
fn without_a_terminal_there_is_no_full_screen() {
    let (folder, serve) = (TempDir::new().unwrap(), Serve::start("--clean"));
    let finished = run(command(folder.path(), &ping(serve.port, "-n 1 -o run")));
    assert_eq!(finished.code, Some(2));
    assert!(finished.stderr[0].contains("--tui needs a terminal"), "{finished:#?}");
}

#[test]
fn no_colour_is_used_where_none_is_wanted() {
    let (folder, serve) = (TempDir::new().unwrap(), Serve::start("--clean"));
    let words = ping(serve.port, "-n 8 -i 0.1 --no-record");
    let terminal = Terminal::with_environment(folder.path(), &words, (80, 24), &[("NO_COLOR", "1")]);
    terminal.wait_for_text("p50 ");
    let written = terminal.written();
    assert!(
        ["\x1b[3", "\x1b[9", "\x1b[38"]
            .iter()
            .all(|code| { written.match_indices(code).all(|(at, _)| !is_colour(&written[at + 2..])) })
    );
    assert_eq!(terminal.finish().0, 0);
}

/// Whether these are the parameters of a foreground other than the terminal's own.
fn is_colour(rest: &str) -> bool {
    let parameters = rest.split('m').next().unwrap_or("");
    parameters.chars().all(|c| c.is_ascii_digit() || c == ';') && parameters != "39"
}

#[test]
fn a_server_is_shown_with_its_clients() {
    let folder = TempDir::new().unwrap();
    let mut terminal = Terminal::start(folder.path(), "serve --clean --loss 20% -p 0 --tui", (80, 24));
    let port = port_in(&terminal.wait_for_text("no client yet"));
    let ping = format!("ping 127.0.0.1:{port} -i 0.02 -q --no-record");
    let client = Process::spawn(command(folder.path(), &ping));
    let screen = terminal.wait_for(|screen| screen.contains(" native ") && screen.contains("1 client"));
    assert!(screen.contains("127.0.0.1") && screen.contains("probes per second"), "{screen}");
    client.signal("INT");
    client.finish();
    terminal.press("q");
    let (code, screen) = terminal.finish();
    assert!(code == 0 && screen.contains("received ") && screen.contains("dropped (injected)"), "{screen}");
}

#[test]
fn a_server_on_a_terminal_tells_of_its_traffic_each_second() {
    let folder = TempDir::new().unwrap();
    let terminal = Terminal::start(folder.path(), "serve --clean -p 0", (80, 24));
    let port = port_in(&terminal.wait_for_text("injects nothing"));
    let ping = format!("ping 127.0.0.1:{port} -n 60 -i 0.05 -q --no-record");
    run(command(folder.path(), &ping)).assert_summed_up();
    let screen = terminal.wait_for_text("1 client, ");
    assert!(screen.contains(" probes per second, 0 held"), "{screen}");
    terminal.signal("INT");
    assert_eq!(terminal.finish().0, 0);
}
