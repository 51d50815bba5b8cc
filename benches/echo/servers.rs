//! The servers that are measured: processes of their own, pinned to core 1, ended when dropped.

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

pub const UDPECHO: &str = env!("CARGO_BIN_EXE_udpecho");
pub const SERVER_CORE: usize = 1;

pub struct Server {
    pub child: Child,
    said: BufReader<ChildStdout>,
    /// As tables have it.
    pub name: &'static str,
    pub address: SocketAddr,
}

impl Server {
    pub fn start_c(name: &'static str, binary: &Path) -> Self {
        let port = free_port();
        Self::start(name, &mut pinned(Command::new(binary).arg(port.to_string()), SERVER_CORE), port)
    }

    pub fn start_udpecho(arguments: &[&str]) -> Self {
        Self::start_udpecho_on(Some(SERVER_CORE), arguments)
    }

    /// On one core, or on whichever is free.
    pub fn start_udpecho_on(core: Option<usize>, arguments: &[&str]) -> Self {
        let port = free_port();
        let mut command = Command::new(UDPECHO);
        command.args(["serve", "-p", &port.to_string()]).args(arguments);
        let mut command = core.map_or_else(|| on_any_core(&command), |core| pinned(&command, core));
        Self::start("udpecho", &mut command, port)
    }

    /// Returns when it has said its first line: each does once it listens.
    pub fn start(name: &'static str, command: &mut Command, port: u16) -> Self {
        let child = command.stdout(Stdio::piped()).spawn();
        let mut child = child.expect("the server starts");
        let mut said = BufReader::new(child.stdout.take().expect("a pipe"));
        let banner = said.read_line(&mut String::new());
        assert!(banner.is_ok_and(|length| length > 0), "the server does not start");
        Self { child, said, name, address: (Ipv4Addr::LOCALHOST, port).into() }
    }

    /// Puts it ahead of all ordinary processes; whether that is allowed.
    pub fn run_ahead(&self) -> bool {
        run_ahead(self.child.id())
    }

    /// Nanoseconds that its threads have been on a core.
    pub fn cpu_nanos(&self) -> u64 {
        cpu_nanos(self.child.id())
    }

    /// Nanoseconds that its threads have waited for a core while others had it.
    pub fn waited_nanos(&self) -> u64 {
        scheduled_nanos(self.child.id(), 1)
    }

    /// Has it do nothing at all until it is woken.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    pub fn wake(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name]).arg(self.child.id().to_string()).status();
        assert!(sent.is_ok_and(|status| status.success()), "the server is there to be told");
    }

    /// Ends it in good order and returns what it said.
    pub fn stop(mut self) -> String {
        self.signal("TERM");
        let mut said = String::new();
        self.said.read_to_string(&mut said).expect("what the server says is text");
        said
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn cpu_nanos(process: u32) -> u64 {
    scheduled_nanos(process, 0)
}

/// A figure of the scheduler's, of all threads.
fn scheduled_nanos(process: u32, figure: usize) -> u64 {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    threads
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("schedstat")).ok())
        .filter_map(|text| text.split(' ').nth(figure)?.parse::<u64>().ok())
        .sum()
}

/// The command, on one core only.
pub fn pinned(command: &Command, core: usize) -> Command {
    on_cores(command, &core.to_string())
}

/// Whoever starts it may be pinned itself.
fn on_any_core(command: &Command) -> Command {
    on_cores(command, "0-1023")
}

fn on_cores(command: &Command, cores: &str) -> Command {
    let mut pinned = Command::new("taskset");
    pinned.args(["-c", cores]).arg(command.get_program()).args(command.get_args());
    pinned.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    pinned
}

pub fn pin_this_thread_to(core: usize) {
    let process = std::process::id().to_string();
    let done = Command::new("taskset")
        .args(["-p", "-c", &core.to_string(), &process])
        .stdout(Stdio::null())
        .status();
    assert!(done.is_ok_and(|status| status.success()), "taskset is needed to pin the load");
}

/// Puts a process ahead of all ordinary ones on its core; whether that is allowed.
pub fn run_ahead(process: u32) -> bool {
    let mut chrt = Command::new("chrt");
    chrt.args(["--all-tasks", "--fifo", "--pid", "10", &process.to_string()]);
    chrt.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Puts it back among the ordinary ones.
pub fn run_among_all(process: u32) {
    let mut chrt = Command::new("chrt");
    chrt.args(["--all-tasks", "--other", "--pid", "0", &process.to_string()]);
    let _ = chrt.stdout(Stdio::null()).stderr(Stdio::null()).status();
}

/// Of a source in `benches/`. None if there is no compiler.
pub fn build_c(source: &str, name: &str, flags: &[&str]) -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches").join(source);
    let binary = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let built = Command::new("cc").arg("-O2").args(flags).arg("-o").arg(&binary).arg(source).status();
    match built {
        Ok(status) => {
            assert!(status.success(), "{name} does not compile");
            Some(binary)
        }
        Err(_) => None,
    }
}

pub fn free_port() -> u16 {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a socket");
    socket.local_addr().expect("its address").port()
}
