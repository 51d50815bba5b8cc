//! The program as a process: started, watched line by line, signalled, never left behind.

use std::ffi::OsStr;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use super::watchdog;

/// What takes longer hangs; nothing here is fast or slow by this measure.
const BOUND: Duration = Duration::from_secs(120);

pub fn udpecho() -> Command {
    watchdog::progress();
    Command::new(env!("CARGO_BIN_EXE_udpecho"))
}

/// The program in this folder, with these words.
pub fn command(folder: &Path, words: &str) -> Command {
    let mut command = udpecho();
    command.current_dir(folder).args(words.split_whitespace());
    command
}

pub fn python(script: &str) -> Command {
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", super::needs::python_packages());
    command.arg("-u").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python").join(script));
    command
}

/// A UDP and TCP port where nobody listens. It is below those that the system gives to sockets without one, so that a
/// program that is restarted finds it free again.
pub fn free_port() -> u16 {
    let mut drawn =
        std::iter::repeat_with(|| 10_000 + (RandomState::new().build_hasher().finish() % 20_000) as u16);
    let is_free = |port: &u16| {
        UdpSocket::bind(("0.0.0.0", *port)).is_ok() && TcpListener::bind(("0.0.0.0", *port)).is_ok()
    };
    drawn.find(is_free).unwrap()
}

/// A TCP port where nobody listens.
pub fn free_tcp_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A running program. Whatever happens to the test, it is ended.
pub struct Process {
    name: String,
    pid: u32,
    stdout: Lines,
    stderr: Lines,
    ended: Receiver<ExitStatus>,
    is_over: bool,
}

/// What is read of a stream, line by line.
struct Lines {
    coming: Receiver<String>,
    read: Vec<String>,
}

/// What a program left when it had ended.
#[derive(Debug)]
pub struct Finished {
    pub code: Option<i32>,
    pub stdout: Vec<String>,
    pub stderr: Vec<String>,
}

impl Process {
    pub fn spawn(mut command: Command) -> Self {
        let name = format!("{command:?}");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = start(&mut command);
        let stdout = Lines::of(child.stdout.take().unwrap());
        let stderr = Lines::of(child.stderr.take().unwrap());
        let pid = child.id();
        let (status, ended) = channel();
        thread::spawn(move || {
            let code = child.wait().unwrap();
            watchdog::ended(pid);
            status.send(code)
        });
        Self { name, pid, stdout, stderr, ended, is_over: false }
    }

    /// Waits for a line with this text.
    pub fn line_with(&mut self, text: &str) -> String {
        self.stdout.with(text, &self.name)
    }

    /// Waits for such a line on stderr.
    pub fn remark_with(&mut self, text: &str) -> String {
        self.stderr.with(text, &self.name)
    }

    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends a signal by its name, as in `INT`.
    pub fn signal(&self, name: &str) {
        assert!(self.try_signal(name), "no {name} for {}", self.name);
    }

    fn try_signal(&self, name: &str) -> bool {
        try_signal(self.pid, name)
    }

    /// Interrupts it again and again, as somebody who has lost patience.
    pub fn interrupt_until_it_ends(mut self) -> Finished {
        loop {
            // It may end between two of them.
            self.try_signal("INT");
            if let Ok(status) = self.ended.recv_timeout(Duration::from_millis(100)) {
                return self.finished(status);
            }
        }
    }

    /// Waits for its end.
    pub fn finish(mut self) -> Finished {
        let status = self.ended.recv_timeout(BOUND).unwrap_or_else(|_| panic!("{} does not end", self.name));
        self.finished(status)
    }

    fn finished(&mut self, status: ExitStatus) -> Finished {
        self.is_over = true;
        watchdog::progress();
        Finished { code: status.code(), stdout: self.stdout.rest(), stderr: self.stderr.rest() }
    }
}

impl Lines {
    fn of(stream: impl Read + Send + 'static) -> Self {
        let (line, coming) = channel();
        let lines = BufReader::new(stream).lines().map_while(Result::ok);
        thread::spawn(move || lines.for_each(|text| drop(line.send(text))));
        Self { coming, read: Vec::new() }
    }

    fn with(&mut self, text: &str, name: &str) -> String {
        loop {
            let next = self.coming.recv_timeout(BOUND);
            let line = next.unwrap_or_else(|_| panic!("no line with '{text}' from {name}: {:#?}", self.read));
            self.read.push(line.clone());
            watchdog::progress();
            if line.contains(text) {
                return line;
            }
        }
    }

    /// All lines, up to the end of the stream.
    fn rest(&mut self) -> Vec<String> {
        let mut lines = std::mem::take(&mut self.read);
        lines.extend(self.coming.iter());
        lines
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.is_over && self.ended.try_recv().is_err() {
            self.try_signal("KILL");
            let _ = self.ended.recv_timeout(BOUND);
        }
    }
}

fn start(command: &mut Command) -> Child {
    let child = command.spawn().unwrap_or_else(|error| {
        panic!("{} is needed by this test and cannot be started: {error}", command.get_program().display())
    });
    watchdog::started(child.id());
    child
}

pub fn try_signal(pid: u32, name: &str) -> bool {
    let kill = format!("kill -{name} {pid}");
    Command::new("sh").args(["-c", &kill]).status().is_ok_and(|status| status.success())
}

/// What a program wrote that was given this input. One that does not end is killed.
pub fn output(mut command: Command, input: impl Into<Vec<u8>>) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = start(&mut command);
    let (pid, input, (send, ended)) = (child.id(), input.into(), channel());
    thread::spawn(move || {
        // A program that reads no input may have closed it.
        let _ = child.stdin.take().unwrap().write_all(&input);
        let output = child.wait_with_output().unwrap();
        watchdog::ended(pid);
        send.send(output)
    });
    ended.recv_timeout(BOUND).unwrap_or_else(|_| {
        try_signal(pid, "KILL");
        panic!("{command:?} does not end");
    })
}

pub fn run(command: Command) -> Finished {
    Process::spawn(command).finish()
}

/// A running `udpecho serve`, ready to be measured.
pub struct Serve {
    pub process: Process,
    pub port: u16,
}

impl Serve {
    pub fn start(options: &str) -> Self {
        Self::at(0, options)
    }

    /// At this port; at any that is free if it is 0.
    pub fn at(port: u16, options: &str) -> Self {
        let mut command = udpecho();
        command.args(["serve", "-p", &port.to_string()]).args(options.split_whitespace());
        let mut process = Process::spawn(command);
        let port = port_in(&process.line_with("listening on UDP "));
        process.line_with("injects");
        Self { process, port }
    }
}

/// The port in what a program says of where it listens.
pub fn port_in(said: &str) -> u16 {
    let port = |word: &str| word.trim_end_matches(['/', ',']).rsplit(':').next()?.parse().ok();
    said.split_whitespace().find_map(port).unwrap_or_else(|| panic!("no port in '{said}'"))
}

impl Finished {
    pub fn has_line(&self, text: &str) -> bool {
        self.stdout.iter().any(|line| line.contains(text))
    }

    /// The last line of a measurement, which is ping's.
    pub fn assert_summed_up(&self) -> &Self {
        assert_eq!(self.code, Some(0), "{self:#?}");
        assert!(self.has_line("packets transmitted"), "{self:#?}");
        assert!(
            self.stdout.last().is_some_and(|line| line.starts_with("rtt min/avg/max/mdev = ")),
            "{self:#?}"
        );
        self
    }
}

/// The names in a folder, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = entries.map(|name| OsStr::to_string_lossy(&name).into_owned()).collect();
    names.sort();
    names
}
