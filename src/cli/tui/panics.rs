//! The terminal is restored when any thread panics: tested in a child process on a pseudo-terminal.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use ratatui::Frame;
use ratatui::text::Line;

use super::{ScreenView, Tui};
use crate::net::Control;

const THREAD: &str = "UDPECHO_TEST_THREAD_PANICS";
const NAME: &str = "cli::tui::panics::a_panic_of_any_thread_restores_the_terminal";

/// Draws another picture each time; with `panics` the tenth drawing panics.
struct Pictures {
    drawn: u32,
    panics: bool,
}

impl ScreenView for Pictures {
    fn draw(&mut self, frame: &mut Frame) {
        self.drawn += 1;
        frame.render_widget(Line::raw(format!("picture {}", self.drawn)), frame.area());
        assert!(!self.panics || self.drawn < 10, "by the drawing thread");
    }

    fn press(&mut self, _: char) {}
}

/// The child: shows pictures until the named thread panics.
fn panic_in(thread: &str) {
    let view = Pictures { drawn: 0, panics: thread == "screen" };
    let screen = Tui::start(view, Arc::new(Control::new().unwrap())).unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    match thread {
        "owner" => panic!("by the owner of the screen"),
        "another" => std::thread::spawn(|| panic!("by another thread")).join().unwrap_err(),
        _ => Box::new(()),
    };
    // Long enough for another picture, if any were drawn.
    std::thread::sleep(Duration::from_millis(500));
    drop(screen);
}

#[test]
fn a_panic_of_any_thread_restores_the_terminal() {
    if let Ok(thread) = std::env::var(THREAD) {
        return panic_in(&thread);
    }
    for (thread, message) in [
        ("screen", "by the drawing thread"),
        ("another", "by another thread"),
        ("owner", "by the owner of the screen"),
    ] {
        let (written, screen) = on_a_terminal(thread);
        // The full screen was shown and is gone: cursor visible, canonical mode, echo on.
        assert!(written.contains("picture") && written.contains("\x1b[?1049h"), "{thread}: {written:?}");
        let (_, after) =
            written.rsplit_once("\x1b[?1049l").unwrap_or_else(|| panic!("{thread}: {written:?}"));
        assert!(!screen.alternate_screen() && !screen.hide_cursor(), "{thread}: {written:?}");
        assert!(after.contains(" icanon") && after.contains(" echo "), "{thread}: {after:?}");
        // The panic message is on the normal screen, and nothing was drawn over it.
        assert!(screen.contents().contains(message), "{thread}: {written:?}");
        assert!(!screen.contents().contains("picture"), "{thread}: {written:?}");
    }
}

/// The output of the child, and the screen at its end.
fn on_a_terminal(thread: &str) -> (String, vt100::Screen) {
    let pair = native_pty_system()
        .openpty(PtySize { rows: 50, cols: 100, pixel_width: 0, pixel_height: 0 })
        .unwrap();
    let mut child = CommandBuilder::new("sh");
    child.args(["-c", "\"$0\" --exact \"$1\" --nocapture; stty -a"]);
    child.args([std::env::current_exe().unwrap().to_str().unwrap(), NAME]);
    child.env(THREAD, thread);
    child.env("TERM", "xterm-256color");
    child.env("RUST_BACKTRACE", "0");
    let mut child_runs = pair.slave.spawn_command(child).unwrap();
    drop(pair.slave);
    let (mut written, mut part) = (Vec::new(), [0; 4096]);
    let mut output = pair.master.try_clone_reader().unwrap();
    // On Linux the end of the last writer is an error.
    while let Ok(read @ 1..) = output.read(&mut part) {
        written.extend_from_slice(&part[..read]);
    }
    child_runs.wait().unwrap();
    let mut parser = vt100::Parser::new(50, 100, 0);
    parser.process(&written);
    (String::from_utf8_lossy(&written).into_owned(), parser.screen().clone())
}
