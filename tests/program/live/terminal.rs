//! The program on a pseudo-terminal, and what a person would see there.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::common::watchdog;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// Looked at this often, and for a minute at most: nothing here is fast or slow by this measure.
const LOOK: Duration = Duration::from_millis(20);
const LOOKS: u32 = 3000;

pub struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    seen: Arc<Mutex<Seen>>,
    reader: Option<thread::JoinHandle<()>>,
}

struct Seen {
    screen: vt100::Parser,
    /// Everything that was written.
    bytes: Vec<u8>,
}

impl Terminal {
    pub fn start(folder: &Path, words: &str, (columns, rows): (u16, u16)) -> Self {
        Self::with_environment(folder, words, (columns, rows), &[])
    }

    pub fn with_environment(
        folder: &Path,
        words: &str,
        (columns, rows): (u16, u16),
        variables: &[(&str, &str)],
    ) -> Self {
        let pair = native_pty_system().openpty(size(columns, rows)).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_udpecho"));
        command.args(words.split_whitespace());
        command.cwd(folder);
        command.env("TERM", "xterm-256color");
        command.env_remove("NO_COLOR");
        variables.iter().for_each(|(name, value)| command.env(name, value));
        watchdog::progress();
        let child = pair.slave.spawn_command(command).unwrap();
        let mut output = pair.master.try_clone_reader().unwrap();
        let keys = pair.master.take_writer().unwrap();
        let screen = vt100::Parser::new(rows, columns, 1000);
        let seen = Arc::new(Mutex::new(Seen { screen, bytes: Vec::new() }));
        let to_fill = Arc::clone(&seen);
        let reader = thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(read @ 1..) = output.read(&mut part) {
                let mut seen = to_fill.lock().unwrap();
                seen.screen.process(&part[..read]);
                seen.bytes.extend_from_slice(&part[..read]);
            }
        });
        Self { child, master: pair.master, keys, seen, reader: Some(reader) }
    }

    pub fn screen(&self) -> String {
        self.seen.lock().unwrap().screen.screen().contents()
    }

    /// Everything that was written so far, control characters included.
    pub fn written(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().unwrap().bytes).into_owned()
    }

    pub fn in_full_screen(&self) -> bool {
        self.seen.lock().unwrap().screen.screen().alternate_screen()
    }

    /// Waits for a screen that is as wanted.
    pub fn wait_for(&self, wanted: impl Fn(&str) -> bool) -> String {
        watchdog::progress();
        for _ in 0..LOOKS {
            let screen = self.screen();
            if wanted(&screen) {
                return screen;
            }
            thread::sleep(LOOK);
        }
        panic!("not seen:\n{}", self.screen());
    }

    pub fn wait_for_text(&self, text: &str) -> String {
        self.wait_for(|screen| screen.contains(text))
    }

    pub fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    pub fn resize(&self, columns: u16, rows: u16) {
        self.seen.lock().unwrap().screen.screen_mut().set_size(rows, columns);
        self.master.resize(size(columns, rows)).unwrap();
    }

    pub fn pid(&self) -> u32 {
        self.child.process_id().unwrap()
    }

    pub fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.pid());
        assert!(std::process::Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Waits for its end: the exit code, and the last screen.
    pub fn finish(mut self) -> (u32, String) {
        for _ in 0..LOOKS {
            if let Some(status) = self.child.try_wait().unwrap() {
                // What it wrote last is read to its end.
                if let Some(reader) = self.reader.take() {
                    reader.join().unwrap();
                }
                assert!(!self.in_full_screen(), "the terminal was left in full screen");
                assert!(
                    !self.seen.lock().unwrap().screen.screen().hide_cursor(),
                    "the cursor was left hidden"
                );
                return (status.exit_code(), self.screen());
            }
            thread::sleep(LOOK);
        }
        panic!("it does not end:\n{}", self.screen());
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}
